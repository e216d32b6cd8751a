// GROUP BY: which columns and expressions the groups have, and the way from expressions over the input
// to expressions over the groups.
//
// SELECT and HAVING are bound over the input, with each aggregate call as a column of a number no input
// has; `output` then renumbers: grouped expressions, window columns and aggregates become columns of
// the aggregate's result. What is left over the input was not grouped, and the binder has noted it.
// Results of OVER are computed above the groups, and keep the numbers that OverCalls gives them.

import WeirCore

/// The groups of one SELECT.
struct Grouping: Sendable {
    /// GROUP BY TUMBLE(…) or HOP(…).
    struct GroupWindow: Hashable, Sendable {
        let name: String
        let spec: WindowSpec
        let timeType: DataType
    }

    /// The keys of the groups, over the input.
    private(set) var keys: [BoundExpression] = []
    /// The older form's window.
    var groupWindow: GroupWindow?
    private(set) var aggregates: [AggregateCall] = []
    /// The grouping sets, each as numbers of keys; empty where there is only one, of all keys.
    var sets: [Set<Int>] = []
    private var groupedColumns: Set<Int> = []
    /// Grouped expressions other than columns, those over window columns included.
    private var groupedExpressions: [BoundExpression] = []

    /// The placeholder of a group's set number; aggregates have lower ones.
    static let setNumber = -500
    /// Placeholder columns of aggregates start here and go down.
    private static let firstAggregate = -1_000

    /// Adds an item of GROUP BY.
    mutating func add(_ item: BoundExpression) -> GroupingPart {
        if let key = keys.firstIndex(of: item) { return .key(key) }
        if let column = item.plainColumn {
            groupedColumns.insert(column)
            if column < 0 { return .ofWindow }
        } else {
            if !groupedExpressions.contains(item) { groupedExpressions.append(item) }
            // A function of the window is the same in a whole group already.
            if item.columns.allSatisfy({ $0 < 0 }) { return .ofWindow }
        }
        keys.append(item)
        return .key(keys.count - 1)
    }

    /// Makes the columns of the window grouped, as the older form does without naming them.
    mutating func addWindowColumns() {
        groupedColumns.formUnion(WindowColumn.allCases.map(\.rawValue))
    }

    /// Whether column `column` of the window is in GROUP BY.
    func groups(_ column: WindowColumn) -> Bool { groupedColumns.contains(column.rawValue) }

    /// Whether `expression` as a whole has one value in a group.
    func contains(_ expression: BoundExpression) -> Bool {
        if let column = expression.plainColumn {
            // What an OVER call reads was looked at by itself.
            if column <= OverCalls.firstPlaceholder { return false }
            return column <= Self.setNumber || groupedColumns.contains(column)
        }
        return !groupedExpressions.isEmpty && groupedExpressions.contains(expression)
    }

    /// The placeholder of an aggregate; the same call has the same one.
    mutating func aggregate(_ call: AggregateCall) -> BoundExpression {
        let index = aggregates.firstIndex(of: call) ?? aggregates.count
        if index == aggregates.count { aggregates.append(call) }
        return .column(index: Self.firstAggregate - index, type: call.type)
    }

    /// Columns of the aggregate's result before those of the window.
    private var keyWidth: Int { keys.count + (sets.isEmpty ? 0 : 1) }

    /// `expression`, bound over the input, over the aggregate's result.
    func output(_ expression: BoundExpression) -> BoundExpression {
        expression.replacing { part in
            if let key = keys.firstIndex(of: part) { return .column(index: key, type: part.type) }
            guard let column = part.plainColumn, column < 0, column > OverCalls.firstPlaceholder
            else { return nil }
            if column <= Self.firstAggregate {
                return .column(index: keyWidth + 3 + Self.firstAggregate - column, type: part.type)
            }
            if column == Self.setNumber { return .column(index: keys.count, type: part.type) }
            return .column(
                index: keyWidth + column - WindowColumn.start.rawValue, type: part.type)
        }
    }

    /// Whether `condition` reads nothing but what is grouped in every set, so that it can be checked on
    /// the groups.
    func covers(_ condition: BoundExpression) -> Bool {
        if let key = keys.firstIndex(of: condition), !isInEverySet(key) { return false }
        if contains(condition) { return true }
        if condition.plainColumn != nil { return false }
        return condition.children.allSatisfy(covers)
    }
}

// MARK: Grouping sets

extension Grouping {
    private func isInEverySet(_ key: Int) -> Bool { sets.allSatisfy { $0.contains(key) } }

    /// For each set the value of GROUPING or GROUPING_ID of `arguments`, or nil if one is not grouped: a bit
    /// each, 1 where the set lacks it.
    func levels(of arguments: [BoundExpression]) -> [Int64]? {
        guard arguments.allSatisfy(contains) else { return nil }
        let places = arguments.map { keys.firstIndex(of: $0) }
        return (sets.isEmpty ? [Set(keys.indices)] : sets).map { set in
            places.reduce(0) { bits, key in
                bits << 1 | (key.map { set.contains($0) } == false ? 1 : 0)
            }
        }
    }

    /// For each set how many sets before it are the same.
    var repetitions: [Int64] {
        sets.isEmpty ? [0] : sets.indices.map { place in
            Int64(sets[..<place].count { $0 == sets[place] })
        }
    }

    /// A number that depends on the group's set only, as an expression over the input.
    func numbered(_ values: [Int64]) -> BoundExpression {
        let literals = values.map { BoundExpression.literal(.integer($0), type: .bigint) }
        guard let first = literals.first, Set(values).count > 1 else {
            return literals.first ?? .literal(.integer(0), type: .bigint)
        }
        let number = BoundExpression.column(index: Self.setNumber, type: .int)
        let branches = literals.indices.dropFirst().map { set in
            BoundExpression.ConditionalBranch(
                condition: .call(
                    .equal, arguments: [number, .literal(.integer(Int64(set)), type: .int)],
                    type: .boolean), result: literals[set])
        }
        return .conditional(branches: branches, otherwise: first, type: .bigint)
    }

    /// The input of the aggregate and its keys with their names: where there are several sets, each row
    /// once a set, and the set's number as the last key.
    func expanded(
        _ plan: LogicalPlan, names: [String]
    ) -> (plan: LogicalPlan, keys: [BoundExpression], names: [String]) {
        if sets.isEmpty { return (plan, keys, names) }
        let masked = keys.indices.filter { !isInEverySet($0) }
        let spec = ExpandSpec(
            keys: masked.map { keys[$0] }, sets: sets.map { set in masked.map(set.contains) })
        let node = plan.expanded(spec, names: masked.map { names[$0] })
        let width = plan.schema.count
        var groups = keys
        for (place, key) in masked.enumerated() {
            groups[key] = .column(index: width + place, type: keys[key].type)
        }
        groups.append(.column(index: width + masked.count, type: .int))
        return (node, groups, names + ["grouping set"])
    }
}
