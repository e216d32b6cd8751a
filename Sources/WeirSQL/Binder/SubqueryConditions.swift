// IN (SELECT …) and EXISTS (SELECT …) as conditions of WHERE: joins that let a row through, or keep it
// back, by whether the other side has a match for it.
//
// The subquery's WHERE may name columns of the query around it; what these conditions say must bound
// the join as an ON would. NOT IN follows SQL to the letter: a NULL on either side may be equal, so it
// keeps the row back.

import WeirCore

/// A test of a row by a subquery.
struct SubqueryTest {
    let query: QuerySyntax
    /// What is looked for with IN; nil for EXISTS.
    let value: ExpressionSyntax?
    let isNegated: Bool
    let position: TextPosition
}

extension ExpressionSyntax {
    /// The operands of an AND as written, or the expression itself.
    var conjuncts: [ExpressionSyntax] {
        if case .chain(.and, let operands) = kind { operands.flatMap(\.conjuncts) } else { [self] }
    }

    /// The test by a subquery that this condition is, if it is nothing else.
    var subqueryTest: SubqueryTest? {
        switch kind {
        case .exists(let query):
            SubqueryTest(query: query, value: nil, isNegated: false, position: position)
        case .inQuery(let value, let query, let isNegated):
            SubqueryTest(query: query, value: value, isNegated: isNegated, position: position)
        case .not(let operand):
            operand.subqueryTest.map {
                SubqueryTest(
                    query: $0.query, value: $0.value, isNegated: !$0.isNegated, position: $0.position)
            }
        default: nil
        }
    }
}

/// Binds tests by subqueries over what a query reads.
struct SubqueryBinder {
    let session: BindingSession
    let tables: BindingSession.CommonTables

    /// The rows of `outer` that pass `test`.
    func bind(_ test: SubqueryTest, over outer: Relation) -> Relation? {
        guard let inner = innerQuery(of: test) else { return nil }
        return session.attempt { () throws(Diagnostic) in
            let isLookup = inner.relation.lookupTable != nil
            let left = isLookup ? outer : outer.assigningWindow()
            let right = inner.relation.assigningWindow()
            let width = left.plan.schema.count
            var shifted = right
            shifted.columns = Array(left.beside(right).columns.suffix(right.columns.count))
            var parts = JoinParts(left.columns, shifted.columns, leftWidth: width)
            var binder = ExpressionBinder(Scope(shifted, around: Scope(left)), .filter)
            for condition in inner.conditions {
                parts.add(try binder.bindCondition(condition, "WHERE"))
            }
            if let value = test.value {
                let item = try inner.item(of: shifted, &binder, at: test.position)
                var valueBinder = ExpressionBinder(Scope(left), .filter)
                let isEqual = try binder.apply(
                    .equal, [try valueBinder.bind(value), item], nil, at: test.position)
                parts.add(
                    test.isNegated
                        ? .call(.isNotFalse, arguments: [isEqual], type: .boolean) : isEqual)
            }
            if isLookup { return left.lookingUp(right, parts, test.isNegated ? .anti : .semi, isVersioned: false) }
            return try JoinBinder(session: session, tables: tables).streamJoin(
                left, right, parts, test.isNegated ? .anti : .semi, at: test.position)
        }
    }

    /// A subquery, bound but for the conditions that may name columns around it.
    private struct InnerQuery {
        let relation: Relation
        let conditions: [ExpressionSyntax]
        /// The one item of its SELECT list; nil where the relation has just that column.
        let item: ExpressionSyntax?

        func item(
            of relation: Relation, _ binder: inout ExpressionBinder, at position: TextPosition
        ) throws(Diagnostic) -> BoundExpression {
            if let item { return try binder.bind(item) }
            guard relation.columns.count == 1 else {
                throw Diagnostic(
                    position,
                    "the subquery after IN gives \(relation.columns.count) columns; it must give one")
            }
            return relation.columns[0].expression
        }
    }

    private func innerQuery(of test: SubqueryTest) -> InnerQuery? {
        guard case .select(let select) = test.query.body, test.query.with.isEmpty,
            test.query.ordering == nil, select.groupBy == nil, select.having == nil,
            select.qualify == nil, let from = select.from
        else {
            // A query of its own, which names nothing around it.
            return session.bindQuery(test.query, tables).map {
                InnerQuery(relation: $0, conditions: [], item: nil)
            }
        }
        var conditions = select.filter?.conjuncts ?? []
        let relation = JoinBinder(session: session, tables: tables)
            .bind(from, where: &conditions)
        guard let relation else { return nil }
        var item: ExpressionSyntax?
        if select.items.count == 1, case .expression(let expression, _) = select.items[0] {
            item = expression
        } else if test.value != nil, select.items.count > 1 {
            session.report(
                Diagnostic(
                    test.position,
                    "the subquery after IN gives \(select.items.count) columns; it must give one"))
            return nil
        }
        return InnerQuery(relation: relation, conditions: conditions, item: item)
    }
}
