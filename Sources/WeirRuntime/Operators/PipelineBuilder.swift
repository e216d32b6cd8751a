// From a plan to operators, the output first: each operator is made with the one that follows it.
//
// The builder knows the whole plan where an operator knows its own node only. So what takes a look
// at the whole is decided here: which columns are read further down, whose clock rules a window,
// and which combinations there is no way to compute.

import WeirCore
import WeirSQL

/// Builds a query's chain of operators.
struct PipelineBuilder {
    let options: QueryOptions
    let output: any QueryOutput
    /// The columns that the query reads of its source.
    private(set) var scanSchema = Schema([])
    /// The columns of late rows; nil without a window.
    private(set) var lateSchema: Schema?
    private var aggregateCount: UInt8 = 0

    init(options: QueryOptions, output: any QueryOutput) {
        self.options = options
        self.output = output
    }

    /// The operators of `plan`, whose results go to `next`.
    mutating func build(_ plan: LogicalPlan, into next: any Operator) throws(Failure)
        -> any Operator
    {
        try build(plan, into: next, reads: Set(plan.schema.fields.indices))
    }

    /// The operator for `node`, and those for its inputs. `reads`: the columns of `node` that are
    /// looked at further down; an operator that would have to copy others may leave them NULL.
    private mutating func build(
        _ node: LogicalPlan, into next: any Operator, reads: Set<Int>
    ) throws(Failure) -> any Operator {
        switch node {
        case .scan(_, let schema, _):
            scanSchema = schema
            return next
        case .filter(let input, let predicate):
            return try build(
                input, into: FilterOperator(predicate, next: next),
                reads: reads.union(predicate.columns))
        case .project(let input, let expressions, let schema):
            return try build(
                input, into: ProjectOperator(expressions, schema: schema, next: next),
                reads: expressions.reduce(into: []) { $0.formUnion($1.columns) })
        case .unnest(let input, let column, let schema):
            let below = reads.filter { $0 < input.schema.count }
            return try build(
                input,
                into: UnnestOperator(column: column, schema: schema, reads: below, next: next),
                reads: below.union([column]))
        case .windowAssign(let input, let window, let schema):
            try Self.check(window)
            return try build(
                input, into: WindowAssignOperator(window, schema: schema, next: next),
                reads: reads.filter { $0 < input.schema.count }.union([window.timeColumn]))
        case .windowAggregate:
            return try buildAggregate(node, into: next)
        }
    }

    private mutating func buildAggregate(
        _ node: LogicalPlan, into next: any Operator
    ) throws(Failure) -> any Operator {
        guard
            case .windowAggregate(let input, let window, let keys, let aggregates, let schema) =
                node
        else { preconditionFailure("not an aggregate") }
        try Self.check(window)
        let isFirst = !Self.hasWindow(input)
        if let bad = keys.first(where: { $0.type.physical == .array }) {
            throw Failure(
                .configuration, "planning", "GROUP BY", "\(bad.type) cannot be grouped by")
        }
        if !isFirst, options.watermarkBy != nil {
            throw Failure(
                .configuration, "planning", "a window over a window's results",
                "it cannot be computed for a source with watermark_by",
                advice: "write it as one query, or leave watermark_by out")
        }
        // Late rows have all columns but the arrays that UNNEST took apart: those would be copied
        // for each of their elements, only to be there if the row is late.
        let computed = (keys + aggregates.flatMap { [$0.argument, $0.filter].compactMap(\.self) })
            .reduce(into: Set([window.timeColumn])) { $0.formUnion($1.columns) }
        let takenApart = Self.unnestedColumns(input).subtracting(computed)
        let lateColumns = input.schema.fields.indices.filter { !takenApart.contains($0) }
        if isFirst { lateSchema = Schema(lateColumns.map { input.schema[$0] }) }
        let definition = WindowDefinition(
            window: window, keys: keys, aggregates: aggregates, schema: schema,
            clockKey: clockKey(of: keys, input), lateOutput: isFirst ? output : nil,
            lateColumns: lateColumns, memoryBudgetBytes: options.memoryBudgetBytes,
            // Only the first window can stop half-way: what it has handed on, the others finish.
            emittedRowsMax: isFirst ? options.emittedRowsMax : .max, hashSeed: options.hashSeed,
            stateTag: aggregateCount)
        aggregateCount += 1
        return try build(
            input, into: WindowAggregateOperator(definition, next: next),
            reads: computed.union(lateColumns))
    }

    /// The columns of `node` that are arrays some UNNEST below took apart.
    private static func unnestedColumns(_ node: LogicalPlan) -> Set<Int> {
        switch node {
        case .unnest(let input, let column, _): unnestedColumns(input).union([column])
        case .filter(let input, _), .windowAssign(let input, _, _): unnestedColumns(input)
        case .scan, .project, .windowAggregate: []
        }
    }

    /// A row may fall into at most so many windows.
    private static let windowsPerRowMax: Int64 = 100_000

    private static func check(_ window: WindowSpec) throws(Failure) {
        let longest = WatermarkTracker.eventTimeMax
        guard 1..<longest ~= window.size, 1..<longest ~= window.slide else {
            throw Failure(
                .configuration, "planning", "a window",
                "its size and slide must be above 0 and below \(longest) ms")
        }
        guard window.size / window.slide <= windowsPerRowMax else {
            throw Failure(
                .configuration, "planning", "a window",
                "each row would fall into \(window.size / window.slide) windows; "
                    + "the limit is \(windowsPerRowMax)", advice: "make the slide longer")
        }
    }

    private static func hasWindow(_ node: LogicalPlan) -> Bool {
        if case .windowAggregate = node { return true }
        return node.input.map(hasWindow) ?? false
    }

    /// The group key that is the source's `watermark_by` column, passed through unchanged.
    private func clockKey(of keys: [BoundExpression], _ input: LogicalPlan) -> Int? {
        guard let name = options.watermarkBy else { return nil }
        let lineage = Self.lineage(input)
        return keys.firstIndex { key in
            if case .column(let index, _) = key { lineage[index] == name } else { false }
        }
    }

    /// For each column of `node` the source's column that it is, unchanged.
    private static func lineage(_ node: LogicalPlan) -> [String?] {
        switch node {
        case .scan(_, let schema, _):
            return schema.fields.map(\.name)
        case .filter(let input, _):
            return lineage(input)
        case .project(let input, let expressions, _):
            let names = lineage(input)
            return expressions.map {
                if case .column(let index, _) = $0 { names[index] } else { nil }
            }
        case .unnest(let input, _, let schema), .windowAssign(let input, _, let schema):
            let names = lineage(input)
            return names + Array(repeating: nil, count: schema.count - names.count)
        case .windowAggregate(_, _, _, _, let schema):
            return Array(repeating: nil, count: schema.count)
        }
    }
}
