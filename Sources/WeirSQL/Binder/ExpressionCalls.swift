// Binding of calls: scalar functions by name, aggregates, and the companions of group windows.

import WeirCore

extension ExpressionBinder {
    mutating func bindCall(_ call: CallSyntax) throws(Diagnostic) -> BoundExpression {
        let name = call.name.name.uppercased()
        if pattern != nil, let bound = try bindPatternCall(call, name) { return bound }
        if let over = call.over {
            throw Diagnostic(over.position, "OVER is not supported yet; group by a window instead")
        }
        if let function = NamedFunction.aggregates[name] {
            return try bindAggregate(call, function, name)
        }
        if NamedFunction.missingAggregates.contains(name) {
            throw Diagnostic(
                call.name.position,
                "\(name) is not supported yet; the aggregates are COUNT, SUM, AVG, MIN and MAX")
        }
        if let companion = GroupWindowFunction.companion(name) {
            return try bindCompanion(call, name, companion.window, companion.column)
        }
        if GroupWindowFunction.names.contains(name) {
            throw Diagnostic(
                call.name.position,
                "\(name) stands in GROUP BY, or in FROM as TABLE(\(name)(TABLE …, DESCRIPTOR(…), …))"
            )
        }
        let isOfText = name == "UNIX_TIMESTAMP" && !call.arguments.isEmpty
        if !isOfText, let refusal = refusalOfFunction(name) {
            throw Diagnostic(call.name.position, refusal)
        }
        if call.isStar || call.isDistinct || call.filter != nil {
            let what = call.isStar ? "*" : call.isDistinct ? "DISTINCT" : "FILTER"
            throw Diagnostic(
                call.name.position, "\(name) is not an aggregate; \(what) has no meaning for it")
        }
        return try bindScalar(call, name)
    }

    /// Why a function of this name is refused, if it is one whose value could not be computed again.
    func refusalOfFunction(_ name: String) -> String? {
        guard NamedFunction.unrepeatable.contains(name) else { return nil }
        return
            "\(name) differs from run to run; results here depend on the input alone, so that they can be "
            + "computed again after a crash"
    }

    private mutating func bindScalar(_ call: CallSyntax, _ name: String) throws(Diagnostic)
        -> BoundExpression
    {
        let position = call.name.position
        if name == "IF" { return try bindIf(call) }
        let arguments = try bindAll(call.arguments)
        if let bound = try bindLibrary(call, name, arguments) { return bound }
        if let named = NamedFunction.byName[name] {
            if named.function == .coalesce, name == "IFNULL", arguments.count != 2 {
                throw Diagnostic(
                    position, "\(named.form) does not take \(arguments.count) arguments")
            }
            if arguments.allSatisfy({ $0.type == .null }),
                [.coalesce, .greatest, .least].contains(named.function)
            {
                throw Diagnostic(
                    position, "\(name) of nothing but NULL has no type; write CAST(NULL AS …)")
            }
            return try apply(
                named.function, arguments, named.form, at: position, from: call.arguments)
        }
        switch (name, arguments.count) {
        case ("INSTR", 2):
            return try apply(
                .position, [arguments[1], arguments[0]], "INSTR(text, part)", at: position)
        case ("LOG", 1): return try apply(.ln, arguments, "LOG(number)", at: position)
        case ("LOG", 2):
            let logarithm = try apply(.ln, [arguments[1]], "LOG(base, number)", at: position)
            let base = try apply(.ln, [arguments[0]], "LOG(base, number)", at: position)
            return try apply(.divide, [logarithm, base], nil, at: position)
        case ("PI", 0): return .literal(.double(Double.pi), type: .double)
        case ("E", 0): return .literal(.double(2.718281828459045), type: .double)
        default: break
        }
        if NamedFunction.composed.contains(name) {
            throw Diagnostic(position, "\(name) does not take \(arguments.count) arguments")
        }
        throw Diagnostic(position, "no function is called \(name)\(functionAdvice(name))")
    }

    private func functionAdvice(_ name: String) -> String {
        if name == "LENGTH" || name == "LEN" {
            return "; CHAR_LENGTH counts the characters of a text"
        }
        let known =
            NamedFunction.byName.keys.sorted() + ["IF", "INSTR", "LOG"]
            + FunctionLibrary.byName.keys.filter { !$0.contains(" ") }.sorted()
            + NamedFunction.aggregates.keys.sorted()
        return nearestSpelling(of: name, among: known).map { "; did you mean \($0)?" }
            ?? " here yet"
    }

    // MARK: Aggregates

