// How one member of a payload is declared to Flink, given the columns that are taken from it: as it is
// when one column is the whole member, as nested ROWs when columns lie deeper, and as JSON text when
// that does not do (array elements, or the same value under two types).

import WeirCore

/// A member's type, and the columns' values in terms of it.
struct FlinkMemberLayout {
    private indirect enum Shape {
        case leaf(String)
        case row([(name: String, shape: Shape)])
    }

    /// The type to declare.
    let type: String
    private let isText: Bool

    /// - Parameter columns: the columns below the member, at least one.
    init(of columns: [ColumnConfiguration]) {
        var shape: Shape?
        var fits = true
        for column in columns {
            let path = Array(column.path.dropFirst())
            fits = fits && !path.contains { $0 == "*" || Int($0) != nil }
            if fits { fits = Self.add(path[...], Self.rawType(of: column), to: &shape) }
        }
        isText = !fits
        type = fits ? shape.map(Self.text) ?? "STRING" : "STRING"
    }

    /// The column's value.
    func value(of column: ColumnConfiguration) -> String {
        let path = column.path
        guard isText else {
            return Self.converted(path.map(flinkName).joined(separator: "."), column)
        }
        let member = flinkName(path.first ?? "")
        if path.count == 1 {
            return Self.converted("CAST(\(member) AS \(Self.rawType(of: column)))", column)
        }
        let steps = path.dropFirst().map { step in
            if step == "*" { return "[*]" }
            return Int(step) != nil ? "[\(step)]" : "['\(step.replacing("'", with: "\\'"))']"
        }
        let json = flinkText("$" + steps.joined())
        if case .array(let element) = column.type {
            let texts = "JSON_QUERY(\(member), \(json) RETURNING ARRAY<STRING> WITH ARRAY WRAPPER)"
            return element == .string ? texts : "CAST(\(texts) AS ARRAY<\(flinkType(element))>)"
        }
        let text = "JSON_VALUE(\(member), \(json))"
        let raw = Self.rawType(of: column)
        return Self.converted(raw == "STRING" ? text : "CAST(\(text) AS \(raw))", column)
    }

    private static func add(_ path: ArraySlice<String>, _ type: String, to shape: inout Shape?) -> Bool {
        guard let name = path.first else {
            switch shape {
            case nil: shape = .leaf(type)
            case .leaf(let known): return known == type
            case .row: return false
            }
            return true
        }
        var fields: [(name: String, shape: Shape)] = []
        switch shape {
        case nil: break
        case .leaf: return false
        case .row(let known): fields = known
        }
        let place = fields.firstIndex { $0.name == name }
        var below = place.map { fields[$0].shape }
        guard add(path.dropFirst(), type, to: &below), let below else { return false }
        if let place { fields[place].shape = below } else { fields.append((name, below)) }
        shape = .row(fields)
        return true
    }

    private static func text(_ shape: Shape) -> String {
        switch shape {
        case .leaf(let type): type
        case .row(let fields):
            "ROW<\(fields.map { "\(flinkName($0.name)) \(text($0.shape))" }.joined(separator: ", "))>"
        }
    }

    /// The type in which Flink takes the value out of the JSON.
    private static func rawType(of column: ColumnConfiguration) -> String {
        guard column.type.isTimestamp else { return flinkType(column.type) }
        return switch column.timestampFormat {
        case .epochSeconds: "DECIMAL(20, 6)"
        case .epochMilliseconds, .epochMicroseconds: "BIGINT"
        case .rfc3339, nil: flinkType(column.type)
        }
    }

    /// `raw` as a value of the column's type.
    private static func converted(_ raw: String, _ column: ColumnConfiguration) -> String {
        guard column.type.isTimestamp else { return raw }
        let milliseconds: String
        switch column.timestampFormat {
        case .epochSeconds: milliseconds = "CAST(FLOOR(\(raw) * 1000) AS BIGINT)"
        case .epochMilliseconds: milliseconds = raw
        case .epochMicroseconds:
            milliseconds = "CAST(FLOOR(CAST(\(raw) AS DECIMAL(20, 0)) / 1000) AS BIGINT)"
        case .rfc3339, nil: return raw
        }
        let instant = "TO_TIMESTAMP_LTZ(\(milliseconds), 3)"
        return column.type == .timestampLTZ ? instant : "CAST(\(instant) AS \(column.type))"
    }
}

extension ColumnConfiguration {
    /// The steps to the value in the payload; none for a value that is not in it.
    fileprivate var path: [String] {
        if case .payload(let pointer) = origin { return pointer.parts }
        return []
    }
}
