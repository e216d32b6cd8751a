// Binds MATCH_RECOGNIZE: finds the columns of PARTITION BY and ORDER BY, checks the pattern against what
// Flink accepts, binds DEFINE and MEASURES. The result has the PARTITION BY columns, then the measures.
//
// Rules of Flink that are kept because a text must mean the same there: variables are unique, the last
// one may not be greedy, no pattern matches without a row, a reluctant `?` is refused, and without AFTER
// MATCH the next match may start at the next row.

import WeirCore

/// Binds one MATCH_RECOGNIZE over its input.
struct PatternBinder {
    private let session: BindingSession
    private let match: MatchSyntax
    private let input: Relation
    private let scope: Scope

    init(_ session: BindingSession, _ match: MatchSyntax, _ input: Relation) {
        self.session = session
        self.match = match
        self.input = input
        scope = Scope(input)
    }

    /// The relation of matches, or nil after its complaints were noted.
    func bind() -> Relation? {
        guard let keys = session.attempt({ () throws(Diagnostic) in try partition() }),
            let time = session.attempt({ () throws(Diagnostic) in try timeColumn() }),
            let order = session.attempt({ () throws(Diagnostic) in try furtherOrder() }),
            var elements = session.attempt({ () throws(Diagnostic) in try boundElements() }),
            let skip = session.attempt({ () throws(Diagnostic) in try boundSkip(elements) }),
            let within = session.attempt({ () throws(Diagnostic) in .some(try boundWithin()) })
        else { return nil }
        let names = elements.map(\.name)
        let defined = PatternScope(variables: names, time: time)
        guard let defineValues = bindConditions(&elements, defined),
            let (measures, values) = bindMeasures(defined)
        else { return nil }
        let spec = PatternSpec(
            inputWidth: input.plan.schema.count, timeColumn: time.index,
            partition: keys.map(\.index), order: order, elements: elements, skip: skip,
            within: within, defineValues: defineValues, measureValues: values,
            measures: measures.map(\.expression))
        return relation(spec, keys, measures)
    }

    private func relation(
        _ spec: PatternSpec, _ keys: [ScopeColumn], _ measures: [OutputColumn]
    ) -> Relation? {
        let output =
            keys.map {
                OutputColumn(name: $0.name, expression: $0.expression, isTimeAttribute: false)
            } + measures
        var seen: Set<String> = []
        for (index, column) in output.enumerated() where !seen.insert(column.name).inserted {
            let position = index < keys.count ? match.position : match.measures[index - keys.count].name.position
            session.report(
                Diagnostic(position, "two columns of the matches are called \(column.name)"))
            return nil
        }
        let schema = Schema(output.map { Field($0.name, $0.expression.type) })
        var result = input
        result.plan = .ordered(.match(spec), inputs: [input.plan], schema: schema)
        result.columns = output.enumerated().map { index, column in
            ScopeColumn(
                table: nil, name: column.name, index: index, type: column.expression.type,
                isTimeAttribute: column.isTimeAttribute)
        }
        result.window = nil
        result.windowConditions = []
        result.isAggregated = false
        result.isWindowed = false
        return result
    }

    // MARK: PARTITION BY and ORDER BY

    private func partition() throws(Diagnostic) -> [ScopeColumn] {
        var keys: [ScopeColumn] = []
        for item in match.partitionBy {
            guard case .name(let parts) = item.kind else {
                throw Diagnostic(
                    item.start, "PARTITION BY of MATCH_RECOGNIZE takes columns; compute it in a subquery")
            }
            let column = try scope.column(parts)
            guard column.type.isScalar else {
                throw Diagnostic(item.start, "rows cannot be partitioned by \(column.type)")
            }
            if !keys.contains(where: { $0.index == column.index }) { keys.append(column) }
        }
        return keys
    }

    private func timeColumn() throws(Diagnostic) -> ScopeColumn {
        guard let first = match.orderBy.first else {
            throw Diagnostic(match.position, "MATCH_RECOGNIZE needs ORDER BY and the event-time column")
        }
        guard case .name(let parts) = first.expression.kind else {
            throw Diagnostic(first.expression.start, "ORDER BY starts with the event-time column")
        }
        let column = try scope.column(parts)
        guard column.isTimeAttribute else {
            let time = input.timeAttribute.map { "; it is \($0.name)" } ?? ""
            throw Diagnostic(
                first.expression.start,
                "ORDER BY starts with the event-time column, which \(column.name) is not\(time)")
        }
        if first.isDescending {
            throw Diagnostic(first.expression.start, "matches are found in ascending order of time")
        }
        return column
    }

    private func furtherOrder() throws(Diagnostic) -> [PatternOrder] {
        var order: [PatternOrder] = []
        for item in match.orderBy.dropFirst() {
            guard case .name(let parts) = item.expression.kind else {
                throw Diagnostic(
                    item.expression.start,
                    "ORDER BY of MATCH_RECOGNIZE takes columns; compute it in a subquery")
            }
            let column = try scope.column(parts)
            guard column.type.isScalar else {
                throw Diagnostic(item.expression.start, "rows cannot be ordered by \(column.type)")
            }
            // NULL is the least value.
            order.append(
                .init(
                    column: column.index, isDescending: item.isDescending,
                    areNullsFirst: item.nullsFirst ?? !item.isDescending))
        }
        return order
    }

    // MARK: PATTERN

