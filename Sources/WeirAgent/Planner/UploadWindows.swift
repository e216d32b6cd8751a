// The hours in which a sink may upload: "02:00-05:00", "sat,sun 00:00-24:00", "mon-fri 22:00-05:00", on the
// clocks of a time zone. A window that ends before it begins goes on past midnight and belongs to the day
// that it begins on.
//
// Where clocks are put forward, a window's ends that they skip are moved on by the jump, and a window that
// they skip whole keeps its length; where they are put back, an end that comes twice is the first of the
// two. Always true: what is open and when the next window opens are pure functions of the instant.

import WeirCore

/// Recurring windows of a week.
struct UploadWindows: Sendable {
    /// One window, begun on each of some days.
    private struct Window: Sendable {
        /// 0 is Sunday.
        var days: Set<Int>
        /// Minutes of the day; the end may lie on the day after.
        var start: Int
        var end: Int
    }

    private let windows: [Window]
    private let zone: TimeZoneRules
    /// As they were written.
    let description: String

    private static let dayNames = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
    private static let minutesPerDay = 1440

    /// Windows that are written as `texts`, each already checked by `complaint(about:)`.
    init(_ texts: [String], zone: TimeZoneRules) {
        windows = texts.compactMap { try? Self.parse($0).get() }
        self.zone = zone
        description = "\(texts.joined(separator: ", ")) (\(zone.identifier))"
    }

    /// What is wrong with one window, following its text; nil when it is right.
    static func complaint(about text: String) -> Complaint? {
        if case .failure(let complaint) = parse(text) { complaint } else { nil }
    }

    /// When the window that holds `now` opened and when it, or those that it runs into, will close; nil
    /// while none is open.
    func opening(at now: Int64) -> Range<Int64>? {
        var spans = spans(around: now)
        guard var open = spans.first(where: { $0.contains(now) }) else { return nil }
        // Windows that touch are one; a week of them is as good as for ever.
        for _ in 0..<8 {
            spans = self.spans(around: open.upperBound)
            let later = spans.filter { $0.contains(open.upperBound) }.map(\.upperBound).max()
            guard let later, later > open.upperBound else { break }
            open = open.lowerBound..<later
        }
        return open
    }

    /// When the first window after `now` opens, ms since the epoch.
    func nextOpening(after now: Int64) -> Int64 {
        let today = localDay(of: now)
        // A day of the week comes again within eight days, whatever the clocks do.
        for day in (today - 1)...(today + 9) {
            let next = spans(ofDay: day).map(\.lowerBound).filter { $0 > now }.min()
            // A clock put back may bring a time of the day before later.
            let other = spans(ofDay: day + 1).map(\.lowerBound).filter { $0 > now }.min()
            if let next { return min(next, other ?? next) }
        }
        preconditionFailure("each window has a day")
    }

    private func localDay(of instant: Int64) -> Int {
        CivilCalendar.day(ofMilliseconds: instant + Int64(zone.offsetSeconds(atUTC: instant)) * 1000)
    }

    private func spans(around instant: Int64) -> [Range<Int64>] {
        let day = localDay(of: instant)
        return spans(ofDay: day - 1) + spans(ofDay: day) + spans(ofDay: day + 1)
    }

    /// The windows that begin on a local day, as instants.
    private func spans(ofDay day: Int) -> [Range<Int64>] {
        // 1970-01-01 was a Thursday.
        let weekday = Int(CivilCalendar.floorModulo(Int64(day) + 4, by: 7))
        return windows.filter { $0.days.contains(weekday) }.map { window in
            let midnight = Int64(day) * CivilCalendar.millisecondsPerDay
            let start = midnight + Int64(window.start) * CivilCalendar.millisecondsPerMinute
            let end = midnight + Int64(window.end) * CivilCalendar.millisecondsPerMinute
            let opens = zone.utcMilliseconds(ofLocal: start)
            let closes = zone.utcMilliseconds(ofLocal: end)
            return opens..<(closes > opens ? closes : opens + (end - start))
        }
    }

    // MARK: Text

    private static func parse(_ text: String) -> Result<Window, Complaint> {
        let words = text.lowercased().split(separator: " ", omittingEmptySubsequences: true)
        guard (1...2).contains(words.count), let times = words.last,
            let ends = times.onlyPair("-"), let start = minutes(ends.0), let end = minutes(ends.1),
            start < minutesPerDay
        else {
            return .failure(
                Complaint("must be like \"02:00-05:00\" or \"sat,sun 00:00-24:00\", not \(quoted(text))"))
        }
        guard start != end else {
            return .failure(Complaint("is a window of no length; a whole day is 00:00-24:00"))
        }
        var days = Set(0..<7)
        if words.count == 2 {
            days = []
            for part in words[0].split(separator: ",", omittingEmptySubsequences: false) {
                let names = part.split(separator: "-", omittingEmptySubsequences: false)
                let found = names.compactMap { name in dayNames.firstIndex { $0 == name } }
                guard found.count == names.count, (1...2).contains(found.count) else {
                    return .failure(
                        Complaint(
                            "has no valid days: \(quoted(String(words[0]))); write \"mon-fri\" or \"sat,sun\""))
                }
                var day = found[0]
                days.insert(day)
                while day != found[found.count - 1] {
                    day = (day + 1) % 7
                    days.insert(day)
                }
            }
        }
        return .success(Window(days: days, start: start, end: end > start ? end : end + minutesPerDay))
    }

    /// Minutes of "HH:MM", up to 24:00.
    private static func minutes(_ text: Substring) -> Int? {
        guard let parts = text.onlyPair(":"), parts.0.utf8.count == 2, parts.1.utf8.count == 2,
            (text.utf8.allSatisfy { $0 == UInt8(ascii: ":") || (48...57).contains($0) }),
            let hour = Int(parts.0), let minute = Int(parts.1), minute < 60
        else { return nil }
        let total = hour * 60 + minute
        return total <= minutesPerDay ? total : nil
    }
}

extension Substring {
    /// What stands before and behind the one `separator` in it.
    fileprivate func onlyPair(_ separator: Character) -> (Substring, Substring)? {
        let parts = split(separator: separator, omittingEmptySubsequences: false)
        return parts.count == 2 ? (parts[0], parts[1]) : nil
    }
}
