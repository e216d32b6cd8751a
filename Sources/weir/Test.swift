// `weir test`: users' tests of their queries, and our own.

import ArgumentParser
import WeirAgent
import WeirCore

struct Test: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run test cases: a configuration, what comes in, what must come out.",
        discussion: """
            docs/testing.md has the form of a case. Nothing is connected to and nothing is left behind. \
            Exits with 1 if a case fails.
            """)

    @Argument(help: "The cases.")
    var files: [String]

    @Option(
        help: ArgumentHelp(
            "Also run each case in batches of at most so many rows. Repeatable.", valueName: "rows"))
    var cut: [Int] = []

    @Flag(help: "Also run each case with interruptions: dropped and resumed from what was committed.")
    var kill = false

    @Flag(help: "Print failures only.")
    var quiet = false

    func validate() throws {
        if cut.contains(where: { $0 < 1 }) { throw ValidationError("--cut must be at least 1") }
    }

    func run() {
        var options = CaseOptions()
        options.cutRows = cut
        options.isInterrupted = kill
        let variables = environment()
        var failed = 0
        var milliseconds = 0
        for file in files {
            let outcome = CaseTest.run(path: file, options, environment: variables)
            milliseconds += outcome.milliseconds
            if outcome.isPassed {
                if !quiet { print("ok      \(file) (\(outcome.milliseconds) ms)") }
            } else {
                failed += 1
                print("FAILED  \(file)")
                for complaint in outcome.complaints { print("  \(complaint)") }
            }
        }
        if !quiet, files.count > 1 {
            print("\(files.count - failed) passed, \(failed) failed in \(milliseconds) ms")
        }
        if failed > 0 { Weir.exit(withError: ExitCode(1)) }
    }
}