    private func boundElements() throws(Diagnostic) -> [PatternElement] {
        var elements: [PatternElement] = []
        var states = 0
        for element in match.pattern {
            let name = element.name
            if elements.contains(where: { $0.name == name.name }) {
                throw Diagnostic(
                    name.position, "the variable \(name.name) stands twice in the pattern; give it two names")
            }
            let quantifier = element.quantifier
            let (least, most) = (quantifier?.least ?? 1, quantifier == nil ? 1 : quantifier?.most)
            if let quantifier, quantifier.isReluctant, least == 0, most == 1 {
                throw Diagnostic(quantifier.position, "the reluctant ?? is not supported; write ?")
            }
            let isOptional = least == 0 && (most ?? 1) == 1
            if let quantifier, isOptional, elements.last?.isGreedyLoop == true {
                throw Diagnostic(
                    quantifier.position,
                    "a variable that may be left out cannot follow a greedy one; "
                        + "make that one reluctant by a ? behind its quantifier")
            }
            states += most ?? least + 1
            elements.append(
                PatternElement(
                    name: name.name, least: least, most: most,
                    isGreedy: quantifier?.isReluctant == false))
        }
        if states > PatternLimits.statesMax {
            throw Diagnostic(
                match.pattern[0].name.position,
                "the pattern has \(states) states; \(PatternLimits.statesMax) is the limit")
        }
        try checkEnds(elements)
        return elements
    }

    private func checkEnds(_ elements: [PatternElement]) throws(Diagnostic) {
        guard let last = elements.last, let place = match.pattern.last?.name.position else { return }
        if elements.allSatisfy({ $0.least == 0 }) {
            throw Diagnostic(
                match.pattern[0].name.position,
                "the pattern would match without a row; one of its variables must take one")
        }
        if last.isGreedyLoop {
            throw Diagnostic(
                place,
                "the last variable cannot be greedy: no row would ever end the match; "
                    + "write a ? behind the quantifier, or a variable for the row that follows")
        }
    }

    private func boundSkip(_ elements: [PatternElement]) throws(Diagnostic) -> PatternSkip {
        let variable = { (name: Identifier) throws(Diagnostic) -> Int in
            let names = elements.map(\.name)
            if let index = names.firstIndex(of: name.name) { return index }
            let near = nearestSpelling(of: name.name, among: names).map { "; did you mean \($0)?" }
            throw Diagnostic(
                name.position, "no pattern variable is called \(name.name)\(near ?? "")")
        }
        switch match.skip {
        case nil, .toNextRow: return .toNextRow
        case .pastLastRow: return .pastLastRow
        case .toFirst(let name):
            let index = try variable(name)
            if index == 0, elements[0].least > 0 { throw endless(name) }
            return .toFirst(variable: index)
        case .toLast(let name):
            let index = try variable(name)
            if index == 0, elements[0].least == 1, elements[0].most == 1 { throw endless(name) }
            return .toLast(variable: index)
        }
    }

    private func endless(_ name: Identifier) -> Diagnostic {
        Diagnostic(
            name.position,
            "the next match would start at \(name.name), where this one has started, and never end; "
                + "skip to a later variable, TO NEXT ROW or PAST LAST ROW")
    }

    private func boundWithin() throws(Diagnostic) -> Int64? {
        guard let within = match.within else { return nil }
        guard case .interval(let milliseconds) = within.kind else {
            throw Diagnostic(within.start, "WITHIN takes an interval such as INTERVAL '10' MINUTE")
        }
        guard 1...SQLLimits.windowMillisecondsMax ~= milliseconds else {
            throw Diagnostic(
                within.start,
                "WITHIN takes an interval above 0 and of at most "
                    + "\(SQLLimits.windowMillisecondsMax / 86_400_000) days")
        }
        return milliseconds
    }

    // MARK: DEFINE and MEASURES

    /// Sets the conditions; returns what they read of the match.
    private func bindConditions(
        _ elements: inout [PatternElement], _ names: PatternScope
    ) -> PatternValues? {
        var binder = ExpressionBinder(scope, .define)
        binder.pattern = names
        var bound: [Int: BoundExpression] = [:]
        var isComplete = true
        for definition in match.definitions {
            let isBound: Void? = session.attempt { () throws(Diagnostic) in
                let index = try names.variable(definition.variable)
                if bound[index] != nil {
                    throw Diagnostic(
                        definition.variable.position, "\(definition.variable.name) is defined twice")
                }
                binder.pattern?.defined = index
                bound[index] = try binder.bindCondition(
                    definition.condition, "the definition of \(definition.variable.name)")
            }
            if isBound == nil { isComplete = false }
            binder.pattern?.enclosing = nil
        }
        guard isComplete, let pattern = binder.pattern else { return nil }
        for (index, condition) in bound {
            elements[index].condition = pattern.placed(condition, from: input.plan.schema.count)
        }
        return pattern.values
    }

    private func bindMeasures(_ names: PatternScope) -> ([OutputColumn], PatternValues)? {
        var binder = ExpressionBinder(scope, .measures)
        binder.pattern = names
        var measures: [OutputColumn] = []
        for measure in match.measures {
            let bound = session.attempt { () throws(Diagnostic) -> BoundExpression in
                let bound = try binder.bind(measure.expression)
                if bound.type == .null {
                    throw Diagnostic(
                        measure.expression.start, "NULL has no type here; write CAST(NULL AS …)")
                }
                return bound
            }
            binder.pattern?.enclosing = nil
            guard let bound else { continue }
            measures.append(
                OutputColumn(
                    name: measure.name.name, expression: bound,
                    isTimeAttribute: bound.plainColumn == PatternScope.matchTime))
        }
        guard measures.count == match.measures.count, let pattern = binder.pattern else { return nil }
        let placed = measures.map { measure in
            OutputColumn(
                name: measure.name, expression: pattern.placed(measure.expression, from: 0),
                isTimeAttribute: measure.isTimeAttribute)
        }
        return (placed, pattern.values)
    }
}
