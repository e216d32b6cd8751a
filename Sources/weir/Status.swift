// `weir status`: how the running agent is.

import ArgumentParser
import WeirAgent
import WeirCore

struct Status: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Ask the running agent how it is.",
        discussion: "Exits with 69 when no agent answers at agent.http of the configuration.")

    @Argument(help: "The configuration file of the agent.")
    var file: String

    @Flag(help: "As JSON.")
    var json = false

    func run() {
        do throws(Failure) {
            let text = try StatusClient.fetch(loadConfiguration(file, resolvesSecrets: false).agent)
            guard !json, let status = StatusText.parse(text) else {
                print(text, terminator: "")
                return
            }
            print(StatusText.page(status), terminator: "")
        } catch {
            end(with: error)
        }
    }
}