    private mutating func bindAggregate(
        _ call: CallSyntax, _ function: AggregateFunction, _ name: String
    ) throws(Diagnostic) -> BoundExpression {
        let position = call.name.position
        try checkAggregatePlace(name, at: position)
        if call.isDistinct {
            throw Diagnostic(
                position,
                "\(name)(DISTINCT …) is not supported yet; "
                    + "the aggregates are COUNT, SUM, AVG, MIN and MAX of all values"
            )
        }
        enclosingAggregate = name
        let outer = clause
        defer {
            enclosingAggregate = nil
            clause = outer
        }
        let argument = try bindAggregateArgument(call, name)
        clause = .aggregateFilter
        let filter = try call.filter.map { (filter) throws(Diagnostic) in
            try bindCondition(filter, "FILTER")
        }
        for part in [argument, filter] where part?.columns.contains(where: { $0 < 0 }) == true {
            throw Diagnostic(
                position,
                "\(name) cannot read window_start, window_end or window_time; they are the same for all "
                    + "rows of a group")
        }
        let bound = try aggregateCall(function, argument, filter, name, at: position)
        return grouping?.aggregate(bound) ?? .literal(.null, type: bound.type)
    }

    private func checkAggregatePlace(_ name: String, at position: TextPosition) throws(Diagnostic) {
        if let outer = enclosingAggregate {
            throw Diagnostic(
                position,
                "\(name) stands inside \(outer); aggregates cannot be nested, use a subquery")
        }
        if grouping != nil { return }
        if clause == .select || clause == .having {
            throw Diagnostic(position, unboundedAdvice(name))
        }
        let advice = clause == .filter ? "; conditions on aggregates go into HAVING" : ""
        throw Diagnostic(
            position, "the aggregate \(name) cannot stand in \(clause.rawValue)\(advice)")
    }

    mutating func bindAggregateArgument(
        _ call: CallSyntax, _ name: String
    ) throws(Diagnostic) -> BoundExpression? {
        if call.isStar {
            if name == "COUNT" { return nil }
            throw Diagnostic(call.name.position, "\(name)(*) has no meaning; only COUNT takes *")
        }
        guard call.arguments.count == 1 else {
            throw Diagnostic(
                call.name.position, "\(name) takes one argument, not \(call.arguments.count)")
        }
        return try bind(call.arguments[0])
    }

    func aggregateCall(
        _ function: AggregateFunction, _ argument: BoundExpression?, _ filter: BoundExpression?,
        _ name: String,
        at position: TextPosition
    ) throws(Diagnostic) -> AggregateCall {
        guard let argument else {
            return AggregateCall(function: .countStar, argument: nil, filter: filter, type: .bigint)
        }
        if function == .count {
            // A constant is counted in every row: COUNT(1) is COUNT(*).
            if case .literal(let value, _) = argument, value != .null {
                return AggregateCall(
                    function: .countStar, argument: nil, filter: filter, type: .bigint)
            }
            let counted = try convert(
                argument, to: argument.type == .null ? .int : argument.type, at: position)
            return AggregateCall(function: .count, argument: counted, filter: filter, type: .bigint)
        }
        let type = argument.type
        if type == .null {
            throw Diagnostic(position, "\(name)(NULL) has no type; write \(name)(CAST(NULL AS …))")
        }
        let isSummed = function == .sum || function == .avg
        let isOrdered = type == .string || type == .boolean || type.isTemporal || type.isInterval
        guard type.isNumeric || (!isSummed && isOrdered) else {
            let taken = isSummed ? "numbers" : "numbers, STRING, BOOLEAN, dates, times and timestamps"
            throw Diagnostic(position, "\(name) does not take \(type); it takes \(taken)")
        }
        let result = function == .sum ? type.sumType : function == .avg ? type.averageType : type
        return AggregateCall(function: function, argument: argument, filter: filter, type: result)
    }

    // MARK: TUMBLE_START and the like

    private mutating func bindCompanion(
        _ call: CallSyntax, _ name: String, _ window: String, _ column: WindowColumn
    ) throws(Diagnostic) -> BoundExpression {
        guard let groupWindow = grouping?.groupWindow else {
            throw Diagnostic(
                call.name.position,
                "\(name)(…) belongs to a query with GROUP BY \(window)(…); behind TABLE(\(window)(…)) "
                    + "the column is called \(column.name)")
        }
        let inner = ExpressionBinder(scope, .groupBy)
        let spec = try inner.groupWindow(call, window)
        guard window == groupWindow.name else {
            throw Diagnostic(
                call.name.position,
                "\(name): the window in GROUP BY is \(groupWindow.name); "
                    + "use \(groupWindow.name)_\(name.dropFirst(window.count + 1))"
            )
        }
        guard spec == groupWindow.spec else {
            throw Diagnostic(
                call.name.position, "\(name) must have the arguments of the \(window) in GROUP BY")
        }
        return .column(
            index: column.rawValue, type: column == .time ? groupWindow.timeType : .timestamp)
    }
}

/// Why an aggregation without a window is refused.
func unboundedAdvice(_ what: String) -> String {
    "\(what) without a window would keep its state for ever; read FROM TABLE(TUMBLE(TABLE …, DESCRIPTOR(…), "
        + "INTERVAL '1' MINUTE)) and GROUP BY window_start, window_end"
}
