// Projection push-down: each operator keeps the columns that something above it reads, so that the scan
// names exactly the columns that the decoder has to fill.

import WeirCore

extension LogicalPlan {
    /// The plan with only what its own output columns need.
    func pruned() -> LogicalPlan {
        let all = Set(schema.fields.indices)
        if case .project(let input, let expressions, let schema) = self {
            // The result keeps its names, so its projection is not dissolved.
            let below = input.pruned(to: expressions.columns)
            return below.plan.outputNamed(expressions.map(below.renumber), schema)
        }
        return pruned(to: all).plan
    }

    /// A plan with fewer columns and where the old ones are now.
    private struct Pruned {
        let plan: LogicalPlan
        let place: [Int: Int]

        func renumber(_ expression: BoundExpression) -> BoundExpression {
            expression.renumbered { index in place[index] ?? index }
        }

        func renumber(_ window: WindowSpec) -> WindowSpec {
            window.onColumns { place[$0] ?? $0 }
        }
    }

    /// Keeps at least the columns `needed`.
    private func pruned(to needed: Set<Int>) -> Pruned {
        switch self {
        case .scan(let source, let schema, let timeColumn):
            let kept = needed.sorted()
            let place = Dictionary(uniqueKeysWithValues: kept.enumerated().map { ($1, $0) })
            let plan = LogicalPlan.scan(
                source: source, schema: Schema(kept.map { schema[$0] }),
                timeColumn: timeColumn.flatMap { place[$0] })
            return Pruned(plan: plan, place: place)
        case .filter(let input, let predicate):
            let below = input.pruned(to: needed.union(predicate.columns))
            return Pruned(
                plan: below.plan.filtered(by: below.renumber(predicate)), place: below.place)
        case .project(let input, let expressions, let schema):
            let kept = needed.sorted()
            let below = input.pruned(to: kept.map { expressions[$0] }.columns)
            let plan = below.plan.projected(
                kept.map { below.renumber(expressions[$0]) }, Schema(kept.map { schema[$0] }))
            return Pruned(
                plan: plan,
                place: Dictionary(uniqueKeysWithValues: kept.enumerated().map { ($1, $0) }))
        case .unnest(let input, let spec, let schema):
            let width = input.schema.count
            let below = input.pruned(to: needed.filter { $0 < width }.union([spec.column]))
            var place = below.place
            for offset in 0..<schema.count - width {
                place[width + offset] = below.plan.schema.count + offset
            }
            let moved = spec.onColumn(place[spec.column] ?? spec.column)
            return Pruned(
                plan: below.plan.unnested(moved, adding: Array(schema.fields[width...])),
                place: place)
        case .expand(let input, let spec, let schema):
            let width = input.schema.count
            let below = input.pruned(to: needed.filter { $0 < width }.union(spec.keys.columns))
            var place = below.place
            for offset in 0...spec.keys.count {
                place[width + offset] = below.plan.schema.count + offset
            }
            let names = spec.keys.indices.map { schema[width + $0].name }
            return Pruned(
                plan: below.plan.expanded(spec.mapping(below.renumber), names: names), place: place)
        case .windowAssign(let input, let window, _):
            let width = input.schema.count
            let below = input.pruned(to: needed.filter { $0 < width }.union(window.columns))
            var place = below.place
            for offset in 0..<3 { place[width + offset] = below.plan.schema.count + offset }
            return Pruned(plan: below.plan.windowed(below.renumber(window)), place: place)
        case .lookup(let input, let spec, _): return Self.prunedLookup(input, spec, to: needed)
        case .windowAggregate: return prunedAggregate(to: needed)
        case .union(let inputs, let schema): return Self.prunedUnion(inputs, schema, to: needed)
        case .ordered(.merge(let times), let inputs, let schema):
            let union = Self.prunedUnion(inputs, schema, to: needed.union(times))
            let plan = LogicalPlan.ordered(
                .merge(times: times.map { union.place[$0] ?? $0 }), inputs: union.plan.inputs,
                schema: union.plan.schema)
            return Pruned(plan: plan, place: union.place)
        case .ordered(let stage, let inputs, let schema):
            let read = stage.columnsRead(of: inputs, needed: needed)
            let below = zip(inputs, read).map { $0.pruned(to: $1) }
            let result = stage.pruned(
                inputs: below.map(\.plan), schema: schema, places: below.map(\.place),
                needed: needed)
            let plan = LogicalPlan.ordered(
                result.stage, inputs: below.map(\.plan), schema: result.schema)
            return Pruned(plan: plan, place: result.place)
        }
    }

    private static func prunedLookup(
        _ input: LogicalPlan, _ spec: LookupSpec, to needed: Set<Int>
    ) -> Pruned {
        let width = input.schema.count
        let below = input.pruned(
            to: needed.filter { $0 < width }.union(spec.condition.columns(of: 0)))
        let kept = spec.columnsRead(needed: needed, leftWidth: width).sorted()
        let places = Dictionary(uniqueKeysWithValues: kept.enumerated().map { ($1, $0) })
        let leftWidth = below.plan.schema.count
        let pruned = LookupSpec(
            table: spec.table, columns: Schema(kept.map { spec.columns[$0] }), kind: spec.kind,
            condition: spec.condition.moved([below.place, places], leftWidth: leftWidth),
            isVersioned: spec.isVersioned)
        var place = below.place
        if !spec.kind.isOneSided {
            for column in kept { place[width + column] = leftWidth + (places[column] ?? 0) }
        }
        return Pruned(plan: below.plan.lookedUp(pruned), place: place)
    }

    /// All inputs keep the same columns, in the same order.
    private static func prunedUnion(
        _ inputs: [LogicalPlan], _ schema: Schema, to needed: Set<Int>
    ) -> Pruned {
        // A row without columns would lose the count of rows.
        let kept = (needed.isEmpty && schema.count > 0 ? [0] : needed).sorted()
        let fields = Schema(kept.map { schema[$0] })
        let below = inputs.map { input -> LogicalPlan in
            let pruned = input.pruned(to: Set(kept))
            let expressions = kept.map {
                BoundExpression.column(index: pruned.place[$0] ?? $0, type: schema[$0].type)
            }
            return pruned.plan.projected(expressions, fields)
        }
        return Pruned(
            plan: .union(below, schema: fields),
            place: Dictionary(uniqueKeysWithValues: kept.enumerated().map { ($1, $0) }))
    }

    /// Drops aggregates that nothing reads; keys stay, since they make the groups.
    private func prunedAggregate(to needed: Set<Int>) -> Pruned {
        guard
            case .windowAggregate(let input, let window, let keys, let aggregates, let schema) =
                self
        else {
            preconditionFailure("not an aggregate")
        }
        let first = keys.count + 3
        let kept = aggregates.indices.filter { needed.contains(first + $0) }
        let read = kept.reduce(keys.columns.union(window.columns)) {
            $0.union(aggregates[$1].columns)
        }
        let below = input.pruned(to: read)
        let plan = below.plan.aggregated(
            below.renumber(window), keys: keys.map(below.renumber),
            keyNames: keys.indices.map { schema[$0].name },
            aggregates: kept.map { aggregates[$0].mapping(below.renumber) })
        var place = Dictionary(uniqueKeysWithValues: (0..<first).map { ($0, $0) })
        for (offset, index) in kept.enumerated() { place[first + index] = first + offset }
        return Pruned(plan: plan, place: place)
    }
}

extension [BoundExpression] {
    /// The columns that any of them reads.
    fileprivate var columns: Set<Int> { reduce(into: []) { $0.formUnion($1.columns) } }
}
