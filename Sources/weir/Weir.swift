// The command line. Each command is a few lines here; what it does lives in WeirAgent.

import ArgumentParser
import WeirAgent
import WeirCore

@main
struct Weir: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "weir",
        abstract: "A stream processor for edge devices: MQTT in, streaming SQL, objects in a lake, exactly once.",
        discussion: """
            Exit codes: 0 done; 64 wrong use; 66 input cannot be read; 69 a server refuses or cannot be \
            reached; 70 a defect in weir; 74 a disk or the state store failed; 75 the state directory \
            cannot be used; 78 wrong configuration.
            """,
        version: version,
        subcommands: [
            Run.self, Check.self, Test.self, Explain.self, Export.self, Status.self, Replay.self,
            OutboxCommand.self, Parquet.self, Config.self, Version.self,
        ])
}

/// Ends the process with the failure's sentence on standard error and its exit code.
func end(with failure: Failure) -> Never {
    writeError("weir: \(failure)\n")
    Weir.exit(withError: ExitCode(failure.domain.exitCode))
}

struct Version: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Print the version.")

    func run() {
        print("weir \(version)")
    }
}
