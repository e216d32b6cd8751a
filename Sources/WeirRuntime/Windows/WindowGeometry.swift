// Where windows and panes lie. A pane is the longest stretch of time that no window border cuts: the
// greatest common divisor of size and slide. A row is added to one pane; a window is the sum of the
// panes it covers.

import WeirCore
import WeirSQL

/// The arithmetic of one query's windows; times in ms.
struct WindowGeometry {
    /// Length of a window; of the longest one for CUMULATE.
    private let size: Int64
    /// Between the starts of two windows; for CUMULATE between their ends.
    private let slide: Int64
    private let offset: Int64
    private let paneSize: Int64
    /// CUMULATE: windows of one start that end `slide` apart, up to `size`.
    private let isCumulating: Bool

    init(_ window: WindowSpec) {
        switch window.shape {
        case .sliding(let size, let slide):
            (self.size, self.slide, isCumulating) = (size, slide, false)
        case .cumulating(let size, let step):
            (self.size, self.slide, isCumulating) = (size, step, true)
        // The window is over when its last millisecond is: the operator takes window_end - 1 as time.
        case .attached: (size, slide, isCumulating) = (1, 1, false)
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
    func paneStart(of time: Int64) -> Int64 { Self.floor(time - offset, paneSize) + offset }

    /// The end of the pane that starts at `start`.
    func paneEnd(_ start: Int64) -> Int64 { start + paneSize }

    /// The end of the last window that covers the pane; at or before the pane's start when the pane
    /// lies in a gap between windows.
    func lastWindowEnd(covering pane: Int64) -> Int64 {
        Self.floor(pane - offset, isCumulating ? size : slide) + offset + size
    }

    /// The end of the first window that covers the pane.
    func firstWindowEnd(covering pane: Int64) -> Int64 { windowEnd(atOrAfter: pane + paneSize) }

    /// The end of the first window that covers the pane and has not fired at `watermark`, or nil
    /// when all have.
    func firstWindowEnd(covering pane: Int64, after watermark: Int64) -> Int64? {
        if lastWindowEnd(covering: pane) - 1 <= watermark { return nil }
        let first = pane + paneSize
        if watermark == .min { return windowEnd(atOrAfter: first) }
        // Not fired: end - 1 > watermark.
        return windowEnd(atOrAfter: max(first, watermark + 2))
    }

    /// The end of the next window after the one that ends at `end`.
    func nextWindowEnd(after end: Int64) -> Int64 { end + slide }

    /// The start of the window that ends at `end`.
    func windowStart(endingAt end: Int64) -> Int64 {
        isCumulating ? Self.floor(end - 1 - offset, size) + offset : end - size
    }

    /// The least window end that is at or after `time`.
    private func windowEnd(atOrAfter time: Int64) -> Int64 {
        let phase = offset + size
        return -Self.floor(phase - time, slide) + phase
    }

    /// The greatest multiple of `unit` that is not above `value`.
    @inline(__always)
    private static func floor(_ value: Int64, _ unit: Int64) -> Int64 {
        let rest = value % unit
        return value - (rest < 0 ? rest + unit : rest)
    }
}
