// `weir outbox`: what waits to be sent, and what can be done about it. Looking works beside a running
// agent and without one; what changes something goes through the agent when it runs.

import ArgumentParser
import WeirAgent
import WeirCore

struct OutboxCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "outbox", abstract: "Look after the rows that wait to be sent.",
        subcommands: [
            OutboxList.self, OutboxPlan.self, OutboxShow.self, OutboxExport.self, OutboxVerify.self, OutboxRetry.self,
            OutboxDiscardCommand.self,
        ])
}

/// The configuration, of which no secrets are needed.
private func settings(_ file: String) -> AgentConfiguration {
    loadConfiguration(file, resolvesSecrets: false, showsWarnings: false)
}

/// Does what a command is for, or ends the process with the sentence that says why it could not.
func orEnd(_ body: () throws(Failure) -> Void) {
    do throws(Failure) { try body() } catch { end(with: error) }
}

struct OutboxList: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "What waits for each sink, where it is, and why it waits.")

    @Argument(help: "The configuration file of the agent.")
    var file: String

    @Option(help: "Only this sink.")
    var sink: String?

    @Flag(help: "As JSON.")
    var json = false

    func run() {
        orEnd { () throws(Failure) in
            print(try OutboxReader(settings(file)).list(sink: sink, asJSON: json), terminator: "")
        }
    }
}

struct OutboxShow: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "The segments of a stream, or one with its files.")

    @Argument(help: "The configuration file of the agent.")
    var file: String

    @Argument(help: "The sink.")
    var sink: String

    @Argument(help: "The stream: a query, _late/QUERY or _rejected/SOURCE.")
    var stream: String

    @Option(help: "The segment that holds this row, with its files.")
    var row: UInt64?

    @Flag(help: "As JSON.")
    var json = false

    func run() {
        orEnd { () throws(Failure) in
            let text = try OutboxReader(settings(file)).show(
                sink: sink, stream: stream, row: row, asJSON: json)
            print(text, terminator: "")
        }
    }
}

struct OutboxExport: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Copy what waits to a folder, in its final form, to carry it away.",
        discussion: """
            What is sealed gets its final names, below TO/SINK. Rows that are not sealed yet go to \
            TO/SINK/_open: they will be uploaded under other names, and FIRST and LAST in a name tell which \
            rows a file has. All rows wait on; `weir outbox discard` gives them up once the copy is safe. It \
            works beside a running agent and without one. What is damaged is left out, named, and makes the \
            exit code 75.
            """)

    @Argument(help: "The configuration file of the agent.")
    var file: String

    @Option(name: .customLong("to"), help: "The folder to copy to; each sink gets a folder in it.")
    var folder: String

    @Option(help: "Only this sink.")
    var sink: String?

    @Option(help: "Only this stream.")
    var stream: String?

    @Flag(help: "Leave out rows that are not sealed yet.")
    var sealedOnly = false

    @Flag(help: "As JSON.")
    var json = false

    func run() {
        orEnd { () throws(Failure) in
            let found = try OutboxReader(settings(file)).export(
                to: folder, sink: sink, stream: stream, sealedOnly: sealedOnly, asJSON: json)
            show(found, "copied", asJSON: json)
        }
    }
}

struct OutboxVerify: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Read all that waits and compare files with the checksums that were kept of them.",
        discussion: "Exits with 75 when something is missing or damaged.")

    @Argument(help: "The configuration file of the agent.")
    var file: String

    @Option(help: "Only this sink.")
    var sink: String?

    @Flag(help: "As JSON.")
    var json = false

    func run() {
        orEnd { () throws(Failure) in
            let found = try OutboxReader(settings(file)).verify(sink: sink, asJSON: json)
            show(found, "read", asJSON: json)
        }
    }
}

/// Prints findings and ends the process where something is damaged.
private func show(_ found: OutboxFindings, _ verb: String, asJSON: Bool) {
    if asJSON {
        print(found.json, terminator: "")
    } else {
        for line in found.lines { print(line) }
        print(summary(of: found, verb))
        for problem in found.problems.prefix(problemsShownMax) { writeError("weir: \(problem)\n") }
        let more = found.problems.count - problemsShownMax
        if more > 0 { writeError("weir: and \(more) more of that kind; --json has all\n") }
    }
    if !found.problems.isEmpty {
        OutboxCommand.exit(withError: ExitCode(Failure.Domain.state.exitCode))
    }
}

/// Sentences on damage that a page of text has room for.
private let problemsShownMax = 20

private func summary(of found: OutboxFindings, _ verb: String) -> String {
    guard found.rowCount > 0 || found.lostRowCount > 0 else { return "nothing waits" }
    var text = "\(found.rowCount) rows \(verb), \(found.byteCount) bytes"
    if found.fileCount > 0 { text += ", \(found.fileCount) files" }
    if found.openRowCount > 0 { text += "; \(found.openRowCount) of the rows are not sealed yet" }
    if found.lostRowCount > 0 { text += "; \(found.lostRowCount) rows are damaged" }
    return text
}

struct OutboxRetry: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "retry", abstract: "Have the running agent try a failing sink again now.")

    @Argument(help: "The configuration file of the agent.")
    var file: String

    @Argument(help: "The sink; all of them without one.")
    var sink: String?

    func run() {
        orEnd { () throws(Failure) in
            print(try OutboxRequests.retry(settings(file), sink: sink), terminator: "")
        }
    }
}

struct OutboxDiscardCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "discard", abstract: "Give waiting rows up for good.",
        discussion: """
            They are counted as expired and named in the log. Segments go as a whole; rows that are not \
            sealed go from the oldest on. Of a segment that was being sent, parts may have arrived.
            """)

    @Argument(help: "The configuration file of the agent.")
    var file: String

    @Argument(help: "The sink.")
    var sink: String

    @Option(help: "Only this stream.")
    var stream: String?

    @Option(help: "The first row to give up; needs --stream and --last.")
    var first: UInt64?

    @Option(help: "The last row to give up.")
    var last: UInt64?

    @Flag(help: "Do it. Without this, what would go is printed.")
    var yes = false

    @Flag(help: "As JSON.")
    var json = false

    func validate() throws {
        guard (first == nil) == (last == nil), first == nil || stream != nil else {
            throw ValidationError("--first and --last go together, and with --stream: rows are counted by stream")
        }
        if let first, let last, first > last { throw ValidationError("--first is behind --last") }
    }

    func run() {
        let rows = first.flatMap { first in last.map { first...$0 } }
        orEnd { () throws(Failure) in
            let configuration = settings(file)
            guard yes else {
                let plan = try OutboxRequests.discardPlan(
                    OutboxReader(configuration), sink: sink, stream: stream, rows: rows, asJSON: json)
                print(plan, terminator: "")
                // Programs read what is on standard output.
                let note = "nothing was discarded; --yes does it\n"
                if json { writeError(note) } else { print(note, terminator: "") }
                return
            }
            let text = try OutboxRequests.discard(
                configuration.agent, sink: sink, stream: stream, rows: rows, asJSON: json)
            print(text, terminator: "")
        }
    }
}
