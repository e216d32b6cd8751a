// `weir config reference`: the reference page of all keys, from their declarations.

import ArgumentParser
import WeirAgent

struct Config: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "About the configuration.", subcommands: [Reference.self, Show.self])

    struct Reference: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print the reference of all keys as Markdown.")

        func run() {
            print(ConfigurationReference.markdown(), terminator: "")
        }
    }

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print all settings that hold, defaults included, secrets masked.")

        @Argument(help: "The configuration file.")
        var file: String

        func run() {
            print(loadConfiguration(file, resolvesSecrets: false).redactedDescription, terminator: "")
        }
    }
}
