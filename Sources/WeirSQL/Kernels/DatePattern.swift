// Date patterns as java.time.format.DateTimeFormatter reads them, as far as they are numbers:
//
//     yyyy yy y  uuuu    year             HH H   hour 0-23       SSS    fraction, 1-9 digits
//     MM M               month            hh h   hour 1-12       a      AM or PM
//     dd d               day of month     mm m   minute          DDD D  day of year
//     'text' ''          literal text     ss s   second          anything but letters: itself
//
// Names of months and days, zones, eras and optional sections are refused when the pattern is
// compiled, so a query with one does not start. A compiled pattern is a flat array of small
// elements.

import WeirCore

/// A compiled date pattern.
struct DatePattern {
    private enum Field: UInt8 {
        case literal, year, month, day, dayOfYear, hour, halfDayHour, halfDay, minute, second, fraction
    }

    private struct Element {
        let field: Field
        /// How many letters; for a literal the byte.
        let width: UInt8
    }

    private let elements: [Element]
    /// Bytes that a formatted timestamp takes at most.
    let lengthMax: Int
    /// Timestamps that differ less than this, within the same multiple of it, have the same text,
    /// ms.
    let resolutionMilliseconds: Int64

    /// Compiles a pattern; nil if it holds something that is not supported, or is not a pattern.
    init?(_ pattern: UnsafeBufferPointer<UInt8>) {
        var elements: [Element] = []
        var at = 0
        while at < pattern.count {
            let byte = pattern[at]
            let isLetter = (byte | 0x20) >= UInt8(ascii: "a") && (byte | 0x20) <= UInt8(ascii: "z")
            if byte == UInt8(ascii: "'") {
                guard let next = Self.quoted(pattern, from: at, into: &elements) else { return nil }
                at = next
            } else if isLetter {
                var width = 1
                while at + width < pattern.count, pattern[at + width] == byte { width += 1 }
                guard let field = Self.field(byte, width: width) else { return nil }
                elements.append(Element(field: field, width: UInt8(width)))
                at += width
            } else {
                guard !"[]{}#".utf8.contains(byte) else { return nil }
                elements.append(Element(field: .literal, width: byte))
                at += 1
            }
        }
        self.elements = elements
        // A year outside of 0001 … 9999 has a sign and up to nine digits.
        lengthMax = elements.reduce(0) { $0 + ($1.field == .year ? 12 : $1.field == .literal ? 1 : 9) }
        resolutionMilliseconds = elements.map(\.field).map(Self.resolution).min() ?? .max
    }

    private static func quoted(
        _ pattern: UnsafeBufferPointer<UInt8>, from start: Int, into elements: inout [Element]
    ) -> Int? {
        var at = start + 1
        if at < pattern.count, pattern[at] == UInt8(ascii: "'") {
            elements.append(Element(field: .literal, width: UInt8(ascii: "'")))
            return at + 1
        }
        while at < pattern.count {
            if pattern[at] == UInt8(ascii: "'") {
                let isDoubled = at + 1 < pattern.count && pattern[at + 1] == UInt8(ascii: "'")
                if !isDoubled { return at + 1 }
                at += 1
            }
            elements.append(Element(field: .literal, width: pattern[at]))
            at += 1
        }
        return nil
    }

    private static func field(_ letter: UInt8, width: Int) -> Field? {
        switch (Unicode.Scalar(letter), width) {
        case ("y", 1...4), ("u", 1...4): width == 3 ? nil : .year
        case ("M", 1...2): .month
        case ("d", 1...2): .day
        case ("D", 1...3): width == 2 ? nil : .dayOfYear
        case ("H", 1...2): .hour
        case ("h", 1...2): .halfDayHour
        case ("a", 1): .halfDay
        case ("m", 1...2): .minute
        case ("s", 1...2): .second
        case ("S", 1...9): .fraction
        default: nil
        }
    }

    private static func resolution(_ field: Field) -> Int64 {
        switch field {
        case .literal: .max
        case .year, .month, .day, .dayOfYear: CivilCalendar.millisecondsPerDay
        case .hour, .halfDayHour, .halfDay: CivilCalendar.millisecondsPerHour
        case .minute: CivilCalendar.millisecondsPerMinute
        case .second: CivilCalendar.millisecondsPerSecond
        case .fraction: 1
        }
    }

    // MARK: Writing

