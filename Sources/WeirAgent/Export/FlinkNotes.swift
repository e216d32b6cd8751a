// The first lines of an exported script: what Flink will do differently with this configuration. Only
// what concerns it is said, so that somebody reads it.

import WeirCore
import WeirSQL

/// The comment at the top of a script.
struct FlinkNotes {
    private let configuration: AgentConfiguration
    private let queries: [QueryConfiguration]
    private let tables: [FlinkSourceTable]
    private let lookups: [FlinkLookupTable]
    private let sinks: [FlinkSinkTable]
    private let versions: FlinkVersions

    init(
        _ configuration: AgentConfiguration, _ queries: [QueryConfiguration],
        _ tables: [FlinkSourceTable], _ lookups: [FlinkLookupTable], _ sinks: [FlinkSinkTable],
        _ versions: FlinkVersions
    ) {
        self.configuration = configuration
        self.queries = queries
        self.tables = tables
        self.lookups = lookups
        self.sinks = sinks
        self.versions = versions
    }

    var text: String {
        let head = [
            "Flink SQL of \(configuration.path), written by weir \(version).",
            "Run it with: sql-client.sh -f FILE",
            "",
            "What Flink does differently:",
        ]
        var lines = head
        for note in notes {
            for (index, line) in Self.wrapped(note, width: 92).enumerated() {
                lines.append((index == 0 ? "- " : "  ") + line)
            }
        }
        return lines.map { $0.isEmpty ? "--" : "-- \($0)" }.joined(separator: "\n")
    }

    private var notes: [String] {
        var notes = timeNotes
        notes.append(
            "Rows that cannot be read go to _rejected/SOURCE in weir. Flink skips them, or makes their "
                + "values NULL (json.ignore-parse-errors), and fails on a row without event time.")
        notes.append("The order of rows in a result is weir's own: in Flink there is none.")
        notes += connectorNotes + lookups.flatMap(\.notes) + versions.notes(tables)
        notes += Set(otherJoins).sorted()
        let texts = queries.map(\.sql) + configuration.views.map(\.sql)
        let unportable = texts.flatMap {
            Portability.complaints(
                about: $0, macros: configuration.macroNames,
                columns: Set(configuration.sources.flatMap { $0.columns.map(\.name) }))
        }.map(\.message) + queries.flatMap { Portability.complaints(about: $0.plan.root) }
        notes += Set(unportable).sorted().map { "It will refuse this script: \($0)." }
        return notes
    }

    private var otherJoins: [String] {
        queries.flatMap { query in
            query.plan.root.lookups.filter { !$0.isVersioned }.compactMap {
                $0.portabilityComplaint(isBelowWindows: query.plan.root.hasWindows)
            }
        }.map { "\($0)." }
    }

    /// What `state_ttl` is in Flink.
    static let stateTTLDifference =
        "it is counted by the machine's clock, from when a row was last written, and not by event time: a backlog "
        + "that is read fast meets rows of any age, and late rows are joined too"

    private var timeNotes: [String] {
        var notes: [String] = []
        if queries.contains(where: { $0.plan.root.hasWindows }) {
            notes.append(
                "Rows that come too late for their windows go to _late/QUERY in weir. Flink drops them and "
                    + "counts them (numLateRecordsDropped).")
        }
        let revising = queries.filter { $0.settings.allowedLatenessMilliseconds != nil }.map(\.name)
        if !revising.isEmpty {
            notes.append(
                "allowed_lateness is left out: Flink emits a window once, without corrections and without the "
                    + "column revision (\(revising.joined(separator: ", "))).")
        }
        let bounded = queries.filter { $0.settings.stateTTLMilliseconds != nil }.map(\.name)
        if !bounded.isEmpty {
            notes.append(
                "state_ttl is table.exec.state.ttl, of all queries of the script (\(bounded.joined(separator: ", "))): "
                    + "\(Self.stateTTLDifference).")
        }
        let keyed = tables.compactMap { table in
            table.source.time?.watermarkBy.map { "\(table.source.name) has one a \($0)" }
        }
        if !keyed.isEmpty {
            notes.append(
                "There is one watermark a source, and rows that are in time in weir can be late "
                    + "(\(keyed.joined(separator: "; "))).")
        }
        let ahead = tables.filter { $0.source.time?.maxAheadMilliseconds != nil }.map(\.source.name)
        if !ahead.isEmpty {
            notes.append(
                "max_ahead is left out: one row with a time far ahead closes all windows "
                    + "(\(ahead.joined(separator: ", "))).")
        }
        if tables.contains(where: { $0.source.time?.idleTimeoutMilliseconds != nil }) {
            notes.append(
                "idle_timeout: Flink leaves a silent source out of account, but its time stands still; in "
                    + "weir it runs on with the machine's clock and closes windows.")
        }
        for table in tables where table.source.time == nil {
            notes.append("\(table.source.name) has no event time, and Flink gives it none.")
        }
        return notes
    }

    private var connectorNotes: [String] {
        var notes: [String] = []
        if tables.contains(where: { $0.connector == .kafka }) {
            notes.append(
                "Flink has no MQTT: a bridge must write the messages to Kafka, one JSON object a record, a "
                    + "topic's slashes as dots; put flink-sql-connector-kafka into lib and name your brokers.")
        }
        for table in tables {
            let epochs = table.source.columns.filter { column in
                !column.type.isTimestamp && column.type.contains(where: \.isTimestamp)
                    && ![nil, .rfc3339].contains(column.timestampFormat)
            }
            if !epochs.isEmpty {
                notes.append(
                    "\(table.source.name): Flink reads no numbers as timestamps inside of other types; those in "
                        + "\(epochs.map(\.name).joined(separator: ", ")) are NULL.")
            }
        }
        for table in tables where !table.lostColumns.isEmpty {
            notes.append(
                "\(table.source.name): \(table.lostColumns.joined(separator: ", ")) are not in the payload, "
                    + "and are NULL.")
        }
        if sinks.contains(where: { $0.sink != nil }) {
            notes.append(
                "Objects have Flink's names and are made with its checkpoints; schedule, bounds, partition "
                    + "folders and compression are weir's own.")
        }
        let rowSinks = Set(sinks.compactMap(\.sink).filter { $0.type.takesRows }.map(\.name)).sorted()
        if !rowSinks.isEmpty {
            notes.append(
                "Sinks that take rows as they come (\(rowSinks.joined(separator: ", "))) have no connector in Flink: "
                    + "their rows go to files here, without ids; put a connector of yours in their place.")
        }
        if sinks.contains(where: { $0.sink?.format.isParquet == true }) {
            notes.append(
                "Put flink-sql-parquet and Hadoop's client jars into lib. To read weir's own files, write them "
                    + "with parquet.encodings = \"plain\".")
        }
        return notes
    }

    private static func wrapped(_ text: String, width: Int) -> [String] {
        var lines = [""]
        for word in text.split(separator: " ") {
            let last = lines.count - 1
            if lines[last].isEmpty {
                lines[last] = String(word)
            } else if lines[last].utf8.count + word.utf8.count < width {
                lines[last] += " \(word)"
            } else {
                lines.append(String(word))
            }
        }
        return lines
    }
}
