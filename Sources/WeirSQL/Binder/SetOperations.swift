// UNION ALL: columns by position, under the names of the first query, with the types that hold all.
// UNION, INTERSECT and EXCEPT are groups over one: of rows in windows, by all columns.
//
// Branches that keep nothing are put together as their rows come. Where a branch keeps rows (a window,
// a join), its results come when time has passed, and how they fall between the rows of the other
// branches must not depend on how input was cut: then all are put in the order of their event time.

import WeirCore

extension BindingSession {
    /// The relation of `left operation right`.
    func bindSetOperation(
        _ operation: Identifier, isAll: Bool, _ body: QueryBodySyntax, _ tables: CommonTables
    ) -> Relation? {
        let isUnion = operation.name == "UNION"
        guard isUnion || !isAll else {
            report(
                Diagnostic(
                    operation.position,
                    "\(operation.name) ALL is not supported; \(operation.name) drops doubles, and in a window "
                        + "COUNT(*) with GROUP BY of all columns counts them"))
            return nil
        }
        var bodies: [(QueryBodySyntax, TextPosition)] = []
        if isUnion {
            Self.collect(body, operation.position, keepsDoubles: isAll, into: &bodies)
        } else if case .setOperation(_, _, let left, let right) = body {
            bodies = [(left, operation.position), (right, operation.position)]
        }
        var branches: [UnionBranch] = []
        for (body, position) in bodies {
            guard let relation = bindBody(body, tables) else { continue }
            branches.append(
                UnionBranch(relation: relation.assigningWindow(), position: position))
        }
        guard branches.count == bodies.count else { return nil }
        return attempt { () throws(Diagnostic) in
            if !isUnion { return try compare(branches, operation) }
            let all = try union(branches, isAll ? "UNION ALL" : "UNION")
            return isAll ? all : try all.distinct("UNION", at: operation.position)
        }
    }

    /// The branches of a chain of UNION ALL, or of UNION with either, with the places of the words before
    /// them.
    private static func collect(
        _ body: QueryBodySyntax, _ position: TextPosition, keepsDoubles: Bool,
        into bodies: inout [(QueryBodySyntax, TextPosition)]
    ) {
        guard case .setOperation(let operation, let isAll, let left, let right) = body,
            operation.name == "UNION", isAll || !keepsDoubles
        else { return bodies.append((body, position)) }
        collect(left, operation.position, keepsDoubles: keepsDoubles, into: &bodies)
        collect(right, operation.position, keepsDoubles: keepsDoubles, into: &bodies)
    }

    /// INTERSECT and EXCEPT: the rows of both are counted by side, and groups are kept by their counts.
    private func compare(
        _ branches: [UnionBranch], _ operation: Identifier
    ) throws(Diagnostic) -> Relation {
        try checkWidths(branches, operation.name)
        var marked = branches
        for side in marked.indices { marked[side].relation.mark(side: side) }
        var all = try union(marked, operation.name)
        guard let side = all.columns.popLast() else { preconditionFailure("the side is the last column") }
        let counts = (0...1).map { number in
            AggregateCall(
                function: .countStar, argument: nil,
                filter: .call(
                    .equal, arguments: [side.expression, .literal(.integer(Int64(number)), type: .int)],
                    type: .boolean), type: .bigint)
        }
        let isKept = { (results: [BoundExpression]) -> BoundExpression in
            let none = BoundExpression.literal(.integer(0), type: .bigint)
            let right: ScalarFunction = operation.name == "INTERSECT" ? .greater : .equal
            return .call(
                .and,
                arguments: [
                    .call(.greater, arguments: [results[0], none], type: .boolean),
                    .call(right, arguments: [results[1], none], type: .boolean),
                ], type: .boolean)
        }
        return try all.distinct(operation.name, at: operation.position, counts, keeping: isKept)
    }

    /// One query of a union.
    private struct UnionBranch {
        var relation: Relation
        let position: TextPosition
    }

    private func checkWidths(_ branches: [UnionBranch], _ operation: String) throws(Diagnostic) {
        let first = branches[0].relation
        for branch in branches.dropFirst()
        where branch.relation.columns.count != first.columns.count {
            throw Diagnostic(
                branch.position,
                "the queries of \(operation) have \(first.columns.count) and "
                    + "\(branch.relation.columns.count) columns; they must have the same")
        }
    }

