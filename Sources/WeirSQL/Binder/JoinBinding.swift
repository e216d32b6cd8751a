// Joins of FROM. A chain of inner joins (JOIN, CROSS JOIN, commas) is bound from left to right; each
// step takes what it can use of WHERE as well, since `FROM a, b WHERE a.k = b.k` says what `FROM a JOIN
// b ON a.k = b.k` does. An outer join has its ON alone.
//
// A stream joined with a stream needs a bound of time: without one, every row would have to be kept
// for ever. So a join that is neither of intervals, of windows nor of versions is refused, but for an
// inner one in a query with a `state_ttl` (RegularJoins).

import WeirCore

/// Binds the joins of one FROM.
struct JoinBinder {
    let session: BindingSession
    let tables: BindingSession.CommonTables

    /// One table of a chain, and how it is joined to those before it.
    private struct Step {
        let join: JoinSyntax
        let table: TableSyntax
    }

    /// The relation of `from`; what it uses of the conditions `pending` of WHERE is taken out of them.
    func bind(_ from: TableSyntax, where pending: inout [ExpressionSyntax]) -> Relation? {
        var steps: [Step] = []
        var first = from
        while case .join(let join) = first.kind, first.alias == nil, join.kind.isInner {
            steps.append(Step(join: join, table: join.right))
            first = join.left
        }
        if steps.isEmpty, case .join(let join) = from.kind, from.alias == nil {
            steps = [Step(join: join, table: join.right)]
            first = join.left
        }
        guard !steps.isEmpty else { return session.bindTable(from, tables) }
        var left = session.bindTable(first, tables)
        for step in steps.reversed() {
            left = bind(step, left, &pending)
        }
        return left
    }

    private func bind(
        _ step: Step, _ left: Relation?, _ pending: inout [ExpressionSyntax]
    ) -> Relation? {
        if case .unnest(let array, let hasOrdinality) = step.table.kind {
            guard let left else { return nil }
            return session.attempt { () throws(Diagnostic) in
                try left.unnesting(
                    array, hasOrdinality: hasOrdinality, as: step.table, step.join)
            }
        }
        // Both sides are bound for their own errors.
        guard let right = session.bindTable(step.table, tables, isJoined: true), let left
        else { return nil }
        return session.attempt { () throws(Diagnostic) in
            if left.lookupTable != nil || right.lookupTable != nil {
                return try join(left, right, step, &pending)
            }
            return try join(left.assigningWindow(), right.assigningWindow(), step, &pending)
        }
    }

    // MARK: One join

    private func join(
        _ left: Relation, _ right: Relation, _ step: Step, _ pending: inout [ExpressionSyntax]
    ) throws(Diagnostic) -> Relation {
        let both = left.beside(right)
        var parts = JoinParts(
            left.columns, Array(both.columns.suffix(right.columns.count)),
            leftWidth: left.plan.schema.count)
        var binder = ExpressionBinder(Scope(both), .on)
        if let condition = step.join.condition {
            parts.add(try binder.bindCondition(condition, "ON"))
        }
        for name in step.join.using {
            let one = try Scope(left).column([name])
            let other = try Scope(right).column([name])
            let pair = [one.expression, other.expression.shifted(by: left.plan.schema.count)]
            parts.add(try binder.apply(.equal, pair, nil, at: name.position))
        }
        if step.join.kind.isInner {
            var unused: [ExpressionSyntax] = []
            for condition in pending {
                do throws(Diagnostic) {
                    parts.add(try binder.bindCondition(condition, "WHERE"))
                } catch {
                    unused.append(condition)
                }
            }
            pending = unused
        }
        let joined =
            if left.lookupTable != nil || right.lookupTable != nil {
                try lookupJoin(left, right, parts, step.join, asOf: step.table.asOf)
            } else if let asOf = step.table.asOf {
                try temporalJoin(left, right, parts, step.join, asOf)
            } else {
                try streamJoin(left, right, parts, step.join.kind.plan, at: step.join.position)
            }
        return try joined.merging(step.join.using, step.join.kind, left, right)
    }

