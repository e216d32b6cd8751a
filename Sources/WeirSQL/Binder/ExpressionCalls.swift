// Binding of calls: scalar functions by name, aggregates, and the companions of group windows.

import WeirCore

extension ExpressionBinder {
    mutating func bindCall(_ call: CallSyntax) throws(Diagnostic) -> BoundExpression {
        let name = call.name.name.uppercased()
        if pattern != nil, let bound = try bindPatternCall(call, name) { return bound }
        if let over = call.over {
            return try bindOver(call, over, name)
        }
        if let function = NamedFunction.aggregates[name] {
            return try bindAggregate(call, function, name)
        }
        if let bound = try bindGroupingCall(call, name) { return bound }
        if NamedFunction.missingAggregates.contains(name) {
            throw Diagnostic(
                call.name.position,
                "\(name) is not supported yet")
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
