// From a plan to operators, the output first: each operator is made with the one that follows it.
//
// The builder knows the whole plan where an operator knows its own node only. So what takes a look
// at the whole is decided here: which columns are read further down, whose clock rules a window,
// and which combinations there is no way to compute.

import WeirCore
import WeirSQL

/// Builds a query's operators.
struct PipelineBuilder {
    let options: QueryOptions
    /// Gets the rows that come too late.
    let output: LateRows
    /// What look-ups look into, by name.
    private let tables: [String: LookupTable]
    private let root: LogicalPlan
    /// Whether rows come in by one scan. Then the first window can stop half-way through a batch for a
    /// commit; with several, a batch goes through all of them before anything stops.
    private let isSingleHead: Bool
    /// The columns of late rows; nil when none can be late.
    private(set) var lateSchema: Schema?
    private var heads: [PipelineHead] = []
    private var stateCount: UInt8 = 0
    /// Whose clocks the operators go by.
    private let clockRule: ClockRule
    /// What is built is one key's part of a plan: where rows come to it that nothing has kept.
    private var leaves: [Leaf]?

    /// A place where rows come to the first operators that keep any.
    struct Leaf {
        let node: LogicalPlan
        let first: any Operator
        /// The columns of `node` that are looked at.
        let reads: Set<Int>
    }

    init(
        _ root: LogicalPlan, options: QueryOptions, tables: [String: LookupTable] = [:],
        output: LateRows
    ) {
        self.root = root
        self.tables = tables
        self.options = options
        self.output = output
        isSingleHead = root.scanCount == 1
        clockRule = root.clockRule(watermarkBy: options.watermarkBy)
        output.isHolding = root.scanCount > 1 || (clockRule == .chains && root.isGated)
    }

    /// Builds one key's part of a plan.
    private init(
        chainOf root: LogicalPlan, isGated: Bool, options: QueryOptions, tables: [String: LookupTable],
        output: LateRows
    ) {
        self.root = root
        self.tables = tables
        self.options = options
        self.output = output
        isSingleHead = root.scanCount == 1 && !isGated
        clockRule = .combined
        leaves = []
    }

    /// The operators of the plan, whose results go to `next`: a head for each scan, left to right.
    mutating func build(into next: any Operator) throws(Failure) -> [PipelineHead] {
        try build(root, into: next, reads: Set(root.schema.fields.indices))
        return heads
    }

    /// The operator for `node`, and those for its inputs. `reads`: the columns of `node` that are
    /// looked at further down; an operator that would have to copy others may leave them NULL.
    private mutating func build(
        _ node: LogicalPlan, into next: any Operator, reads: Set<Int>
    ) throws(Failure) {
        if leaves != nil, !node.hasState {
            leaves?.append(Leaf(node: node, first: next, reads: reads))
            return
        }
        if clockRule == .chains, node.keepsRows { return try buildChains(node, into: next) }
        switch node {
        case .scan(let source, let schema, _):
            heads.append(PipelineHead(source: source, schema: schema, first: next))
        case .filter(let input, let predicate):
            try build(
                input, into: FilterOperator(predicate, next: next),
                reads: reads.union(predicate.columns))
        case .project(let input, let expressions, let schema):
            try buildProject(input, expressions, schema, into: next)
        case .unnest(let input, let spec, let schema):
            let below = reads.filter { $0 < input.schema.count }
            try build(
                input,
                into: UnnestOperator(spec, schema: schema, reads: below, next: next),
                reads: below.union([spec.column]))
        case .expand(let input, let spec, let schema):
            let below = reads.filter { $0 < input.schema.count }
            try build(
                input, into: ExpandOperator(spec, schema: schema, reads: below, next: next),
                reads: spec.keys.reduce(into: below) { $0.formUnion($1.columns) })
        case .lookup(let input, let spec, let schema):
            guard let table = tables[spec.table] else {
                preconditionFailure("a query is built with the tables that it reads")
            }
            let width = input.schema.count
            try build(
                input, into: LookupOperator(spec, table, schema: schema, next: next),
                reads: reads.filter { $0 < width }.union(spec.condition.columns(of: 0)))
        case .windowAssign(let input, let window, let schema):
            try Self.check(window)
            try build(
                input, into: try WindowAssignOperator(window, schema: schema, next: next),
                reads: reads.filter { $0 < input.schema.count }.union([window.timeColumn]))
        case .windowAggregate:
            try buildAggregate(node, into: next)
        case .union(let inputs, let schema):
            try buildUnion(inputs, schema, into: next)
        case .ordered(let stage, let inputs, let schema):
            try buildOrdered(stage, inputs, schema, into: next)
        }
    }