    private func temporalJoin(
        _ left: Relation, _ right: Relation, _ parts: JoinParts, _ join: JoinSyntax,
        _ asOf: ExpressionSyntax
    ) throws(Diagnostic) -> Relation {
        guard join.kind.isInner || join.kind == .left else {
            throw Diagnostic(
                join.position,
                "\(join.kind.rawValue) with FOR SYSTEM_TIME AS OF: only JOIN and LEFT JOIN have "
                    + "a row whose time chooses the version")
        }
        var binder = ExpressionBinder(Scope(left), .on)
        let time = try binder.bind(asOf)
        guard let leftTime = left.columns.first(where: { $0.index == time.plainColumn }),
            leftTime.isTimeAttribute
        else {
            let advice = left.timeAttribute.map { "; here it is \($0.shown)" } ?? ""
            throw Diagnostic(
                asOf.position,
                "FOR SYSTEM_TIME AS OF takes the event time of the left side\(advice)")
        }
        guard let rightTime = right.timeAttribute else {
            throw Diagnostic(
                join.right.position,
                "the versions of a table are told apart by its event time, and this one has none")
        }
        guard !parts.keys.isEmpty else {
            throw Diagnostic(
                join.position,
                "a join FOR SYSTEM_TIME AS OF needs an equality such as a.key = b.key: it "
                    + "chooses the newest row of a key")
        }
        // A condition on the version is looked at when the version has been chosen, not before.
        let width = left.plan.schema.count
        var rest = parts.rest + parts.ofRight.map { $0.shifted(by: width) }
        var input = left
        for condition in parts.ofLeft {
            if join.kind == .left { rest.append(condition) } else { input.filter(condition) }
        }
        let spec = TemporalJoinSpec(
            isOuter: join.kind == .left,
            condition: JoinCondition(
                keys: parts.keys, residual: BoundExpression.conjunction(rest), leftWidth: width),
            leftTime: leftTime.index, rightTime: rightTime.index)
        var result = input.beside(right)
        result.plan = .ordered(
            .temporalJoin(spec), inputs: [input.plan, right.plan],
            schema: Schema(input.plan.schema.fields + right.plan.schema.fields))
        result.setTimes([leftTime.index])
        result.forgetWindows(from: width)
        return result
    }

    // MARK: Joins of streams

    /// The join of two relations whose windows are assigned.
    func streamJoin(
        _ left: Relation, _ right: Relation, _ parts: JoinParts, _ kind: JoinSpec.Kind,
        at position: TextPosition
    ) throws(Diagnostic) -> Relation {
        var (one, other) = (left, right)
        var rest = parts.rest
        let width = left.plan.schema.count
        for condition in parts.ofLeft {
            if kind.keepsAllLeft { rest.append(condition) } else { one.filter(condition) }
        }
        for condition in parts.ofRight {
            if kind.keepsAllRight {
                rest.append(condition.shifted(by: width))
            } else {
                other.filter(condition)
            }
        }
        var (times, lower, upper) = (parts.times, parts.lower ?? 0, parts.upper ?? 0)
        var stateTTL: Int64?
        if parts.isOfWindows, let ends = parts.windowEnds {
            times = (one.exposeWindowTime(of: ends.left), other.exposeWindowTime(of: ends.right))
            (lower, upper) = (max(lower, 0), min(upper, 0))
        } else if !parts.isBounded {
            let most = try checkedStateTTL(left, right, parts, kind, at: position)
            let bounds = try regularBounds(&one, &other, parts, most, at: position)
            (times, lower, upper, stateTTL) = (bounds.times, bounds.lower, bounds.upper, most)
        } else if let bounded = times {
            times = (one.exposeTime(bounded.left), other.exposeTime(bounded.right))
        }
        guard let times else { preconditionFailure("bounds of no times") }
        let newWidth = one.plan.schema.count
        let place = Dictionary(uniqueKeysWithValues: (0..<width).map { ($0, $0) })
        let condition = JoinCondition(
            keys: parts.keys, residual: BoundExpression.conjunction(rest), leftWidth: width
        ).moved([place, [:]], leftWidth: newWidth)
        let spec = JoinSpec(
            kind: kind, condition: condition, leftTime: times.left, rightTime: times.right,
            lower: lower, upper: upper,
            comparesClocks: parts.comparesClocks || (stateTTL != nil && !isOneClock(one, other, times)),
            stateTTLMilliseconds: stateTTL)
        var result = kind.isOneSided ? one : one.beside(other)
        let fields = one.plan.schema.fields
        result.plan = .ordered(
            .join(spec), inputs: [one.plan, other.plan],
            schema: Schema(kind.isOneSided ? fields : fields + other.plan.schema.fields))
        if kind.isOneSided { return result }
        if stateTTL != nil { return result.withoutTimes() }
        result.setTimes(
            (kind.keepsAllRight ? [] : [times.left])
                + (kind.keepsAllLeft ? [] : [newWidth + times.right]))
        if kind.keepsAllLeft { result.forgetWindows(from: newWidth) }
        if kind.keepsAllRight { result.forgetWindows(to: newWidth) }
        return result
    }
}

extension JoinSyntax.Kind {
    /// Whether WHERE says the same as ON.
    var isInner: Bool { self == .inner || self == .cross || self == .comma }

    /// The kind as a plan calls it.
    fileprivate var plan: JoinSpec.Kind {
        switch self {
        case .inner, .cross, .comma: .inner
        case .left: .left
        case .right: .right
        case .full: .full
        }
    }
}

extension JoinSpec.Kind {
    /// Whether a left row comes out without a match, so that conditions on it must not drop it first.
    var keepsAllLeft: Bool { self == .left || self == .full || self == .anti }
    /// Whether a right row comes out without a match.
    var keepsAllRight: Bool { self == .right || self == .full }
}
