// CROSS JOIN UNNEST: a row once an element of an array that it holds or that is computed from it.

import WeirCore

extension Relation {
    /// The relation with a column more, one row an element of `array`.
    func unnesting(
        _ array: ExpressionSyntax, hasOrdinality: Bool, as table: TableSyntax, _ join: JoinSyntax
    ) throws(Diagnostic) -> Relation {
        guard join.kind == .cross || join.kind == .comma else {
            throw Diagnostic(
                join.position,
                "\(join.kind.rawValue) UNNEST is not supported yet; CROSS JOIN UNNEST is")
        }
        if hasOrdinality {
            throw Diagnostic(table.position, "WITH ORDINALITY is not supported yet; leave it out")
        }
        var binder = ExpressionBinder(Scope(self), .select)
        let bound = try binder.bind(array)
        guard case .array(let type) = bound.type else {
            throw Diagnostic(array.position, "UNNEST takes an array; this is \(bound.type)")
        }
        if table.columnAliases.count > 1 {
            throw Diagnostic(
                table.columnAliases[1].position,
                "UNNEST of ARRAY<\(type)> gives one column; \(table.columnAliases.count) are named")
        }
        // Without a column list the alias names the element, as in Calcite.
        let name = table.columnAliases.first?.name ?? table.alias?.name ?? "EXPR$0"
        var relation = self
        var column = bound.plainColumn ?? -1
        if column < 0 {
            relation = bound.columns.contains { $0 < 0 } ? assigningWindow() : self
            if relation.window == nil, window != nil {
                binder = ExpressionBinder(Scope(relation), .select)
            }
            column = relation.plan.schema.count
            relation.append(try binder.bind(array), "array")
        }
        relation.plan = relation.plan.unnested(column, element: Field(name, type))
        relation.columns.append(
            ScopeColumn(
                table: table.alias?.name, name: name, index: relation.plan.schema.count - 1,
                type: type, isTimeAttribute: false))
        return relation
    }

    /// Adds a computed column that no name means.
    private mutating func append(_ expression: BoundExpression, _ name: String) {
        let all = plan.schema.fields.enumerated().map {
            BoundExpression.column(index: $0, type: $1.type)
        }
        plan = plan.projected(
            all + [expression], Schema(plan.schema.fields + [Field(name, expression.type)]))
    }
}
