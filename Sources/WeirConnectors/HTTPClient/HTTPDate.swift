// Dates as HTTP and AWS write them, to and from milliseconds since the epoch. What is not exactly of
// the form is no date: a server's odd header must not become a wrong wait or a wrong clock warning.

import WeirCore

/// Conversions between instants and the texts of protocol headers; all in UTC.
public enum HTTPDate {
    /// `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110 IMF-fixdate); nil when it is anything else.
    public static func milliseconds(fixdate text: String) -> Int64? {
        let words = text.split(separator: " ")
        guard words.count == 6, words[5] == "GMT", words[0].utf8.count == 4,
            let day = number(words[1]), let month = months.firstIndex(of: String(words[2])),
            let year = number(words[3])
        else { return nil }
        let clock = words[4].split(separator: ":")
        guard clock.count == 3, let hour = number(clock[0]), let minute = number(clock[1]),
            let second = number(clock[2])
        else { return nil }
        return milliseconds(
            year: year, month: month + 1, day: day, hour: hour, minute: minute, second: second)
    }

    /// `20261121T130509Z`, as AWS signatures want it.
    public static func basicISO(_ milliseconds: Int64) -> String {
        let date = CivilCalendar.civilFromDays(CivilCalendar.day(ofMilliseconds: milliseconds))
        let ofDay = CivilCalendar.floorModulo(milliseconds, by: CivilCalendar.millisecondsPerDay)
        let seconds = Int(ofDay / 1000)
        return digits(date.year, 4) + digits(date.month, 2) + digits(date.day, 2) + "T"
            + digits(seconds / 3600, 2) + digits(seconds / 60 % 60, 2) + digits(seconds % 60, 2) + "Z"
    }

    /// `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110 IMF-fixdate).
    static func fixdate(_ milliseconds: Int64) -> String {
        let day = CivilCalendar.day(ofMilliseconds: milliseconds)
        let date = CivilCalendar.civilFromDays(day)
        let ofDay = CivilCalendar.floorModulo(milliseconds, by: CivilCalendar.millisecondsPerDay)
        let seconds = Int(ofDay / 1000)
        // Day 0 of the epoch was a Thursday.
        let weekday = weekdays[Int(CivilCalendar.floorModulo(Int64(day) + 4, by: 7))]
        return "\(weekday), " + digits(date.day, 2) + " \(months[date.month - 1]) " + digits(date.year, 4)
            + " " + digits(seconds / 3600, 2) + ":" + digits(seconds / 60 % 60, 2) + ":"
            + digits(seconds % 60, 2) + " GMT"
    }

    private static let weekdays = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]

    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    private static func number(_ text: Substring) -> Int? {
        text.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) } ? Int(text) : nil
    }

    private static func digits(_ value: Int, _ width: Int) -> String {
        let text = String(value)
        return String(repeating: "0", count: max(0, width - text.utf8.count)) + text
    }

    private static func milliseconds(
        year: Int, month: Int, day: Int, hour: Int, minute: Int, second: Int
    ) -> Int64? {
        // A leap second (60) is legal in a header and counts into the next minute.
        guard (1...12).contains(month), (1...9999).contains(year),
            (1...CivilCalendar.daysInMonth(year: year, month: month)).contains(day), hour < 24,
            minute < 60, second <= 60
        else { return nil }
        let days = Int64(CivilCalendar.daysFromCivil(year: year, month: month, day: day))
        return ((days * 24 + Int64(hour)) * 60 + Int64(minute)) * 60_000 + Int64(second) * 1000
    }
}
