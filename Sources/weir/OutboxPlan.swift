// `weir outbox plan`: what will be sent when, and what it will cost.

import ArgumentParser
import WeirAgent
import WeirCore

struct OutboxPlan: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plan", abstract: "What will be sent when, why then, and what it costs in bytes.",
        discussion: "only_when is found out here and now, by running its command.")

    @Argument(help: "The configuration file of the agent.")
    var file: String

    @Flag(help: "As JSON.")
    var json = false

    func run() {
        orEnd { () throws(Failure) in
            let settings = loadConfiguration(file, resolvesSecrets: false, showsWarnings: false)
            print(try OutboxReader(settings).plan(asJSON: json), terminator: "")
        }
    }
}
