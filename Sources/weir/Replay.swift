// `weir replay`: files through the same plan at full speed, by event time alone.

import ArgumentParser
import WeirAgent
import WeirCore

struct Replay: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run recorded input through the queries at full speed.",
        discussion: """
            Time is the events' own: no idle timeout, no max_ahead; at the end of the input all windows \
            close. With --state-dir the state is durable and a replay that was killed goes on where it \
            committed last; with --output DIR its files are then exactly-once too.
            """)

    @Argument(help: "The configuration file.")
    var file: String

    @Option(
        help: ArgumentHelp(
            "Read a source's events from a file of NDJSON, or from standard input (-). Repeatable.",
            valueName: "source=file"))
    var input: [String] = []

    @Option(help: "Where results go: - for standard output, or a folder. Default: the configured sinks.")
    var output: String?

    @Option(help: "Only this query.")
    var query: String?

    @Option(help: "Keep the state here. Default: a temporary folder.")
    var stateDir: String?

    @Option(help: "At most so many rows a batch (results never depend on it).")
    var batchRows: Int?

    @Option(help: "Commit after so many batches instead of by the commit interval.")
    var commitEvery: Int?

    @Flag(help: "Say nothing on standard error but errors.")
    var quiet = false

    func validate() throws {
        for pair in input where !pair.contains("=") {
            throw ValidationError("--input \(pair): must be SOURCE=FILE")
        }
        if let batchRows, batchRows < 1 { throw ValidationError("--batch-rows must be at least 1") }
        if let commitEvery, commitEvery < 1 { throw ValidationError("--commit-every must be at least 1") }
    }

    func run() {
        var options = ReplayOptions()
        for pair in input {
            let separator = pair.firstIndex(of: "=") ?? pair.endIndex
            let source = String(pair[..<separator])
            options.inputs[source, default: []].append(String(pair[separator...].dropFirst()))
        }
        options.output = output.map { $0 == "-" ? .standardOutput : .folder($0) }
        options.query = query
        options.stateDirectory = stateDir
        options.batchRowsMax = batchRows
        options.commitBatches = commitEvery
        let showsProgress = isErrorATerminal && !quiet
        if showsProgress { options.progress = { writeError("\r\($0)") } }
        do throws(Failure) {
            let configuration = loadConfiguration(
                file, resolvesSecrets: options.output == nil, showsWarnings: !quiet)
            let summary = try ReplayRun.run(configuration, options, environment: environment())
            if showsProgress { writeError("\r") }
            if !quiet { writeError(summary + "\n") }
        } catch {
            end(with: error)
        }
    }
}
