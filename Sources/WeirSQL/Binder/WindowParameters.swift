// The lengths that a window is written with, checked and made a WindowSpec.
//
// As in Flink, the size of a hopping or cumulating table function must be a multiple of its step; the
// older form takes any two lengths, and with a slide longer than the size some times lie in no window.
//
// Lengths are in ms or, for TUMBLE and HOP, in months of the calendar, which Flink does not have.

import WeirCore

/// The lengths of a window, with where they are written.
struct WindowParameters {
    /// A literal length.
    struct Length {
        /// In ms, or in months.
        let value: Int64
        let isMonths: Bool
        let position: TextPosition

        init(_ expression: ExpressionSyntax, _ what: String) throws(Diagnostic) {
            position = expression.position
            switch expression.kind {
            case .interval(let milliseconds): (value, isMonths) = (milliseconds, false)
            case .typed(.integer(let months), .intervalYearMonth): (value, isMonths) = (months, true)
            default:
                throw Diagnostic(
                    expression.position, "\(what) must be a literal such as INTERVAL '1' MINUTE")
            }
        }

        var unit: String { isMonths ? "months" : "ms" }
    }

    /// What kind of window it is.
    enum Kind: String, CaseIterable {
        case tumble = "TUMBLE"
        case hop = "HOP"
        case cumulate = "CUMULATE"
        case session = "SESSION"

        /// The names of the lengths of the table function, in its order; the last, for all but SESSION,
        /// is an OFFSET that may be left out.
        var lengthNames: [String] {
            switch self {
            case .tumble: ["SIZE"]
            case .hop: ["SLIDE", "SIZE"]
            case .cumulate: ["STEP", "SIZE"]
            case .session: ["GAP"]
            }
        }

        var takesOffset: Bool { self != .session }

        /// The kind of this name, whatever its case.
        init?(name: String) { self.init(rawValue: name.uppercased()) }
    }

    let kind: Kind
    /// By the names of `Kind.lengthNames`, and OFFSET.
    var lengths: [String: Length] = [:]
    /// The columns of SESSION's PARTITION BY.
    var keys: [Int] = []

    /// `takesAnySlide`: whether the slide need not divide the size.
    func spec(timeColumn: Int, takesAnySlide: Bool) throws(Diagnostic) -> WindowSpec {
        for name in kind.lengthNames { try check(name) }
        let isMonths = lengths["SIZE"]?.isMonths == true
        for name in lengths.keys.sorted() {
            guard let length = lengths[name], length.isMonths != isMonths else { continue }
            throw Diagnostic(
                length.position, "the lengths of a window are all in months and years, or none is")
        }
        if kind == .session {
            let gap = lengths["GAP"]?.value ?? 0
            return WindowSpec(timeColumn: timeColumn, shape: .session(gap: gap, keys: keys))
        }
        let size = lengths["SIZE"]?.value ?? 0
        let step = lengths["SLIDE"] ?? lengths["STEP"]
        if let step { try check(step, against: size, takesAnySlide: takesAnySlide) }
        let slide = step?.value ?? size
        let offset = CivilCalendar.floorModulo(
            lengths["OFFSET"]?.value ?? 0, by: kind == .cumulate ? size : slide)
        let shape: WindowSpec.Shape =
            if isMonths { .months(size: size, slide: slide) } else if kind == .cumulate {
                .cumulating(size: size, step: slide)
            } else { .sliding(size: size, slide: slide) }
        return WindowSpec(timeColumn: timeColumn, shape: shape, offset: offset)
    }

    private func check(_ name: String) throws(Diagnostic) {
        guard let length = lengths[name] else { preconditionFailure("a window without \(name)") }
        if length.isMonths, kind != .tumble, kind != .hop {
            throw Diagnostic(
                length.position, "\(kind.rawValue) takes no months; only TUMBLE and HOP do")
        }
        if length.value <= 0 {
            throw Diagnostic(
                length.position, "\(kind.rawValue) needs an interval greater than 0")
        }
        let longest = length.isMonths ? SQLLimits.windowMonthsMax : SQLLimits.windowMillisecondsMax
        if length.value > longest {
            throw Diagnostic(
                length.position, length.isMonths
                    ? "a window is at most \(SQLLimits.windowMonthsMax) months long, and so is a slide"
                    : "a window is at most 366 days long, and so is a slide")
        }
    }

    private func check(
        _ step: Length, against size: Int64, takesAnySlide: Bool
    ) throws(Diagnostic) {
        let name = kind == .cumulate ? "step" : "slide"
        if size % step.value != 0, !takesAnySlide {
            throw Diagnostic(
                step.position,
                "\(kind.rawValue) takes first the \(name), then the size, and the size "
                    + "(\(size) \(step.unit)) must be a multiple of the \(name) (\(step.value) \(step.unit))")
        }
        // The longest stretch that no border of a window cuts divides both.
        let pane = Self.greatestCommonDivisor(size, step.value)
        guard size / pane > SQLLimits.hopOverlapMax else { return }
        throw Diagnostic(
            step.position,
            size / step.value > SQLLimits.hopOverlapMax
                ? "a row would fall in more than \(SQLLimits.hopOverlapMax) windows; "
                    + "make the \(name) longer"
                : "slide and size have no common part longer than \(pane) \(step.unit), of which a "
                    + "window would hold more than \(SQLLimits.hopOverlapMax); choose "
                    + "rounder lengths")
    }

    private static func greatestCommonDivisor(_ a: Int64, _ b: Int64) -> Int64 {
        b == 0 ? a : greatestCommonDivisor(b, a % b)
    }
}
