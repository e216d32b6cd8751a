// Timestamps from SQL text: what CAST('…' AS TIMESTAMP) and TO_TIMESTAMP without a pattern take. It
// is Flink's default format, yyyy-M-d with an optional H:m:s[.fffffffff] behind one blank, no T and
// no zone; text with those is for the source's decoder (TimestampText in WeirCore).
//
// As in Flink, a day that its month does not have is taken as the month's last (30 February is the
// 28th or 29th), and fractions beyond milliseconds are cut off.

import WeirCore

/// Reading SQL timestamp texts.
enum TimestampCast {
    /// The wall-clock time that a text names, ms since 1970-01-01T00:00:00; nil if it is none.
    static func parse(_ text: UnsafeBufferPointer<UInt8>) -> Int64? {
        var scanner = DigitScanner(text: text)
        guard let year = scanner.number(digits: 4...4), scanner.take(UInt8(ascii: "-")),
            let month = scanner.number(digits: 1...2), scanner.take(UInt8(ascii: "-")),
            let day = scanner.number(digits: 1...2),
            let midnight = midnight(year: year, month: month, day: day)
        else { return nil }
        if scanner.isAtEnd { return midnight }
        guard scanner.take(UInt8(ascii: " ")),
            let hour = scanner.number(digits: 1...2), hour < 24, scanner.take(UInt8(ascii: ":")),
            let minute = scanner.number(digits: 1...2), minute < 60,
            scanner.take(UInt8(ascii: ":")),
            let second = scanner.number(digits: 1...2), second < 60
        else { return nil }
        var fraction: Int64 = 0
        if scanner.take(UInt8(ascii: ".")) {
            guard let parsed = scanner.milliseconds(digits: 0...9) else { return nil }
            fraction = parsed
        }
        guard scanner.isAtEnd else { return nil }
        return midnight + Int64((hour * 60 + minute) * 60 + second) * 1000 + fraction
    }

    /// The start of a day; days beyond the month's end mean its last day. Nil outside of the
    /// calendar.
    static func midnight(year: Int, month: Int, day: Int) -> Int64? {
        guard (1...9999).contains(year), (1...12).contains(month), (1...31).contains(day)
        else { return nil }
        let last = CivilCalendar.daysInMonth(year: year, month: month)
        let days = CivilCalendar.daysFromCivil(year: year, month: month, day: min(day, last))
        return Int64(days) * CivilCalendar.millisecondsPerDay
    }
}

/// Takes numbers and separators from the front of a text.
struct DigitScanner {
    let text: UnsafeBufferPointer<UInt8>
    private var at = 0

    init(text: UnsafeBufferPointer<UInt8>) { self.text = text }

    var isAtEnd: Bool { at == text.count }

    /// Takes one byte if it is the next.
    @inline(__always)
    mutating func take(_ byte: UInt8) -> Bool {
        guard at < text.count, text[at] == byte else { return false }
        at &+= 1
        return true
    }

    /// Whether `word` is next.
    func isNext(_ word: UnsafeBufferPointer<UInt8>) -> Bool {
        text.count - at >= word.count && text[at..<at + word.count].elementsEqual(word)
    }

    /// Goes over so many bytes, which are there.
    mutating func skip(_ count: Int) { at += count }

    /// Takes as many digits as there are, at most the upper bound; nil if fewer than the lower.
    @inline(__always)
    mutating func number(digits: ClosedRange<Int>) -> Int? {
        var value = 0
        var count = 0
        while count < digits.upperBound, at < text.count, case let digit = text[at] &- 48, digit <= 9 {
            value = value &* 10 &+ Int(digit)
            count &+= 1
            at &+= 1
        }
        return count >= digits.lowerBound ? value : nil
    }

    /// Takes the digits of a fraction of a second, in whole milliseconds.
    mutating func milliseconds(digits: ClosedRange<Int>) -> Int64? {
        var value: Int64 = 0
        var unit: Int64 = 100
        var count = 0
        while count < digits.upperBound, at < text.count, case let digit = text[at] &- 48, digit <= 9 {
            value += Int64(digit) * unit
            unit /= 10
            count += 1
            at += 1
        }
        return count >= digits.lowerBound ? value : nil
    }

    /// Takes `AM` or `PM`; nil if neither is next.
    mutating func isAfternoon() -> Bool? {
        guard at + 2 <= text.count, text[at + 1] == UInt8(ascii: "M"),
            text[at] == UInt8(ascii: "A") || text[at] == UInt8(ascii: "P")
        else { return nil }
        at += 2
        return text[at - 2] == UInt8(ascii: "P")
    }
}
