// The Prometheus text format (version 0.0.4): one HELP and TYPE line a metric, then its samples.
//
// Always true: all samples of a metric stand together behind its one head, and label values and
// help texts are escaped, so no name from a configuration or a broker can forge a line.

/// Writes metrics as Prometheus reads them.
public struct MetricsText {
    /// The text so far.
    public private(set) var text = ""
    private var written: Set<String> = []

    public init() {}

    /// A metric's labels in order.
    public typealias Labels = [(name: String, value: String)]

    /// One histogram's counts.
    public struct Histogram {
        /// Beside `le`, which each bucket has.
        public let labels: Labels
        /// `counts[i]` is how many were at or below bound i.
        public let counts: [UInt64]
        /// Of all values, in the metric's unit.
        public let sum: Double
        /// Of all values, those above the last bound included.
        public let count: UInt64

        public init(labels: Labels = [], counts: [UInt64], sum: Double, count: UInt64) {
            self.labels = labels
            self.counts = counts
            self.sum = sum
            self.count = count
        }
    }

    /// A value that only rises (until the process restarts, unless it is durable).
    public mutating func counter(_ name: String, _ help: String, _ samples: [(Labels, UInt64)]) {
        head(name, help, "counter")
        for (labels, value) in samples { line(name, labels, String(value)) }
    }

    /// The same, for what is counted in fractions: seconds.
    public mutating func counter(_ name: String, _ help: String, seconds samples: [(Labels, Double)]) {
        head(name, help, "counter")
        for (labels, value) in samples { line(name, labels, Self.number(value)) }
    }

    /// A value that rises and falls.
    public mutating func gauge(_ name: String, _ help: String, _ samples: [(Labels, Double)]) {
        head(name, help, "gauge")
        for (labels, value) in samples { line(name, labels, Self.number(value)) }
    }

    /// Counts by upper bounds, which rise; one histogram a set of labels.
    public mutating func histogram(
        _ name: String, _ help: String, bounds: [Double], _ histograms: [Histogram]
    ) {
        head(name, help, "histogram")
        for histogram in histograms {
            for (bound, cumulative) in zip(bounds, histogram.counts) {
                let labels = histogram.labels + [("le", Self.number(bound))]
                line(name + "_bucket", labels, String(cumulative))
            }
            line(name + "_bucket", histogram.labels + [("le", "+Inf")], String(histogram.count))
            line(name + "_sum", histogram.labels, Self.number(histogram.sum))
            line(name + "_count", histogram.labels, String(histogram.count))
        }
    }

    /// One histogram without labels; `counts[i]` is how many were at or below `bounds[i]`.
    public mutating func histogram(
        _ name: String, _ help: String, bounds: [Double], counts: [UInt64], sum: Double,
        count: UInt64
    ) {
        histogram(
            name, help, bounds: bounds, [Histogram(counts: counts, sum: sum, count: count)])
    }

    private mutating func head(_ name: String, _ help: String, _ type: String) {
        precondition(Self.isName(name), "\(name) is no name of a metric")
        precondition(written.insert(name).inserted, "\(name) is written twice")
        text += "# HELP \(name) \(Self.escaped(help, quotes: false))\n# TYPE \(name) \(type)\n"
    }

    private mutating func line(_ name: String, _ labels: Labels, _ value: String) {
        text += name
        if !labels.isEmpty {
            text += "{"
            text += labels.map { "\($0.name)=\"\(Self.escaped($0.value, quotes: true))\"" }
                .joined(separator: ",")
            text += "}"
        }
        text += " \(value)\n"
    }

    /// Letters, digits, `_` and `:`, no digit first.
    private static func isName(_ name: String) -> Bool {
        guard let first = name.utf8.first, !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first)
        else { return false }
        return name.utf8.allSatisfy { isIdentifierByte($0) || $0 == UInt8(ascii: ":") }
    }

    private static func escaped(_ value: String, quotes: Bool) -> String {
        guard value.utf8.contains(where: { $0 == 0x5C || $0 == 0x22 || $0 == 0x0A }) else {
            return value
        }
        var result = ""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\\": result += "\\\\"
            case "\"" where quotes: result += "\\\""
            case "\n": result += "\\n"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    private static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value > 0 ? "+Inf" : "-Inf" }
        if value == value.rounded(), abs(value) < 1e15 { return String(Int64(value)) }
        return "\(value)"
    }
}
