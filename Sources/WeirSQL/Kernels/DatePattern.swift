// Date patterns as java.time.format.DateTimeFormatter reads them, with names in English:
//
//     yyyy yy y  uuuu    year             HH H   hour 0-23       SSS    fraction, 1-9 digits
//     MM M  MMM MMMM     month            hh h   hour 1-12       a      AM or PM
//     dd d               day of month     mm m   minute          DDD D  day of year
//     EEE EEEE           day of week      ss s   second          QQ QQQ quarter
//     kk k               hour 1-24        KK K   hour 0-11       YYYY w year and week of weeks
//     'text' ''          literal text     A n N  ms of the day, ns of the second and of the day
//
// (L as M, c and e as E, q as Q; G is the era.) Zones and what is rarer are refused when the pattern is
// compiled, so a query with one does not start; so are optional sections, which only writing could
// ignore. A compiled pattern is a flat array of small elements.

import WeirCore

/// A compiled date pattern.
struct DatePattern {
    private enum Field: UInt8 {
        case literal, year, month, day, dayOfYear, hour, halfDayHour, halfDay, minute, second, fraction
        case monthName, weekday, dayOfWeek, quarter, quarterName, era, weekYear, week
        /// Hours of 1 to 24 and of 0 to 11.
        case clockHour, halfDayHourFromZero
        case millisecondOfDay, nanosecond, nanosecondOfDay
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
        lengthMax = elements.reduce(0) { $0 + ($1.field == .literal ? 1 : Self.fieldLengthMax) }
        resolutionMilliseconds = elements.map(\.field).map(Self.resolution).min() ?? .max
    }

