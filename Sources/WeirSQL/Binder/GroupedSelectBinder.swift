// A SELECT with GROUP BY: finds the window and the keys, binds HAVING, the SELECT list and QUALIFY over the
// groups, and builds  scan … filter → windowAggregate → filter → project.
//
// OVER beside GROUP BY goes over the groups that HAVING keeps, as it would one level up: its operators are
// put between that filter and the projection, with the window's time as the time of the rows.

import WeirCore

/// Binds what stands above FROM and WHERE of a grouped SELECT.
struct GroupedSelectBinder {
    private let session: BindingSession
    private let relation: Relation
    private let scope: Scope
    private let select: SelectSyntax
    private let groupBy: GroupBySyntax

    init(
        _ session: BindingSession, _ relation: Relation, _ select: SelectSyntax,
        _ groupBy: GroupBySyntax
    ) {
        self.session = session
        let attached = groupBy.namesWindow ? nil : relation.attachingWindow()
        self.relation = attached ?? relation
        scope = Scope(self.relation, aliases: select.aliases)
        self.select = select
        self.groupBy = groupBy
    }

    func bind() -> Relation? {
        var grouping = Grouping()
        var isComplete = true
        var parts: [GroupingPart] = []
        for item in groupBy.items {
            let part = session.attempt { () throws(Diagnostic) in try add(item, to: &grouping) }
            if let part { parts.append(part) } else { isComplete = false }
        }
        guard isComplete else { return nil }
        let hasSets: Void? = session.attempt { () throws(Diagnostic) in
            grouping.sets = try groupBy.sets(parts)
        }
        if hasSets == nil { return nil }
        let window = session.attempt { () throws(Diagnostic) in try windowOfGroups(grouping) }
        var binder = ExpressionBinder(scope, .having, grouping: grouping)
        let having = bindHaving(&binder)
        binder.clause = .select
        binder.overs = OverCalls(
            select.windows, over: relation, time: WindowColumn.time.rawValue,
            timeName: timeName(grouping), stateTTL: session.stateTTL)
        let output = bindItems(select, relation, scope, &binder, session)
        let qualify = output.flatMap { bindQualify(select, $0, &binder, session) }
        guard let window, let output, let grouping = binder.grouping,
            having != nil || select.having == nil, qualify != nil || select.qualify == nil
        else { return nil }
        return session.attempt { () throws(Diagnostic) in
            let groups = try build(window, grouping, having)
            return groups.projecting(
                output.map { column in
                    OutputColumn(
                        name: column.name, expression: grouping.output(column.expression),
                        isTimeAttribute: column.expression.plainColumn == WindowColumn.time.rawValue,
                        windowColumn: column.expression.plainColumn.flatMap(WindowColumn.init))
                }, over: binder.overs?.moved(over: groups, grouping.output),
                keeping: qualify.map(grouping.output))
        }
    }

    /// How the time of the groups is written.
    private func timeName(_ grouping: Grouping) -> String {
        if let older = grouping.groupWindow { return "\(older.name)_ROWTIME(…)" }
        return columnName(grouping.groups(.time) ? .time : .end)
    }

    // MARK: GROUP BY

    private func add(
        _ item: ExpressionSyntax, to grouping: inout Grouping
    ) throws(Diagnostic) -> GroupingPart {
        let binder = ExpressionBinder(scope, .groupBy)
        if case .call(let call) = item.kind,
            GroupWindowFunction.names.contains(call.name.name.uppercased())
        {
            let name = call.name.name.uppercased()
            let spec = try binder.groupWindow(call, name)
            if grouping.groupWindow != nil {
                throw Diagnostic(item.position, "GROUP BY names two windows")
            }
            grouping.groupWindow = .init(
                name: name, spec: spec, timeType: relation.plan.schema[spec.timeColumn].type)
            grouping.addWindowColumns()
            return .olderWindow
        }
        if case .number(let text) = item.kind {
            throw Diagnostic(
                item.position,
                "GROUP BY \(text): write the column itself, not its place in the SELECT list")
        }
        var itemBinder = binder
        let bound = try itemBinder.bind(item)
        if case .array = bound.type {
            throw Diagnostic(item.start, "rows cannot be grouped by an ARRAY; UNNEST it")
        }
        let (ofWindow, ofRows) = bound.columns.sorted().parted { $0 < 0 }
        if !ofWindow.isEmpty, !ofRows.isEmpty {
            throw Diagnostic(
                item.start,
                "a key computed from both the window and the row is not supported; group by its parts"
            )
        }
        // A constant makes no groups.
        if ofWindow.isEmpty, ofRows.isEmpty { return .constant }
        return grouping.add(bound)
    }

