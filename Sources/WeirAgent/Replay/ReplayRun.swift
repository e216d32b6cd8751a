// A replay: the same engine as a running agent, fed from files to their end. Time is the events' own:
// nothing is idle and nothing too far ahead, since the machine's clock says nothing about a recording.

import Glibc
import Logging
import WeirCore
import WeirRuntime
import WeirStore

/// Runs recorded input through a configuration's queries.
public enum ReplayRun {
    /// Replays to the end of all inputs.
    ///
    /// - Returns: a summary for people.
    public static func run(
        _ configuration: AgentConfiguration, _ options: ReplayOptions, environment: [String: String]
    ) throws(Failure) -> String {
        let stopSignal = try StopSignal()
        ProcessMemory.limitArenas()
        let temporary = options.stateDirectory == nil ? try TemporaryFolder(environment) : nil
        defer { temporary?.remove() }
        let path = options.stateDirectory ?? temporary?.path ?? ""
        let parts = try ReplayBuilder(configuration, options, environment).build(statePath: path)
        return try ReplayLoop(parts, options, stopSignal).run()
    }
}

/// What a replay is made of.
struct ReplayParts {
    let engine: Engine
    /// nil when results go to files.
    let forwarding: Forwarding?
    /// Bytes of all input files; nil when one is standard input.
    let inputBytes: UInt64?
    let clock: any MachineClock
}

/// Drives a replay.
struct ReplayLoop {
    private let parts: ReplayParts
    private let options: ReplayOptions
    private let stopSignal: StopSignal
    private static let progressIntervalNanoseconds: Int64 = 200_000_000

    init(_ parts: ReplayParts, _ options: ReplayOptions, _ stopSignal: StopSignal) {
        self.parts = parts
        self.options = options
        self.stopSignal = stopSignal
    }

    func run() throws(Failure) -> String {
        let engine = parts.engine
        try engine.recover()
        try parts.forwarding?.start()
        var nextProgress: Int64 = 0
        while let source = engine.nextSource {
            _ = try engine.turn(source)
            let now = parts.clock.monotonicNanoseconds()
            if now >= nextProgress {
                nextProgress = now + Self.progressIntervalNanoseconds
                showProgress()
                parts.forwarding?.notifyIfAppended()
                if stopSignal.isRequested() { throw stopped() }
            }
        }
        try engine.end()
        try parts.forwarding?.drain(
            onProgress: { left in options.progress?("forwarding, \(left) rows left        ") },
            isCancelled: { stopSignal.isRequested() })
        if stopSignal.isRequested() { throw stopped() }
        return summary()
    }

    private func showProgress() {
        guard let show = options.progress else { return }
        let read = parts.engine.sources.reduce(0) { $0 + $1.source.report.bytes }
        let share = parts.inputBytes.map { $0 == 0 ? "" : " of \(StatusText.bytes($0))" } ?? ""
        show("read \(StatusText.bytes(read))\(share)        ")
    }

    private func stopped() -> Failure {
        Failure(
            .input, "replaying", "", "stopped by a signal",
            advice: options.stateDirectory == nil
                ? "start it again" : "start it again with the same --state-dir to go on")
    }

    private func summary() -> String {
        let sources = parts.engine.sources.map { source -> String in
            let rows = source.status.rows
            return "\(source.name): \(rows.received) rows, \(rows.rejected) rejected"
        }
        let queries = parts.engine.queries.map { query -> String in
            let rows = query.status.rows
            return "\(query.name): \(rows.emitted) results, \(rows.late) late, \(rows.filtered) filtered"
        }
        return (sources + queries).joined(separator: "\n")
    }
}

extension Engine {
    /// The source that goes next in a replay: sources advance together, the one whose time is furthest
    /// back first. Nil when all have ended.
    var nextSource: SourceTask? {
        sources.filter { !$0.hasEnded }.min { $0.tracker.watermark < $1.tracker.watermark }
    }
}
