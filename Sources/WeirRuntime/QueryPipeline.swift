// A query at work: the chain of operators that its plan describes, with their state.
//
// The loop gives each batch of the source to every query that reads it, then commits. What a query
// emits is a function of the rows alone, in an order that follows from the rows alone: cutting
// batches elsewhere, committing elsewhere, stopping and restoring, or running out of memory changes
// nothing.
//
// Results can be larger than memory. A call that would emit more than `emittedRowsMax` rows since
// the last commit stops with `.mustCommit`: the loop then commits (the checkpoint holds where the
// query stopped, and the rows of the batch that were not looked at) and calls `resume` until
// `.done`. Before that commit, every other query of the source must have been given the batch, too,
// since the commit covers the source's position behind it.

import WeirCore
import WeirSQL
import WeirStore

/// Where a query's results go.
public protocol QueryOutput: AnyObject {
    /// Results, with the plan's schema, in their final order.
    func emit(_ results: Batch)
    /// Rows that came too late for all their windows, with `QueryPipeline.lateSchema`.
    func late(_ rows: Batch)
}

/// Limits of a query.
public struct QueryOptions: Sendable {
    /// Bytes of group state held in memory; above it, state is written out in sorted runs.
    public var memoryBudgetBytes: Int
    /// Rows emitted after which a commit is asked for.
    public var emittedRowsMax: Int
    /// The source's `watermark_by` column, when it has one.
    public var watermarkBy: String?
    /// Spreads the groups' hash; no result depends on it.
    public var hashSeed: UInt64

    public init(
        memoryBudgetBytes: Int = 64 << 20, emittedRowsMax: Int = 262_144,
        watermarkBy: String? = nil,
        hashSeed: UInt64 = 0
    ) {
        self.memoryBudgetBytes = memoryBudgetBytes
        self.emittedRowsMax = emittedRowsMax
        self.watermarkBy = watermarkBy
        self.hashSeed = hashSeed
    }
}

/// Whether a query is through with what it was given.
public enum Progress: Sendable {
    case done
    /// Commit, then call `resume`.
    case mustCommit
}

/// What became of a source's rows in a query. Rows in = used + filtered + late, exactly, whenever
/// the query is `.done`; a row that UNNEST multiplied counts once.
public struct QueryStatistics: Hashable, Sendable {
    /// Rows that reached a result or a window.
    public var used: UInt64 = 0
    /// Rows that a condition, an empty array or a gap between windows left out.
    public var filtered: UInt64 = 0
    /// Rows that came too late for all their windows.
    public var late: UInt64 = 0
    /// Result rows.
    public var emitted: UInt64 = 0
    /// Values that could not be computed and became NULL (division by zero, a failed CAST).
    public var evaluationErrors: UInt64 = 0

    public init() {}
}

/// A running query.
public final class QueryPipeline {
    /// What it computes.
    public let plan: QueryPlan
    /// The columns of late rows: those that the first window gets, without arrays that UNNEST took
    /// apart; nil when the query has nothing that a row can be late for.
    public let lateSchema: Schema?

    private let heads: [PipelineHead]
    private let sink: OutputOperator
    private let late: LateRows
    private let outcomes = RowOutcomes()
    private var counted = QueryStatistics()
    /// What has been taken on and is not done.
    private var pending: PendingInput?
    private var isPendingSaved = false
    private var errorsTaken: UInt64 = 0

    /// Builds the operators of `plan`. Throws when the plan asks for what there is no operator for.
    /// `tables` are those that its look-ups look into, by name.
    public init(
        plan: QueryPlan, options: QueryOptions = QueryOptions(),
        tables: [String: LookupTable] = [:], output: any QueryOutput
    ) throws(Failure) {
        self.plan = plan
        sink = OutputOperator(output)
        late = LateRows(output)
        var builder = PipelineBuilder(plan.root, options: options, tables: tables, output: late)
        heads = try builder.build(into: sink)
        lateSchema = builder.lateSchema
    }

    /// The sources that the query reads.
    public var sources: [String] { plan.sources }