    private func union(
        _ branches: [UnionBranch], _ operation: String
    ) throws(Diagnostic) -> Relation {
        try checkWidths(branches, operation)
        let first = branches[0].relation
        var result = first
        for (place, column) in first.columns.enumerated() {
            let all = branches.map { $0.relation.columns[place] }
            guard let type = DataType.leastRestrictive(all.map(\.type)) else {
                let other = all.firstIndex { $0.type != column.type } ?? 0
                throw Diagnostic(
                    branches[other].position,
                    "column \(place + 1) of \(operation), \(column.name), is \(column.type) and "
                        + "\(all[other].type); CAST one of them")
            }
            result.columns[place] = ScopeColumn(
                table: nil, name: column.name, index: place, type: type,
                isTimeAttribute: all.allSatisfy { $0.isTimeAttribute && $0.type == type },
                windowColumn: all.allSatisfy { $0.windowColumn == column.windowColumn }
                    ? column.windowColumn : nil)
        }
        result.isAggregated = branches.contains(where: \.relation.isAggregated)
        result.isWindowed = branches.contains(where: \.relation.isWindowed)
        result.window = nil
        result.plan = try plan(branches, result.columns)
        return result
    }

    private func plan(
        _ branches: [UnionBranch], _ columns: [ScopeColumn]
    ) throws(Diagnostic) -> LogicalPlan {
        let isOrdered = branches.contains {
            $0.relation.plan.keepsRows || !$0.relation.plan.isUnionOfSources
        }
        var fields = columns.map { Field($0.name, $0.type) }
        var inputs: [LogicalPlan] = []
        for branch in branches {
            var relation = branch.relation
            let binder = ExpressionBinder(Scope(relation), .select)
            var expressions: [BoundExpression] = []
            for (own, common) in zip(relation.columns, columns) {
                expressions.append(
                    try binder.convert(own.expression, to: common.type, at: branch.position))
            }
            if isOrdered {
                let time = try exposeTime(&relation, branch.position)
                let type = relation.plan.schema[time].type
                expressions.append(.column(index: time, type: type))
                if inputs.isEmpty { fields.append(Field("event time", type)) }
                if type != fields[columns.count].type {
                    throw Diagnostic(
                        branch.position,
                        "the event times of UNION ALL are \(fields[columns.count].type) and \(type)")
                }
            }
            let input = relation.plan.projected(expressions, Schema(fields))
            if !isOrdered, case .union(let inner, _) = input {
                inputs += inner
            } else {
                inputs.append(input)
            }
        }
        let schema = Schema(fields)
        if !isOrdered { return .union(inputs, schema: schema) }
        return .ordered(
            .merge(times: inputs.map { _ in columns.count }), inputs: inputs, schema: schema)
    }

    private func exposeTime(
        _ relation: inout Relation, _ position: TextPosition
    ) throws(Diagnostic) -> Int {
        if let time = relation.timeAttribute { return time.index }
        if let end = relation.columns.first(where: { $0.windowColumn == .end }) {
            return relation.exposeWindowTime(of: end.index)
        }
        if let exposed = relation.plan.exposing(.ofRows) {
            relation.plan = exposed.plan
            return exposed.column
        }
        throw Diagnostic(
            position,
            "UNION ALL puts the results of windows and joins in the order of their event time, which a "
                + "query here does not pass on; select its event time (window_time) as well")
    }
}

extension Relation {
    /// Adds a column that says which side of an operation the rows come from.
    fileprivate mutating func mark(side: Int) {
        let width = plan.schema.count
        let own = plan.schema.fields.enumerated().map {
            BoundExpression.column(index: $0, type: $1.type)
        }
        plan = plan.projected(
            own + [.literal(.integer(Int64(side)), type: .int)],
            Schema(plan.schema.fields + [Field("side", .int)]))
        columns.append(
            ScopeColumn(
                table: nil, name: "side", index: width, type: .int, isTimeAttribute: false,
                windowColumn: nil))
    }
}

extension LogicalPlan {
    /// Whether an operator of it keeps rows, so that results come when time has passed.
    var keepsRows: Bool {
        contains { node in
            switch node {
            case .windowAggregate, .ordered: true
            case .scan, .filter, .project, .unnest, .expand, .windowAssign, .lookup, .union: false
            }
        }
    }

    /// Whether it reads one source, or is a union of such plans.
    fileprivate var isUnionOfSources: Bool {
        if case .union(let inputs, _) = self { return inputs.allSatisfy(\.isUnionOfSources) }
        if case .project(.union(let inputs, _), _, _) = self {
            return inputs.allSatisfy(\.isUnionOfSources)
        }
        return sources.count == 1
    }
}
