// Names inside DEFINE and MEASURES. `A.price` is not a column but a value of the match: of the last row
// that is mapped to A, or of another one with FIRST and LAST. Each such value, and each aggregate, is
// collected once and stands in the bound expression as a column of a number no input has; PatternBinder
// gives it its place when all expressions are bound.

import WeirCore

/// What the expressions of one clause of MATCH_RECOGNIZE can name and have named.
struct PatternScope: Sendable {
    /// The variables in the order of the pattern.
    let variables: [String]
    /// The event-time column of the input.
    let time: ScopeColumn
    /// The variable whose condition is bound; nil in MEASURES.
    var defined: Int?
    var values = PatternValues()
    /// What is being read of: inside FIRST, LAST or an aggregate.
    var enclosing: Enclosing?

    /// FIRST, LAST or an aggregate around the expression at hand.
    struct Enclosing: Sendable {
        let name: String
        /// The row that FIRST or LAST stands for; nil in an aggregate.
        let row: (isFirst: Bool, offset: Int)?
        /// The variable read so far, nil in it for all rows.
        var variable: Int??
    }

    /// References from here down, aggregates from `firstAggregate`.
    private static let firstReference = -10_000
    private static let firstAggregate = -20_000
    /// The placeholder of MATCH_ROWTIME.
    static let matchTime = -30_000

    /// The placeholder of a reference; the same reference has the same one.
    mutating func reference(_ reference: PatternReference) -> BoundExpression {
        let index = values.references.firstIndex(of: reference) ?? values.references.count
        if index == values.references.count { values.references.append(reference) }
        return .column(index: Self.firstReference - index, type: reference.type)
    }

    /// The placeholder of an aggregate.
    mutating func aggregate(_ aggregate: PatternAggregate) -> BoundExpression {
        let index = values.aggregates.firstIndex(of: aggregate) ?? values.aggregates.count
        if index == values.aggregates.count { values.aggregates.append(aggregate) }
        return .column(index: Self.firstAggregate - index, type: aggregate.call.type)
    }

    /// `expression` with the values from column `start` on in place of their placeholders.
    func placed(_ expression: BoundExpression, from start: Int) -> BoundExpression {
        expression.renumbered { index in
            if index >= 0 { return index }
            if index == Self.matchTime { return start + values.count }
            return index <= Self.firstAggregate
                ? start + values.references.count + Self.firstAggregate - index
                : start + Self.firstReference - index
        }
    }

    /// The number of the variable called `name`.
    func variable(_ name: Identifier) throws(Diagnostic) -> Int {
        if let index = variables.firstIndex(of: name.name) { return index }
        let near = nearestSpelling(of: name.name, among: variables).map { "; did you mean \($0)?" }
        throw Diagnostic(
            name.position,
            "no pattern variable is called \(name.name)"
                + (near ?? "; there are \(variables.prefix(12).joined(separator: ", "))"))
    }
}

extension ExpressionBinder {
    /// `price` or `A.price` in DEFINE or MEASURES.
    mutating func bindPatternName(_ parts: [Identifier]) throws(Diagnostic) -> BoundExpression {
        guard let pattern, let last = parts.last, parts.count <= 2 else {
            throw Diagnostic(parts[0].position, "a column is written column or variable.column here")
        }
        let variable = parts.count == 2 ? try pattern.variable(parts[0]) : nil
        let column = try scope.column([last])
        if var enclosing = pattern.enclosing {
            if let other = enclosing.variable, other != variable {
                let name = { (variable: Int?) in
                    variable.map { pattern.variables[$0] } ?? "the rows of all variables"
                }
                throw Diagnostic(
                    parts[0].position,
                    "\(enclosing.name) reads one variable: this one reads \(name(other)) and \(name(variable))"
                )
            }
            enclosing.variable = .some(variable)
            self.pattern?.enclosing = enclosing
            if enclosing.row == nil { return column.expression }
        }
        let row = self.pattern?.enclosing?.row ?? (isFirst: false, offset: 0)
        let isCurrent = pattern.defined != nil && (variable == nil || variable == pattern.defined)
        if isCurrent, !row.isFirst, row.offset == 0 { return column.expression }
        return try collect(
            .init(
                variable: variable, column: column.index, type: column.type, isFirst: row.isFirst,
                offset: row.offset), at: last.position)
    }

    private mutating func collect(
        _ reference: PatternReference, at position: TextPosition
    ) throws(Diagnostic) -> BoundExpression {
        guard var scope = pattern else { preconditionFailure("a name of a pattern") }
        let bound = scope.reference(reference)
        try checkCount(scope, at: position)
        pattern = scope
        return bound
    }

