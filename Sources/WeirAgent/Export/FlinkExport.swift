// `weir export flink`: a configuration as a script for Flink's SQL client, so that a text that outgrows
// one machine moves to a cluster unchanged.
//
// Queries and views are put in as they are written, byte for byte; what the configuration says beside
// them becomes DDL around them: columns, event time and watermark of a source, the place and format of
// a sink. What Flink does otherwise is said in the first lines, where somebody reads it who runs it.

import WeirCore
import WeirSQL

/// How a configuration is exported.
public struct FlinkExportOptions: Sendable {
    /// Where Flink reads sources from.
    public enum Connector: String, Sendable, CaseIterable {
        /// Files of newline-delimited JSON.
        case filesystem
        /// A Kafka topic of the source's name, which a bridge fills from MQTT.
        case kafka
    }

    /// Of all sources; nil: files stay files, and what comes by MQTT is read from Kafka.
    public var connector: Connector?
    /// The folder of files that the configuration does not name, absolute: inputs of MQTT sources read
    /// as files, and results of queries without a sink.
    public let folder: String
    /// Only this query; nil: all.
    public var query: String?

    /// - Parameter folder: relative to the working directory unless absolute.
    public init(folder: String) { self.folder = absolutePath(folder) }
}

/// Writes Flink SQL.
public enum FlinkExport {
    /// The script of a configuration, complete and runnable with `sql-client.sh -f`.
    ///
    /// Throws `.configuration` when there is no such query, or when queries have different time zones.
    public static func script(
        _ configuration: AgentConfiguration, _ options: FlinkExportOptions
    ) throws(Failure) -> String {
        let queries = try selected(configuration, options)
        let zones = Set(queries.map(\.settings.timeZone))
        if zones.count > 1 {
            throw Failure(
                .configuration, "exporting", configuration.path,
                "its queries have different time zones (\(zones.sorted().joined(separator: ", "))), and a "
                    + "script of Flink has one", advice: "export them one by one with --query")
        }
        let ends = Set(queries.compactMap(\.settings.stateTTLMilliseconds))
        if ends.count > 1 {
            let lengths = ends.sorted().map { Quantity.text(milliseconds: $0) }.joined(separator: ", ")
            throw Failure(
                .configuration, "exporting", configuration.path,
                "its queries have different state_ttl (\(lengths)), and a script of Flink has one",
                advice: "export them one by one with --query")
        }
        let read = Set(queries.flatMap { $0.plan.sources })
        let versions = try FlinkVersions(queries, of: configuration)
        let tables = configuration.sources.filter { read.contains($0.name) }.map {
            FlinkSourceTable($0, options, versionKey: versions.keys[$0.name])
        }
        let looked = Set(queries.flatMap { $0.plan.root.lookupTables })
        let lookups = configuration.tables.filter { looked.contains($0.name) }.map {
            FlinkLookupTable(table: $0)
        }
        let sinks = queries.flatMap { query in
            FlinkSinkTable.all(of: query, configuration, options)
        }
        var parts = [
            FlinkNotes(configuration, queries, tables, lookups, sinks, versions).text,
            settings(queries, tables),
        ]
        parts += tables.flatMap(\.statements) + lookups.flatMap(\.statements)
        parts += FlinkViews.ordered(configuration.views, readBy: queries).map { view in
            "CREATE TEMPORARY VIEW \(flinkName(view.name)) AS\n\(bare(view.sql));"
        }
        parts += sinks.map(\.statement)
        let inserts = sinks.map { $0.insert(bare($0.query.sql)) }
        if inserts.count > 1 {
            parts.append("EXECUTE STATEMENT SET\nBEGIN\n\(inserts.joined(separator: "\n\n"))\nEND;")
        } else {
            parts += inserts
        }
        return parts.joined(separator: "\n\n") + "\n"
    }

    private static func selected(
        _ configuration: AgentConfiguration, _ options: FlinkExportOptions
    ) throws(Failure) -> [QueryConfiguration] {
        guard let name = options.query else { return configuration.queries }
        let chosen = configuration.queries.filter { $0.name == name }
        guard chosen.isEmpty else { return chosen }
        let near = nearestSpelling(of: name, among: configuration.queries.map(\.name))
        throw Failure(
            .configuration, "exporting", "query \(name)", "there is no such query",
            advice: near.map { "did you mean \($0)?" } ?? "")
    }

