// `weir run`: the agent as a service.

import ArgumentParser
import WeirAgent
import WeirCore

struct Run: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run the agent until SIGTERM.",
        discussion: """
            A clean stop takes at most five seconds: it commits, acknowledges, finishes the upload under \
            way or leaves it to the next start, and disconnects. kill -9 loses nothing either.
            """)

    @Argument(help: "The configuration file.")
    var file: String

    func run() {
        do throws(Failure) {
            let configuration = loadConfiguration(file)
            try Agent.run(configuration, environment: environment())
        } catch {
            end(with: error)
        }
    }
}