    private func checkCount(_ scope: PatternScope, at position: TextPosition) throws(Diagnostic) {
        if scope.values.count > PatternLimits.valuesMax {
            throw Diagnostic(
                position, "MATCH_RECOGNIZE reads at most \(PatternLimits.valuesMax) values of a match")
        }
    }

    /// A call that means something of its own in MATCH_RECOGNIZE; nil for all others.
    mutating func bindPatternCall(_ call: CallSyntax, _ name: String) throws(Diagnostic)
        -> BoundExpression?
    {
        let position = call.name.position
        switch name {
        case "FIRST", "LAST", "PREV", "NEXT": return try bindNavigation(call, name)
        case "MATCH_ROWTIME": return try bindMatchTime(call)
        case "MATCH_PROCTIME":
            throw Diagnostic(position, "MATCH_PROCTIME: there is no processing time; use MATCH_ROWTIME")
        case "CLASSIFIER", "MATCH_NUMBER":
            throw Diagnostic(position, "\(name) is not supported yet")
        case "FINAL" where call.arguments.count == 1: return try bind(call.arguments[0])
        case "RUNNING": throw Diagnostic(position, "RUNNING is not supported; measures are FINAL")
        default: break
        }
        if NamedFunction.aggregates[name] != nil, call.over == nil {
            return try bindPatternAggregate(call, name)
        }
        return nil
    }

    /// FIRST(x, n) and LAST(x, n).
    private mutating func bindNavigation(_ call: CallSyntax, _ name: String) throws(Diagnostic)
        -> BoundExpression
    {
        let position = call.name.position
        if let outer = pattern?.enclosing {
            throw Diagnostic(position, "\(name) cannot stand inside \(outer.name)")
        }
        guard 1...2 ~= call.arguments.count, call.filter == nil, !call.isDistinct else {
            throw Diagnostic(position, "\(name) is written \(name)(column [, offset])")
        }
        var offset = 0
        if call.arguments.count == 2 {
            guard case .number(let text) = call.arguments[1].kind, let count = Int32(text), count >= 0
            else {
                throw Diagnostic(
                    call.arguments[1].start, "the offset of \(name) is a whole number such as 1")
            }
            offset = Int(count)
        }
        if name == "PREV" || name == "NEXT", offset != 0 || call.arguments.count == 1 {
            throw Diagnostic(
                position,
                "\(name) (an offset among all rows) is not supported; LAST(\(pattern?.variables.first ?? "A").x, 1) "
                    + "counts the rows mapped to a variable")
        }
        pattern?.enclosing = .init(name: name, row: (name == "FIRST", offset))
        defer { pattern?.enclosing = nil }
        return try bind(call.arguments[0])
    }

    private mutating func bindPatternAggregate(_ call: CallSyntax, _ name: String) throws(Diagnostic)
        -> BoundExpression?
    {
        let position = call.name.position
        guard let function = NamedFunction.aggregates[name] else { return nil }
        if let outer = pattern?.enclosing {
            throw Diagnostic(position, "\(name) cannot stand inside \(outer.name)")
        }
        if call.isDistinct || call.filter != nil {
            throw Diagnostic(
                position,
                "\(name) with \(call.isDistinct ? "DISTINCT" : "FILTER") is not supported in MATCH_RECOGNIZE")
        }
        pattern?.enclosing = .init(name: name, row: nil)
        enclosingAggregate = name
        defer {
            pattern?.enclosing = nil
            enclosingAggregate = nil
        }
        let bound = try boundAggregate(call, function, name)
        guard var scope = pattern else { return nil }
        // Without a column it is about all rows.
        let variable = scope.enclosing?.variable ?? nil
        let placeholder = scope.aggregate(.init(variable: variable, call: bound))
        try checkCount(scope, at: position)
        pattern = scope
        return placeholder
    }

    private func bindMatchTime(_ call: CallSyntax) throws(Diagnostic) -> BoundExpression {
        let position = call.name.position
        guard let pattern, pattern.defined == nil else {
            throw Diagnostic(position, "MATCH_ROWTIME stands in MEASURES")
        }
        guard call.arguments.count <= 1 else {
            throw Diagnostic(position, "MATCH_ROWTIME takes at most one argument")
        }
        guard let argument = call.arguments.first else {
            if pattern.time.type == .timestamp {
                return .column(index: PatternScope.matchTime, type: .timestamp)
            }
            throw Diagnostic(
                position,
                "MATCH_ROWTIME() is a \(DataType.timestamp); "
                    + "for a \(pattern.time.type) write MATCH_ROWTIME(\(pattern.time.name))")
        }
        guard case .name(let parts) = argument.kind, parts.count == 1,
            try scope.column(parts).index == pattern.time.index
        else {
            throw Diagnostic(
                argument.start, "MATCH_ROWTIME takes the event-time column, \(pattern.time.name)")
        }
        return .column(index: PatternScope.matchTime, type: pattern.time.type)
    }
}
