// The texts inside TIMESTAMP '…' and INTERVAL '…' UNIT, in milliseconds.

import WeirCore

/// The wall-clock time that `yyyy-MM-dd[ HH:mm[:ss[.fff]]]` names, ms since the epoch; nil when it is
/// not that. Narrower than what devices may send: a zone or a fourth digit of the fraction would be
/// dropped from a value that somebody wrote on purpose.
func millisecondsOfTimestamp(_ text: String) -> Int64? {
    let time = text.utf8.dropFirst(10)
    let isPlain = time.allSatisfy {
        (0x30...0x3a).contains($0) || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: " ")
    }
    return isPlain && time.count <= 13 ? TimestampText.parse(text) : nil
}

/// The fields of a day-time interval, from the longest.
enum IntervalUnit: Int, CaseIterable {
    case day, hour, minute, second

    /// The unit of the keyword, singular or plural.
    init?(keyword: String) {
        switch keyword {
        case "DAY", "DAYS": self = .day
        case "HOUR", "HOURS": self = .hour
        case "MINUTE", "MINUTES": self = .minute
        case "SECOND", "SECONDS": self = .second
        default: return nil
        }
    }

    var milliseconds: Int64 {
        switch self {
        case .day: 86_400_000
        case .hour: 3_600_000
        case .minute: 60_000
        case .second: 1_000
        }
    }

    /// How the value of an interval that starts with this unit looks: `2` or, up to `last`, `1:30`.
    fileprivate func example(to last: IntervalUnit) -> String {
        let values = ["1", "12", "30", "15"][rawValue...last.rawValue]
        let text = values.joined(separator: ":")
        return self == .day && last != .day ? text.replacingFirst(":", by: " ") : text
    }
}

extension String {
    fileprivate func replacingFirst(_ mark: Character, by other: Character) -> String {
        guard let index = firstIndex(of: mark) else { return self }
        return self[..<index] + String(other) + self[self.index(after: index)...]
    }
}

/// The milliseconds of INTERVAL 'text' first [TO last]; throws, at `position`, what is wrong with it.
func millisecondsOfInterval(
    _ text: String, from first: IntervalUnit, to last: IntervalUnit, at position: TextPosition
) throws(Diagnostic) -> Int64 {
    func wrong() -> Diagnostic {
        let units = first == last ? "\(first)" : "\(first) TO \(last)"
        return Diagnostic(
            position,
            "'\(Token.clipped(text))' is not an interval in \(units.uppercased()); "
                + "one looks like '\(first.example(to: last))'")
    }
    var reader = DigitReader(text)
    reader.skipBlanks()
    let isNegative = reader.take("-")
    if !isNegative { _ = reader.take("+") }
    var total: Int64 = 0
    for index in first.rawValue...last.rawValue {
        guard let unit = IntervalUnit(rawValue: index) else { throw wrong() }
        if unit != first, !reader.take(index == IntervalUnit.hour.rawValue ? " " : ":") {
            throw wrong()
        }
        guard let value = unit == .second ? reader.seconds() : reader.digits(1...9) else {
            throw wrong()
        }
        let scaled = unit == .second ? value : value * unit.milliseconds
        if unit != first, scaled >= unit.milliseconds * (unit == .hour ? 24 : 60) { throw wrong() }
        total += scaled
    }
    reader.skipBlanks()
    guard reader.isAtEnd else { throw wrong() }
    return isNegative ? -total : total
}

/// The value of INTERVAL 'text' in a unit worth `unit`, or of `years-months`; nil if it is none.
func monthsOfInterval(_ text: String, unit: Int64, toMonth: Bool) -> Int64? {
    var reader = DigitReader(text)
    reader.skipBlanks()
    let isNegative = reader.take("-")
    if !isNegative { _ = reader.take("+") }
    guard let first = reader.digits(1...4) else { return nil }
    var total = first * unit
    if toMonth {
        guard reader.take("-"), let months = reader.digits(1...2), months < 12 else { return nil }
        total += months
    }
    reader.skipBlanks()
    guard reader.isAtEnd else { return nil }
    return isNegative ? -total : total
}

/// Reads numbers and marks from the front of a short text.
private struct DigitReader {
    private let bytes: [UInt8]
    private var offset = 0

    init(_ text: String) { bytes = Array(text.utf8) }

    var isAtEnd: Bool { offset == bytes.count }

    mutating func skipBlanks() {
        while take(" ") {}
    }

    mutating func take(_ mark: Unicode.Scalar) -> Bool {
        guard offset < bytes.count, bytes[offset] == UInt8(ascii: mark) else { return false }
        offset += 1
        return true
    }

    /// A number of as many digits as `counts` allows, at most nine.
    mutating func digits(_ counts: ClosedRange<Int>) -> Int64? {
        let start = offset
        var value: Int64 = 0
        while offset < bytes.count, offset - start < counts.upperBound,
            (0x30...0x39).contains(bytes[offset])
        {
            value = value * 10 + Int64(bytes[offset] - 0x30)
            offset += 1
        }
        return offset - start >= counts.lowerBound ? value : nil
    }

    /// Seconds with an optional fraction, in ms; digits after the third must be 0.
    mutating func seconds() -> Int64? {
        guard let whole = digits(1...9) else { return nil }
        guard take(".") else { return whole * 1000 }
        let start = offset
        guard let fraction = digits(1...3) else { return nil }
        let scale: Int64 = [100, 10, 1][offset - start - 1]
        while take("0") {}
        return whole * 1000 + fraction * scale
    }
}
