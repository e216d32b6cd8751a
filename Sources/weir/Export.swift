// `weir export flink`: the configuration as a script for Apache Flink.

import ArgumentParser
import WeirAgent
import WeirCore

struct Export: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Write the configuration for another system.", subcommands: [Flink.self])

    struct Flink: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print a complete Flink SQL script with the same queries.",
            discussion: """
                The first lines say what Flink does differently with this configuration. Files stay files; \
                MQTT sources are read from Kafka, or from files with --connector filesystem.
                """)

        @Argument(help: "The configuration file.")
        var file: String

        @Option(help: "Where Flink reads sources from: filesystem or kafka.")
        var connector: String?

        @Option(
            help: ArgumentHelp(
                "Folder of files that the configuration does not name: inputs PATH/SOURCE.ndjson, "
                    + "results PATH/QUERY of queries without a sink. Default: flink below the working directory."))
        var path: String?

        @Option(help: "Only this query.")
        var query: String?

        func validate() throws {
            let names = FlinkExportOptions.Connector.allCases.map(\.rawValue)
            if let connector, !names.contains(connector) {
                throw ValidationError(
                    "--connector \(connector): must be \(names.joined(separator: " or "))")
            }
        }

        func run() {
            do throws(Failure) {
                let configuration = loadConfiguration(file, resolvesSecrets: false, showsWarnings: false)
                var options = FlinkExportOptions(folder: path ?? "flink")
                options.connector = connector.flatMap(FlinkExportOptions.Connector.init(rawValue:))
                options.query = query
                print(try FlinkExport.script(configuration, options), terminator: "")
            } catch {
                end(with: error)
            }
        }
    }
}
