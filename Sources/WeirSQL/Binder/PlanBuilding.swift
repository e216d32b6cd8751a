// Makes plan nodes in a normal form, so that queries which say the same in other words (a view or the
// view's text, one WHERE or two) give the same plan, and with it the same fingerprint and state:
//
//   - two filters are one; a filter lies below projections of plain columns, below UNNEST and below
//     window assignment, as far as it does not read what these add
//   - projections on top of each other are one, where no expression would be repeated; a projection of
//     plain columns lies above UNNEST and window assignment and is dissolved by an aggregate
//   - a projection that changes nothing is left out
//
// Always true: a function here returns a plan with the columns that the plain node would have, in
// number, order and type. Names inside a plan mean nothing; `outputNamed` gives the result its names.

import WeirCore

extension LogicalPlan {
    /// Rows of `self` for which `predicate` is true.
    func filtered(by predicate: BoundExpression) -> LogicalPlan {
        switch self {
        case .filter(let input, let first):
            let all = first.conjuncts + predicate.conjuncts
            return BoundExpression.conjunction(all).map { .filter(input, predicate: $0) } ?? self
        case .project(let input, let expressions, let schema):
            guard predicate.columns.allSatisfy({ expressions[$0].plainColumn != nil }) else {
                break
            }
            return input.filtered(by: predicate.replacingColumns { expressions[$0] })
                .projected(expressions, schema)
        case .unnest(let input, let spec, let schema):
            return split(predicate, below: input) { .unnest($0, spec, schema: schema) }
        case .lookup(let input, let spec, let schema):
            return split(predicate, below: input) { .lookup($0, spec, schema: schema) }
        case .expand(let input, let spec, let schema):
            return split(predicate, below: input) { .expand($0, spec, schema: schema) }
        case .windowAssign(let input, let window, let schema):
            return split(predicate, below: input) {
                .windowAssign($0, window: window, schema: schema)
            }
        case .union(let inputs, let schema):
            return .union(inputs.map { $0.filtered(by: predicate) }, schema: schema)
        case .ordered(.rank(let spec), let inputs, let schema):
            let (narrowed, others) = spec.narrowed(
                by: predicate.conjuncts, number: inputs[0].schema.count)
            if others.count == predicate.conjuncts.count { break }
            let node = LogicalPlan.ordered(.rank(narrowed), inputs: inputs, schema: schema)
            return BoundExpression.conjunction(others).map { .filter(node, predicate: $0) } ?? node
        case .scan, .windowAggregate, .ordered: break
        }
        return .filter(
            self, predicate: BoundExpression.conjunction(predicate.conjuncts) ?? predicate)
    }

    /// Puts the conditions that read only columns of `input` below the node that `rebuild` makes.
    private func split(
        _ predicate: BoundExpression, below input: LogicalPlan,
        _ rebuild: (LogicalPlan) -> LogicalPlan
    ) -> LogicalPlan {
        let width = input.schema.count
        let (below, above) = predicate.conjuncts.parted { $0.columns.allSatisfy { $0 < width } }
        let lower = BoundExpression.conjunction(below).map { input.filtered(by: $0) } ?? input
        let node = rebuild(lower)
        return BoundExpression.conjunction(above).map { .filter(node, predicate: $0) } ?? node
    }

    /// One column an expression.
    func projected(_ expressions: [BoundExpression], _ schema: Schema) -> LogicalPlan {
        if case .project(let input, let inner, _) = self {
            let innerIsPlain = inner.allSatisfy { $0.plainColumn != nil }
            if innerIsPlain || expressions.allSatisfy({ $0.plainColumn != nil }) {
                return input.projected(
                    expressions.map { $0.replacingColumns { inner[$0] } }, schema)
            }
        }
        if case .union(let inputs, _) = self {
            return .union(inputs.map { $0.projected(expressions, schema) }, schema: schema)
        }
        return isIdentity(expressions)
            ? self : .project(self, expressions: expressions, schema: schema)
    }

    private func isIdentity(_ expressions: [BoundExpression]) -> Bool {
        expressions.count == schema.count
            && expressions.enumerated().allSatisfy { index, expression in
                expression.plainColumn == index
            }
    }

    /// The result of a query: one column an expression, with the names of `schema`.
    func outputNamed(_ expressions: [BoundExpression], _ schema: Schema) -> LogicalPlan {
        let plan = projected(expressions, schema)
        if case .project(let input, let composed, _) = plan {
            return .project(input, expressions: composed, schema: schema)
        }
        if plan.schema == schema { return plan }
        let all = schema.fields.indices.map {
            BoundExpression.column(index: $0, type: schema[$0].type)
        }
        return .project(plan, expressions: all, schema: schema)
    }

