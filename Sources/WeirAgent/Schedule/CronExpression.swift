// The five fields of a cron line, with lists, ranges, steps and names, in a time zone.
//
// Where clocks are put forward, a time that they skip is taken as much later as they jump (02:30
// becomes 03:30); where they are put back, a time that comes twice is taken once, the first time.
// Lines that run in every hour run on through both, so that "*/15 * * * *" never pauses and never
// doubles.

import WeirCore

/// Which minutes of which days.
struct CronExpression: Sendable, Equatable {
    /// Days to look ahead: a date falls on each day of the week within 40 years, 2100 included.
    private static let searchDaysMax = 41 * 366

    private let minutes: [Int]
    private let hours: [Int]
    private let daysOfMonth: Set<Int>
    private let months: Set<Int>
    /// 0 is Sunday.
    private let daysOfWeek: Set<Int>
    /// Whether the fields begin with `*`: a restricted day of the month and a restricted day of the
    /// week are joined by "or", as cron has always done it.
    private let anyDayOfMonth: Bool
    private let anyDayOfWeek: Bool

    private static let monthNames = [
        "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
    ]
    private static let dayNames = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]

    /// Parses the fields of a cron line.
    static func parse(_ fields: [String]) -> Result<CronExpression, Complaint> {
        guard fields.count == 5 else {
            return .failure(
                Complaint(
                    "must be \"every …\" or the five fields of a cron line (minute, hour, day, month, "
                        + "day of the week), not \(quoted(fields.joined(separator: " ")))"))
        }
        do throws(Complaint) {
            let cron = CronExpression(
                minutes: try parse(fields[0], "minute", 0...59).sorted(),
                hours: try parse(fields[1], "hour", 0...23).sorted(),
                daysOfMonth: try parse(fields[2], "day", 1...31),
                months: try parse(fields[3], "month", 1...12, names: monthNames, firstName: 1),
                daysOfWeek: Set(
                    try parse(fields[4], "day of the week", 0...7, names: dayNames, firstName: 0)
                        .map { $0 % 7 }),
                anyDayOfMonth: fields[2].hasPrefix("*"), anyDayOfWeek: fields[4].hasPrefix("*"))
            guard cron.everComes else {
                throw Complaint(
                    "never comes: no such day in \(quoted(fields.joined(separator: " ")))")
            }
            return .success(cron)
        } catch {
            return .failure(error)
        }
    }

    /// The first moment after `milliseconds` since the epoch.
    func next(after milliseconds: Int64, in zone: TimeZoneRules) -> Int64 {
        let day = CivilCalendar.millisecondsPerDay
        let offset = Int64(zone.offsetSeconds(atUTC: milliseconds)) * 1000
        let local = milliseconds + offset
        // The common case, asked for in every turn of the loop: no clock changes about.
        if zone.offsetSeconds(atUTC: milliseconds - day)
            == zone.offsetSeconds(atUTC: milliseconds + 2 * day),
            let next = nextOnSteadyClock(afterLocal: local)
        {
            return next - offset
        }
        // A clock put back can bring yesterday's times again after midnight.
        let firstDay = CivilCalendar.day(ofMilliseconds: local) - 1
        for day in firstDay...firstDay + Self.searchDaysMax where matches(day: day) {
            guard let found = firstMoment(ofDay: day, after: milliseconds, in: zone) else {
                continue
            }
            // For the same reason tomorrow's first time can come before today's last.
            let other =
                matches(day: day + 1)
                ? firstMoment(ofDay: day + 1, after: milliseconds, in: zone) : nil
            return min(found, other ?? found)
        }
        preconditionFailure("a parsed cron line has days that come")
    }

    /// The first local time after `local` today or tomorrow, on a clock that nobody changes.
    private func nextOnSteadyClock(afterLocal local: Int64) -> Int64? {
        let day = CivilCalendar.day(ofMilliseconds: local)
        let minuteOfDay = Int(
            CivilCalendar.floorModulo(local, by: CivilCalendar.millisecondsPerDay)
                / CivilCalendar.millisecondsPerMinute)
        for (day, after) in [(day, minuteOfDay), (day + 1, -1)] where matches(day: day) {
            for hour in hours where hour * 60 + 59 > after {
                guard let minute = minutes.first(where: { hour * 60 + $0 > after }) else {
                    continue
                }
                return Int64(day) * CivilCalendar.millisecondsPerDay
                    + Int64(hour * 60 + minute) * CivilCalendar.millisecondsPerMinute
            }
        }
        return nil
    }

    private func firstMoment(ofDay day: Int, after milliseconds: Int64, in zone: TimeZoneRules)
        -> Int64?
    {
        var best: Int64?
        for hour in hours {
            for minute in minutes {
                let local =
                    Int64(day) * CivilCalendar.millisecondsPerDay
                    + Int64(hour) * CivilCalendar.millisecondsPerHour
                    + Int64(minute) * CivilCalendar.millisecondsPerMinute
                for moment in moments(ofLocal: local, in: zone)
                where moment > milliseconds && moment < best ?? .max {
                    best = moment
                }
            }
        }
        return best
    }

    /// The instants that count for a local time.
    private func moments(ofLocal local: Int64, in zone: TimeZoneRules) -> [Int64] {
        let first = zone.utcMilliseconds(ofLocal: local)
        guard hours.count == 24 else { return [first] }
        let isShown = { (instant: Int64) in
            instant + Int64(zone.offsetSeconds(atUTC: instant)) * 1000 == local
        }
        guard isShown(first) else { return [] }
        let later = zone.offsetSeconds(atUTC: local + CivilCalendar.millisecondsPerDay)
        let second = local - Int64(later) * 1000
        return second > first && isShown(second) ? [first, second] : [first]
    }

    private func matches(day: Int) -> Bool {
        let date = CivilCalendar.civilFromDays(day)
        guard months.contains(date.month) else { return false }
        let isDayOfMonth = daysOfMonth.contains(date.day)
        // 1970-01-01 was a Thursday.
        let isDayOfWeek = daysOfWeek.contains(Int(CivilCalendar.floorModulo(Int64(day) + 4, by: 7)))
        if anyDayOfMonth || anyDayOfWeek { return isDayOfMonth && isDayOfWeek }
        return isDayOfMonth || isDayOfWeek
    }

    /// Whether some month that counts has some day that counts.
    private var everComes: Bool {
        if !anyDayOfMonth, !anyDayOfWeek { return true }
        return months.contains { month in
            daysOfMonth.contains { $0 <= CivilCalendar.daysInMonth(year: 2000, month: month) }
        }
    }

    // MARK: Fields

    private static func parse(
        _ field: String, _ name: String, _ range: ClosedRange<Int>, names: [String] = [],
        firstName: Int = 0
    ) throws(Complaint) -> Set<Int> {
        var values: Set<Int> = []
        for part in field.split(separator: ",", omittingEmptySubsequences: false) {
            let pieces = part.split(separator: "/", omittingEmptySubsequences: false)
            var step = 1
            if pieces.count == 2, let number = Int(pieces[1]), number > 0 {
                step = number
            } else if pieces.count != 1 {
                throw Complaint("has no valid step in its \(name) field: \(quoted(String(part)))")
            }
            let ends = pieces[0].split(separator: "-", omittingEmptySubsequences: false)
            let numbers = ends.map { end in
                names.firstIndex(of: end.lowercased()).map { $0 + firstName }
                    ?? (end.allSatisfy(\.isNumber) ? Int(end) : nil)
            }
            let bounds: ClosedRange<Int>
            if pieces[0] == "*" {
                bounds = range
            } else if numbers.count == 1, let only = numbers[0] {
                // "5/15" means "from 5 on, every 15", as cron has it.
                bounds = only...(pieces.count == 2 ? max(only, range.upperBound) : only)
            } else if numbers.count == 2, let low = numbers[0],
                // "mon-sun" ends with the seventh day, which is also day 0.
                let high = numbers[1] == 0 && range.upperBound == 7 ? 7 : numbers[1], low <= high
            {
                bounds = low...high
            } else {
                throw Complaint("has no valid \(name) field: \(quoted(String(part)))")
            }
            guard range.contains(bounds.lowerBound), range.contains(bounds.upperBound) else {
                throw Complaint(
                    "has \(quoted(String(part))) in its \(name) field, which goes from \(range.lowerBound) to "
                        + "\(range.upperBound)")
            }
            values.formUnion(stride(from: bounds.lowerBound, through: bounds.upperBound, by: step))
        }
        return values
    }
}
