// Whether a row is the expected one: the same members in the same order, of the same kinds, with the
// same values. Numbers with a fraction are the same when they agree to the last bits that decimal text
// can show, since the expected ones are often worked out by other means.

import WeirConnectors
import WeirCore

/// Compares rows of JSON.
enum RowComparison {
    /// Relative difference of two doubles that still count as the same.
    private static let toleranceOfDoubles = 1e-12

    /// What differs between two lines, as "n: 2, not 3"; nil when they are the same row.
    static func difference(expected: String, actual: String) -> String? {
        if expected == actual { return nil }
        guard let wanted = JSONValue(parsing: Array(expected.utf8)) else {
            return "the expected line is not JSON"
        }
        guard let found = JSONValue(parsing: Array(actual.utf8)) else { return "the row is not JSON" }
        return difference(wanted, found, at: "")
    }

    private static func difference(_ wanted: JSONValue, _ found: JSONValue, at place: String) -> String? {
        let isSame: Bool
        switch (wanted, found) {
        case (.null, .null): isSame = true
        case (.bool(let a), .bool(let b)): isSame = a == b
        case (.string(let a), .string(let b)): isSame = a == b
        case (.number(let a), .number(let b)): isSame = areSame(a, b)
        case (.array(let a), .array(let b)):
            for (index, pair) in zip(a, b).enumerated() {
                if let found = difference(pair.0, pair.1, at: "\(place)[\(index)]") { return found }
            }
            isSame = a.count == b.count
        case (.object(let a), .object(let b)):
            let names = a.map(\.name)
            guard names == b.map(\.name) else {
                return "\(named(place))columns \(b.map(\.name).joined(separator: ", ")), "
                    + "not \(names.joined(separator: ", "))"
            }
            for (one, other) in zip(a, b) {
                let inner = place.isEmpty ? one.name : "\(place).\(one.name)"
                if let found = difference(one.value, other.value, at: inner) { return found }
            }
            isSame = true
        default: isSame = false
        }
        return isSame ? nil : "\(named(place))\(text(found)), not \(text(wanted))"
    }

    private static func named(_ place: String) -> String { place.isEmpty ? "" : "\(place): " }

    /// Whole numbers by their digits; others by value. A person who expects 99 of a DOUBLE means 99.0.
    private static func areSame(_ wanted: String, _ found: String) -> Bool {
        if wanted == found { return true }
        let areWhole = !(wanted + found).contains { ".eE".contains($0) }
        guard !areWhole, let a = Double(wanted), let b = Double(found) else { return false }
        return a == b || (a - b).magnitude <= toleranceOfDoubles * max(a.magnitude, b.magnitude)
    }

    private static func text(_ value: JSONValue) -> String {
        switch value {
        case .null: "null"
        case .bool(let value): "\(value)"
        case .number(let digits): digits
        case .string(let text): jsonString(text)
        case .array(let elements): "[\(elements.map(text).joined(separator: ", "))]"
        case .object(let members):
            "{\(members.map { "\(jsonString($0.name)): \(text($0.value))" }.joined(separator: ", "))}"
        }
    }
}
