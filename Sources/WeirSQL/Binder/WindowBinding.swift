// Windows as the two forms of SQL write them:
//
//   TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), size [, offset]))          GROUP BY TUMBLE(ts, size)
//   TABLE(HOP(TABLE t, DESCRIPTOR(ts), slide, size [, offset]))      GROUP BY HOP(ts, slide, size)
//   TABLE(CUMULATE(TABLE t, DESCRIPTOR(ts), step, size [, offset]))
//   TABLE(SESSION(TABLE t [PARTITION BY k], DESCRIPTOR(ts), gap))    GROUP BY SESSION(ts, gap)
//
// A window function over rows that are in windows already makes windows of windows: the first ones are
// put into the plan, and the new ones go by the time column of their results.

import WeirCore

private func refuseWindow(_ name: Identifier) -> Diagnostic {
    let known = WindowParameters.Kind.allCases.map(\.rawValue)
    let near = nearestSpelling(of: name.name.uppercased(), among: known).map {
        "did you mean \($0)?"
    }
    return Diagnostic(
        name.position,
        "no window function is called \(name.name); "
            + (near ?? "there are TUMBLE, HOP, CUMULATE and SESSION"))
}

// MARK: The older form

extension ExpressionBinder {
    /// The window that GROUP BY TUMBLE(ts, …) and the like name, or that TUMBLE_START(ts, …) repeats.
    func groupWindow(_ call: CallSyntax, _ name: String) throws(Diagnostic) -> WindowSpec {
        let position = call.name.position
        guard let kind = WindowParameters.Kind(name: name) else {
            throw refuseWindow(Identifier(name: name, position: position))
        }
        if kind == .cumulate {
            throw Diagnostic(
                position,
                "CUMULATE is a window table function only: FROM TABLE(CUMULATE(TABLE …, DESCRIPTOR(…), step, "
                    + "size)) with GROUP BY window_start, window_end")
        }
        let lengths = call.arguments.dropFirst()
        guard lengths.count == kind.lengthNames.count else {
            let form = (["time"] + kind.lengthNames.map { $0.lowercased() }).joined(separator: ", ")
            throw Diagnostic(position, "the window is written \(kind.rawValue)(\(form))")
        }
        guard case .name(let parts) = call.arguments[0].kind else {
            throw Diagnostic(
                call.arguments[0].position, "\(name) is formed over the event-time column itself")
        }
        let column = try scope.timeColumn(parts, for: name)
        var parameters = WindowParameters(kind: kind)
        for (key, length) in zip(kind.lengthNames, lengths) {
            parameters.lengths[key] = try .init(length, "the \(key.lowercased())")
        }
        return try parameters.spec(timeColumn: column.index, takesAnySlide: true)
    }
}

extension GroupBySyntax {
    /// Whether an item is a window of the older form.
    var namesWindow: Bool {
        items.contains { item in
            guard case .call(let call) = item.kind else { return false }
            return GroupWindowFunction.names.contains(call.name.name.uppercased())
        }
    }
}

// MARK: Window table functions

extension WindowFunctionSyntax {
    /// The arguments under their names.
    private func named(_ kind: WindowParameters.Kind) throws(Diagnostic) -> [String: Argument] {
        let required = ["DATA", "TIMECOL"] + kind.lengthNames
        let known = required + (kind.takesOffset ? ["OFFSET"] : [])
        var found: [String: Argument] = [:]
        for (index, argument) in arguments.enumerated() {
            if let given = argument.name, !known.contains(given.name) {
                let near = nearestSpelling(of: given.name, among: known).map {
                    "did you mean \($0)?"
                }
                throw Diagnostic(
                    given.position,
                    "\(kind.rawValue) has no argument \(given.name); "
                        + (near ?? "it has \(known.joined(separator: ", "))"))
            }
            guard argument.name != nil || index < known.count else {
                throw Diagnostic(
                    argument.position,
                    "\(kind.rawValue) takes at most \(known.count) arguments: \(form(kind))")
            }
            let key = argument.name?.name ?? known[index]
            if found.updateValue(argument, forKey: key) != nil {
                throw Diagnostic(argument.position, "\(key) is given twice")
            }
        }
        for key in required where found[key] == nil {
            throw Diagnostic(
                name.position, "\(kind.rawValue) lacks \(key): it is written \(form(kind))")
        }
        return found
    }

