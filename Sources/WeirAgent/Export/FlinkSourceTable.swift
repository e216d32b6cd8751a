// A source as Flink reads it. Flink's JSON format knows members of the outermost object by the names of
// the columns, so a table declares these members as they lie in the payload; where a column of the
// configuration is something else (a nested value, a number that is a time), a view of the source's
// name computes it, and queries read the view. Event time is computed in the table itself, because
// that is where Flink wants the watermark declared.

import WeirCore

/// The DDL of one source.
struct FlinkSourceTable {
    let source: SourceConfiguration
    let connector: FlinkExportOptions.Connector
    /// Columns that have no counterpart there and are NULL.
    private(set) var lostColumns: [String] = []
    private let folder: String
    /// The columns that tell versions apart (FlinkVersions); nil where rows are no versions.
    private let versionKey: [String]?
    private var members: [Member] = []
    private var metadata: [String] = []
    /// One a column of the configuration: its value in terms of the table's columns.
    private var values: [Value] = []

    /// A member of the payload's outermost object.
    private struct Member {
        let name: String
        var type: String
    }

    /// A column of the source, computed from the table's columns.
    private struct Value {
        let column: ColumnConfiguration
        let expression: String
        /// Whether the table has the column as it is.
        let isPlain: Bool
    }

    init(
        _ source: SourceConfiguration, _ options: FlinkExportOptions, versionKey: [String]? = nil
    ) {
        self.source = source
        self.versionKey = versionKey
        folder = options.folder
        connector = options.connector ?? (source.isFile ? .filesystem : .kafka)
        let grouped = Dictionary(grouping: source.columns) { $0.member ?? "" }
        var declared: Set<String> = []
        for column in source.columns {
            guard let member = column.member else {
                values.append(transportValue(of: column))
                continue
            }
            let layout = FlinkMemberLayout(of: grouped[member, default: []])
            if declared.insert(member).inserted {
                members.append(Member(name: member, type: layout.type))
            }
            let expression = layout.value(of: column)
            let isPlain = expression == flinkName(member) && column.name == member
            values.append(Value(column: column, expression: expression, isPlain: isPlain))
        }
    }

    /// The table, and the view over it where that is needed.
    var statements: [String] {
        if values.allSatisfy(\.isPlain), !hasVersionView { return [table(named: source.name)] }
        return [table(named: inner), view]
    }

    /// Whether versions are found by the view and not by a key of the table.
    var hasVersionView: Bool {
        guard let versionKey else { return false }
        return connector == .kafka
            || !versionKey.allSatisfy { name in values.contains { $0.column.name == name && $0.isPlain } }
    }

    private var inner: String { "\(source.name)__in" }

    /// How the table calls the event time that it computes.
    private func timeName(_ column: String) -> String { "\(column)__time" }

    private func table(named name: String) -> String {
        var lines = members.map { "\(flinkName($0.name)) \($0.type)" } + metadata
        if let time = source.time, let value = values.first(where: { $0.column.name == time.column }) {
            let column = value.isPlain ? time.column : timeName(time.column)
            if !value.isPlain { lines.append("\(flinkName(column)) AS \(value.expression)") }
            if let versionKey, !hasVersionView {
                let names = versionKey.map(flinkName).joined(separator: ", ")
                lines.append("PRIMARY KEY (\(names)) NOT ENFORCED")
            }
            let delay = time.watermarkDelayMilliseconds
            let mark = delay == 0 ? "" : " - \(flinkInterval(milliseconds: delay))"
            lines.append("WATERMARK FOR \(flinkName(column)) AS \(flinkName(column))\(mark)")
        }
        return "CREATE TABLE \(flinkName(name)) (\n  \(lines.joined(separator: ",\n  "))\n) "
            + flinkOptions(options) + ";"
    }

    private var view: String {
        let items = values.map { value -> String in
            let name = flinkName(value.column.name)
            if value.isPlain { return name }
            if value.column.name == source.time?.column {
                return "\(flinkName(timeName(value.column.name))) AS \(name)"
            }
            return "\(value.expression) AS \(name)"
        }
        let head = "CREATE TEMPORARY VIEW \(flinkName(source.name)) AS\n"
        let rows = "SELECT \(items.joined(separator: ", "))\nFROM \(flinkName(inner))"
        guard hasVersionView, let versionKey, let time = source.time else { return head + rows + ";" }
        let names = source.columns.map { flinkName($0.name) }.joined(separator: ", ")
        let keys = versionKey.map(flinkName).joined(separator: ", ")
        // Behind such a view Flink would join NULL with NULL.
        let present = versionKey.map { "\(flinkName($0)) IS NOT NULL" }.joined(separator: " AND ")
        return head + "SELECT \(names) FROM (\nSELECT *, ROW_NUMBER() OVER (PARTITION BY \(keys) "
            + "ORDER BY \(flinkName(time.column)) DESC) AS `version__in` FROM (\n\(rows)) WHERE \(present))\n"
            + "WHERE `version__in` = 1;"
    }

    private var options: [(key: String, value: String)] {
        let format = [
            ("format", "json"), ("json.timestamp-format.standard", "ISO-8601"),
            ("json.ignore-parse-errors", "true"),
        ]
        switch connector {
        case .filesystem:
            var path = "\(folder)/\(source.name).ndjson"
            if case .file(let configured) = source.input { path = absolutePath(configured) }
            return [("connector", "filesystem"), ("path", "file://\(path)")] + format
        case .kafka:
            return [
                ("connector", "kafka"), ("topic", source.name),
                ("properties.bootstrap.servers", "localhost:9092"),
                ("properties.group.id", "weir-\(source.name)"),
                ("scan.startup.mode", "earliest-offset"),
            ] + format
        }
    }

    /// A column that comes from the message beside its payload.
    private mutating func transportValue(of column: ColumnConfiguration) -> Value {
        func declare(_ name: String, _ type: String, _ key: String) -> String {
            let line = "\(flinkName(name)) \(type) METADATA FROM '\(key)' VIRTUAL"
            if !metadata.contains(line) { metadata.append(line) }
            return flinkName(name)
        }
        var expression: String?
        if connector == .kafka {
            switch column.origin {
            case .topic: expression = declare("topic__in", "STRING", "topic")
            case .topicLevel(let level):
                expression = "SPLIT_INDEX(\(declare("topic__in", "STRING", "topic")), '.', \(level))"
            case .receivedAt: expression = declare("received__in", "TIMESTAMP_LTZ(3)", "timestamp")
            case .userProperty(let name):
                let headers = declare("headers__in", "MAP<STRING, BYTES>", "headers")
                expression = "DECODE(\(headers)[\(flinkText(name))], 'UTF-8')"
            case .retain, .payload: break
            }
        }
        if expression == nil { lostColumns.append(column.name) }
        return Value(
            column: column, expression: expression ?? "CAST(NULL AS \(flinkType(column.type)))",
            isPlain: false)
    }
}

extension ColumnConfiguration {
    /// The member of the payload's outermost object that holds the column's value; nil when that is
    /// not in the payload.
    fileprivate var member: String? {
        if case .payload(let pointer) = origin { return pointer.parts.first }
        return nil
    }
}

/// `path` from the root of the file system.
func absolutePath(_ path: String) -> String {
    guard !path.hasPrefix("/") else { return path }
    let inner = path.hasPrefix("./") ? String(path.dropFirst(2)) : path
    return "\(workingDirectory())/\(inner)"
}
