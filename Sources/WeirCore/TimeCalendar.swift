// Days and dates of the proleptic Gregorian calendar, by arithmetic alone.
//
// Timestamps are milliseconds since 1970-01-01T00:00:00 and days have 86,400 seconds. The functions
// here are exact for every millisecond that an Int64 holds (years -292277022 … 292278994); texts
// are read and written for years 0001 … 9999 only (TimeParsing.swift, TimeFormatting.swift).
//
// The algorithms count years from 1 March, so that the leap day is a year's last, in eras of 400
// years (146,097 days), after Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms".

/// A date: year, month 1 … 12, day 1 … 31.
public struct CivilDate: Hashable, Sendable {
    /// Of the proleptic Gregorian calendar; 0 is the year before 1.
    public let year: Int
    /// 1 to 12.
    public let month: Int
    /// 1 to 31.
    public let day: Int

    @inlinable
    public init(year: Int, month: Int, day: Int) {
        self.year = year
        self.month = month
        self.day = day
    }
}

/// Calendar arithmetic in UTC.
public enum CivilCalendar {
    /// Of a second.
    public static let millisecondsPerSecond: Int64 = 1000
    /// Of a minute; there are no leap seconds.
    public static let millisecondsPerMinute: Int64 = 60_000
    /// Of an hour.
    public static let millisecondsPerHour: Int64 = 3_600_000
    /// Of a day in UTC.
    public static let millisecondsPerDay: Int64 = 86_400_000

    /// 0001-01-01T00:00:00.000, the first instant that has a text.
    public static let textMillisecondsMin: Int64 = -62_135_596_800_000
    /// 9999-12-31T23:59:59.999, the last instant that has a text.
    public static let textMillisecondsMax: Int64 = 253_402_300_799_999

    /// Days from 1970-01-01 to a date; `month` is 1 … 12, `day` is not checked against the month.
    @inlinable
    public static func daysFromCivil(year: Int, month: Int, day: Int) -> Int {
        let shiftedYear = month <= 2 ? year - 1 : year
        let era = (shiftedYear >= 0 ? shiftedYear : shiftedYear - 399) / 400
        let yearOfEra = shiftedYear - era * 400
        let monthFromMarch = month > 2 ? month - 3 : month + 9
        let dayOfYear = (153 * monthFromMarch + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return era * 146_097 + dayOfEra - 719_468
    }

    /// The date `days` after 1970-01-01.
    @inlinable
    public static func civilFromDays(_ days: Int) -> CivilDate {
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra =
            (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        return CivilDate(
            year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month: month,
            day: dayOfYear - (153 * monthFromMarch + 2) / 5 + 1)
    }

    /// Whether February of `year` has 29 days.
    @inlinable
    public static func isLeapYear(_ year: Int) -> Bool {
        year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
    }

    /// The number of days of a month, 28 … 31.
    @inlinable
    public static func daysInMonth(year: Int, month: Int) -> Int {
        if month == 2 { return isLeapYear(year) ? 29 : 28 }
        return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31
    }

    /// The day `months` calendar months after a day; the last day of a shorter month.
    public static func addMonths(_ months: Int, toDay days: Int) -> Int {
        let date = civilFromDays(days)
        let (total, overflow) = (date.year * 12 + date.month - 1).addingReportingOverflow(months)
        guard !overflow, total.magnitude < 1 << 40 else { return days }
        let year = Int(floorDivide(Int64(total), by: 12))
        let month = Int(floorModulo(Int64(total), by: 12)) + 1
        return daysFromCivil(
            year: year, month: month, day: min(date.day, daysInMonth(year: year, month: month)))
    }

    /// The day that a moment falls in: `milliseconds` divided by a day, rounded down.
    @inlinable
    public static func day(ofMilliseconds milliseconds: Int64) -> Int {
        Int(floorDivide(milliseconds, by: millisecondsPerDay))
    }

    /// The quotient rounded toward minus infinity; `divisor` is positive.
    @inlinable
    public static func floorDivide(_ value: Int64, by divisor: Int64) -> Int64 {
        let quotient = value / divisor
        return value % divisor < 0 ? quotient - 1 : quotient
    }

    /// The remainder that belongs to `floorDivide`, 0 ..< divisor; `divisor` is positive.
    @inlinable
    public static func floorModulo(_ value: Int64, by divisor: Int64) -> Int64 {
        let remainder = value % divisor
        return remainder < 0 ? remainder + divisor : remainder
    }

    /// The day of the week, 0 = Sunday … 6 = Saturday.
    @inlinable
    public static func dayOfWeek(ofDay days: Int) -> Int {
        // 1970-01-01 was a Thursday.
        Int(floorModulo(Int64(days) + 4, by: 7))
    }
}
