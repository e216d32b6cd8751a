// Merging result rows of a window query into rows of wider windows, after they were emitted: the groups
// that wait with them are merged and the query's columns computed once more, so that the outcome is
// what the query would have given with the wider windows.
//
// The rows of a narrow window come in the order of their keys, one narrow window behind the other. A
// wide window is a merge of such runs, which needs memory for one block of each run and some hundred
// groups, however many keys there are. Groups of one key are added in the order of time, as a window
// adds its panes. So what depends on the order of rows within a group (LISTAGG, the last digits of a sum
// of DOUBLE) follows the narrow windows first.

import WeirCore
import WeirSQL
import WeirStore

/// Rows of one narrow window in the order of their keys.
typealias FineRun = Range<OutboxPlace>

/// Makes rows of wider windows. Owned by one thread.
public final class WindowCoarsener {
    /// The query's own windows, and the columns of its rows.
    public let plan: CoarsenablePlan
    private let accumulators: [any Accumulator]
    private let results: WindowResults
    private let times: WindowTimes
    private let columns: any Operator
    private let computed = ComputedRows()
    private var keyBytes: [UInt8] = []
    private var keyEnds: [Int] = []
    /// Groups that are put together before their rows are made; the slot behind them takes in what is
    /// merged into one.
    private static let groupsMax = 512

    /// Throws when the plan asks for what there is no operator for, which a running query does not.
    public init(_ plan: CoarsenablePlan) throws(Failure) {
        self.plan = plan
        let (first, grouping) = try Self.chain(plan.plan.root, into: computed)
        guard case .windowAggregate(_, let window, let keys, let aggregates, let schema) = grouping
        else { preconditionFailure("a grouping at the bottom") }
        columns = first
        times = try WindowTimes(window)
        var accumulators: [any Accumulator] = []
        for call in aggregates { accumulators.append(try makeAccumulator(call)) }
        for accumulator in accumulators { accumulator.reserve(Self.groupsMax + 1) }
        self.accumulators = accumulators
        results = WindowResults(
            schema: schema, keyOrder: Array(keys.indices), encoder: KeyEncoder(types: keys.map(\.type)),
            accumulators: accumulators)
    }

    /// The operators that follow the grouping, and the grouping.
    private static func chain(
        _ node: LogicalPlan, into next: any Operator
    ) throws(Failure) -> (any Operator, LogicalPlan) {
        switch node {
        case .project(let input, let expressions, let schema):
            try chain(input, into: ProjectOperator(expressions, schema: schema, next: next))
        case .filter(let input, let predicate):
            try chain(input, into: FilterOperator(predicate, next: next))
        default: (next, node)
        }
    }

    /// Makes the rows of `window`: hands them to `emit` in the order of their keys, some hundred at a
    /// time. `read` gives the rows of a block.
    public func merge(
        _ window: CoarseWindow, read: (Int) throws(Failure) -> Batch,
        emit: (Batch) throws(Failure) -> Void
    ) throws(Failure) {
        let blocks = OpenBlocks()
        var cursors: [RunCursor] = []
        for run in window.runs { cursors.append(try RunCursor(run, blocks, read)) }
        let bounds = WindowBounds(
            start: window.start, end: window.end, time: times.windowTime(endingAt: window.end))
        while let least = leastKey(cursors) {
            let slot = Int32(keyEnds.count)
            keyBytes.append(contentsOf: least)
            let key = Array(least)
            keyEnds.append(keyBytes.count)
            var isFirst = true
            for cursor in cursors where cursor.isValid {
                let isEqual = key.withUnsafeBufferPointer { KeyBytes.compare(cursor.key, $0) == 0 }
                guard isEqual else { continue }
                try add(cursor.record, to: slot, isFirst: isFirst)
                isFirst = false
                try cursor.advance(blocks, read)
            }
            if keyEnds.count == Self.groupsMax { try flush(bounds, emit) }
        }
        try flush(bounds, emit)
    }

    private func leastKey(_ cursors: [RunCursor]) -> UnsafeBufferPointer<UInt8>? {
        var least: UnsafeBufferPointer<UInt8>?
        for cursor in cursors where cursor.isValid {
            guard let known = least else {
                least = cursor.key
                continue
            }
            if KeyBytes.compare(cursor.key, known) < 0 { least = cursor.key }
        }
        return least
    }

