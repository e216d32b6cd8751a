// Joins without a condition on time, SQL's regular joins. They would keep every row for ever; a query's
// `state_ttl` gives their state an end: two rows meet if their event times are at most so far apart. That
// is an interval join around each row, and like one it is a function of the input alone (promise P1),
// where Flink's `table.exec.state.ttl` goes by when rows happened to arrive.
//
// As in Flink, no column of the result is an event time any more: each result belongs to two of them. The
// later one puts results in order all the same, so that another such join, or UNION ALL, can stand above;
// it has no name. By it a result waits for nothing: it comes when its later row is processed.
//
// Only inner joins: one that pads rows with NULL would have to take them back when a match comes.

import WeirCore

/// How far apart the rows of a regular join lie at most.
struct RegularBounds {
    let times: (left: Int, right: Int)
    let lower: Int64
    let upper: Int64
}

extension JoinBinder {
    /// The query's `state_ttl` for a join that it bounds; throws where it cannot, or where there is none.
    func checkedStateTTL(
        _ left: Relation, _ right: Relation, _ parts: JoinParts, _ kind: JoinSpec.Kind,
        at position: TextPosition
    ) throws(Diagnostic) -> Int64 {
        guard let stateTTL = session.stateTTL else {
            throw unbounded(left, right, parts, isHelped: kind == .inner && !parts.keys.isEmpty, at: position)
        }
        guard kind == .inner else {
            let reason =
                kind.isOneSided
                ? "it bounds JOIN alone, not IN (SELECT …) and EXISTS (SELECT …)"
                : "it bounds inner joins alone: \(kind.rawValue.uppercased()) JOIN would put out a row with "
                    + "NULLs that had to be taken back when its match comes"
            throw Diagnostic(position, "state_ttl does not help here, since \(reason); \(advice(left, right))")
        }
        guard !parts.keys.isEmpty else {
            throw Diagnostic(
                position, "a join that only state_ttl bounds needs an equality such as a.key = b.key: "
                    + "every row would meet every other one; or \(advice(left, right))")
        }
        return stateTTL
    }

    /// The times that a join goes by which `stateTTL` bounds, and the bounds of their difference, right
    /// minus left, with what the condition says of it.
    func regularBounds(
        _ left: inout Relation, _ right: inout Relation, _ parts: JoinParts, _ stateTTL: Int64,
        at position: TextPosition
    ) throws(Diagnostic) -> RegularBounds {
        let lower = max(parts.lower ?? -stateTTL, -stateTTL)
        let upper = min(parts.upper ?? stateTTL, stateTTL)
        guard lower <= upper else {
            throw Diagnostic(
                position, "no rows would ever meet: the condition wants them further apart than state_ttl")
        }
        if let bounded = parts.times {
            let times = (left.exposeTime(bounded.left), right.exposeTime(bounded.right))
            return RegularBounds(times: times, lower: lower, upper: upper)
        }
        let first = left.exposeOrderTime()
        guard let first, let second = right.exposeOrderTime() else {
            let lacking = first == nil ? "left" : "right"
            throw Diagnostic(
                position, "state_ttl goes by event time, and the \(lacking) side has none; pass it on unchanged")
        }
        return RegularBounds(times: (first, second), lower: lower, upper: upper)
    }

    /// What to write instead of a join that nothing bounds.
    private func advice(_ left: Relation, _ right: Relation) -> String {
        guard let a = left.timeAttribute?.shown, let b = right.timeAttribute?.shown else {
            return "join in windows, or pass the event times on unchanged and bound them"
        }
        return "bound it by \(b) BETWEEN \(a) - INTERVAL … AND \(a) + INTERVAL …, "
            + "or by equal window_start and window_end of both sides"
    }

    /// `isHelped`: whether `state_ttl` would bound the join.
    private func unbounded(
        _ left: Relation, _ right: Relation, _ parts: JoinParts, isHelped: Bool, at position: TextPosition
    ) -> Diagnostic {
        let head = "this join would keep all rows for ever"
        if !parts.windows.isEmpty {
            let missing = parts.windows.contains(.start) ? "window_end" : "window_start"
            return Diagnostic(
                position, "\(head): a join of windows needs both window_start and window_end "
                    + "equal; \(missing) is missing")
        }
        guard let a = left.timeAttribute?.shown, let b = right.timeAttribute?.shown else {
            let lacking = left.timeAttribute == nil ? "left" : "right"
            return Diagnostic(
                position, "\(head): the \(lacking) side has no event time that could bound it; "
                    + "join it in windows, \(isHelped ? "" : "or ")pass the event time on unchanged"
                    + (isHelped ? ", or give the query a state_ttl" : ""))
        }
        if parts.lower != nil || parts.upper != nil {
            return Diagnostic(
                position,
                "\(head): \(b) is bounded against \(a) from \(parts.lower == nil ? "above" : "below") "
                    + "only; write \(b) BETWEEN \(a) - INTERVAL … AND \(a) + INTERVAL …"
                    + (isHelped ? ", or give the query a state_ttl" : ""))
        }
        return Diagnostic(
            position, "\(head): bound it by \(b) BETWEEN \(a) - INTERVAL … AND \(a) + INTERVAL …, by equal "
                + "window_start and window_end of both sides, \(isHelped ? "" : "or ")by FOR SYSTEM_TIME AS OF "
                + "\(a)" + (isHelped ? ", or by the query's state_ttl, the most that event times may be apart" : ""))
    }

    /// Whether both times are instants, or both what clocks show.
    func isOneClock(_ left: Relation, _ right: Relation, _ times: (left: Int, right: Int)) -> Bool {
        left.plan.schema[times.left].type == right.plan.schema[times.right].type
    }
}

extension Relation {
    /// The relation of which no column is an event time, or one of a window.
    func withoutTimes() -> Relation {
        var result = self
        result.setTimes([])
        result.forgetWindows(from: 0)
        result.windowTimeType = nil
        return result
    }
}

extension JoinSpec {
    /// The later event time of a result's two rows, over the join's columns.
    func laterTime(of inputs: [LogicalPlan]) -> BoundExpression {
        let (left, right) = (inputs[0].schema, inputs[1].schema)
        let type = left[leftTime].type
        let first = BoundExpression.column(index: leftTime, type: type)
        var second = BoundExpression.column(index: left.count + rightTime, type: right[rightTime].type)
        if second.type != type { second = .cast(second, to: type, isTry: false) }
        let isLater = BoundExpression.call(.greater, arguments: [second, first], type: .boolean)
        return .conditional(
            branches: [.init(condition: isLater, result: second)], otherwise: first, type: type)
    }
}

extension LogicalPlan {
    /// Whether `state_ttl` bounds what an operator of the plan keeps.
    public var hasStateTTL: Bool {
        contains { node in
            switch node {
            case .ordered(.join(let spec), _, _): spec.stateTTLMilliseconds != nil
            case .ordered(.over(let spec), _, _): spec.stateTTL != nil
            default: false
            }
        }
    }
}