    /// The columns of a SELECT; over a condition that computes some of the same things, these come first.
    private mutating func buildProject(
        _ input: LogicalPlan, _ expressions: [BoundExpression], _ schema: Schema,
        into next: any Operator
    ) throws(Failure) {
        guard case .filter(let below, let predicate) = input,
            let work = SharedWork(predicate, expressions)
        else {
            try build(
                input, into: ProjectOperator(expressions, schema: schema, next: next),
                reads: expressions.reduce(into: []) { $0.formUnion($1.columns) })
            return
        }
        let fields = below.schema.fields
        let kept = work.columns.map { BoundExpression.column(index: $0, type: fields[$0].type) }
        let computed = work.computed.enumerated().map { Field("computed \($0)", $1.type) }
        let project = try ProjectOperator(work.expressions, schema: schema, next: next)
        let first = try ProjectOperator(
            kept + work.computed, schema: Schema(work.columns.map { fields[$0] } + computed),
            next: FilterOperator(work.predicate, next: project))
        try build(
            below, into: first,
            reads: (kept + work.computed).reduce(into: []) { $0.formUnion($1.columns) })
    }

    private mutating func buildUnion(
        _ inputs: [LogicalPlan], _ schema: Schema, into next: any Operator
    ) throws(Failure) {
        let sources = inputs.map { $0.sources.first ?? "" }
        let union = UnionOperator(sources: sources, schema: schema, next: next)
        for (index, input) in inputs.enumerated() {
            precondition(!input.hasState && input.sources.count == 1, "a branch that keeps nothing")
            try build(
                input, into: UnionPort(union, index: index), reads: Set(schema.fields.indices))
        }
    }

    private mutating func buildOrdered(
        _ stage: OrderedStage, _ inputs: [LogicalPlan], _ schema: Schema, into next: any Operator
    ) throws(Failure) {
        if case .sessions(let window) = stage {
            return try buildSessions(window, inputs[0], schema, into: next)
        }
        let tag = takeStateTag()
        let times = stage.timeColumns
        let ordered = OrderedOperator(
            inputs: zip(inputs, times).map { ($0.schema, $1) },
            processor: try makeProcessor(stage, inputs, schema, tag), stateTag: tag,
            emittedRowsMax: options.emittedRowsMax,
            memoryBudgetBytes: options.memoryBudgetBytes, next: next)
        for (index, input) in inputs.enumerated() {
            let isFirst = !input.hasState
            if isFirst, lateSchema == nil { lateSchema = input.schema }
            let port = OrderedPort(ordered, index: index, lateOutput: isFirst ? output : nil)
            try build(input, into: port, reads: Set(input.schema.fields.indices))
        }
    }

    private mutating func buildSessions(
        _ window: WindowSpec, _ input: LogicalPlan, _ schema: Schema, into next: any Operator
    ) throws(Failure) {
        let isFirst = !input.hasState
        if isFirst, lateSchema == nil { lateSchema = input.schema }
        let sessions = try SessionAssignOperator(
            window, input: input.schema, output: schema, options, stateTag: takeStateTag(),
            lateOutput: isFirst ? output : nil, next: next)
        try build(input, into: sessions, reads: Set(input.schema.fields.indices))
    }

    /// Operators for each key apart, for the part of the plan from `node` down to what keeps nothing.
    private mutating func buildChains(
        _ node: LogicalPlan, into next: any Operator
    ) throws(Failure) {
        let way = ChainOutput(schema: node.schema, rowsMax: options.emittedRowsMax, next: next)
        let isGated = node.isGated
        var inner = options
        inner.watermarkBy = nil
        // Half for the key at hand, half for those that are kept because they may be next.
        inner.memoryBudgetBytes /= 2
        let (tables, output) = (tables, output)
        let make = { [inner] () throws(Failure) -> PipelineBuilder in
            var builder = PipelineBuilder(
                chainOf: node, isGated: isGated, options: inner, tables: tables, output: output)
            try builder.build(node, into: way, reads: Set(node.schema.fields.indices))
            return builder
        }
        let pattern = try make()
        lateSchema = lateSchema ?? pattern.lateSchema
        let leaves = pattern.leaves ?? []
        let core = KeyedOperator(
            portCount: leaves.count, isGated: isGated,
            tag: takeStateTag(), memoryBudgetBytes: inner.memoryBudgetBytes, output: way
        ) { () throws(Failure) in try make().leaves?.map(\.first) ?? [] }
        for (index, leaf) in leaves.enumerated() {
            try build(leaf.node, into: KeyedPort(core, index: index), reads: leaf.reads)
        }
    }

    /// What computes `stage`; `tag` is the first byte of its state's keys.
    private func makeProcessor(
        _ stage: OrderedStage, _ inputs: [LogicalPlan], _ schema: Schema, _ tag: UInt8
    ) throws(Failure) -> any OrderedProcessor {
        switch stage {
        case .sort: SortProcessor()
        case .match(let pattern):
            try PatternProcessor(
                pattern, input: inputs[0].schema, schema: schema, stateTag: tag,
                seed: options.hashSeed,
                bounds: MatchBounds(
                    pattern, row: inputs[0].schema, bytes: options.memoryBudgetBytes))
        case .merge: MergeProcessor()
        case .over(let spec):
            try OverProcessor(
                spec, input: inputs[0].schema, schema: schema, options, stateTag: tag)
        case .rank(let spec):
            try RankProcessor(spec, schema: schema, options, stateTag: tag)
        case .orderBy(let spec):
            try RankProcessor(spec, schema: schema, options, stateTag: tag)
        case .join(let spec):
            try JoinProcessor(spec, inputs.map(\.schema), schema, options, stateTag: tag)
        case .temporalJoin(let spec):
            try TemporalJoinProcessor(spec, inputs.map(\.schema), schema, options, stateTag: tag)
        case .sessions: preconditionFailure("an operator of its own")
        }
    }

