// What the two joins of streams compute.
//
// JoinSpec is the join that is bounded by time: a left and a right row meet when their keys are equal,
// the difference of their event times lies in a range, and the rest of the condition is true. With the
// range 0 ... 0 over window_time it is the join of rows in windows; a join without a bound of time gets
// its range from the query's `state_ttl`. Each row is kept as long as a row of the other side can still
// come for it, and no longer.
//
// TemporalJoinSpec gives each left row the newest right row of its key that is not younger than it: a
// version of a table that changes. One row a key is kept.

import WeirCore

/// When two rows belong together, apart from time.
public struct JoinCondition: Hashable, Sendable {
    /// Two values that must be equal, one of each side.
    public struct Key: Hashable, Sendable {
        /// Over the columns of the left input.
        public let left: BoundExpression
        /// Over the columns of the right input, of the same type.
        public let right: BoundExpression
        /// IS NOT DISTINCT FROM: NULL equals NULL. With `=` a NULL equals nothing.
        public let matchesNull: Bool
    }

    /// All of them must be equal; none where the condition has no equality.
    public let keys: [Key]
    /// What else must be true, over the columns of the left input and then those of the right one.
    public let residual: BoundExpression?
    /// How many columns the left input has.
    public let leftWidth: Int

    /// That rows with the columns of `schema` have the same values, and no NULL, in `columns`.
    public static func equality(of columns: [Int], in schema: Schema) -> JoinCondition {
        let keys = columns.map { column in
            let value = BoundExpression.column(index: column, type: schema[column].type)
            return Key(left: value, right: value, matchesNull: false)
        }
        return JoinCondition(keys: keys, residual: nil, leftWidth: schema.count)
    }

    /// The columns of an input (0 left, 1 right) that the condition reads.
    public func columns(of input: Int) -> Set<Int> {
        var found: Set<Int> = []
        for key in keys { found.formUnion(input == 0 ? key.left.columns : key.right.columns) }
        for column in residual?.columns ?? [] {
            if input == 0, column < leftWidth { found.insert(column) }
            if input == 1, column >= leftWidth { found.insert(column - leftWidth) }
        }
        return found
    }

    /// The condition over inputs whose columns are in other places.
    func moved(_ places: [[Int: Int]], leftWidth newWidth: Int) -> JoinCondition {
        let place = { (input: Int, column: Int) in places[input][column] ?? column }
        return JoinCondition(
            keys: keys.map { key in
                Key(
                    left: key.left.renumbered { place(0, $0) },
                    right: key.right.renumbered { place(1, $0) }, matchesNull: key.matchesNull)
            },
            residual: residual?.renumbered { column in
                column < leftWidth
                    ? place(0, column) : newWidth + place(1, column - leftWidth)
            },
            leftWidth: newWidth)
    }

    /// The condition as part of a plan's text; empty when there is none.
    func text(_ column: @escaping (Int, Int) -> String) -> String {
        let equal = keys.map { key in
            let left = PlanText.expressionText(key.left) { column(0, $0) }
            let right = PlanText.expressionText(key.right) { column(1, $0) }
            return "\(left) \(key.matchesNull ? "IS NOT DISTINCT FROM" : "=") \(right)"
        }
        let rest = residual.map { residual in
            PlanText.expressionText(residual) {
                $0 < leftWidth ? column(0, $0) : column(1, $0 - leftWidth)
            }
        }
        return (equal + (rest.map { [$0] } ?? [])).joined(separator: " AND ")
    }
}

/// A join of two streams that time bounds.
public struct JoinSpec: Hashable, Sendable {
    /// Which rows come out.
    public enum Kind: String, Hashable, Sendable {
        case inner, left, right, full
        /// Left rows that have a match, each once, and left rows that have none.
        case semi, anti

        /// Whether only left rows come out.
        public var isOneSided: Bool { self == .semi || self == .anti }
    }

