// Where windows and panes lie. A pane is the longest stretch of time that no window border cuts: the
// greatest common divisor of size and slide. A row is added to one pane; a window is the sum of the
// panes it covers.
//
// Windows of months are laid out like any others, only that the unit is a month of the calendar (0 is
// January 1970) and not a millisecond; times become units on the way in and times again on the way out.

import WeirCore
import WeirSQL

/// The arithmetic of one query's windows; times in ms.
struct WindowGeometry {
    /// Units of a window; the longest one for CUMULATE.
    private let size: Int64
    /// Units between the starts of two windows; for CUMULATE between their ends.
    private let slide: Int64
    private let offset: Int64
    private let paneSize: Int64
    /// CUMULATE: windows of one start that end `slide` apart, up to `size`.
    private let isCumulating: Bool
    private let isMonths: Bool

    init(_ window: WindowSpec) {
        switch window.shape {
        case .sliding(let size, let slide):
            (self.size, self.slide, isCumulating, isMonths) = (size, slide, false, false)
        case .cumulating(let size, let step):
            (self.size, self.slide, isCumulating, isMonths) = (size, step, true, false)
        case .months(let size, let slide):
            (self.size, self.slide, isCumulating, isMonths) = (size, slide, false, true)
        // The window is over when its last millisecond is: the operator takes window_end - 1 as time.
        case .attached: (size, slide, isCumulating, isMonths) = (1, 1, false, false)
        case .session: preconditionFailure("sessions are not laid out in time")
        }
        precondition(
            size > 0 && slide > 0 && size < WatermarkTracker.eventTimeMax
                && slide < WatermarkTracker.eventTimeMax, "windows of a sensible length")
        offset = window.offset
        var (a, b) = (size, slide)
        while b != 0 { (a, b) = (b, a % b) }
        paneSize = a
    }

    /// How many windows a row falls in, at most.
    var windowsEach: Int { Int((size + slide - 1) / slide) }

    /// The start of the pane that `time` falls in.
    @inline(__always)
    func paneStart(of time: Int64) -> Int64 {
        if isMonths { return monthStart(Self.floor(month(of: time) - offset, paneSize) + offset) }
        return Self.floor(time - offset, paneSize) + offset
    }

    /// The end of the pane that starts at `start`.
    func paneEnd(_ start: Int64) -> Int64 { time(unit(start) + paneSize) }

    /// The end of the last window that covers the pane; at or before the pane's start when the pane
    /// lies in a gap between windows.
    func lastWindowEnd(covering pane: Int64) -> Int64 {
        time(Self.floor(unit(pane) - offset, isCumulating ? size : slide) + offset + size)
    }

    /// The end of the first window that covers the pane.
    func firstWindowEnd(covering pane: Int64) -> Int64 {
        time(windowEnd(atOrAfter: unit(pane) + paneSize))
    }

    /// The end of the first window that covers the pane and has not fired at `watermark`, or nil
    /// when all have.
    func firstWindowEnd(covering pane: Int64, after watermark: Int64) -> Int64? {
        if lastWindowEnd(covering: pane) - 1 <= watermark { return nil }
        let first = unit(pane) + paneSize
        if watermark == .min { return time(windowEnd(atOrAfter: first)) }
        // Not fired: end - 1 > watermark.
        return time(windowEnd(atOrAfter: max(first, unit(atOrAfter: watermark + 2))))
    }

    /// The end of the next window after the one that ends at `end`.
    func nextWindowEnd(after end: Int64) -> Int64 { time(unit(end) + slide) }

    /// The start of the window that ends at `end`.
    func windowStart(endingAt end: Int64) -> Int64 {
        let last = unit(end)
        if isCumulating { return Self.floor(last - 1 - offset, size) + offset }
        return time(last - size)
    }

    /// The least window end that is at or after `unit`.
    private func windowEnd(atOrAfter unit: Int64) -> Int64 {
        let phase = offset + size
        return -Self.floor(phase - unit, slide) + phase
    }

    /// The greatest multiple of `unit` that is not above `value`.
    @inline(__always)
    private static func floor(_ value: Int64, _ unit: Int64) -> Int64 {
        let rest = value % unit
        return value - (rest < 0 ? rest + unit : rest)
    }

    // MARK: Units

    /// The unit that starts at `time`.
    @inline(__always)
    private func unit(_ time: Int64) -> Int64 { isMonths ? month(of: time) : time }

    private func unit(atOrAfter time: Int64) -> Int64 {
        isMonths ? month(of: time - 1) + 1 : time
    }

    @inline(__always)
    private func time(_ unit: Int64) -> Int64 { isMonths ? monthStart(unit) : unit }

    /// The month that `time` is in; 0 is January 1970.
    private func month(of time: Int64) -> Int64 {
        let date = CivilCalendar.civilFromDays(CivilCalendar.day(ofMilliseconds: time))
        return Int64(date.year - 1970) * 12 + Int64(date.month - 1)
    }

    private func monthStart(_ month: Int64) -> Int64 {
        let year = CivilCalendar.floorDivide(month, by: 12)
        let days = CivilCalendar.daysFromCivil(
            year: Int(1970 + year), month: Int(month - year * 12) + 1, day: 1)
        return Int64(days) * CivilCalendar.millisecondsPerDay
    }
}
