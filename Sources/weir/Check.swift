// `weir check`: is this configuration right, and, with --connect, does the world agree with it.

import ArgumentParser
import WeirAgent
import WeirCore

struct Check: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Check a configuration file, and with --connect the servers it names.",
        discussion: "Prints every complaint as file:line:column and exits with 78 if there is an error.")

    @Argument(help: "The configuration file.")
    var file: String

    @Flag(help: "Print the complaints as JSON.")
    var json = false

    @Flag(help: "Also try broker, credentials, bucket or folder, and compare clocks.")
    var connect = false

    @Flag(help: "Also refuse what Apache Flink does not have.")
    var portable = false

    func run() {
        let variables = environment()
        let report = ConfigurationLoader.check(
            path: file, environment: variables, mustBePortable: portable)
        var outcomes: [ConnectionCheck.Outcome] = []
        if connect, case .success(let checked) = ConfigurationLoader.load(path: file, environment: variables) {
            outcomes = ConnectionCheck.run(checked, environment: variables)
        }
        if json {
            print(ConnectionCheck.json(report, outcomes))
        } else {
            for problem in report.problems { writeError("\(problem)\n") }
            if report.isAccepted { print("\(file): right") }
            for outcome in outcomes {
                print("\(outcome.isRight ? "ok     " : "FAILED ")\(outcome.subject): \(outcome.sentence)")
            }
        }
        if !report.isAccepted {
            Weir.exit(withError: ExitCode(Failure.Domain.configuration.exitCode))
        }
        if outcomes.contains(where: { !$0.isRight }) {
            Weir.exit(withError: ExitCode(Failure.Domain.external.exitCode))
        }
    }
}
