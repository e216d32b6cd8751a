// Where windows and panes lie. A pane is the longest stretch of time that no window border cuts:
// the greatest common divisor of size and slide. A row is added to one pane; a window is the sum of
// the panes it covers.

import WeirCore
import WeirSQL

/// The arithmetic of one query's windows; times in ms.
struct WindowGeometry {
    let size: Int64
    let slide: Int64
    let offset: Int64
    let paneSize: Int64

    init(_ window: WindowSpec) {
        precondition(
            window.size > 0 && window.slide > 0 && window.size < WatermarkTracker.eventTimeMax
                && window.slide < WatermarkTracker.eventTimeMax, "windows of a sensible length")
        size = window.size
        slide = window.slide
        offset = window.offset
        var (a, b) = (size, slide)
        while b != 0 { (a, b) = (b, a % b) }
        paneSize = a
    }

    /// The start of the pane that `time` falls in.
    @inline(__always)
    func paneStart(of time: Int64) -> Int64 { Self.floor(time - offset, paneSize) + offset }

    /// The end of the last window that covers the pane; at or before the pane's start when the pane
    /// lies in a gap between windows.
    func lastWindowEnd(covering pane: Int64) -> Int64 {
        Self.floor(pane - offset, slide) + offset + size
    }

    /// The end of the first window that covers the pane.
    func firstWindowEnd(covering pane: Int64) -> Int64 { windowEnd(atOrAfter: pane + paneSize) }

    /// The end of the first window that covers the pane and has not fired at `watermark`, or nil
    /// when all have.
    func firstWindowEnd(covering pane: Int64, after watermark: Int64) -> Int64? {
        let last = lastWindowEnd(covering: pane)
        if last - 1 <= watermark { return nil }
        // Not fired: end - 1 > watermark.
        return windowEnd(atOrAfter: max(pane + paneSize, watermark == .min ? .min : watermark + 2))
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