    /// Processes the rows of `timed`, which `source` gave, and moves time on to where its clocks then
    /// stand.
    public func process(_ timed: TimedBatch, from source: String) throws(Failure) -> Progress {
        precondition(!isPending, "a query that must commit was given more")
        pending = PendingInput(source: source, batch: timed.batch, trace: timed.trace)
        return try proceed()
    }

    /// Moves the time of `source` on without rows (`WatermarkTracker.tick` and `end`).
    public func advance(_ trace: ClockTrace, of source: String) throws(Failure) -> Progress {
        precondition(!isPending, "a query that must commit was given more")
        pending = PendingInput(source: source, batch: nil, trace: trace)
        return try proceed()
    }

    /// Whether the last call ended with `.mustCommit`, or a restored query has work left: `resume`.
    public var isPending: Bool { pending != nil }

    /// Goes on after `.mustCommit` and the commit; call until `.done`. After `restore`, call it
    /// first.
    public func resume() throws(Failure) -> Progress {
        for head in heads {
            if case .suspended = try head.first.resume() { return .mustCommit }
        }
        return try proceed()
    }

    private func proceed() throws(Failure) -> Progress {
        guard let input = pending else { return .done }
        let reached = heads.filter { $0.source == input.source }
        if let batch = input.batch {
            outcomes.begin(rowCount: batch.rowCount)
            for head in reached {
                let step = try head.first.process(
                    RowRun(
                        batch: head.columns(of: batch), origins: nil, sourceRows: 0..<batch.rowCount,
                        trace: input.trace, outcomes: outcomes))
                guard case .suspended(let row) = step else { continue }
                precondition(heads.count == 1, "only a query of one scan stops inside a batch")
                outcomes.count(row, into: &counted)
                pending = input.suffix(from: row)
                return .mustCommit
            }
            for head in reached { try head.first.flush() }
            late.release()
            outcomes.count(batch.rowCount, into: &counted)
            pending = PendingInput(source: input.source, batch: nil, trace: input.trace)
        }
        for head in reached {
            if case .suspended = try head.first.advance(input.trace) { return .mustCommit }
        }
        pending = nil
        return .done
    }

    /// The counts since the last call; part of the commit that follows.
    public func takeStatistics() -> QueryStatistics {
        counted.emitted = sink.takeEmittedCount()
        let errors = heads.reduce(0) { $0 + $1.first.evaluationErrors }
        counted.evaluationErrors = errors - errorsTaken
        errorsTaken = errors
        defer { counted = QueryStatistics() }
        return counted
    }

    /// Groups and rows of state that memory has no room for: they are in RocksDB alone.
    public var spilledCount: Int { heads.reduce(0) { $0 + $1.first.spilledCount } }

    /// What limits of state have left out since the start, such as partial matches of patterns.
    public var droppedCount: UInt64 { heads.reduce(0) { $0 + $1.first.droppedCount } }

    /// Bytes of memory that the query's state holds.
    public var memoryBytes: Int { heads.reduce(0) { $0 + $1.first.memoryBytes } }
}

// MARK: Durable state

extension QueryPipeline {
    /// Writes what changed since the last call, under the query's own scope, as part of the commit
    /// that also holds what was emitted and the source's position.
    public func checkpoint(into writer: any StateWriter) {
        for head in heads { head.first.checkpoint(into: writer) }
        PendingInput.save(pending, into: writer, &isPendingSaved)
    }

    /// Takes back what an earlier run saved; call once, first, with the restored clocks of the
    /// query's sources. The reader stays in use, for spilled state.
    public func restore(
        from reader: any StateReader, clocks: [String: WatermarkTracker]
    ) throws(Failure) {
        pending = try PendingInput.load(from: reader, clocks)
        isPendingSaved = pending != nil
        for head in heads {
            guard let clock = clocks[head.source] else {
                preconditionFailure("a query is restored with the clocks of all its sources")
            }
            let trace = pending?.source == head.source ? pending?.trace : nil
            try head.first.restore(from: reader, clocks: clock, pending: trace)
        }
    }
}
