// Sources whose rows are versions of a table (FOR SYSTEM_TIME AS OF), as Flink wants them: with a key.
//
// A file's table declares it (PRIMARY KEY … NOT ENFORCED); Flink then takes each row for a version by its
// time, in whatever order they come. Where a key is no member of the payload as it is, and with Kafka, whose
// JSON takes no key, there is a view by ROW_NUMBER instead, which forgets a version that comes after a newer
// one of its key. Queries stay as they are: both ways, the source has its name.

import WeirCore
import WeirSQL

/// The keys of the sources that a script's joins read versions of.
struct FlinkVersions {
    /// The key by source.
    private(set) var keys: [String: [String]] = [:]
    /// Sources that are read as rows, too.
    private(set) var alsoRows: [String] = []

    /// Throws `.configuration` when joins tell the rows of one source apart by different columns.
    init(
        _ queries: [QueryConfiguration], of configuration: AgentConfiguration
    ) throws(Failure) {
        let tables = queries.flatMap { $0.plan.root.versionedTables }
        for table in tables {
            if let other = keys[table.source], other != table.key {
                throw Failure(
                    .configuration, "exporting", configuration.path,
                    "joins FOR SYSTEM_TIME AS OF tell the versions of \(table.source) apart by different columns "
                        + "(\(other.joined(separator: ", ")); \(table.key.joined(separator: ", "))), and a table "
                        + "of Flink has one key", advice: "export its queries one by one with --query")
            }
            keys[table.source] = table.key
        }
        alsoRows = keys.keys.sorted().filter { source in
            let readers = queries.reduce(0) { $0 + $1.plan.root.readerCount(of: source) }
            return readers > tables.count { $0.source == source }
        }
    }

    /// What Flink does otherwise with them.
    func notes(_ tables: [FlinkSourceTable]) -> [String] {
        var notes = keys.keys.sorted().map { source in
            "\(source) is a table of versions: Flink keeps each version until its watermarks have passed it; a row "
                + "that comes late is still joined, and a version that comes late still counts."
        }
        for table in tables where table.hasVersionView {
            notes.append(
                "\(table.source.name): its key cannot be declared as a member of its rows, so that a view by "
                    + "ROW_NUMBER finds the versions, which forgets one that comes after a newer one.")
        }
        notes += alsoRows.map { source in
            "\(source) is read as rows and as versions, and Flink takes its key to be unique in both: give it a "
                + "second table where it is read as rows."
        }
        return notes
    }
}
