// Joins with UNNEST: a row once an element of an array that it holds or that is computed from it.

import WeirCore

extension Relation {
    /// One row an element of `array`, which is a column more, and perhaps its place another.
    func unnesting(
        _ array: ExpressionSyntax, hasOrdinality: Bool, as table: TableSyntax, _ join: JoinSyntax
    ) throws(Diagnostic) -> Relation {
        guard join.kind == .cross || join.kind == .comma || join.kind == .left else {
            throw Diagnostic(
                join.position,
                "\(join.kind.rawValue) UNNEST: an array's elements come out beside its row only; use "
                    + "CROSS JOIN UNNEST or LEFT JOIN UNNEST … ON TRUE")
        }
        if join.kind == .left {
            guard case .boolean(true)? = join.condition?.kind else {
                throw Diagnostic(
                    join.condition?.start ?? join.position,
                    "LEFT JOIN UNNEST is joined ON TRUE; conditions go into WHERE")
            }
        }
        var binder = ExpressionBinder(Scope(self), .select)
        let bound = try binder.bind(array)
        guard case .array(let type) = bound.type else {
            throw Diagnostic(array.position, "UNNEST takes an array; this is \(bound.type)")
        }
        let countMax = hasOrdinality ? 2 : 1
        if table.columnAliases.count > countMax {
            throw Diagnostic(
                table.columnAliases[countMax].position,
                "UNNEST of ARRAY<\(type)> gives \(hasOrdinality ? "two columns" : "one column"); "
                    + "\(table.columnAliases.count) are named")
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
        var added = [Field(name, type)]
        if hasOrdinality {
            added.append(
                Field(
                    table.columnAliases.count > 1 ? table.columnAliases[1].name : "ORDINALITY", .int)
            )
        }
        let spec = UnnestSpec(
            column: column, keepsEmpty: join.kind == .left, hasOrdinality: hasOrdinality)
        let width = relation.plan.schema.count
        relation.plan = relation.plan.unnested(spec, adding: added)
        for (offset, field) in added.enumerated() {
            relation.columns.append(
                ScopeColumn(
                    table: table.alias?.name, name: field.name, index: width + offset,
                    type: field.type, isTimeAttribute: false))
        }
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