    /// The tag of the next operator with state.
    private mutating func takeStateTag() -> UInt8 {
        // Tags from 0x70 on are the pipeline's own.
        precondition(stateCount < 0x70, "a plan has fewer operators with state")
        defer { stateCount += 1 }
        return stateCount
    }

    private mutating func buildAggregate(
        _ node: LogicalPlan, into next: any Operator
    ) throws(Failure) {
        guard
            case .windowAggregate(let input, let window, let groupedBy, let aggregates, let schema) =
                node
        else { preconditionFailure("not an aggregate") }
        try Self.check(window)
        var keys = groupedBy
        if case .attached(let start, _) = window.shape {
            keys.append(.column(index: start, type: .timestamp))
        }
        let isFirst = !input.hasState
        if let bad = keys.first(where: { !$0.type.isScalar }) {
            throw Failure(
                .configuration, "planning", "GROUP BY", "\(bad.type) cannot be grouped by")
        }
        // Late rows have all columns but the arrays that UNNEST took apart: those would be copied
        // for each of their elements, only to be there if the row is late.
        let computed = (keys + aggregates.flatMap { $0.arguments + ($0.filter.map { [$0] } ?? []) })
            .reduce(into: Set([window.timeColumn])) { $0.formUnion($1.columns) }
        let takenApart = Self.unnestedColumns(input).subtracting(computed)
        let (lateWidth, copies) = Self.lateRows(input)
        let lateColumns = (0..<lateWidth).filter { !takenApart.contains($0) }
        if isFirst, lateSchema == nil { lateSchema = Schema(lateColumns.map { input.schema[$0] }) }
        let isCascade = clockRule == .windows && root.statefulCount > 1
        let definition = WindowDefinition(
            window: window, keys: keys, aggregates: aggregates, schema: schema,
            clockKey: clockKey(of: keys, input),
            lateOutput: isFirst ? output : nil,
            lateColumns: lateColumns, copiesOfRows: copies, memoryBudgetBytes: options.memoryBudgetBytes,
            // Only the first operator can stop half-way: what it has handed on, the others finish.
            // Windows over windows that go by keys' clocks follow them when the one below is through.
            emittedRowsMax: isFirst && isSingleHead && !isCascade ? options.emittedRowsMax : .max,
            hashSeed: options.hashSeed, stateTag: takeStateTag())
        let grouping: any Operator =
            if case .session(let gap, _) = window.shape {
                try SessionOperator(definition, gap: gap, next: next)
            } else { try WindowAggregateOperator(definition, next: next) }
        try build(input, into: grouping, reads: computed.union(lateColumns))
    }

    /// How many columns late rows of `input` can have, and how many copies of each row come in.
    private static func lateRows(_ input: LogicalPlan) -> (columns: Int, copies: Int) {
        guard case .expand(let rows, let spec, _) = input else { return (input.schema.count, 1) }
        return (rows.schema.count, spec.sets.count)
    }

    /// The columns of `node` that are arrays some UNNEST below took apart.
    private static func unnestedColumns(_ node: LogicalPlan) -> Set<Int> {
        switch node {
        case .unnest(let input, let spec, _): unnestedColumns(input).union([spec.column])
        case .filter(let input, _), .expand(let input, _, _), .windowAssign(let input, _, _),
            .lookup(let input, _, _):
            unnestedColumns(input)
        case .scan, .project, .windowAggregate, .union, .ordered: []
        }
    }

    /// A row may fall into at most so many windows.
    private static let windowsPerRowMax: Int64 = 100_000

    private static func check(_ window: WindowSpec) throws(Failure) {
        let longest = WatermarkTracker.eventTimeMax
        let (size, slide): (Int64, Int64) =
            switch window.shape {
            case .sliding(let size, let slide), .cumulating(let size, let slide),
                .months(let size, let slide):
                (size, slide)
            case .session(let gap, _): (gap, gap)
            case .attached: (1, 1)
            }
        guard 1..<longest ~= size, 1..<longest ~= slide else {
            throw Failure(
                .configuration, "planning", "a window",
                "its size and slide must be above 0 and below \(longest) ms")
        }
        guard size / slide <= windowsPerRowMax else {
            throw Failure(
                .configuration, "planning", "a window",
                "each row would fall into \(size / slide) windows; "
                    + "the limit is \(windowsPerRowMax)", advice: "make the slide longer")
        }
    }

    /// The group key that is the source's `watermark_by` column, passed through unchanged, where windows
    /// follow the keys' clocks by themselves.
    private func clockKey(of keys: [BoundExpression], _ input: LogicalPlan) -> Int? {
        guard let name = options.watermarkBy, clockRule == .windows else { return nil }
        return input.place(of: name, among: keys)
    }
}
