// A table of a file as Flink reads it. Flink's file system connector cannot be asked for a key, but the join
// FOR SYSTEM_TIME AS OF an event time works with any table that has a primary key and versions: so the file is
// declared as one whose rows all became valid in the year 1. Flink reads it once, whole, at the start.

import WeirCore

/// The DDL of one table.
struct FlinkLookupTable {
    let table: TableConfiguration

    /// The time from which all rows hold, which is no column of the configuration's.
    private var timeName: String { "\(table.name)__time" }

    /// How a column is declared, and what computes it where that is not its member as it is.
    private struct Value {
        let column: ColumnConfiguration
        let member: String
        let type: String
        let expression: String
        var isPlain: Bool { expression == flinkName(member) && column.name == member }
    }

    private var values: [Value] {
        let grouped = Dictionary(grouping: table.columns, by: \.tableMember)
        return table.columns.map { column in
            let layout = FlinkMemberLayout(of: grouped[column.tableMember, default: []])
            return Value(
                column: column, member: column.tableMember, type: layout.type,
                expression: layout.value(of: column))
        }
    }

    /// Whether a column is computed from what the file has, which Flink does behind a view.
    var isComputed: Bool { !values.allSatisfy(\.isPlain) }

    /// The table, and the view over it where that is needed.
    var statements: [String] {
        let values = values
        let inner = isComputed ? "\(table.name)__in" : table.name
        var members: [String] = []
        for value in values {
            let line = "\(flinkName(value.member)) \(value.type)"
            if !members.contains(line) { members.append(line) }
        }
        let keys = table.key.map { name in
            flinkName(values.first { $0.column.name == name }?.member ?? name)
        }
        let lines = members + [
            "\(flinkName(timeName)) AS TO_TIMESTAMP_LTZ(-62135596800000, 3)",
            "PRIMARY KEY (\(keys.joined(separator: ", "))) NOT ENFORCED",
            "WATERMARK FOR \(flinkName(timeName)) AS \(flinkName(timeName))",
        ]
        let declaration =
            "CREATE TABLE \(flinkName(inner)) (\n  \(lines.joined(separator: ",\n  "))\n) "
            + flinkOptions(options) + ";"
        guard isComputed else { return [declaration] }
        let items = values.map { value in
            value.isPlain ? flinkName(value.member) : "\(value.expression) AS \(flinkName(value.column.name))"
        }
        let view =
            "CREATE TEMPORARY VIEW \(flinkName(table.name)) AS\n"
            + "SELECT \((items + [flinkName(timeName)]).joined(separator: ", "))\nFROM \(flinkName(inner));"
        return [declaration, view]
    }

    private var options: [(key: String, value: String)] {
        let place = [("connector", "filesystem"), ("path", "file://\(absolutePath(table.path))")]
        switch table.format {
        case .csv: return place + [("format", "csv"), ("csv.null-literal", "")]
        case .ndjson:
            return place + [("format", "json"), ("json.timestamp-format.standard", "ISO-8601")]
        }
    }

    /// What Flink does otherwise with it.
    var notes: [String] {
        var notes = [
            "\(table.name) is read once, at the start; weir reads its file again when it has changed. "
                + "SELECT * has the column \(timeName) more."
        ]
        if table.format == .csv {
            notes.append(
                "\(table.name): Flink takes columns by their order, and the first line for a row: give it a file "
                    + "without the line of names, its columns in the order of the table.")
        }
        return notes
    }
}

extension ColumnConfiguration {
    /// The member of a row's object that holds the value.
    fileprivate var tableMember: String {
        if case .payload(let pointer) = origin, let member = pointer.parts.first { return member }
        return name
    }
}
