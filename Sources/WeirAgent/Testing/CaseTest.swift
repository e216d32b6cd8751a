// `weir test`: runs a case and says in what its results are not the expected ones. Beyond that a case can
// be run in pieces and with interruptions, which must give the same bytes (promise P1).

import Glibc
import WeirCore

/// What is tested beside the expected rows.
public struct CaseOptions: Sendable {
    /// Run again in batches of at most so many rows, for each of these numbers.
    public var cutRows: [Int] = []
    /// Run again with interruptions.
    public var isInterrupted = false

    public init() {}
}

/// The result of one case.
public struct CaseOutcome: Sendable {
    /// The file, as it was given.
    public let path: String
    /// What is wrong, for people, indented text; empty when the case passed.
    public let complaints: [String]
    /// How long all its runs took.
    public let milliseconds: Int

    /// Whether nothing is wrong.
    public var isPassed: Bool { complaints.isEmpty }
}

/// Runs cases.
public enum CaseTest {
    /// Runs one case; never throws, since what cannot be run has failed.
    public static func run(
        path: String, _ options: CaseOptions, environment: [String: String]
    ) -> CaseOutcome {
        let clock = SystemClock()
        let started = clock.monotonicNanoseconds()
        var complaints: [String]
        do throws(Failure) {
            complaints = try Self.complaints(CaseFile(path: path), options, environment)
        } catch {
            complaints = [error.description]
        }
        let took = Int((clock.monotonicNanoseconds() - started) / 1_000_000)
        return CaseOutcome(path: path, complaints: complaints, milliseconds: took)
    }

    private static func complaints(
        _ file: CaseFile, _ options: CaseOptions, _ environment: [String: String]
    ) throws(Failure) -> [String] {
        let loaded: Result<AgentConfiguration, ConfigurationErrors>
        if let text = file.configuration {
            loaded = ConfigurationLoader.load(
                text: text, path: file.path, environment: environment, resolvesSecrets: false)
        } else {
            loaded = ConfigurationLoader.load(
                path: file.configurationPath ?? "", environment: environment, resolvesSecrets: false)
        }
        let configuration: AgentConfiguration
        switch loaded {
        case .success(let right): configuration = right
        case .failure(let wrong): return wrong.problems.map(\.description)
        }
        let check = CaseCheck(file: file, configuration: configuration)
        try check.checkNames()
        var surroundings = environment
        surroundings["WEIR_CRASH_POINT"] = nil
        // In memory a synced write costs nothing; nothing here must survive the machine.
        if access("/dev/shm", W_OK) == 0 { surroundings["TMPDIR"] = "/dev/shm" }
        let temporary = try TemporaryFolder(surroundings)
        defer { temporary.remove() }
        let run = CaseRun(
            configuration: check.tested.withTables(at: try writeTables(file, temporary.path)),
            inputs: try writeInputs(file, configuration, temporary.path),
            folder: temporary.path, environment: surroundings)
        let whole = try run.files(of: CaseVariant(name: "whole"))
        var complaints = check.complaints(about: whole)
        for variant in variants(options) where try run.files(of: variant) != whole {
            complaints.append("\(variant.name): other bytes than in one piece")
        }
        return complaints
    }

    private static func variants(_ options: CaseOptions) -> [CaseVariant] {
        var variants = options.cutRows.map {
            CaseVariant(name: "cut at every \($0)", batchRows: $0, commitBatches: 2)
        }
        if options.isInterrupted {
            variants.append(
                CaseVariant(name: "interrupted", batchRows: 2, commitBatches: 2, drops: [3, 1, 4, 2, 5]))
            variants.append(
                CaseVariant(name: "interrupted at the end", batchRows: 1, commitBatches: 3, drops: [.max]))
        }
        return variants
    }

    /// Each section of input as a file; a source without one has an empty file.
    private static func writeInputs(
        _ file: CaseFile, _ configuration: AgentConfiguration, _ folder: String
    ) throws(Failure) -> [String: [String]] {
        var inputs: [String: [String]] = [:]
        for source in configuration.sources {
            let sections = file.sections(.input).filter { $0.name == source.name }
            let path = "\(folder)/\(source.name).ndjson"
            try write(sections.flatMap(\.lines), to: path)
            inputs[source.name] = [path]
        }
        return inputs
    }

    /// Each section of a table as its file; a table without one keeps the file that it names.
    private static func writeTables(
        _ file: CaseFile, _ folder: String
    ) throws(Failure) -> [String: String] {
        var paths: [String: String] = [:]
        for section in file.sections(.table) {
            let path = "\(folder)/\(section.name).table"
            var lines = section.lines
            while let last = lines.last, last.allSatisfy(\.isWhitespace) { lines.removeLast() }
            try write(lines, to: path)
            paths[section.name] = path
        }
        return paths
    }

    private static func write(_ lines: [Substring], to path: String) throws(Failure) {
        let text = lines.map { $0 + "\n" }.joined()
        let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        defer { if descriptor >= 0 { close(descriptor) } }
        let bytes = Array(text.utf8)
        guard descriptor >= 0, bytes.withUnsafeBytes({ writeAll(descriptor, $0).error }) == nil else {
            throw Failure(.storage, "writing", path, String(cString: strerror(errno)))
        }
    }
}
