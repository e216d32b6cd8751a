// Joins with tables of files.
//
// Flink has two ways to write one. FOR SYSTEM_TIME AS OF the left side's event time needs an equality for
// each column of the table's key and keeps what the left side is: a stream with event time. Without it the
// join is one of two streams to Flink, whose result has no event time and changes when it is an outer one.
// weir computes both in the same way, since all rows of a table are there when an event comes;
// `weir check --portable` tells the difference (`LookupSpec.isVersioned`).

import WeirCore

extension JoinBinder {
    /// The join of `left` with a table of a file.
    func lookupJoin(
        _ left: Relation, _ right: Relation, _ parts: JoinParts, _ join: JoinSyntax,
        asOf: ExpressionSyntax?
    ) throws(Diagnostic) -> Relation {
        if let table = left.lookupTable?.name {
            throw Diagnostic(
                join.position,
                "the table \(table) has no events of its own; put it on the right side of the join")
        }
        guard let table = right.lookupTable else { preconditionFailure("one side is a table") }
        guard join.kind.isInner || join.kind == .left else {
            throw Diagnostic(
                join.position,
                "\(join.kind.rawValue) with the table \(table.name): rows of the table come out beside "
                    + "events only; use JOIN or LEFT JOIN")
        }
        if let asOf {
            try checkTime(asOf, left)
            let equal = Set(parts.keys.compactMap(\.right.plainColumn))
            let free = table.key.filter { name in
                guard let place = table.schema.index(of: name) else { return true }
                return !equal.contains(place)
            }
            if let name = free.first {
                throw Diagnostic(
                    join.position,
                    "a join FOR SYSTEM_TIME AS OF with the table \(table.name) needs an equality for each "
                        + "column of its key (\(table.key.joined(separator: ", "))), of its own type; "
                        + "\(name) has none")
            }
        }
        guard !parts.keys.isEmpty else {
            throw Diagnostic(
                join.position,
                "a join with the table \(table.name) needs an equality such as a.key = "
                    + "\(table.name).\(table.key.first ?? "key"): each event would meet each row")
        }
        return left.lookingUp(right, parts, join.kind == .left ? .left : .inner, isVersioned: asOf != nil)
    }

    private func checkTime(_ asOf: ExpressionSyntax, _ left: Relation) throws(Diagnostic) {
        if case .call(let call) = asOf.kind, call.name.name.uppercased() == "PROCTIME" {
            throw Diagnostic(
                asOf.position,
                "there is no processing time: name the event time of the left side"
                    + (left.timeAttribute.map { ", \($0.shown)" } ?? ""))
        }
        var binder = ExpressionBinder(Scope(left), .on)
        let time = try binder.bind(asOf)
        guard left.columns.contains(where: { $0.isTimeAttribute && $0.index == time.plainColumn })
        else {
            let advice =
                left.timeAttribute.map { "; here it is \($0.shown)" }
                ?? ", and this one has none: leave FOR SYSTEM_TIME AS OF out"
            throw Diagnostic(
                asOf.position, "FOR SYSTEM_TIME AS OF takes the event time of the left side\(advice)")
        }
    }
}

extension Relation {
    /// The relation beside the rows of `table` that match.
    func lookingUp(
        _ table: Relation, _ parts: JoinParts, _ kind: LookupSpec.Kind, isVersioned: Bool
    ) -> Relation {
        let keepsAll = kind == .left || kind == .anti
        let reads = parts.keys.map(\.left) + parts.rest + (keepsAll ? parts.ofLeft : [])
        if window != nil, reads.contains(where: { $0.columns.contains { $0 < 0 } }) {
            return assigningWindow().lookingUp(
                table, parts.assigningWindow(in: self), kind, isVersioned: isVersioned)
        }
        var result = self
        var rest = parts.rest + parts.ofRight.map { $0.shifted(by: plan.schema.count) }
        for condition in parts.ofLeft {
            if keepsAll { rest.append(condition) } else { result.filter(condition) }
        }
        let width = plan.schema.count
        let spec = LookupSpec(
            table: table.lookupTable?.name ?? "", columns: table.plan.schema, kind: kind,
            condition: JoinCondition(
                keys: parts.keys, residual: BoundExpression.conjunction(rest), leftWidth: width),
            isVersioned: isVersioned)
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
