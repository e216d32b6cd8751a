// SELECT DISTINCT, and what UNION, INTERSECT and EXCEPT are made of: one row for equal ones.
//
// Which rows are equal is known of the rows of one window, when it closes. So a window must be among the
// columns, and dropping doubles is a GROUP BY of all of them. Without one every row that ever came would
// have to be kept.

import WeirCore

extension Relation {
    /// The relation's rows without doubles, or of each group of equal ones a row if `condition`, over the
    /// results of `aggregates` (bound over the relation's plan), is true. `what` is how SQL asks for it.
    func distinct(
        _ what: String, at position: TextPosition, _ aggregates: [AggregateCall] = [],
        keeping condition: ([BoundExpression]) -> BoundExpression? = { _ in nil }
    ) throws(Diagnostic) -> Relation {
        guard let rows = inWindowOfColumns(), let window = rows.window else {
            throw Diagnostic(
                position,
                "\(what) would keep all rows for ever; select window_start and window_end of a window table "
                    + "function, too: doubles are then dropped within each window")
        }
        var grouping = Grouping()
        for column in rows.columns {
            guard column.type.isScalar else {
                throw Diagnostic(
                    position, "\(what) compares whole rows, and \(column.name) is \(column.type)")
            }
            _ = grouping.add(column.expression)
        }
        let results = aggregates.map { grouping.aggregate($0) }
        let names = grouping.keys.map { key in
            rows.columns.first { $0.expression == key }?.name ?? ""
        }
        var result = rows
        result.plan = rows.plan.aggregated(
            window, keys: grouping.keys, keyNames: names, aggregates: grouping.aggregates)
        for check in rows.windowConditions + (condition(results).map { [$0] } ?? []) {
            result.plan = result.plan.filtered(by: grouping.output(check))
        }
        result.window = nil
        result.windowConditions = []
        result.isAggregated = true
        result.windowTimeType = window.timeType(over: rows.plan.schema)
        for place in result.columns.indices {
            let moved = grouping.output(rows.columns[place].expression)
            guard let index = moved.plainColumn else { preconditionFailure("every column is grouped") }
            result.columns[place].index = index
            result.columns[place].table = nil
            result.columns[place].isTimeAttribute = result.columns[place].windowColumn == .time
        }
        return result
    }

    /// The relation with the window that its columns name still to be grouped by; nil if they name none.
    private func inWindowOfColumns() -> Relation? {
        var rows = self
        // A condition may read what the rows have no column for, and sessions are formed by their own keys.
        if case .session? = window?.shape { rows = assigningWindow() }
        if !windowConditions.isEmpty { rows = assigningWindow() }
        let found = rows.window == nil ? rows.attachingWindow() : rows
        return [WindowColumn.start, .end].allSatisfy { bound in
            found?.columns.contains { $0.windowColumn == bound } == true
        } ? found : nil
    }
}
