// The rule at the end of a time zone file, in the form of the TZ environment variable (POSIX, with
// the extensions of RFC 9636: names in angle brackets, hours from -167 to 167):
//
//     CET-1CEST,M3.5.0,M10.5.0/3      standard time, summer time, its first moment, its last
//     <+0545>-5:45                    one offset for ever
//
// POSIX counts offsets west of Greenwich as positive; here they are turned round at once.

/// A yearly repeating daylight-saving rule, or one constant offset.
struct TimeZonePosixRule: Sendable {
    /// Seconds east of UTC in standard time.
    private let standardOffset: Int
    /// Seconds east of UTC in summer; equal to the standard offset when there is no summer time.
    private var summerOffset: Int
    private var change: (toSummer: YearDay, toStandard: YearDay)?

    /// A moment of the year on the clock that holds before it.
    private struct YearDay {
        enum Day {
            /// Month, week 1 … 5 (5 = the last), day of the week 0 = Sunday.
            case weekday(month: Int, week: Int, day: Int)
            /// 1 … 365, 29 February never counted.
            case julian(Int)
            /// 0 … 365, 29 February counted.
            case zeroBased(Int)
        }
        let day: Day
        /// Seconds after local midnight; may be negative or beyond a day.
        let time: Int
    }

    /// Parses a rule; nil if it is not one.
    init?(_ text: ArraySlice<UInt8>) {
        var scanner = Scanner(rest: text)
        guard scanner.skipName(), let west = scanner.time(hoursMax: 24) else { return nil }
        standardOffset = -west
        summerOffset = -west
        if scanner.rest.isEmpty { return }
        guard scanner.skipName() else { return nil }
        summerOffset = standardOffset + 3600
        if let first = scanner.rest.first, first != UInt8(ascii: ",") {
            guard let west = scanner.time(hoursMax: 24) else { return nil }
            summerOffset = -west
        }
        guard let toSummer = scanner.yearDay(), let toStandard = scanner.yearDay(),
            scanner.rest.isEmpty
        else { return nil }
        change = (toSummer, toStandard)
    }

    /// Seconds east of UTC at an instant, seconds since the epoch.
    func offsetSeconds(at seconds: Int64) -> Int {
        guard let change else { return standardOffset }
        let localDay = CivilCalendar.floorDivide(seconds + Int64(standardOffset), by: 86_400)
        let year = CivilCalendar.civilFromDays(Int(localDay)).year
        let start = Self.seconds(of: change.toSummer, year: year) - Int64(standardOffset)
        let end = Self.seconds(of: change.toStandard, year: year) - Int64(summerOffset)
        // South of the equator summer spans the new year.
        let isSummer =
            start < end ? seconds >= start && seconds < end : seconds >= start || seconds < end
        return isSummer ? summerOffset : standardOffset
    }

    /// The moment in a year, seconds since the epoch on its own clock.
    private static func seconds(of moment: YearDay, year: Int) -> Int64 {
        let newYear = CivilCalendar.daysFromCivil(year: year, month: 1, day: 1)
        let days: Int
        switch moment.day {
        case .julian(let day):
            let isShifted = day >= 60 && CivilCalendar.isLeapYear(year)
            days = newYear + day - 1 + (isShifted ? 1 : 0)
        case .zeroBased(let day): days = newYear + day
        case .weekday(let month, let week, let day):
            let first = CivilCalendar.daysFromCivil(year: year, month: month, day: 1)
            let firstSuch = (day - CivilCalendar.dayOfWeek(ofDay: first) + 7) % 7
            let length = CivilCalendar.daysInMonth(year: year, month: month)
            var dayOfMonth = firstSuch + (week - 1) * 7
            if dayOfMonth >= length { dayOfMonth -= 7 }
            days = first + dayOfMonth
        }
        return Int64(days) * 86_400 + Int64(moment.time)
    }

    /// Reads the parts of a rule from the front.
    private struct Scanner {
        var rest: ArraySlice<UInt8>

        mutating func take(_ character: Unicode.Scalar) -> Bool {
            guard rest.first == UInt8(ascii: character) else { return false }
            rest = rest.dropFirst()
            return true
        }

        mutating func number(max: Int) -> Int? {
            var value = 0
            let start = rest.startIndex
            while let digit = rest.first.map({ $0 &- 48 }), digit <= 9 {
                value = value * 10 + Int(digit)
                guard value <= max else { return nil }
                rest = rest.dropFirst()
            }
            return rest.startIndex > start ? value : nil
        }

        /// A zone's abbreviation: letters, or anything in angle brackets.
        mutating func skipName() -> Bool {
            if take("<") {
                guard let end = rest.firstIndex(of: UInt8(ascii: ">")) else { return false }
                rest = rest[(end + 1)...]
                return true
            }
            let start = rest.startIndex
            while let byte = rest.first, (byte | 0x20) >= UInt8(ascii: "a"),
                (byte | 0x20) <= UInt8(ascii: "z")
            {
                rest = rest.dropFirst()
            }
            return rest.startIndex > start
        }

        /// `[+-]h[h[h]][:mm[:ss]]` in seconds.
        mutating func time(hoursMax: Int) -> Int? {
            let isNegative = take("-")
            if !isNegative { _ = take("+") }
            guard let hours = number(max: hoursMax) else { return nil }
            var seconds = hours * 3600
            for unit in [60, 1] {
                guard take(":") else { break }
                guard let value = number(max: 59) else { return nil }
                seconds += value * unit
            }
            return isNegative ? -seconds : seconds
        }

        /// `,Mm.w.d`, `,Jn` or `,n`, each with an optional `/time`; 02:00 is the default.
        mutating func yearDay() -> YearDay? {
            guard take(","), let day = day() else { return nil }
            guard take("/") else { return YearDay(day: day, time: 7200) }
            return time(hoursMax: 167).map { YearDay(day: day, time: $0) }
        }

        private mutating func day() -> YearDay.Day? {
            if take("M") {
                guard let month = number(max: 12), month >= 1, take("."),
                    let week = number(max: 5), week >= 1, take("."), let day = number(max: 6)
                else { return nil }
                return .weekday(month: month, week: week, day: day)
            }
            if take("J") {
                guard let day = number(max: 365), day >= 1 else { return nil }
                return .julian(day)
            }
            return number(max: 365).map { .zeroBased($0) }
        }
    }
}