    private func add(
        _ record: UnsafeBufferPointer<UInt8>, to slot: Int32, isFirst: Bool
    ) throws(Failure) {
        if isFirst { return try GroupRecord.load(record, into: slot, accumulators) }
        let other = Int32(Self.groupsMax)
        try GroupRecord.load(record, into: other, accumulators)
        withUnsafePointer(to: slot) { slot in
            withUnsafePointer(to: other) { other in
                for accumulator in accumulators {
                    accumulator.merge(into: slot, from: other, count: 1)
                }
            }
        }
    }

    /// Makes rows of the groups put together so far.
    private func flush(
        _ bounds: WindowBounds, _ emit: (Batch) throws(Failure) -> Void
    ) throws(Failure) {
        guard !keyEnds.isEmpty else { return }
        keyBytes.withUnsafeBufferPointer { bytes in
            var groups = MergedGroups(slots: keyEnds.indices.map { Int32($0) }, keys: [])
            var start = 0
            for end in keyEnds {
                groups.keys.append(UnsafeBufferPointer(rebasing: bytes[start..<end]))
                start = end
            }
            results.append(groups, bounds)
            groups.slots.withUnsafeBufferPointer { slots in
                for accumulator in accumulators { accumulator.release(slots) }
            }
        }
        keyBytes.removeAll(keepingCapacity: true)
        keyEnds.removeAll(keepingCapacity: true)
        guard let batch = results.take() else { return }
        let trace = ClockTrace(watermarks: nil, watermarkAfter: Watermark.none, keys: nil)
        _ = try columns.process(
            RowRun(batch: batch, origins: nil, sourceRows: 0..<0, trace: trace, outcomes: nil))
        if let rows = computed.take() { try emit(rows) }
    }
}

/// The end of the chain: keeps the rows.
private final class ComputedRows: LastOperator {
    private var rows: Batch?

    func process(_ run: RowRun) throws(Failure) -> Step {
        if run.batch.rowCount > 0 { rows = run.batch }
        return .done
    }

    func take() -> Batch? {
        defer { rows = nil }
        return rows
    }
}

/// The blocks that cursors stand in, each once.
private final class OpenBlocks {
    private var blocks: [Int: (batch: Batch, users: Int)] = [:]

    func open(
        _ index: Int, _ read: (Int) throws(Failure) -> Batch
    ) throws(Failure) -> Batch {
        if let known = blocks[index] {
            blocks[index] = (known.batch, known.users + 1)
            return known.batch
        }
        let batch = try read(index)
        blocks[index] = (batch, 1)
        return batch
    }

    func close(_ index: Int) {
        guard let known = blocks[index] else { return }
        blocks[index] = known.users == 1 ? nil : (known.batch, known.users - 1)
    }
}

/// A place in a run.
private final class RunCursor {
    private var place: OutboxPlace
    private let end: OutboxPlace
    private var batch: Batch
    private(set) var isValid = true
    private(set) var record = UnsafeBufferPointer<UInt8>(start: nil, count: 0)
    private(set) var key = UnsafeBufferPointer<UInt8>(start: nil, count: 0)

    init(
        _ run: FineRun, _ blocks: OpenBlocks, _ read: (Int) throws(Failure) -> Batch
    ) throws(Failure) {
        place = run.lowerBound
        end = run.upperBound
        batch = try blocks.open(place.block, read)
        try look()
    }

    private func look() throws(Failure) {
        guard place.row < batch.rowCount, let state = batch.columns.last else {
            throw ByteReader.damaged
        }
        record = state.text(place.row)
        key = try GroupRecord.head(of: record).key
    }

    func advance(
        _ blocks: OpenBlocks, _ read: (Int) throws(Failure) -> Batch
    ) throws(Failure) {
        place.row += 1
        if place == end {
            isValid = false
            return blocks.close(place.block)
        }
        if place.row == batch.rowCount {
            blocks.close(place.block)
            place = OutboxPlace(block: place.block + 1, row: 0)
            batch = try blocks.open(place.block, read)
        }
        try look()
    }
}
