// The order and the frame of an OVER window, and what about them is refused.

import WeirCore

extension OverCalls {
    /// The most rows that a frame of rows, or LAG, reaches back.
    static let rowsPrecedingMax: Int64 = 1_000_000
}

/// Functions that OVER has in batches, or that give no sensible rows in Flink's streams.
enum OverRefusals {
    static let byName: [String: String] = [
        "LEAD": "a row would have to wait for rows to come; Flink's streams have no LEAD either. "
            + "LAG looks back, MATCH_RECOGNIZE looks at rows in sequence",
        "NTILE": "it needs a partition's number of rows, which a stream never knows",
        "PERCENT_RANK": "it needs a partition's number of rows, which a stream never knows",
        "CUME_DIST": "it needs a partition's number of rows, which a stream never knows",
    ]
}

extension ExpressionBinder {
    /// Refuses a window that is not in the order of event time.
    mutating func checkTimeOrder(_ window: OverSyntax, _ name: String) throws(Diagnostic) {
        let shown = pendingOvers?.timeName.map { "ORDER BY \($0)" }
        guard window.orderBy.count == 1 else {
            throw Diagnostic(
                window.orderBy.dropFirst().first?.expression.start ?? window.position,
                "\(name) OVER goes by event time alone: \(shown ?? "ORDER BY the event-time column")")
        }
        let item = window.orderBy[0]
        if item.isDescending {
            throw Diagnostic(
                item.expression.start, "\(name) OVER takes rows as time goes on; drop DESC")
        }
        let column = try bind(item.expression).plainColumn
        guard let column, let calls = pendingOvers, calls.isTime(column) else {
            throw Diagnostic(
                item.expression.start,
                "\(name) OVER is computed in the order of event time; "
                    + (shown.map { "write \($0)" } ?? "the rows here have no event-time column"))
        }
    }

    /// RANK() and DENSE_RANK() in the order of event time. In Flink's streams both count the rows so far,
    /// those of the same time included.
    mutating func bindRank(
        _ call: CallSyntax, _ window: OverSyntax, _ partition: [BoundExpression], _ name: String
    ) throws(Diagnostic) -> BoundExpression {
        if !call.arguments.isEmpty || call.isStar {
            throw Diagnostic(call.name.position, "\(name)() takes no arguments")
        }
        if let frame = window.frame { throw frameless(name, frame, window) }
        if partition.contains(where: { pendingOvers?.windowColumn($0) != nil }) {
            throw Diagnostic(
                call.name.position, "\(name): the rows of windows are ranked by ROW_NUMBER only, as in Flink")
        }
        try checkTimeOrder(window, name)
        let count = AggregateCall(function: .countStar, argument: nil, type: .bigint)
        return pendingOvers?.add(
            .aggregate(count), partition: partition, frame: .range(preceding: nil), called: "\(name)()")
            ?? .literal(.null, type: .bigint)
    }

    func frameless(_ name: String, _ frame: FrameSyntax, _ window: OverSyntax) -> Diagnostic {
        Diagnostic(window.position, "\(name) takes no \(frame.countsRows ? "ROWS" : "RANGE") frame")
    }

    /// The frame; all rows up to the current one's event time by default.
    mutating func bindFrame(_ window: OverSyntax) throws(Diagnostic) -> OverFrame {
        guard let frame = window.frame else { return .range(preceding: nil) }
        let form = frame.countsRows
            ? "ROWS BETWEEN n PRECEDING AND CURRENT ROW"
            : "RANGE BETWEEN INTERVAL '…' MINUTE PRECEDING AND CURRENT ROW"
        guard case .currentRow = frame.end else {
            throw Diagnostic(
                window.position, "a frame ends with the current row, as in Flink's streams: \(form)")
        }
        switch frame.start {
        case .unboundedPreceding:
            return frame.countsRows ? .rows(preceding: nil) : .range(preceding: nil)
        case .preceding(let distance):
            return frame.countsRows
                ? .rows(preceding: try bindRowCount(distance))
                : .range(preceding: try bindInterval(distance))
        case .currentRow, .following, .unboundedFollowing:
            throw Diagnostic(
                window.position, "a frame begins before the current row, as in Flink's streams: \(form)")
        }
    }

    private mutating func bindRowCount(_ distance: ExpressionSyntax) throws(Diagnostic) -> Int64 {
        guard case .literal(.integer(let rows), let type) = try bind(distance), type.isInteger,
            0...OverCalls.rowsPrecedingMax ~= rows
        else {
            throw Diagnostic(
                distance.start,
                "ROWS takes a number of rows, at most \(OverCalls.rowsPrecedingMax)")
        }
        return rows
    }

    private mutating func bindInterval(_ distance: ExpressionSyntax) throws(Diagnostic) -> Int64 {
        guard case .literal(.integer(let length), .interval) = try bind(distance),
            0...SQLLimits.windowMillisecondsMax ~= length
        else {
            throw Diagnostic(
                distance.start,
                "RANGE takes a literal such as INTERVAL '10' MINUTE, of at most 366 days")
        }
        return length
    }
}
