// Joins with tables of files, made from the parts of their condition.

import WeirCore

extension Relation {
    /// The relation beside the rows of `table` that match.
    func lookingUp(_ table: Relation, _ parts: JoinParts, _ kind: LookupSpec.Kind) -> Relation {
        let keepsAll = kind == .left || kind == .anti
        let reads = parts.keys.map(\.left) + parts.rest + (keepsAll ? parts.ofLeft : [])
        if window != nil, reads.contains(where: { $0.columns.contains { $0 < 0 } }) {
            return assigningWindow().lookingUp(table, parts.assigningWindow(in: self), kind)
        }
        var result = self
        var rest = parts.rest + parts.ofRight.map { $0.shifted(by: plan.schema.count) }
        for condition in parts.ofLeft {
            if keepsAll { rest.append(condition) } else { result.filter(condition) }
        }
        let width = plan.schema.count
        let spec = LookupSpec(
            table: table.lookupTable ?? "", columns: table.plan.schema, kind: kind,
            condition: JoinCondition(
                keys: parts.keys, residual: BoundExpression.conjunction(rest), leftWidth: width))
        if !kind.isOneSided {
            result.columns += table.columns.map { column in
                var column = column
                column.index += width
                return column
            }
        }
        result.plan = result.plan.lookedUp(spec)
        return result
    }
}

extension LogicalPlan {
    /// The rows of `self` looked up in a table.
    func lookedUp(_ spec: LookupSpec) -> LogicalPlan {
        let fields = schema.fields + (spec.kind.isOneSided ? [] : spec.columns.fields)
        return .lookup(self, spec, schema: Schema(fields))
    }
}