    /// The window of the groups.
    private func windowOfGroups(_ grouping: Grouping) throws(Diagnostic) -> WindowSpec {
        if let window = grouping.groupWindow { return window.spec }
        guard let window = relation.window else {
            throw Diagnostic(
                groupBy.position,
                relation.windowTimeType == nil
                    ? unboundedAdvice("GROUP BY")
                    : "GROUP BY needs the window of the rows: pass window_start and window_end on "
                        + "unchanged, and group by both, or form a window over window_time")
        }
        let missing = [WindowColumn.start, .end].filter { !grouping.groups($0) }
        if !missing.isEmpty {
            let lacking = missing.count == 1 ? "; \(columnName(missing[0])) is missing" : ""
            throw Diagnostic(
                groupBy.position,
                "GROUP BY must name \(columnName(.start)) and \(columnName(.end)) of the window\(lacking)"
            )
        }
        return window
    }

    /// How the window column is called here.
    private func columnName(_ column: WindowColumn) -> String {
        relation.columns.first { $0.index == column.rawValue }?.name ?? column.name
    }

    private func bindHaving(_ binder: inout ExpressionBinder) -> BoundExpression? {
        guard let condition = select.having else { return nil }
        let bound = session.attempt { () throws(Diagnostic) in
            try binder.bindCondition(condition, "HAVING")
        }
        session.report(ungrouped: binder.ungrouped)
        return binder.ungrouped.isEmpty ? bound : nil
    }

    // MARK: The plan

    /// The groups that HAVING keeps; its columns are still those of the rows.
    private func build(
        _ window: WindowSpec, _ grouping: Grouping, _ having: BoundExpression?
    ) throws(Diagnostic) -> Relation {
        let input = input(window, grouping)
        let names = grouping.keys.map { key in
            key.plainColumn.map { relation.plan.schema[$0].name }
                ?? PlanText.expressionText(key) {
                    PlanText.name(relation.plan.schema.fields.map(\.name), $0)
                }
        }
        let groups = grouping.expanded(input.plan, names: names)
        var plan = groups.plan.aggregated(
            input.window, keys: groups.keys, keyNames: groups.names,
            aggregates: grouping.aggregates)
        // Conditions of WHERE on the window hold for whole groups, so they are checked on these.
        for condition in relation.windowConditions {
            guard grouping.covers(condition) else {
                throw Diagnostic(
                    groupBy.position,
                    "a condition before this GROUP BY reads both the window and "
                        + "\(ungroupedColumn(condition, grouping)), which is not "
                        + "\(grouping.sets.isEmpty ? "grouped" : "in all sets"); "
                        + "split it with AND, or group by the column")
            }
            plan = plan.filtered(by: grouping.output(condition))
        }
        if let having { plan = plan.filtered(by: grouping.output(having)) }
        var result = relation
        result.plan = plan
        result.window = nil
        result.windowConditions = []
        result.isAggregated = true
        result.windowTimeType = input.window.timeType(over: input.plan.schema)
        return result
    }

    /// What is aggregated over which windows. Sessions are those of the columns in PARTITION BY; where the
    /// groups have other keys, rows are put into their sessions first.
    private func input(
        _ window: WindowSpec, _ grouping: Grouping
    ) -> (plan: LogicalPlan, window: WindowSpec) {
        guard case .session(let gap, let keys) = window.shape, grouping.groupWindow == nil else {
            return (relation.plan, window)
        }
        if grouping.sets.isEmpty, grouping.keys.allSatisfy({ $0.plainColumn != nil }),
            Set(grouping.keys.compactMap(\.plainColumn)) == Set(keys)
        {
            return (
                relation.plan,
                WindowSpec(timeColumn: window.timeColumn, shape: .session(gap: gap, keys: []))
            )
        }
        let width = relation.plan.schema.count
        let type = window.timeType(over: relation.plan.schema)
        return (
            relation.plan.windowed(window),
            WindowSpec(timeColumn: width + 1, shape: .attached(start: width, timeType: type))
        )
    }

    private func ungroupedColumn(_ condition: BoundExpression, _ grouping: Grouping) -> String {
        let index = condition.columns.sorted().first {
            $0 >= 0 && !grouping.contains(.column(index: $0, type: .int))
        }
        return relation.columns.first { $0.index == index }?.name ?? "another column"
    }
}
