// How far behind its event time a column of a result can lie. A row that a query has yet to emit has an
// event time above the watermark; so with the reach of a column, the watermark says below which values of
// the column no row will come any more. That is what closes an hour of a lake's folders.
//
// The event time of a plain row is the source's, of a window's row window_time, of what comes in the order of
// time the column that orders it. A column has a reach where it is the event time, a window's bound, or a
// copy of either; of what is computed, or measured by a pattern, nothing can be said.

import WeirCore

extension LogicalPlan {
    /// Milliseconds that values of result column `column` lie behind the watermark at most in rows that are
    /// yet to come; nil when there is no such bound. Late rows that plain conditions let pass are left out.
    public func reach(ofColumn column: Int) -> Int64? {
        span(column).map { $0 + latenessMax }
    }

    /// The longest `allowed_lateness` in the plan.
    private var latenessMax: Int64 {
        var own: Int64 = 0
        if case .windowAggregate(_, let window, _, _, _) = self { own = window.allowedLateness ?? 0 }
        return inputs.reduce(own) { max($0, $1.latenessMax) }
    }

    /// How far a column's value lies behind its row's event time at most.
    private func span(_ column: Int) -> Int64? {
        switch self {
        case .scan(_, _, let timeColumn):
            return column == timeColumn ? 0 : nil
        case .filter(let input, _):
            return input.span(column)
        case .project(let input, let expressions, _):
            guard case .column(let index, _) = expressions[column] else { return nil }
            return input.span(index)
        case .unnest(let input, _, _), .expand(let input, _, _), .lookup(let input, _, _):
            return column < input.schema.count ? input.span(column) : nil
        case .windowAssign(let input, let window, _):
            let width = input.schema.count
            if column >= width { return window.span(ofBound: column - width, over: input) }
            guard let start = window.span(ofBound: 0, over: input), let own = input.span(column) else {
                return nil
            }
            return start + own
        case .windowAggregate(let input, let window, let keys, _, _):
            guard (keys.count..<keys.count + 3).contains(column) else { return nil }
            return window.span(ofBound: column - keys.count, over: input)
        case .union(let inputs, _):
            return Self.longest(inputs.map { $0.span(column) })
        case .ordered(let stage, let inputs, _):
            return Self.span(stage, inputs, column)
        }
    }

    private static func span(
        _ stage: OrderedStage, _ inputs: [LogicalPlan], _ column: Int
    ) -> Int64? {
        let width = inputs[0].schema.count
        switch stage {
        case .sort, .over, .rank, .orderBy:
            return column < width ? inputs[0].span(column) : nil
        case .merge:
            return longest(inputs.map { $0.span(column) })
        case .join(let spec):
            // Unmatched rows come when the last row that could match has passed them.
            let wait = max(0, max(abs(spec.lower), abs(spec.upper)))
            let own = column < width ? inputs[0].span(column) : inputs[1].span(column - width)
            return own.map { $0 + wait }
        case .temporalJoin:
            return column < width ? inputs[0].span(column) : nil
        case .sessions(let window):
            return column < width ? nil : window.span(ofBound: column - width, over: inputs[0])
        case .match:
            return nil
        }
    }

    private static func longest(_ spans: [Int64?]) -> Int64? {
        let known = spans.compactMap(\.self)
        return known.count == spans.count ? known.max() : nil
    }
}

extension WindowSpec {
    /// Clocks of any zone are within so much of UTC, and days are longer by an hour at most.
    private static let zoneMilliseconds: Int64 = 15 * 3_600_000
    private static let monthMilliseconds: Int64 = 31 * 86_400_000

    /// How far window_start (0), window_end (1) or window_time (2) lies behind the rows' event time.
    fileprivate func span(ofBound bound: Int, over input: LogicalPlan) -> Int64? {
        // window_time is an event time; the others are what clocks of the zone show.
        guard bound < 2 else { return 0 }
        let clock = zone == nil ? 0 : Self.zoneMilliseconds
        if bound == 1 { return clock }
        switch shape {
        case .sliding(let size, _), .cumulating(let size, _): return size + clock
        case .months(let size, _): return size * Self.monthMilliseconds + clock
        case .session: return nil
        case .attached(let start, _): return input.reach(ofColumn: start).map { $0 + clock }
        }
    }
}