    /// Which rows come out.
    public let kind: Kind
    /// When rows belong together, apart from time.
    public let condition: JoinCondition
    /// The event-time column of the left input.
    public let leftTime: Int
    /// The event-time column of the right input.
    public let rightTime: Int
    /// The least difference, right minus left, in ms. Nothing matches if it is above `upper`.
    public let lower: Int64
    /// The greatest difference, right minus left, in ms.
    public let upper: Int64
    /// Whether the bounds compare instants with what clocks show, which are one number in UTC only.
    public var comparesClocks = false
    /// The query's `state_ttl`, ms, of a join that its condition does not bound: SQL's regular join. The
    /// event time of a result is then the later one of its two rows, so that it waits for nothing more;
    /// nil for a join of intervals or windows, whose results have both times.
    public var stateTTLMilliseconds: Int64?
}

/// A join with the versions of a table.
public struct TemporalJoinSpec: Hashable, Sendable {
    /// Whether left rows without a version come out, padded with NULL.
    public let isOuter: Bool
    /// The keys are those by which there are versions; the residual is looked at for the version found.
    public let condition: JoinCondition
    /// The event-time column of the left input.
    public let leftTime: Int
    /// That of the versions, from which on each holds.
    public let rightTime: Int
}

// MARK: As parts of plans

extension JoinSpec {
    func columnsRead(needed: Set<Int>) -> [Set<Int>] {
        joinColumnsRead(condition, [leftTime, rightTime], needed)
    }

    func pruned(
        inputs: [LogicalPlan], places: [[Int: Int]]
    ) -> (stage: OrderedStage, schema: Schema, place: [Int: Int]) {
        let output = prunedJoinOutput(
            inputs, places, condition.leftWidth, isOneSided: kind.isOneSided)
        let spec = JoinSpec(
            kind: kind,
            condition: condition.moved(places, leftWidth: inputs[0].schema.count),
            leftTime: places[0][leftTime] ?? leftTime,
            rightTime: places[1][rightTime] ?? rightTime, lower: lower, upper: upper,
            comparesClocks: comparesClocks, stateTTLMilliseconds: stateTTLMilliseconds)
        return (.join(spec), output.schema, output.place)
    }

    func text(_ column: @escaping (Int, Int) -> String) -> String {
        let on = condition.text(column)
        let difference = "\(column(1, rightTime)) - \(column(0, leftTime))"
        return "\(kind.rawValue) join\(on.isEmpty ? "" : " on \(on)") "
            + "while \(difference) is \(lower) ms ... \(upper) ms"
            + (stateTTLMilliseconds == nil ? "" : " by state_ttl")
    }
}

extension TemporalJoinSpec {
    func columnsRead(needed: Set<Int>) -> [Set<Int>] {
        joinColumnsRead(condition, [leftTime, rightTime], needed)
    }

    func pruned(
        inputs: [LogicalPlan], places: [[Int: Int]]
    ) -> (stage: OrderedStage, schema: Schema, place: [Int: Int]) {
        let output = prunedJoinOutput(inputs, places, condition.leftWidth, isOneSided: false)
        let spec = TemporalJoinSpec(
            isOuter: isOuter,
            condition: condition.moved(places, leftWidth: inputs[0].schema.count),
            leftTime: places[0][leftTime] ?? leftTime,
            rightTime: places[1][rightTime] ?? rightTime)
        return (.temporalJoin(spec), output.schema, output.place)
    }

    func text(_ column: @escaping (Int, Int) -> String) -> String {
        "\(isOuter ? "left" : "inner") temporal join on \(condition.text(column)) "
            + "versions by \(column(1, rightTime)) as of \(column(0, leftTime))"
    }
}

/// What a join reads of its inputs when `needed` of its own columns are read.
private func joinColumnsRead(
    _ condition: JoinCondition, _ times: [Int], _ needed: Set<Int>
) -> [Set<Int>] {
    var read = times.indices.map { condition.columns(of: $0).union([times[$0]]) }
    for column in needed {
        if column < condition.leftWidth {
            read[0].insert(column)
        } else {
            read[1].insert(column - condition.leftWidth)
        }
    }
    return read
}

/// The output of a join of pruned inputs: all their columns, the left one's first.
private func prunedJoinOutput(
    _ inputs: [LogicalPlan], _ places: [[Int: Int]], _ leftWidth: Int, isOneSided: Bool
) -> (schema: Schema, place: [Int: Int]) {
    var place = places[0]
    if isOneSided { return (inputs[0].schema, place) }
    for (old, new) in places[1] { place[leftWidth + old] = inputs[0].schema.count + new }
    return (Schema(inputs[0].schema.fields + inputs[1].schema.fields), place)
}