    private func form(_ kind: WindowParameters.Kind) -> String {
        let lengths = kind.lengthNames.map { $0.lowercased() }.joined(separator: ", ")
        let table = kind == .session ? "TABLE t [PARTITION BY k]" : "TABLE t"
        let offset = kind.takesOffset ? " [, offset]" : ""
        return "\(kind.rawValue)(\(table), DESCRIPTOR(ts), \(lengths)\(offset))"
    }

    /// The table and its windows; `bind` binds the table.
    func bound(
        _ bind: (TableSyntax) -> Relation?
    ) throws(Diagnostic) -> (relation: Relation, window: WindowSpec)? {
        guard let kind = WindowParameters.Kind(name: name.name) else { throw refuseWindow(name) }
        let found = try named(kind)
        guard let data = found["DATA"], case .table(let table, let partitionBy) = data.value else {
            throw Diagnostic(
                found["DATA"]?.position ?? name.position,
                "the first argument is a table: TABLE name")
        }
        if let key = partitionBy.first, kind != .session {
            throw Diagnostic(
                key.position,
                "\(kind.rawValue) is not partitioned; put the keys into GROUP BY")
        }
        guard let time = found["TIMECOL"], case .descriptor(let names) = time.value,
            names.count == 1
        else {
            throw Diagnostic(
                found["TIMECOL"]?.position ?? name.position,
                "the second argument is the event-time column: DESCRIPTOR(ts)")
        }
        guard let relation = bind(table)?.assigningWindow() else { return nil }
        let scope = Scope(relation)
        let column = try scope.timeColumn(names, for: "DESCRIPTOR")
        var parameters = WindowParameters(kind: kind)
        parameters.keys = try partitionKeys(partitionBy, scope)
        for key in kind.lengthNames + ["OFFSET"] {
            guard let argument = found[key] else { continue }
            guard case .expression(let expression) = argument.value else {
                throw Diagnostic(
                    argument.position, "\(key) must be a literal such as INTERVAL '1' MINUTE")
            }
            parameters.lengths[key] = try .init(expression, "the \(key.lowercased())")
        }
        let window = try parameters.spec(timeColumn: column.index, takesAnySlide: false)
        return (relation, window)
    }

    private func partitionKeys(
        _ items: [ExpressionSyntax], _ scope: Scope
    ) throws(Diagnostic) -> [Int] {
        var keys: [Int] = []
        for item in items {
            var binder = ExpressionBinder(scope, .groupBy)
            guard case .name = item.kind, let column = try binder.bind(item).plainColumn else {
                throw Diagnostic(item.start, "PARTITION BY takes columns of the table")
            }
            if case .array = try binder.bind(item).type {
                throw Diagnostic(item.start, "sessions cannot be partitioned by an ARRAY")
            }
            if !keys.contains(column) { keys.append(column) }
        }
        return keys
    }
}

extension Relation {
    /// The relation's rows in windows: three columns more, and event time is window_time.
    func inWindow(_ window: WindowSpec) -> Relation {
        var result = self
        for index in result.columns.indices {
            result.columns[index].isTimeAttribute = false
            result.columns[index].windowColumn = nil
        }
        let timeType = plan.schema[window.timeColumn].type
        result.columns += WindowColumn.allCases.map { column in
            ScopeColumn(
                table: tableName, name: column.name, index: column.rawValue,
                type: column == .time ? timeType : .timestamp, isTimeAttribute: column == .time,
                windowColumn: column)
        }
        result.window = window
        result.windowTimeType = timeType
        return result
    }

    /// Rows that are in windows already, as a relation whose window is still to be grouped by: its window
    /// columns get the virtual numbers of a pending window. nil when window_start or window_end is not
    /// among the columns any more.
    func attachingWindow() -> Relation? {
        guard window == nil, let timeType = windowTimeType,
            let start = columns.first(where: { $0.windowColumn == .start }),
            let end = columns.first(where: { $0.windowColumn == .end })
        else { return nil }
        var result = self
        for index in columns.indices {
            guard let column = columns[index].windowColumn else { continue }
            result.columns[index].index = column.rawValue
        }
        result.window = WindowSpec(
            timeColumn: end.index, shape: .attached(start: start.index, timeType: timeType))
        return result
    }
}
