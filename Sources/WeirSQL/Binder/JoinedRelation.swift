// Relations of two inputs: the columns of the left one, then those of the right one; which of them are
// event times and columns of windows afterwards; and USING, which makes one column of two.

import WeirCore

extension Relation {
    /// The columns of both sides, the right one's numbered behind all of the left one's; the plan is
    /// still the left one's.
    func beside(_ right: Relation) -> Relation {
        var result = self
        result.columns += right.columns.map { column in
            var column = column
            column.index += plan.schema.count
            return column
        }
        result.isAggregated = isAggregated || right.isAggregated
        result.isWindowed = isWindowed || right.isWindowed
        return result
    }

    /// Makes the columns `indices` the event times, and no others.
    mutating func setTimes(_ indices: [Int]) {
        for place in columns.indices {
            columns[place].isTimeAttribute = indices.contains(columns[place].index)
        }
    }

    /// Lets columns from `index` on no longer be columns of a window: an outer join makes them NULL.
    mutating func forgetWindows(from index: Int) {
        for place in columns.indices where columns[place].index >= index {
            columns[place].windowColumn = nil
        }
    }

    /// As `forgetWindows(from:)`, for the columns before `index`.
    mutating func forgetWindows(to index: Int) {
        for place in columns.indices where columns[place].index < index {
            columns[place].windowColumn = nil
        }
    }

    /// The number of the event-time column that `column` is, or that belongs to this end of a window.
    mutating func exposeTime(_ column: Int) -> Int {
        let named = columns.first { $0.index == column }
        return named?.windowColumn == .end ? exposeWindowTime(of: column) : column
    }

    /// The number of the column with the last instant of the window that ends at column `end`: its
    /// window_time, taken up from below if no name is left for it, or else computed, behind all others.
    mutating func exposeWindowTime(of end: Int) -> Int {
        if let named = columns.first(where: { $0.windowColumn == .time && $0.index >= 0 }) {
            return named.index
        }
        if let exposed = plan.exposing(.ofWindow(end: end)) {
            plan = exposed.plan
            return exposed.column
        }
        let type = plan.schema[end].type
        var expressions = plan.schema.fields.enumerated().map {
            BoundExpression.column(index: $0, type: $1.type)
        }
        expressions.append(
            .call(
                .subtract,
                arguments: [
                    .column(index: end, type: type), .literal(.integer(1), type: .interval),
                ], type: type))
        plan = plan.projected(
            expressions, Schema(plan.schema.fields + [Field(WindowColumn.time.name, type)]))
        return expressions.count - 1
    }

    /// The relation of a join with USING: each of its columns once, first, and then the others.
    func merging(
        _ names: [Identifier], _ kind: JoinSyntax.Kind, _ left: Relation, _ right: Relation
    ) throws(Diagnostic) -> Relation {
        if names.isEmpty { return self }
        let find = { (name: Identifier, relation: Relation) throws(Diagnostic) -> Int in
            let column = try Scope(relation).column([name])
            return relation.columns.firstIndex { $0.index == column.index } ?? 0
        }
        var places: [Int] = []
        var gone: Set<Int> = []
        for name in names {
            let one = try find(name, left)
            let other = try find(name, right) + left.columns.count
            guard kind != .full else {
                throw Diagnostic(
                    name.position,
                    "FULL JOIN with USING is not supported; write ON and COALESCE(a.\(name.name), "
                        + "b.\(name.name))")
            }
            places.append(kind == .right ? other : one)
            gone.formUnion([one, other])
        }
        var result = self
        places += columns.indices.filter { !gone.contains($0) }
        result.columns = places.map { columns[$0] }
        return result
    }
}

extension ScopeColumn {
    /// The column with its table, as SQL writes it.
    var shown: String { table.map { "\($0).\(name)" } ?? name }
}

extension BoundExpression {
    /// The expression over columns that lie `distance` further right.
    func shifted(by distance: Int) -> BoundExpression { renumbered { $0 + distance } }
}

/// An event time that a plan has below, whether a name is left for it or not.
enum HiddenTime {
    /// That of its rows.
    case ofRows
    /// The window_time that belongs to the window_end in this column.
    case ofWindow(end: Int)
}

extension LogicalPlan {
    /// The plan with `time`, in a column that it has already or that becomes the last one; nil where
    /// it is not known any more.
    func exposing(_ time: HiddenTime) -> (plan: LogicalPlan, column: Int)? {
        switch self {
        case .scan(_, _, let timeColumn):
            if case .ofRows = time { return timeColumn.map { (self, $0) } }
            return nil
        case .windowAssign(let input, _, _):
            return ownWindowTime(time, end: input.schema.count + 1)
        case .windowAggregate(_, _, let keys, _, _):
            return ownWindowTime(time, end: keys.count + 1)
        case .filter(let input, let predicate):
            return input.exposing(time).map { below in
                (below.plan.filtered(by: predicate), below.column)
            }
        case .project(let input, let expressions, let schema):
            var below = time
            if case .ofWindow(let end) = time {
                guard let inner = expressions[end].plainColumn else { return nil }
                below = .ofWindow(end: inner)
            }
            guard let found = input.exposing(below) else { return nil }
            let field = found.plan.schema[found.column]
            let column = BoundExpression.column(index: found.column, type: field.type)
            if let place = expressions.firstIndex(of: column) { return (self, place) }
            return (
                .project(
                    found.plan, expressions: expressions + [column],
                    schema: Schema(schema.fields + [field])), expressions.count
            )
        case .unnest(let input, _, _), .expand(let input, _, _):
            // A column more would lie where the element is.
            return input.exposing(time).flatMap { $0.plan == input ? (self, $0.column) : nil }
        case .ordered(.sort(let column), _, _):
            if case .ofRows = time { return (self, column) }
            return nil
        case .ordered(.join(let spec), let inputs, let schema) where spec.stateTTLMilliseconds != nil:
            guard case .ofRows = time else { return nil }
            let later = spec.laterTime(of: inputs)
            let all = schema.fields.enumerated().map {
                BoundExpression.column(index: $0, type: $1.type)
            }
            let fields = Schema(schema.fields + [Field("event time", later.type)])
            return (projected(all + [later], fields), all.count)
        case .ordered(let stage, let inputs, _) where stage.keepsColumns:
            if case .ofRows = time { return (self, stage.timeColumns[0]) }
            // A column more would lie where the results are.
            return inputs[0].exposing(time).flatMap { $0.plan == inputs[0] ? (self, $0.column) : nil }
        case .lookup(let input, _, _):
            // As for UNNEST.
            return input.exposing(time).flatMap { $0.plan == input ? (self, $0.column) : nil }
        case .union, .ordered: return nil
        }
    }

    private func ownWindowTime(_ time: HiddenTime, end: Int) -> (LogicalPlan, Int)? {
        if case .ofWindow(let wanted) = time, wanted != end { return nil }
        return (self, end + 1)
    }
}
