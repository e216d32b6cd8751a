// The wall clock of a time zone, for windows whose hours and days are those of a place.
//
// Rows are put into windows by what the clock on the wall shows at their event time, so that a day has
// 23 or 25 hours when clocks are changed. A window is over when the wall clock has passed its last
// millisecond for the last time: where an hour occurs twice, after the second time, as in Flink. That is
// told by turning the watermark into the greatest wall-clock time that is over, after which everything
// about windows is computed on the wall clock alone.

/// Event times as a wall clock shows them.
public final class WallClock {
    private let rules: TimeZoneRules
    /// A stretch of event time with one offset, the last one looked at.
    private var stretch = Stretch(start: .max, end: .min, offset: 0, fallsBackBy: 0)

    private struct Stretch {
        let start: Int64
        /// Exclusive.
        let end: Int64
        let offset: Int64
        /// By how much clocks are set back at `end`; 0 when they are not.
        let fallsBackBy: Int64
    }

    /// A stretch reaches so far to both sides of the time that was asked for.
    private static let reachDays: Int64 = 32

    /// Beyond it, ms, there is no calendar: clocks show UTC. No accepted event time lies there.
    private static let timeMax: UInt64 = 9_000_000_000_000_000

    /// The clock of an IANA zone.
    public init(zone: String) throws(Failure) { rules = try TimeZoneRules(identifier: zone) }

    /// What the clock shows at an event time, ms as if it were UTC.
    @inline(__always)
    public func local(_ time: Int64) -> Int64 { time + stretch(at: time).offset }

    /// The greatest wall-clock time that is over for good at a watermark.
    public func localMark(_ watermark: Int64) -> Int64 {
        if watermark == Watermark.none || watermark == Watermark.end { return watermark }
        let now = stretch(at: watermark)
        let shown = watermark + now.offset
        guard now.fallsBackBy > 0, watermark >= now.end - now.fallsBackBy else { return shown }
        // What the clock shows now will be shown again.
        return now.end + now.offset - now.fallsBackBy - 1
    }

    /// The event time of a window whose last millisecond is `local`: the last instant at which the clock
    /// shows it, or, when it never does, the one that java.time takes.
    public func eventTime(ofLocal local: Int64) -> Int64 {
        guard local.magnitude <= Self.timeMax else { return local }
        let first = rules.utcMilliseconds(ofLocal: local)
        let laterOffset = offset(at: local + CivilCalendar.millisecondsPerDay)
        let second = local - laterOffset
        return second > first && second + offset(at: second) == local ? second : first
    }

    /// The event time at which the clock shows `local`, the earlier of two; a time that is skipped is moved on.
    public func instant(ofLocal local: Int64) -> Int64 {
        guard local.magnitude <= Self.timeMax else { return local }
        let now = stretch(at: local)
        let guess = local - now.offset
        // Far from any change of the clock nothing has to be searched.
        let day = CivilCalendar.millisecondsPerDay
        if guess - day >= now.start, guess + day < now.end { return guess }
        return rules.utcMilliseconds(ofLocal: local)
    }

    private func offset(at time: Int64) -> Int64 { Int64(rules.offsetSeconds(atUTC: time)) * 1000 }

    @inline(__always)
    private func stretch(at time: Int64) -> Stretch {
        if time < stretch.start || time >= stretch.end { stretch = findStretch(time) }
        return stretch
    }

    private func findStretch(_ time: Int64) -> Stretch {
        guard time.magnitude <= Self.timeMax else {
            return Stretch(start: time, end: time, offset: 0, fallsBackBy: 0)
        }
        let day = CivilCalendar.millisecondsPerDay
        let offset = offset(at: time)
        var start = time
        var end = time
        for _ in 0..<Self.reachDays where self.offset(at: start - day) == offset { start -= day }
        for _ in 0..<Self.reachDays {
            if self.offset(at: end + day) == offset {
                end += day
                continue
            }
            // The first second at which the offset is another.
            var (low, high) = (end, end + day)
            while low < high {
                let middle = low + (high - low) / 2
                if self.offset(at: middle) == offset { low = middle + 1 } else { high = middle }
            }
            let after = self.offset(at: low)
            return Stretch(
                start: start, end: low, offset: offset, fallsBackBy: max(0, offset - after))
        }
        // Clocks may be set back just behind what was looked at: that is another stretch's to tell.
        return Stretch(start: start, end: end - day, offset: offset, fallsBackBy: 0)
    }
}
