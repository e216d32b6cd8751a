// Adding rows to groups: the hot loop. Keys are turned into numbers for the whole run first; then
// one pass over the rows finds each row's pane and slot, which is also where lateness and due
// windows are seen; then each aggregate takes all rows of the stretch in one loop of its own.

import WeirCore
import WeirSQL

/// What is evaluated of a run of rows, and the rows collected for the aggregates.
final class WindowRows {
    let timeColumn: Int
    /// The keys, then the arguments, then the filters.
    private let expressions: CompiledExpressions
    private let keyCount: Int
    private let argumentCount: Int
    /// For each aggregate the indices of its arguments and of its filter; -1 for no filter.
    private let uses: [(arguments: [Int], filter: Int)]

    // Of the current run.
    /// The rows' times.
    private(set) var times: UnsafePointer<Int64>
    private var timeValues = Column(.bigint)
    let numbers = Buffer<Int32>()
    /// For each aggregate what it reads.
    private var inputs: [AggregateInput] = []
    private var filterColumns: [Column] = []

    /// Rows collected since the last `apply`, the slot of each, and slots that are new.
    let collectedRows = Buffer<Int32>()
    let collectedSlots = Buffer<Int32>()
    private var newSlots: [Int32] = []
    private var late: [Int32] = []
    private let filteredRows = Buffer<Int32>()
    private let filteredSlots = Buffer<Int32>()

    init(_ definition: WindowDefinition, keyOrder: [Int]) throws(Failure) {
        timeColumn = definition.window.timeColumn
        times = UnsafePointer(timeValues.ints)
        let keys = keyOrder.map { definition.keys[$0] }
        var arguments: [BoundExpression] = []
        var filters: [BoundExpression] = []
        uses = definition.aggregates.map { call in
            (
                call.arguments.map { Self.index(of: $0, in: &arguments) },
                Self.index(of: call.filter, in: &filters)
            )
        }
        expressions = try CompiledExpressions(keys + arguments + filters)
        (keyCount, argumentCount) = (keys.count, arguments.count)
    }

    /// Values that could not be computed and became NULL.
    var evaluationErrors: UInt64 { expressions.evaluationErrors }

    /// Equal expressions are evaluated once.
    private static func index(of expression: BoundExpression?, in list: inout [BoundExpression])
        -> Int
    {
        guard let expression else { return -1 }
        if let index = list.firstIndex(of: expression) { return index }
        list.append(expression)
        return list.count - 1
    }

    /// Evaluates what the rows of `run` are grouped by and what is aggregated.
    func begin(
        _ run: RowRun, _ encoder: KeyEncoder, _ interner: KeyInterner, _ clock: WindowTimes
    ) {
        let batch = run.batch
        timeValues = batch.columns[timeColumn]
        times = clock.times(of: timeValues, rowCount: batch.rowCount)
        let columns = expressions.evaluate(batch)
        let keyColumns = Array(columns[..<keyCount])
        let argumentColumns = Array(columns[keyCount..<keyCount + argumentCount])
        inputs = uses.map { use in
            AggregateInput(
                arguments: use.arguments.map { argumentColumns[$0] },
                times: UnsafePointer(timeValues.ints))
        }
        filterColumns = Array(columns[(keyCount + argumentCount)...])
        numbers.reserve(batch.rowCount)
        collectedRows.reserve(batch.rowCount)
        collectedSlots.reserve(batch.rowCount)
        encoder.withKeys(of: keyColumns, rowCount: batch.rowCount) {
            interner.intern($0, into: numbers.base)
        }
    }

    /// A group was made; it is cleared before rows are added.
    func noteNew(_ slot: Int32) { newSlots.append(slot) }

    /// A row is late for all its windows.
    func noteLate(_ row: Int) { late.append(Int32(row)) }

    /// The late rows since the last call.
    func takeLate() -> [Int32] {
        defer { late.removeAll() }
        return late
    }

    /// Adds the first `count` collected rows to their groups.
    func apply(_ count: Int, to accumulators: [any Accumulator], _ run: RowRun) {
        if !newSlots.isEmpty {
            newSlots.withUnsafeBufferPointer { slots in
                for accumulator in accumulators { accumulator.clear(slots) }
            }
            newSlots.removeAll(keepingCapacity: true)
        }
        guard count > 0 else { return }
        let all = RowSlots(rows: collectedRows.base, slots: collectedSlots.base, count: count)
        run.outcomes?.markUsed(run, UnsafeBufferPointer(start: all.rows, count: all.count))
        var filterInUse = -1
        var filtered = all
        for (index, accumulator) in accumulators.enumerated() {
            let use = uses[index]
            if use.filter < 0 {
                accumulator.update(all, inputs[index])
            } else {
                if use.filter != filterInUse {
                    filtered = select(all, filterColumns[use.filter])
                    filterInUse = use.filter
                }
                accumulator.update(filtered, inputs[index])
            }
        }
    }

