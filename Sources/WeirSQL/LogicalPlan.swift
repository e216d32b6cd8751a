// The plan of a query: a tree of relational operators from sources to a result. Views are already
// inlined. The runtime builds one operator for each node; nodes are data, without behaviour.

import WeirCore

/// A relational operator and its input.
public indirect enum LogicalPlan: Hashable, Sendable {
    /// The rows of a source. `columns` are the names the query needs, in order (projection push-down);
    /// `schema` has exactly these.
    case scan(source: String, schema: Schema, timeColumn: Int?)
    /// Rows for which `predicate` is true.
    case filter(LogicalPlan, predicate: BoundExpression)
    /// One output column an expression.
    case project(LogicalPlan, expressions: [BoundExpression], schema: Schema)
    /// A join with UNNEST: one row an element of an array column, all input columns first, then the
    /// element and perhaps its place.
    case unnest(LogicalPlan, UnnestSpec, schema: Schema)
    /// Each row once a grouping set: all input columns, the keys (NULL where the set lacks them), and the
    /// number of the set, an INT. An aggregate always follows.
    case expand(LogicalPlan, ExpandSpec, schema: Schema)
    /// A window table function without aggregation: each row once a window it falls in, with
    /// window_start, window_end and window_time after the input's columns.
    case windowAssign(LogicalPlan, window: WindowSpec, schema: Schema)
    /// Grouping by window and keys. Output columns: the keys, window_start, window_end (TIMESTAMP(3)),
    /// window_time (TIMESTAMP_LTZ(3) or TIMESTAMP(3), as the time column), then the aggregates.
    case windowAggregate(
        LogicalPlan, window: WindowSpec, keys: [BoundExpression], aggregates: [AggregateCall],
        schema: Schema)
    /// Each row beside those of a table that match it; the input's columns, then the table's.
    case lookup(LogicalPlan, LookupSpec, schema: Schema)
    /// UNION ALL: the rows of all inputs, which have columns of the same types.
    case union([LogicalPlan], schema: Schema)
    /// An operator that takes its inputs' rows in the order of event time.
    case ordered(OrderedStage, inputs: [LogicalPlan], schema: Schema)

    /// The columns of this node's output.
    public var schema: Schema {
        switch self {
        case .scan(_, let schema, _), .project(_, _, let schema), .unnest(_, _, let schema),
            .expand(_, _, let schema), .lookup(_, _, let schema), .windowAssign(_, _, let schema),
            .windowAggregate(_, _, _, _, let schema),
            .union(_, let schema), .ordered(_, _, let schema): schema
        case .filter(let input, _): input.schema
        }
    }

    /// The nodes that this one reads, in order; none for a scan.
    public var inputs: [LogicalPlan] {
        switch self {
        case .scan: []
        case .filter(let input, _), .project(let input, _, _), .unnest(let input, _, _),
            .expand(let input, _, _), .lookup(let input, _, _), .windowAssign(let input, _, _),
            .windowAggregate(let input, _, _, _, _): [input]
        case .union(let inputs, _), .ordered(_, let inputs, _): inputs
        }
    }

    /// The sources at the bottom, each once, from left to right.
    public var sources: [String] {
        if case .scan(let source, _, _) = self { return [source] }
        var found: [String] = []
        for input in inputs {
            for source in input.sources where !found.contains(source) { found.append(source) }
        }
        return found
    }

    /// Whether `condition` holds for this node or one below it.
    public func contains(where condition: (LogicalPlan) -> Bool) -> Bool {
        condition(self) || inputs.contains { $0.contains(where: condition) }
    }
}

/// How an array is taken apart.
public struct UnnestSpec: Hashable, Sendable {
    /// The array.
    public let column: Int
    /// LEFT JOIN: a row with an empty or NULL array comes out once, with NULL as its element. Such rows
    /// vanish otherwise.
    public let keepsEmpty: Bool
    /// WITH ORDINALITY: the element's place, from 1, an INT, follows the element.
    public let hasOrdinality: Bool

    public init(column: Int, keepsEmpty: Bool = false, hasOrdinality: Bool = false) {
        self.column = column
        self.keepsEmpty = keepsEmpty
        self.hasOrdinality = hasOrdinality
    }

    /// The same of another column.
    func onColumn(_ column: Int) -> UnnestSpec {
        UnnestSpec(column: column, keepsEmpty: keepsEmpty, hasOrdinality: hasOrdinality)
    }
}

/// The grouping sets of an aggregate that has several.
public struct ExpandSpec: Hashable, Sendable {
    /// The keys that are not in every set, over the input.
    public let keys: [BoundExpression]
    /// For each set which of `keys` it has.
    public let sets: [[Bool]]

    public init(keys: [BoundExpression], sets: [[Bool]]) {
        precondition(sets.allSatisfy { $0.count == keys.count }, "a flag for each key")
        self.keys = keys
        self.sets = sets
    }

    /// The same over other columns.
    func mapping(_ replacement: (BoundExpression) -> BoundExpression) -> ExpandSpec {
        ExpandSpec(keys: keys.map(replacement), sets: sets)
    }

    /// The sets as a plan's text writes them: `(k, g), (k), ()`.
    func text(_ expression: (BoundExpression) -> String) -> String {
        let names = keys.map(expression)
        return sets.map { flags in
            "(\(zip(names, flags).filter(\.1).map(\.0).joined(separator: ", ")))"
        }.joined(separator: ", ")
    }
}

/// A bound query: what it computes and how its result is called.
public struct QueryPlan: Hashable, Sendable {
    /// The operator whose rows are the result.
    public let root: LogicalPlan
    /// The sources at the bottom, each once, from left to right.
    public var sources: [String] { root.sources }

    public init(root: LogicalPlan) { self.root = root }

    /// The output columns.
    public var schema: Schema { root.schema }
}
