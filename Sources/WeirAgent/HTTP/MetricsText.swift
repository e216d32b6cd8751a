// The Prometheus text format (version 0.0.4): one HELP and TYPE line a metric, then its samples.

/// Writes metrics as Prometheus reads them.
public struct MetricsText {
    /// The text so far.
    public private(set) var text = ""

    public init() {}

    /// A metric's labels in order.
    public typealias Labels = [(name: String, value: String)]

    /// A value that only rises (until the process restarts, unless it is durable).
    public mutating func counter(_ name: String, _ help: String, _ samples: [(Labels, UInt64)]) {
        head(name, help, "counter")
        for (labels, value) in samples { line(name, labels, String(value)) }
    }

    /// A value that rises and falls.
    public mutating func gauge(_ name: String, _ help: String, _ samples: [(Labels, Double)]) {
        head(name, help, "gauge")
        for (labels, value) in samples { line(name, labels, Self.number(value)) }
    }

    /// Counts by upper bounds; `counts[i]` is how many were at or below `bounds[i]`.
    public mutating func histogram(
        _ name: String, _ help: String, bounds: [Double], counts: [UInt64], sum: Double, count: UInt64
    ) {
        head(name, help, "histogram")
        for (bound, cumulative) in zip(bounds, counts) {
            line(name + "_bucket", [("le", Self.number(bound))], String(cumulative))
        }
        line(name + "_bucket", [("le", "+Inf")], String(count))
        line(name + "_sum", [], Self.number(sum))
        line(name + "_count", [], String(count))
    }

    private mutating func head(_ name: String, _ help: String, _ type: String) {
        text += "# HELP \(name) \(help)\n# TYPE \(name) \(type)\n"
    }

    private mutating func line(_ name: String, _ labels: Labels, _ value: String) {
        text += name
        if !labels.isEmpty {
            text += "{"
            text += labels.map { "\($0.name)=\"\(Self.escaped($0.value))\"" }.joined(separator: ",")
            text += "}"
        }
        text += " \(value)\n"
    }

    private static func escaped(_ value: String) -> String {
        guard value.utf8.contains(where: { $0 == 0x5C || $0 == 0x22 || $0 == 0x0A }) else { return value }
        var result = ""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\\": result += "\\\\"
            case "\"": result += "\\\""
            case "\n": result += "\\n"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    private static func number(_ value: Double) -> String {
        if value == value.rounded(), abs(value) < 1e15 { return String(Int64(value)) }
        return "\(value)"
    }
}
