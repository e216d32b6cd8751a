// What FROM gives to the rest of a SELECT: a plan, and the columns that names can mean.
//
// The window of a window table function stays out of the plan as long as it can. In Flink, GROUP BY
// window_start, window_end may come a subquery or a view later than TABLE(TUMBLE(…)); the aggregate must
// then read the rows before they were copied into their windows. So a relation carries the window along,
// and its three columns have virtual numbers until somebody needs them as real ones.

import WeirCore

/// The columns of a window that is not in the plan yet, as column numbers.
enum WindowColumn: Int, CaseIterable {
    case start = -3
    case end = -2
    case time = -1

    /// As Flink calls it.
    var name: String {
        switch self {
        case .start: "window_start"
        case .end: "window_end"
        case .time: "window_time"
        }
    }
}

/// A column that a name can mean.
struct ScopeColumn: Sendable {
    /// The table's alias or name; nil for a subquery without one.
    var table: String?
    var name: String
    /// The plan's column, or a WindowColumn's raw value.
    var index: Int
    var type: DataType
    /// Whether windows can be formed over it.
    var isTimeAttribute: Bool
    /// Which column of a window it is, passed on unchanged: of a window that is still pending, that
    /// has been assigned, or that was aggregated over.
    var windowColumn: WindowColumn?

    var expression: BoundExpression { .column(index: index, type: type) }
}

/// A table in FROM, bound.
struct Relation: Sendable {
    var plan: LogicalPlan
    var columns: [ScopeColumn]
    /// The window that the rows fall in, not yet part of `plan`.
    var window: WindowSpec?
    /// Conditions on the columns of `window`, to hold once it is part of the plan.
    var windowConditions: [BoundExpression] = []
    /// Whether the rows are results of an aggregation.
    var isAggregated = false
    /// Whether a window has been assigned, so that rows are in windows.
    var isWindowed = false
    /// For rows in windows, pending ones too, and for results of windows: the type of their event time.
    var windowTimeType: DataType?

    /// The table of a file that this is, which only a join can read.
    var lookupTable: Catalog.LookupTable?

    /// The relation of `table`, all columns.
    init(_ table: Catalog.Table) {
        let time = table.timeColumn.flatMap { table.schema.index(of: $0) }
        plan = .scan(source: table.name, schema: table.schema, timeColumn: time)
        columns = table.schema.fields.enumerated().map { index, field in
            ScopeColumn(
                table: table.name, name: field.name, index: index, type: field.type,
                isTimeAttribute: index == time && field.type.isTimestamp)
        }
    }

    /// The relation of a table of a file, which the left side of a join can read.
    init(_ table: Catalog.LookupTable) {
        self.init(Catalog.Table(name: table.name, schema: table.schema, timeColumn: nil))
        lookupTable = table
    }

    /// The event-time column, if it can still be named.
    var timeAttribute: ScopeColumn? { columns.first(where: \.isTimeAttribute) }

    /// The one name of all columns, where there is one.
    var tableName: String? {
        guard let name = columns.first?.table, columns.allSatisfy({ $0.table == name }) else {
            return nil
        }
        return name
    }

    /// All columns under the name of an alias.
    mutating func rename(_ alias: String) {
        for index in columns.indices { columns[index].table = alias }
    }

    /// Keeps the rows for which `condition` is true.
    mutating func filter(_ condition: BoundExpression) {
        let (below, above) = condition.conjuncts.parted { $0.columns.allSatisfy { $0 >= 0 } }
        if let predicate = BoundExpression.conjunction(below) {
            plan = plan.filtered(by: predicate)
        }
        windowConditions += above
    }

    /// Puts the window into the plan and numbers its columns.
    func assigningWindow() -> Relation {
        guard let window else { return self }
        var result = self
        let width = plan.schema.count
        let renumber = { (index: Int) in
            index >= 0 ? index : width + index - WindowColumn.start.rawValue
        }
        result.plan = plan.windowed(window)
        result.columns = columns.map { column in
            var column = column
            column.index = renumber(column.index)
            return column
        }
        let conditions = windowConditions.map { $0.renumbered(renumber) }
        if let predicate = BoundExpression.conjunction(conditions) {
            result.plan = result.plan.filtered(by: predicate)
        }
        result.window = nil
        result.windowConditions = []
        result.isWindowed = true
        return result
    }
}

/// One column of a SELECT list, bound over a relation.
struct OutputColumn {
    let name: String
    let expression: BoundExpression
    let isTimeAttribute: Bool
    /// See `ScopeColumn.windowColumn`.
    var windowColumn: WindowColumn?
}

extension Relation {
    /// The relation with the columns `output` instead of its own.
    func projecting(_ output: [OutputColumn]) -> Relation {
        let readsWindow = { (expression: BoundExpression) in expression.columns.contains { $0 < 0 }
        }
        let needsWindow = output.contains {
            $0.expression.plainColumn == nil && readsWindow($0.expression)
        }
        if window != nil, needsWindow {
            let width = plan.schema.count
            let renumbered = output.map { column in
                OutputColumn(
                    name: column.name,
                    expression: column.expression.renumbered { index in
                        index >= 0 ? index : width + index - WindowColumn.start.rawValue
                    }, isTimeAttribute: column.isTimeAttribute, windowColumn: column.windowColumn)
            }
            return assigningWindow().projecting(renumbered)
        }
        return projectingBelowWindow(output)
    }

    /// `output` without expressions over window columns; a pending window stays pending, and what it
    /// and its conditions read is kept behind the visible columns.
    private func projectingBelowWindow(_ output: [OutputColumn]) -> Relation {
        var result = self
        var expressions: [BoundExpression] = []
        var fields: [Field] = []
        result.columns = output.map { column in
            var index = column.expression.plainColumn ?? 0
            if index >= 0 {
                index = expressions.count
                expressions.append(column.expression)
                fields.append(Field(column.name, column.expression.type))
            }
            return ScopeColumn(
                table: nil, name: column.name, index: index, type: column.expression.type,
                isTimeAttribute: column.isTimeAttribute, windowColumn: column.windowColumn)
        }
        if let window {
            var place: [Int: Int] = [:]
            let hidden = windowConditions.reduce(into: window.columns) {
                $0.formUnion($1.columns)
            }
            for index in hidden.sorted() where index >= 0 {
                place[index] = expressions.count
                expressions.append(.column(index: index, type: plan.schema[index].type))
                fields.append(plan.schema[index])
            }
            result.window = window.onColumns { place[$0] ?? $0 }
            result.windowConditions = windowConditions.map { $0.renumbered { place[$0] ?? $0 } }
        }
        result.plan = plan.projected(expressions, Schema(fields))
        return result
    }
}
