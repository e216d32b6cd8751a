// Timestamps from text, straight from UTF-8 bytes: no String, no table, no locale.
//
// Accepted is the profile that devices write: RFC 3339, the same without zone (taken as UTC), the
// same with a blank for the T (SQL), and a date alone (midnight):
//
//     2026-07-01T12:30:45.123456Z    2026-07-01 12:30:45.5+02:00    2026-07-01T12:30    2026-07-01
//
// Fixed widths, ranges checked, nothing before or after. A fraction has one to nine digits after
// '.' or ',' and is cut to milliseconds. A zone is Z, ±hh:mm, ±hhmm or ±hh. Second 60 is accepted
// in a minute 59 only and taken as 59.999, since Unix time has no place for a leap second; hour 24
// is refused. Years are 0001 … 9999, also after the zone has been taken off.

/// Reading timestamps.
public enum TimestampText {
    /// The instant that a text names, ms since the epoch, or nil if it is not exactly a timestamp.
    public static func parse(_ text: UnsafePointer<UInt8>, count: Int) -> Int64? {
        guard count >= 10, let days = parseDate(text) else { return nil }
        let midnight = Int64(days) * CivilCalendar.millisecondsPerDay
        if count == 10 { return midnight }
        guard count >= 16, text[10] == UInt8(ascii: "T") || text[10] == UInt8(ascii: " ")
            || text[10] == UInt8(ascii: "t") else { return nil }
        let hour = twoDigits(text + 11)
        let minute = twoDigits(text + 14)
        guard hour < 24, minute < 60, text[13] == UInt8(ascii: ":") else { return nil }
        let minuteOfDay = Int64(hour * 60 + minute)
        var milliseconds = midnight + minuteOfDay * CivilCalendar.millisecondsPerMinute
        var at = 16
        if at < count, text[at] == UInt8(ascii: ":") {
            guard count >= 19 else { return nil }
            let second = twoDigits(text + 17)
            guard second < 60 || (second == 60 && minute == 59) else { return nil }
            at = 19
            var fraction: Int64 = 0
            if at < count, text[at] == UInt8(ascii: ".") || text[at] == UInt8(ascii: ",") {
                guard let parsed = parseFraction(text, count: count, at: &at) else { return nil }
                fraction = parsed
            }
            milliseconds += second == 60 ? 59_999 : Int64(second) * 1000 + fraction
        }
        if at < count {
            guard let offset = parseZone(text + at, count: count - at) else { return nil }
            milliseconds -= offset
            guard milliseconds >= CivilCalendar.textMillisecondsMin,
                milliseconds <= CivilCalendar.textMillisecondsMax
            else { return nil }
        }
        return milliseconds
    }

    /// The instant that a string names; for literals, options and tests.
    public static func parse(_ text: String) -> Int64? {
        var text = text
        return text.withUTF8 { bytes in
            bytes.baseAddress.flatMap { parse($0, count: bytes.count) }
        }
    }

    /// Days since the epoch of the ten bytes `yyyy-MM-dd`.
    private static func parseDate(_ text: UnsafePointer<UInt8>) -> Int? {
        let century = twoDigits(text)
        let yearOfCentury = twoDigits(text + 2)
        let month = twoDigits(text + 5)
        let day = twoDigits(text + 8)
        guard century < 100, yearOfCentury < 100, text[4] == UInt8(ascii: "-"),
            text[7] == UInt8(ascii: "-"), month >= 1, month <= 12, day >= 1
        else { return nil }
        let year = century * 100 + yearOfCentury
        guard year >= 1, day <= 28 || day <= CivilCalendar.daysInMonth(year: year, month: month)
        else { return nil }
        return CivilCalendar.daysFromCivil(year: year, month: month, day: day)
    }

    /// Reads the separator and one to nine digits at `at` and moves `at` behind them.
    private static func parseFraction(
        _ text: UnsafePointer<UInt8>, count: Int, at: inout Int
    ) -> Int64? {
        at += 1
        let start = at
        var milliseconds: Int64 = 0
        var unit: Int64 = 100
        while at < count {
            let digit = text[at] &- 48
            guard digit <= 9 else { break }
            milliseconds += Int64(digit) * unit
            unit /= 10
            at += 1
        }
        return at > start && at - start <= 9 ? milliseconds : nil
    }

    /// The offset that a zone designator says, ms east of UTC.
    private static func parseZone(_ text: UnsafePointer<UInt8>, count: Int) -> Int64? {
        if count == 1 {
            return text[0] == UInt8(ascii: "Z") || text[0] == UInt8(ascii: "z") ? 0 : nil
        }
        let isEast = text[0] == UInt8(ascii: "+")
        guard isEast || text[0] == UInt8(ascii: "-") else { return nil }
        let hours: Int
        let minutes: Int
        switch count {
        case 3: (hours, minutes) = (twoDigits(text + 1), 0)
        case 5: (hours, minutes) = (twoDigits(text + 1), twoDigits(text + 3))
        case 6 where text[3] == UInt8(ascii: ":"):
            (hours, minutes) = (twoDigits(text + 1), twoDigits(text + 4))
        default: return nil
        }
        guard hours < 24, minutes < 60 else { return nil }
        let offset = Int64(hours * 60 + minutes) * CivilCalendar.millisecondsPerMinute
        return isEast ? offset : -offset
    }

    /// The number in two bytes, or 255 if one of them is not a digit.
    @inline(__always)
    private static func twoDigits(_ text: UnsafePointer<UInt8>) -> Int {
        let tens = text[0] &- 48
        let ones = text[1] &- 48
        return tens <= 9 && ones <= 9 ? Int(tens) * 10 + Int(ones) : 255
    }
}
