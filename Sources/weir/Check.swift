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

    func run() {
        let loaded = ConfigurationLoader.load(path: file, environment: environment())
        if json {
            print(ConfigurationLoader.json(of: loaded), terminator: "")
            if case .failure = loaded {
                Weir.exit(withError: ExitCode(Failure.Domain.configuration.exitCode))
            }
        }
        let configuration = json ? nil : loadConfiguration(file)
        if let configuration {
            print(
                "\(file): \(configuration.sources.count) sources, \(configuration.queries.count) queries, "
                    + "\(configuration.sinks.count) sinks: right")
        }
        guard connect, case .success(let checked) = loaded else { return }
        var isAllRight = true
        for result in ConnectionCheck.run(checked, environment: environment()) {
            isAllRight = isAllRight && result.isRight
            if !json { print("\(result.isRight ? "ok     " : "FAILED ")\(result.subject): \(result.sentence)") }
        }
        if !isAllRight { Weir.exit(withError: ExitCode(Failure.Domain.external.exitCode)) }
    }
}