    /// Bytes of any field: the longest are numbers of 19 digits.
    private static let fieldLengthMax = 20

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
        case ("y", 1...9), ("u", 1...9): .year
        case ("M", 1...2), ("L", 1...2): .month
        case ("M", 3...5), ("L", 3...5): .monthName
        case ("d", 1...2): .day
        case ("D", 1...3): .dayOfYear
        case ("E", 1...5), ("e", 3...5), ("c", 3...5): .weekday
        case ("e", 1...2), ("c", 1): .dayOfWeek
        case ("Q", 1...2), ("q", 1...2): .quarter
        case ("Q", 3...4), ("q", 3...4): .quarterName
        case ("G", 1...4): .era
        case ("Y", 1...9): .weekYear
        case ("w", 1...2): .week
        case ("k", 1...2): .clockHour
        case ("K", 1...2): .halfDayHourFromZero
        case ("A", 1...19): .millisecondOfDay
        case ("n", 1...19): .nanosecond
        case ("N", 1...19): .nanosecondOfDay
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
        case .year, .month, .day, .dayOfYear, .monthName, .weekday, .dayOfWeek, .quarter, .quarterName,
            .era, .weekYear, .week:
            CivilCalendar.millisecondsPerDay
        case .hour, .halfDayHour, .halfDay, .clockHour, .halfDayHourFromZero:
            CivilCalendar.millisecondsPerHour
        case .minute: CivilCalendar.millisecondsPerMinute
        case .second: CivilCalendar.millisecondsPerSecond
        case .fraction, .millisecondOfDay, .nanosecond, .nanosecondOfDay: 1
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
            case .monthName: at += Self.write(DateNames.month(date.month, width), to: buffer + at)
            case .weekday:
                at += Self.write(DateNames.weekday(CivilWeek(day: day).weekday, width), to: buffer + at)
            case .dayOfWeek:
                at += Self.writePadded(CivilWeek(day: day).weekday + 1, width, to: buffer + at)
            case .quarter: at += Self.writePadded((date.month + 2) / 3, width, to: buffer + at)
            case .quarterName:
                at += Self.write(DateNames.quarter((date.month + 2) / 3, width), to: buffer + at)
            case .era: at += Self.write(DateNames.era(date.year, width), to: buffer + at)
            case .weekYear:
                at += Self.writeYear(CivilWeek(day: day).year, width: width, to: buffer + at)
            case .week: at += Self.writePadded(CivilWeek(day: day).number, width, to: buffer + at)
            case .clockHour: at += Self.writePadded(hour == 0 ? 24 : hour, width, to: buffer + at)
            case .halfDayHourFromZero: at += Self.writePadded(hour % 12, width, to: buffer + at)
            case .millisecondOfDay: at += Self.writePadded(time, width, to: buffer + at)
            case .nanosecond: at += Self.writePadded(time % 1000 * 1_000_000, width, to: buffer + at)
            case .nanosecondOfDay: at += Self.writePadded(time * 1_000_000, width, to: buffer + at)
            }
        }
        return at
    }

    private static func write(_ name: StaticString, to buffer: UnsafeMutablePointer<UInt8>) -> Int {
        buffer.update(from: name.utf8Start, count: name.utf8CodeUnitCount)
        return name.utf8CodeUnitCount
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
        var digits = 1
        var left = value / 10
        while left > 0 {
            digits += 1
            left /= 10
        }
        digits = max(digits, width)
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
        var weekday: Int?
        var minute = 0
        var second = 0
        var milliseconds: Int64 = 0

        /// Sets the time to so many milliseconds of the day.
        mutating func setTime(_ time: Int) {
            (hour, minute, second) = (time / 3_600_000, time / 60_000 % 60, time / 1000 % 60)
            milliseconds = Int64(time % 1000)
        }
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
        // The hour 24 is the day's first.
        if hasClockHour, fields.hour == 24 { fields.hour = 0 }
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
        if let weekday = fields.weekday {
            let day = CivilCalendar.day(ofMilliseconds: midnight)
            guard CivilWeek(day: day).weekday == weekday else { return nil }
        }
        let seconds = (fields.hour * 60 + fields.minute) * 60 + fields.second
        return midnight + Int64(seconds) * 1000 + fields.milliseconds
    }

    private var hasClockHour: Bool { elements.contains { $0.field == .clockHour } }

    /// Reads a field of letters; nil for one of digits.
    private static func readName(
        _ element: Element, _ scanner: inout DigitScanner, _ fields: inout Fields
    ) -> Bool? {
        let width = Int(element.width)
        switch element.field {
        case .monthName:
            guard width < 5, let month = scanner.name(among: 12, { DateNames.month($0 + 1, width) })
            else { return false }
            fields.month = month + 1
            return true
        case .weekday:
            guard width < 5, let day = scanner.name(among: 7, { DateNames.weekday($0, width) })
            else { return false }
            fields.weekday = day
            return true
        case .era: return scanner.name(among: 1) { _ in DateNames.era(1, width) } != nil
        // A day is not known by them.
        case .dayOfWeek, .quarter, .quarterName, .weekYear, .week: return false
        default: return nil
        }
    }

    private static func read(
        _ element: Element, _ scanner: inout DigitScanner, _ fields: inout Fields
    ) -> Bool {
        let width = Int(element.width)
        if let isRead = readName(element, &scanner, &fields) { return isRead }
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
        let isLong = element.field.rawValue >= Field.millisecondOfDay.rawValue
        let longest = isYear ? 4 : isLong ? 14 : element.field == .dayOfYear ? 3 : 2
        let isOpen = width == 1 || (isYear && width == 3)
        guard let value = scanner.number(digits: width...(isOpen ? max(longest, width) : width))
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
        case .clockHour:
            guard 1...24 ~= value else { return false }
            fields.hour = value
        case .halfDayHourFromZero:
            guard value < 12 else { return false }
            fields.halfDayHour = value == 0 ? 12 : value
        case .nanosecond: fields.milliseconds = Int64(value / 1_000_000)
        case .millisecondOfDay: fields.setTime(value)
        case .nanosecondOfDay: fields.setTime(value / 1_000_000)
        default: break
        }
        return true
    }
}
