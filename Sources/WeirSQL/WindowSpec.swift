// The windows of a query: which shape they have, over which column, and whose wall clock they follow.
//
// Two domains of time meet here. Rows have event times, ms since the epoch; windows over TIMESTAMP_LTZ
// are laid out on the wall clock of `zone`, so that a day is a day of 23 or 25 hours where clocks are
// changed. window_start and window_end are wall-clock times, window_time is an event time. Windows over
// TIMESTAMP, and all windows where the zone is UTC, know one domain only.

import WeirCore

/// Windows over an event-time column.
public struct WindowSpec: Hashable, Sendable {
    /// How windows lie in time. Lengths are in ms unless they say otherwise.
    public enum Shape: Hashable, Sendable {
        /// TUMBLE (size = slide) and HOP.
        case sliding(size: Int64, slide: Int64)
        /// CUMULATE: windows of one start that grow by `step` up to `size`.
        case cumulating(size: Int64, step: Int64)
        /// TUMBLE and HOP over calendar months.
        case months(size: Int64, slide: Int64)
        /// SESSION: rows of one key with less than `gap` between them. `keys` are the columns of
        /// PARTITION BY; empty in an aggregate, whose sessions are those of its own keys.
        case session(gap: Int64, keys: [Int])
        /// Rows that are in windows already, by the columns window_start (`start`) and window_end (the
        /// time column); their event time is of type `timeType`.
        case attached(start: Int, timeType: DataType)
    }

    /// The event-time column of the input; for attached windows window_end.
    public let timeColumn: Int
    /// How windows lie in time.
    public let shape: Shape
    /// Start of a window modulo its slide (CUMULATE: its size), ms, not negative.
    public let offset: Int64
    /// The IANA name of the zone whose wall clock the windows follow; nil for UTC.
    public var zone: String?
    /// How long after its end a window still takes late rows and is corrected, ms; nil when late rows
    /// change nothing, and results carry no revision.
    public var allowedLateness: Int64?

    public init(
        timeColumn: Int, shape: Shape, offset: Int64 = 0, zone: String? = nil,
        allowedLateness: Int64? = nil
    ) {
        self.timeColumn = timeColumn
        self.shape = shape
        self.offset = offset
        self.zone = zone
        self.allowedLateness = allowedLateness
    }

    /// Tumbling or hopping windows.
    public init(timeColumn: Int, size: Int64, slide: Int64, offset: Int64 = 0) {
        self.init(
            timeColumn: timeColumn, shape: .sliding(size: size, slide: slide), offset: offset)
    }

    /// The columns of the input that say which windows a row is in.
    var columns: Set<Int> {
        switch shape {
        case .sliding, .cumulating, .months: [timeColumn]
        case .session(_, let keys): Set(keys + [timeColumn])
        case .attached(let start, _): [timeColumn, start]
        }
    }

    /// The same windows where column c of the input has become column `place(c)`.
    func onColumns(_ place: (Int) -> Int) -> WindowSpec {
        let moved: Shape =
            switch shape {
            case .sliding, .cumulating, .months: shape
            case .session(let gap, let keys): .session(gap: gap, keys: keys.map(place))
            case .attached(let start, let type): .attached(start: place(start), timeType: type)
            }
        return WindowSpec(
            timeColumn: place(timeColumn), shape: moved, offset: offset, zone: zone,
            allowedLateness: allowedLateness)
    }

    /// The type of window_time over an input with the columns of `schema`.
    func timeType(over schema: Schema) -> DataType {
        if case .attached(_, let type) = shape { return type }
        return schema[timeColumn].type
    }

    /// The windows as one phrase of a plan's text.
    func text(_ column: (Int) -> String) -> String {
        let head =
            switch shape {
            case .sliding(let size, let slide):
                size == slide ? "tumble size \(size) ms" : "hop slide \(slide) ms size \(size) ms"
            case .cumulating(let size, let step): "cumulate step \(step) ms size \(size) ms"
            case .months(let size, let slide):
                size == slide
                    ? "tumble size \(size) months" : "hop slide \(slide) months size \(size) months"
            case .session(let gap, let keys):
                keys.isEmpty
                    ? "session gap \(gap) ms"
                    : "session gap \(gap) ms by (\(keys.map(column).joined(separator: ", ")))"
            case .attached(let start, let type): "windows from \(column(start)) of \(type)"
            }
        let shift = offset == 0 ? "" : " offset \(offset) ms"
        let clock = zone.map { " in \($0)" } ?? ""
        let late = allowedLateness.map { " allowed lateness \($0) ms" } ?? ""
        return "\(head)\(shift)\(clock)\(late) on \(column(timeColumn))"
    }
}
