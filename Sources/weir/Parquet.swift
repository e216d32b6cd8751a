// `weir parquet`: what is in a Parquet file, on the machine that has it.

import ArgumentParser
import WeirAgent
import WeirCore

struct Parquet: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Print the rows of Parquet files as NDJSON.")

    @Argument(help: "The files.")
    var files: [String]

    @Option(help: "At most so many rows of each file.")
    var limit = Int.max

    @Flag(help: "Print the columns, the number of rows and the metadata instead.")
    var schema = false

    func run() {
        do throws(Failure) {
            for file in files {
                if schema {
                    print(try ParquetView.description(of: file), terminator: "")
                } else {
                    try ParquetView.rows(of: file, limit: limit, write: writeOutput)
                }
            }
        } catch {
            end(with: error)
        }
    }
}
