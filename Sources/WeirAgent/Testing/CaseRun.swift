// One run of a case's queries over its input, in this process: the engine of a replay, with its state in
// a folder that goes when the case is done. A run can be cut into small batches, and dropped in the
// middle, with what was not committed, to go on from what was: the way a kill ends a process, without
// the cost of starting one.

import WeirCore
import WeirStore

/// How a case is run.
struct CaseVariant {
    let name: String
    /// Rows a batch at most; nil for as they come.
    var batchRows: Int?
    /// Batches a commit; nil for by time.
    var commitBatches: Int?
    /// After how many batches the first, the second, … engine is dropped; each one after it goes on from
    /// what was committed. The last runs to the end.
    var drops: [Int] = []
}

/// Runs the queries of one case.
struct CaseRun {
    let configuration: AgentConfiguration
    let inputs: [String: [String]]
    /// Where states and outputs of all variants lie.
    let folder: String
    let environment: [String: String]

    /// The output files by their path in the output folder, such as `_late/q.ndjson`.
    func files(of variant: CaseVariant) throws(Failure) -> [String: [UInt8]] {
        for count in variant.drops { _ = try drive(variant, batchesMax: count) }
        _ = try drive(variant, batchesMax: nil)
        // What has ended stays as it is when it is started again.
        if !variant.drops.isEmpty { _ = try drive(variant, batchesMax: nil) }
        var files: [String: [UInt8]] = [:]
        let names =
            configuration.queries.flatMap { ["\($0.name)", "_late/\($0.name)"] }
            + configuration.sources.map { "_rejected/\($0.name)" }
        for name in names {
            let path = "\(folder)/\(variant.name)/\(name).ndjson"
            if case .success(let bytes) = readFile(path, bytesMax: .max) {
                files["\(name).ndjson"] = name.hasPrefix("_rejected/") ? Self.withoutReceipt(bytes) : bytes
            }
        }
        return files
    }

    /// Runs to the end or for so many batches; whether the end was reached.
    private func drive(_ variant: CaseVariant, batchesMax: Int?) throws(Failure) -> Bool {
        var options = ReplayOptions()
        options.inputs = inputs
        options.output = .folder("\(folder)/\(variant.name)")
        options.batchRowsMax = variant.batchRows
        options.commitBatches = variant.commitBatches
        let statePath = "\(folder)/\(variant.name)-state"
        options.stateDirectory = statePath
        let engine = try ReplayBuilder(configuration, options, environment).build(
            statePath: statePath
        ).engine
        try engine.recover()
        var batches = 0
        while let source = engine.nextSource {
            if batches == batchesMax { return false }
            _ = try engine.turn(source)
            batches += 1
        }
        if batchesMax != nil { return false }
        try engine.end()
        return true
    }

    /// When a row was read differs from run to run.
    private static func withoutReceipt(_ bytes: [UInt8]) -> [UInt8] {
        let mark = Array(#""received_at":""#.utf8)
        var kept: [UInt8] = []
        var index = 0
        while index < bytes.count {
            if bytes[index] == mark[0], bytes[index...].starts(with: mark) {
                index += mark.count
                while index < bytes.count, bytes[index] != mark[0] { index += 1 }
                index += 1
            } else {
                kept.append(bytes[index])
                index += 1
            }
        }
        return kept
    }
}
