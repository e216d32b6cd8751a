// A plan rebuilt with other windows and other expressions in the same places: how what a configuration says
// beside the text of a query comes into its plan.

import WeirCore

extension LogicalPlan {
    /// The plan with every window and every expression replaced; `windows` gets the window and the columns
    /// it is formed over.
    func mapping(
        windows change: (WindowSpec, Schema) -> WindowSpec,
        expressions replace: (BoundExpression) -> BoundExpression
    ) -> LogicalPlan {
        let below = inputs.map { $0.mapping(windows: change, expressions: replace) }
        switch self {
        case .scan: return self
        case .filter(_, let predicate):
            return .filter(below[0], predicate: replace(predicate))
        case .project(_, let expressions, let schema):
            return .project(below[0], expressions: expressions.map(replace), schema: schema)
        case .unnest(_, let spec, let schema):
            return .unnest(below[0], spec, schema: schema)
        case .expand(_, let spec, let schema):
            return .expand(below[0], spec.mapping(replace), schema: schema)
        case .windowAssign(let input, let window, let schema):
            return .windowAssign(below[0], window: change(window, input.schema), schema: schema)
        case .windowAggregate(let input, let window, let keys, let aggregates, let schema):
            return .windowAggregate(
                below[0], window: change(window, input.schema), keys: keys.map(replace),
                aggregates: aggregates.map { $0.mapping(replace) }, schema: schema)
        case .lookup(_, let spec, let schema):
            let mapped = LookupSpec(
                table: spec.table, columns: spec.columns, kind: spec.kind,
                condition: spec.condition.mapping(replace), isVersioned: spec.isVersioned)
            return .lookup(below[0], mapped, schema: schema)
        case .union(_, let schema):
            return .union(below, schema: schema)
        case .ordered(let stage, let inputs, let schema):
            return .ordered(
                stage.mapping(replace) { change($0, inputs[0].schema) }, inputs: below, schema: schema)
        }
    }
}

extension OrderedStage {
    /// The operator with all its expressions and its window replaced.
    fileprivate func mapping(
        _ replace: (BoundExpression) -> BoundExpression, _ change: (WindowSpec) -> WindowSpec
    ) -> OrderedStage {
        switch self {
        case .sort, .merge: self
        case .match(let pattern): .match(pattern.mapping(replace))
        case .join(let spec):
            .join(
                JoinSpec(
                    kind: spec.kind, condition: spec.condition.mapping(replace),
                    leftTime: spec.leftTime, rightTime: spec.rightTime, lower: spec.lower,
                    upper: spec.upper, comparesClocks: spec.comparesClocks,
                    stateTTLMilliseconds: spec.stateTTLMilliseconds))
        case .temporalJoin(let spec):
            .temporalJoin(
                TemporalJoinSpec(
                    isOuter: spec.isOuter, condition: spec.condition.mapping(replace),
                    leftTime: spec.leftTime, rightTime: spec.rightTime))
        case .sessions(let window): .sessions(change(window))
        case .over(let spec):
            .over(
                OverSpec(
                    time: spec.time, partition: spec.partition.map(replace), frame: spec.frame,
                    calls: spec.calls.map { $0.mapping(replace) }, stateTTL: spec.stateTTL))
        case .rank(let spec):
            .rank(
                RankSpec(
                    time: spec.time, partition: spec.partition.map(replace),
                    order: spec.order.map { $0.mapping(replace) }, isLatestFirst: spec.isLatestFirst,
                    first: spec.first, last: spec.last, hasNumber: spec.hasNumber))
        case .orderBy(let spec): .orderBy(spec.mapping(expressions: replace))
        }
    }
}

extension OrderKey {
    /// The key over another expression.
    func mapping(_ replace: (BoundExpression) -> BoundExpression) -> OrderKey {
        OrderKey(replace(expression), isDescending: isDescending, areNullsFirst: areNullsFirst)
    }
}

extension JoinCondition {
    fileprivate func mapping(_ replace: (BoundExpression) -> BoundExpression) -> JoinCondition {
        JoinCondition(
            keys: keys.map {
                Key(left: replace($0.left), right: replace($0.right), matchesNull: $0.matchesNull)
            }, residual: residual.map(replace), leftWidth: leftWidth)
    }
}

extension PatternSpec {
    fileprivate func mapping(_ replace: (BoundExpression) -> BoundExpression) -> PatternSpec {
        var result = self
        for index in elements.indices {
            result.elements[index].condition = elements[index].condition.map(replace)
        }
        result.defineValues = defineValues.mapping(replace)
        result.measureValues = measureValues.mapping(replace)
        result.measures = measures.map(replace)
        return result
    }
}

extension PatternValues {
    fileprivate func mapping(_ replace: (BoundExpression) -> BoundExpression) -> PatternValues {
        var result = self
        for index in aggregates.indices {
            result.aggregates[index].call = aggregates[index].call.mapping(replace)
        }
        return result
    }
}
