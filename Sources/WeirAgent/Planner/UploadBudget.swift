// How many bytes may still be sent today and this month. Pure: counts by calendar day and month of a time
// zone, and what is left of a limit at an instant.
//
// Each calendar day and month has a count of its own, which is kept: a clock that is set back finds the day
// as it was spent, one that jumps ahead spends of a day that is then found spent when it comes. So no day's
// budget is handed out twice, whatever the clock does, and a wrong clock blocks nothing once it is right.

import WeirCore

/// Limits of what is sent, and what was.
struct UploadBudget: Sendable {
    /// Bytes a day and a month; nil for no limit.
    let perDay: Int64?
    let perMonth: Int64?
    /// Of each limit, what only sinks of high priority may use.
    let reserve: Int64
    let zone: TimeZoneRules
    /// Bytes by days since the epoch, and by months since the year 0.
    var days: [Int: Int64] = [:]
    var months: [Int: Int64] = [:]

    /// A budget that is spent for now.
    struct Shortage: Equatable {
        /// "the day's" or "the month's".
        let period: String
        let limit: Int64
        let spent: Int64
        /// When there is more, ms since the epoch.
        let until: Int64
    }

    /// The local date of an instant, as the numbers that counts are kept under.
    func periods(at now: Int64) -> (day: Int, month: Int) {
        let local = now + Int64(zone.offsetSeconds(atUTC: now)) * 1000
        let day = CivilCalendar.day(ofMilliseconds: local)
        let civil = CivilCalendar.civilFromDays(day)
        return (day, civil.year * 12 + civil.month - 1)
    }

    /// Adds `bytes` (fewer than none to take back) to a day and its month.
    mutating func add(_ bytes: Int64, to periods: (day: Int, month: Int)) {
        days[periods.day] = max(0, days[periods.day, default: 0] + bytes)
        months[periods.month] = max(0, months[periods.month, default: 0] + bytes)
    }

    /// Counts of so many days and months are kept.
    private static let daysMax = 62
    private static let monthsMax = 24

    /// Forgets the earliest periods when there are too many, but never those at `periods`; returns them.
    ///
    /// It goes by how many there are and not by how long they are past: a clock that jumps ahead by years
    /// and comes back finds the day as it was spent.
    mutating func forgetOld(at periods: (day: Int, month: Int)) -> (days: [Int], months: [Int]) {
        (
            Self.forget(&days, but: periods.day, most: Self.daysMax),
            Self.forget(&months, but: periods.month, most: Self.monthsMax)
        )
    }

    private static func forget(_ counts: inout [Int: Int64], but current: Int, most: Int) -> [Int] {
        guard counts.count > most else { return [] }
        let earliest = counts.keys.filter { $0 != current }.sorted().prefix(counts.count - most)
        for period in earliest { counts[period] = nil }
        return Array(earliest)
    }

    /// Which budget has no room for `bytes` at `now`; nil when both have.
    ///
    /// An upload that is larger than half of a limit waits until half of it is left: pieces are cut smaller
    /// than that, and what was sealed under another limit must go some day.
    ///
    /// - Parameter isUpkeep: whether nobody waits for it, so that half of each limit, and the reserve in any
    ///   case, is left to rows.
    func shortage(of bytes: Int64, isHigh: Bool, isUpkeep: Bool = false, at now: Int64) -> Shortage? {
        let (day, month) = periods(at: now)
        let kept = { (limit: Int64) in isUpkeep ? max(reserve, limit / 2) : isHigh ? 0 : reserve }
        if let perMonth, !fits(bytes, spent: months[month, default: 0], limit: perMonth - kept(perMonth)) {
            return Shortage(
                period: "the month's", limit: perMonth, spent: months[month, default: 0],
                until: startOfMonth(month + 1))
        }
        if let perDay, !fits(bytes, spent: days[day, default: 0], limit: perDay - kept(perDay)) {
            return Shortage(
                period: "the day's", limit: perDay, spent: days[day, default: 0],
                until: startOfDay(day + 1))
        }
        return nil
    }

    /// Bytes that one slice of upkeep should take at most, so that it finds room; nil without a limit.
    var upkeepPieceBytes: Int64? { [perDay, perMonth].compactMap(\.self).min().map { max(1, $0 / 8) } }

    private func fits(_ bytes: Int64, spent: Int64, limit: Int64) -> Bool {
        spent + min(max(1, bytes), max(1, limit / 2)) <= limit
    }

    /// What is left of the day's and the month's limit at `now`; nil without one.
    func left(at now: Int64) -> (day: Int64?, month: Int64?) {
        let (day, month) = periods(at: now)
        return (
            perDay.map { max(0, $0 - days[day, default: 0]) },
            perMonth.map { max(0, $0 - months[month, default: 0]) }
        )
    }

    /// The instant at which a local day begins; where midnight is skipped, the first moment after it.
    private func startOfDay(_ day: Int) -> Int64 {
        zone.utcMilliseconds(ofLocal: Int64(day) * CivilCalendar.millisecondsPerDay)
    }

    private func startOfMonth(_ month: Int) -> Int64 {
        startOfDay(CivilCalendar.daysFromCivil(year: month / 12, month: month % 12 + 1, day: 1))
    }
}
