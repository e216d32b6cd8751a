// GROUP BY: which columns and expressions the groups have, and the way from expressions over the input
// to expressions over the groups.
//
// SELECT and HAVING are bound over the input, with each aggregate call as a column of a number no input
// has; `output` then renumbers: grouped expressions, window columns and aggregates become columns of
// the aggregate's result. What is left over the input was not grouped, and the binder has noted it.

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
    private var groupedColumns: Set<Int> = []
    /// Grouped expressions other than columns, those over window columns included.
    private var groupedExpressions: [BoundExpression] = []

    /// Placeholder columns of aggregates start here and go down.
    private static let firstAggregate = -1_000

    /// Adds an item of GROUP BY.
    mutating func add(_ item: BoundExpression) {
        if contains(item) { return }
        if let column = item.plainColumn {
            groupedColumns.insert(column)
            if column < 0 { return }
        } else {
            groupedExpressions.append(item)
            // A function of the window is the same in a whole group already.
            if item.columns.allSatisfy({ $0 < 0 }) { return }
        }
        keys.append(item)
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
            return column <= Self.firstAggregate || groupedColumns.contains(column)
        }
        return !groupedExpressions.isEmpty && groupedExpressions.contains(expression)
    }

    /// The placeholder of an aggregate; the same call has the same one.
    mutating func aggregate(_ call: AggregateCall) -> BoundExpression {
        let index = aggregates.firstIndex(of: call) ?? aggregates.count
        if index == aggregates.count { aggregates.append(call) }
        return .column(index: Self.firstAggregate - index, type: call.type)
    }

    /// `expression`, bound over the input, over the aggregate's result.
    func output(_ expression: BoundExpression) -> BoundExpression {
        expression.replacing { part in
            if let key = keys.firstIndex(of: part) { return .column(index: key, type: part.type) }
            guard let column = part.plainColumn, column < 0 else { return nil }
            if column <= Self.firstAggregate {
                return .column(
                    index: keys.count + 3 + Self.firstAggregate - column, type: part.type)
            }
            return .column(
                index: keys.count + column - WindowColumn.start.rawValue, type: part.type)
        }
    }

    /// Whether `condition` reads nothing but what is grouped, so that it can be checked on the groups.
    func covers(_ condition: BoundExpression) -> Bool {
        if contains(condition) { return true }
        if condition.plainColumn != nil { return false }
        return condition.children.allSatisfy(covers)
    }
}