    /// Writes a timestamp and returns its length; room for `lengthMax` bytes.
    func write(_ milliseconds: Int64, to buffer: UnsafeMutablePointer<UInt8>) -> Int {
        let day = CivilCalendar.day(ofMilliseconds: milliseconds)
        let date = CivilCalendar.civilFromDays(day)
        let time = Int(milliseconds &- Int64(day) &* CivilCalendar.millisecondsPerDay)
        let hour = time / 3_600_000
        var at = 0
        for element in elements {
            let width = Int(element.width)
            switch element.field {
            case .literal:
                buffer[at] = element.width
                at += 1
            case .year: at += Self.writeYear(date.year, width: width, to: buffer + at)
            case .month: at += Self.writePadded(date.month, width, to: buffer + at)
            case .day: at += Self.writePadded(date.day, width, to: buffer + at)
            case .dayOfYear:
                let newYear = CivilCalendar.daysFromCivil(year: date.year, month: 1, day: 1)
                at += Self.writePadded(day - newYear + 1, width, to: buffer + at)
            case .hour: at += Self.writePadded(hour, width, to: buffer + at)
            case .halfDayHour: at += Self.writePadded((hour + 11) % 12 + 1, width, to: buffer + at)
            case .halfDay:
                buffer[at] = hour < 12 ? UInt8(ascii: "A") : UInt8(ascii: "P")
                buffer[at + 1] = UInt8(ascii: "M")
                at += 2
            case .minute: at += Self.writePadded(time / 60_000 % 60, width, to: buffer + at)
            case .second: at += Self.writePadded(time / 1000 % 60, width, to: buffer + at)
            case .fraction:
                var rest = time % 1000
                for place in 0..<width {
                    buffer[at + place] = UInt8(truncatingIfNeeded: 48 + rest / 100)
                    rest = rest % 100 * 10
                }
                at += width
            }
        }
        return at
    }

    private static func writeYear(
        _ year: Int, width: Int, to buffer: UnsafeMutablePointer<UInt8>
    ) -> Int {
        if width == 2 { return writePadded(Int(year.magnitude % 100), 2, to: buffer) }
        var at = 0
        if year < 0 || (year > 9999 && width == 4) {
            buffer[0] = year < 0 ? UInt8(ascii: "-") : UInt8(ascii: "+")
            at = 1
        }
        return at + writePadded(Int(year.magnitude), width, to: buffer + at)
    }

    /// Writes a number that is not negative with at least `width` digits.
    private static func writePadded(
        _ value: Int, _ width: Int, to buffer: UnsafeMutablePointer<UInt8>
    ) -> Int {
        var digits = width
        var bound = 1
        for _ in 0..<width { bound *= 10 }
        while value >= bound {
            digits += 1
            bound *= 10
        }
        var rest = value
        for place in stride(from: digits - 1, through: 0, by: -1) {
            buffer[place] = UInt8(truncatingIfNeeded: 48 + rest % 10)
            rest /= 10
        }
        return digits
    }

    // MARK: Reading

    /// What a text says: fields that it does not have are those of 1970-01-01T00:00:00.
    private struct Fields {
        var year = 1970
        var month = 1
        var day = 1
        var dayOfYear: Int?
        var hour = 0
        var halfDayHour: Int?
        var isAfternoon: Bool?
        var minute = 0
        var second = 0
        var milliseconds: Int64 = 0
    }

    /// The timestamp that a text of this pattern means, ms; nil if the text does not follow it.
    func parse(_ text: UnsafeBufferPointer<UInt8>) -> Int64? {
        var scanner = DigitScanner(text: text)
        var fields = Fields()
        for element in elements {
            guard Self.read(element, &scanner, &fields) else { return nil }
        }
        guard scanner.isAtEnd else { return nil }
        if let halfDayHour = fields.halfDayHour, let isAfternoon = fields.isAfternoon {
            guard (1...12).contains(halfDayHour) else { return nil }
            fields.hour = halfDayHour % 12 + (isAfternoon ? 12 : 0)
        }
        guard fields.hour < 24, fields.minute < 60, fields.second < 60,
            var midnight = TimestampCast.midnight(
                year: fields.year, month: fields.month, day: fields.day)
        else { return nil }
        if let dayOfYear = fields.dayOfYear {
            let length = CivilCalendar.isLeapYear(fields.year) ? 366 : 365
            guard (1...length).contains(dayOfYear) else { return nil }
            let newYear = CivilCalendar.daysFromCivil(year: fields.year, month: 1, day: 1)
            midnight = Int64(newYear + dayOfYear - 1) * CivilCalendar.millisecondsPerDay
        }
        let seconds = (fields.hour * 60 + fields.minute) * 60 + fields.second
        return midnight + Int64(seconds) * 1000 + fields.milliseconds
    }

    private static func read(
        _ element: Element, _ scanner: inout DigitScanner, _ fields: inout Fields
    ) -> Bool {
        let width = Int(element.width)
        switch element.field {
        case .literal: return scanner.take(element.width)
        case .halfDay:
            fields.isAfternoon = scanner.isAfternoon()
            return fields.isAfternoon != nil
        case .fraction:
            guard let value = scanner.milliseconds(digits: width...width) else { return false }
            fields.milliseconds = value
            return true
        default: break
        }
        // One letter takes as many digits as there may be, more letters exactly so many.
        let isYear = element.field == .year
        let longest = isYear ? 4 : element.field == .dayOfYear ? 3 : 2
        guard let value = scanner.number(digits: width...(width == 1 ? longest : width))
        else { return false }
        switch element.field {
        case .year: fields.year = width == 2 ? 2000 + value : value
        case .month: fields.month = value
        case .day: fields.day = value
        case .dayOfYear: fields.dayOfYear = value
        case .hour: fields.hour = value
        case .halfDayHour: fields.halfDayHour = value
        case .minute: fields.minute = value
        case .second: fields.second = value
        case .literal, .halfDay, .fraction: break
        }
        return true
    }
}