    /// One row an element of an array column; `added` are the element and perhaps its place, last.
    func unnested(_ spec: UnnestSpec, adding added: [Field]) -> LogicalPlan {
        if case .project(let input, let expressions, let schema) = self,
            expressions.allSatisfy({ $0.plainColumn != nil }),
            let inner = expressions[spec.column].plainColumn
        {
            let columns = added.enumerated().map { offset, field in
                BoundExpression.column(index: input.schema.count + offset, type: field.type)
            }
            return input.unnested(spec.onColumn(inner), adding: added)
                .projected(expressions + columns, Schema(schema.fields + added))
        }
        return .unnest(self, spec, schema: Schema(schema.fields + added))
    }

    /// Each row once a grouping set: the keys of `spec`, under `names`, and the set's number are added.
    func expanded(_ spec: ExpandSpec, names: [String]) -> LogicalPlan {
        let added =
            zip(names, spec.keys).map { Field($0, $1.type) } + [Field("grouping set", .int)]
        if case .project(let input, let expressions, let schema) = self,
            expressions.allSatisfy({ $0.plainColumn != nil })
        {
            let columns = added.enumerated().map { offset, field in
                BoundExpression.column(index: input.schema.count + offset, type: field.type)
            }
            let moved = spec.mapping { key in key.replacingColumns { expressions[$0] } }
            return input.expanded(moved, names: names)
                .projected(expressions + columns, Schema(schema.fields + added))
        }
        return .expand(self, spec, schema: Schema(schema.fields + added))
    }

    /// Each row once a window it falls in; window_start, window_end and window_time are added.
    func windowed(_ window: WindowSpec) -> LogicalPlan {
        let added = windowFields(timeType: window.timeType(over: schema))
        if case .project(let input, let expressions, let schema) = self,
            expressions.allSatisfy({ $0.plainColumn != nil })
        {
            let windows = added.enumerated().map { offset, field in
                BoundExpression.column(index: input.schema.count + offset, type: field.type)
            }
            return input.windowed(window.onColumns { expressions[$0].plainColumn ?? $0 })
                .projected(expressions + windows, Schema(schema.fields + added))
        }
        let fields = Schema(schema.fields + added)
        // When a session ends is known only when time has passed it.
        if case .session = window.shape {
            return .ordered(.sessions(window), inputs: [self], schema: fields)
        }
        return .windowAssign(self, window: window, schema: fields)
    }

    /// Grouping by window and keys; `keyNames` name the key columns.
    func aggregated(
        _ window: WindowSpec, keys: [BoundExpression], keyNames: [String],
        aggregates: [AggregateCall]
    ) -> LogicalPlan {
        if case .project(let input, let expressions, _) = self,
            expressions.allSatisfy({ $0.plainColumn != nil })
        {
            let through = { (expression: BoundExpression) in
                expression.replacingColumns { expressions[$0] }
            }
            return input.aggregated(
                window.onColumns { expressions[$0].plainColumn ?? $0 }, keys: keys.map(through),
                keyNames: keyNames,
                aggregates: aggregates.map { $0.mapping(through) })
        }
        let names = schema.fields.map(\.name)
        let fields =
            zip(keyNames, keys).map { Field($0, $1.type) }
            + windowFields(timeType: window.timeType(over: schema))
            + aggregates.map { Field(PlanText.aggregate($0) { PlanText.name(names, $0) }, $0.type) }
        return .windowAggregate(
            self, window: window, keys: keys, aggregates: aggregates, schema: Schema(fields))
    }

    /// How many operators lie above each other.
    var height: Int { 1 + (inputs.map(\.height).max() ?? 0) }
}

/// The columns that a window adds.
private func windowFields(timeType: DataType) -> [Field] {
    [
        Field("window_start", .timestamp), Field("window_end", .timestamp),
        Field("window_time", timeType),
    ]
}

extension AggregateCall {
    /// The call with its argument and filter replaced.
    func mapping(_ replacement: (BoundExpression) -> BoundExpression) -> AggregateCall {
        AggregateCall(
            function: function, arguments: arguments.map(replacement), parameters: parameters,
            filter: filter.map(replacement), isDistinct: isDistinct, type: type)
    }

    /// The columns it reads.
    var columns: Set<Int> {
        arguments.reduce(into: filter?.columns ?? []) { $0.formUnion($1.columns) }
    }
}

extension Array {
    /// The elements that satisfy `condition`, and the others, each in order.
    func parted(_ condition: (Element) -> Bool) -> (true: [Element], false: [Element]) {
        (filter(condition), filter { !condition($0) })
    }
}