    /// Settings of the session, without which results would differ or never be committed.
    private static func settings(
        _ queries: [QueryConfiguration], _ tables: [FlinkSourceTable]
    ) -> String {
        var lines = [
            "SET 'execution.runtime-mode' = 'streaming';",
            "SET 'table.local-time-zone' = \(flinkText(queries.first?.settings.timeZone ?? "UTC"));",
            "-- Each row moves the watermark; Flink's default is five times a second.",
            "SET 'pipeline.auto-watermark-interval' = '0 ms';",
            "-- Files of results become visible with a checkpoint.",
            "SET 'execution.checkpointing.interval' = '10 s';",
        ]
        let idle = tables.compactMap { $0.source.time?.idleTimeoutMilliseconds }.min()
        if let end = queries.compactMap(\.settings.stateTTLMilliseconds).first {
            lines.append("SET 'table.exec.state.ttl' = '\(end) ms';")
        }
        if let idle { lines.append("SET 'table.exec.source.idle-timeout' = '\(idle) ms';") }
        return lines.joined(separator: "\n")
    }

    /// A statement without blanks at its ends and the semicolon that the script adds.
    private static func bare(_ sql: String) -> String {
        var text = Substring(sql)
        while let last = text.last, last.isWhitespace || last == ";" { text.removeLast() }
        while let first = text.first, first.isNewline { text.removeFirst() }
        return String(text)
    }
}

/// The views that queries read, each behind those that it reads itself.
enum FlinkViews {
    static func ordered(
        _ views: [Catalog.View], readBy queries: [QueryConfiguration]
    ) -> [Catalog.View] {
        var ordered: [Catalog.View] = []
        var seen: Set<String> = []
        func add(_ sql: String) {
            let names = QueryBinding.tables(of: sql)
            for view in views where names.contains(view.name) {
                guard seen.insert(view.name).inserted else { continue }
                add(view.sql)
                ordered.append(view)
            }
        }
        for query in queries { add(query.sql) }
        return ordered
    }
}

// MARK: Words of Flink SQL

/// A name in backquotes, so that none is ever a keyword.
func flinkName(_ name: String) -> String { "`\(name.replacing("`", with: "``"))`" }

/// A text in single quotes.
func flinkText(_ text: String) -> String { "'\(text.replacing("'", with: "''"))'" }

/// The options of a table, one a line.
func flinkOptions(_ options: [(key: String, value: String)]) -> String {
    let lines = options.map { "  \(flinkText($0.key)) = \(flinkText($0.value))" }
    return "WITH (\n\(lines.joined(separator: ",\n"))\n)"
}

/// A type as a column's declaration writes it.
func flinkType(_ type: DataType) -> String {
    switch type {
    case .array(let element): "ARRAY<\(flinkType(element))>"
    case .map(let key, let value): "MAP<\(flinkType(key)), \(flinkType(value))>"
    case .row(let fields):
        "ROW<\(fields.map { "\(flinkName($0.name)) \(flinkType($0.type))" }.joined(separator: ", "))>"
    default: type.description
    }
}

/// A length of time as an interval literal.
func flinkInterval(milliseconds: Int64) -> String {
    let units: [(name: String, milliseconds: Int64)] = [
        ("DAY", 86_400_000), ("HOUR", 3_600_000), ("MINUTE", 60_000), ("SECOND", 1000),
    ]
    for unit in units where milliseconds % unit.milliseconds == 0 {
        // Flink takes two digits of the leading field.
        let count = milliseconds / unit.milliseconds
        if count < 100 { return "INTERVAL '\(count)' \(unit.name)" }
    }
    func digits(_ value: Int64, _ width: Int) -> String {
        String(repeating: "0", count: max(0, width - "\(value)".count)) + "\(value)"
    }
    let time = [
        digits(milliseconds / 3_600_000 % 24, 2), digits(milliseconds / 60_000 % 60, 2),
        "\(digits(milliseconds / 1000 % 60, 2)).\(digits(milliseconds % 1000, 3))",
    ]
    let days = milliseconds / 86_400_000
    return "INTERVAL '\(days) \(time.joined(separator: ":"))' DAY TO SECOND(3)"
}
