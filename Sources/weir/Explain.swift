// `weir explain`: what queries do, and what they keep for it.

import ArgumentParser
import WeirAgent
import WeirCore

struct Explain: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Print the queries' operators, and what each keeps, for how long, and its size.")

    @Argument(help: "The configuration file.")
    var file: String

    @Option(help: "Only this query.")
    var query: String?

    func run() {
        do throws(Failure) {
            let configuration = loadConfiguration(file, resolvesSecrets: false, showsWarnings: false)
            print(try Explanation.text(configuration, query: query), terminator: "")
        } catch {
            end(with: error)
        }
    }
}