    /// Those of the collected rows for which FILTER is true.
    private func select(_ all: RowSlots, _ condition: Column) -> RowSlots {
        filteredRows.reserve(all.count)
        filteredSlots.reserve(all.count)
        let (rows, slots, flags) = (filteredRows.base, filteredSlots.base, condition.bools)
        var count = 0
        for i in 0..<all.count {
            let row = Int(all.rows[i])
            rows[count] = all.rows[i]
            slots[count] = all.slots[i]
            // The value of NULL is 0.
            count += Int(flags[row])
        }
        return RowSlots(rows: rows, slots: slots, count: count)
    }
}

extension WindowAggregateOperator {
    /// Adds the rows of `run`, firing windows where they become due. Returns the source row before
    /// which a commit is needed, or nil when all rows were added.
    func addRows(_ run: RowRun) throws(Failure) -> Int? {
        let marks = run.trace.watermarks.map { self.times.marks(of: $0) }
        let (times, numbers) = (rows.times, rows.numbers.base)
        let (toRows, toSlots) = (rows.collectedRows.base, rows.collectedSlots.base)
        let checksSizes = store.hasVariableSizes
        var (keyOf, isDirty) = (store.keyOf.base, store.isDirty.base)
        // Rows out of order mostly alternate between two panes.
        var (current, previous) = (store.noPane, store.noPane)
        var filled = 0
        for row in 0..<run.batch.rowCount {
            let mark = if let marks { marks[run.origin(row)] } else { firedWatermark }
            if mark >= nextDue {
                rows.apply(filled, to: store.accumulators, run)
                filled = 0
                (current, previous) = (store.noPane, store.noPane)
                guard try fire(through: mark, clock: nil) else { return run.origin(row) }
                // Merging takes temporary slots, for which the arrays may have grown.
                (keyOf, isDirty) = (store.keyOf.base, store.isDirty.base)
            }
            let time = times[row]
            if time < current.pointee.start || time >= current.pointee.end {
                swap(&current, &previous)
                if time < current.pointee.start || time >= current.pointee.end {
                    guard let found = openPane(row, mark) else { continue }
                    current = found
                }
            }
            let place = current.pointee.place(of: numbers[row], keyOf: keyOf)
            var slot = current.pointee.entries[place] - 1
            if slot < 0 {
                slot = addGroup(numbers[row], to: current.pointee.start)
                (keyOf, isDirty) = (store.keyOf.base, store.isDirty.base)
            } else if isDirty[Int(slot)] == 0 {
                isDirty[Int(slot)] = 1
                store.pane(current.pointee.start)?.dirty.append(slot)
            }
            toRows[filled] = Int32(truncatingIfNeeded: row)
            toSlots[filled] = slot
            filled += 1
            if store.chargedBytes > memoryBudgetBytes || (checksSizes && isSizeCheckDue()) {
                rows.apply(filled, to: store.accumulators, run)
                filled = 0
                (current, previous) = (store.noPane, store.noPane)
                try spillIfNeeded()
            }
        }
        rows.apply(filled, to: store.accumulators, run)
        return nil
    }

    /// The pane of row `row`, made if there is none; nil when the row is late or in no window at
    /// all.
    private func openPane(_ row: Int, _ mark: Int64) -> UnsafeMutablePointer<PaneTable>? {
        let start = geometry.paneStart(of: rows.times[row])
        let last = geometry.lastWindowEnd(covering: start)
        if last <= start { return nil }
        guard let due = geometry.firstWindowEnd(covering: start, after: mark) else {
            rows.noteLate(row)
            return nil
        }
        nextDue = min(nextDue, due - 1)
        return store.makePane(start).table
    }

    /// Adds the group of a key to a pane that has it not.
    func addGroup(_ number: Int32, to start: Int64) -> Int32 {
        let slot = store.makeGroup(number, in: store.makePane(start))
        rows.noteNew(slot)
        return slot
    }

    /// Text that accumulators hold is measured at row numbers that follow from the input alone.
    func isSizeCheckDue() -> Bool {
        rowOrdinal &+= 1
        return rowOrdinal % 1024 == 0
    }
}
