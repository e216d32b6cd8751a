// An operator over rows in the order of event time, of one input or several: rows wait at their port
// until every input's watermark has passed them, are merged, and handed to the processor in slices.
//
// A row is late when its own input's watermark had reached its event time before it came. Another
// input's watermark plays no part in that, so the pace of two sources beside each other does not
// matter; it only holds rows back.
//
// Draining can be as long as the rows that wait. It stops between two slices when enough results have
// been handed on since the last commit; what has been taken is one event time, `takenThrough`.

import WeirCore
import WeirSQL
import WeirStore

/// The common end of an ordered operator's ports.
final class OrderedOperator {
    let next: any Operator
    fileprivate let ports: [PortState]
    private let processor: any OrderedProcessor
    private let output: OrderedOutput
    private let memoryBudgetBytes: Int
    private let progressKey: [UInt8]
    private var savedProgress: [UInt8] = []
    /// All rows at or before it have been processed.
    private var takenThrough = Watermark.none
    /// What the processor was last told by `close`.
    private var closedThrough = Watermark.none

    /// Rows of a slice, where one event time has not more.
    private static let sliceRowsMax = 16_384

    /// One input.
    fileprivate final class PortState {
        let rows: WaitingRows
        var watermark = Watermark.none

        init(rows: WaitingRows) { self.rows = rows }
    }

    /// - Parameters:
    ///   - inputs: the columns of each input and which of them is the event time.
    ///   - memoryBudgetBytes: what waiting rows may take of memory at a commit; beyond it they are in
    ///     durable state alone until they are due.
    ///   - stateTag: the first byte of all keys of this operator's state; the processor may use keys
    ///     that begin with it and a byte above 0x0F.
    init(
        inputs: [(schema: Schema, timeColumn: Int)], processor: any OrderedProcessor,
        stateTag: UInt8, emittedRowsMax: Int, memoryBudgetBytes: Int, next: any Operator
    ) {
        self.next = next
        self.processor = processor
        self.memoryBudgetBytes = memoryBudgetBytes / max(1, inputs.count)
        precondition(inputs.count < 14, "an ordered operator has at most 13 inputs")
        ports = inputs.enumerated().map { index, input in
            PortState(
                rows: WaitingRows(
                    schema: input.schema, timeColumn: input.timeColumn,
                    keyPrefix: [stateTag, UInt8(1 + index)]))
        }
        progressKey = [stateTag, 0]
        output = OrderedOutput(next: next, rowsMax: emittedRowsMax)
        if processor.dropsWaitingRows {
            for port in ports { port.rows.needed = { processor.neededRows($0) } }
        }
    }

    private var watermark: Int64 { ports.map(\.watermark).min() ?? Watermark.none }

    /// Processes what waits up to the watermark. False when a commit must come first.
    fileprivate func drain() throws(Failure) -> Bool {
        let target = watermark
        while takenThrough < target {
            guard let first = ports.compactMap(\.rows.firstTime).min(), first <= target else { break }
            if output.mustCommit { return false }
            let through = try sliceEnd(from: first, to: target)
            if let rows = try tooManyRows(at: through) {
                guard try processor.process(WaitingTime(rows, through), into: output) else {
                    return false
                }
                try rows.discard(through: through)
            } else {
                let slice = OrderedSlice(
                    batches: try ports.map { (port) throws(Failure) in
                        try port.rows.take(through: through)
                    }, timeColumns: ports.map(\.rows.timeColumn))
                try processor.process(slice, into: output)
            }
            takenThrough = through
        }
        takenThrough = max(takenThrough, target)
        if closedThrough < target {
            try processor.close(through: target, into: output)
            closedThrough = target
        }
        return true
    }

    /// The greatest event time up to which not more rows wait than a slice has; at least `first`.
    private func sliceEnd(from first: Int64, to target: Int64) throws(Failure) -> Int64 {
        if try countWaiting(through: target) <= Self.sliceRowsMax { return target }
        // Event times are far within these bounds, a window's end included.
        var (low, high) = (first, min(target, 2 * WatermarkTracker.eventTimeMax))
        while low < high {
            let middle = low + (high - low) / 2 + (high - low) % 2
            if try countWaiting(through: middle) <= Self.sliceRowsMax {
                low = middle
            } else {
                high = middle - 1
            }
        }
        return low
    }

    /// The rows that are due if they are of one event time, more than a slice has, and the processor
    /// reads such rows where they wait.
    private func tooManyRows(at time: Int64) throws(Failure) -> WaitingRows? {
        guard processor.readsWaitingRows, ports.count == 1 else { return nil }
        if processor.isAmidTime { return ports[0].rows }
        return try countWaiting(through: time) > Self.sliceRowsMax ? ports[0].rows : nil
    }

    private func countWaiting(through time: Int64) throws(Failure) -> Int {
        var count = 0
        for port in ports { count += try port.rows.count(through: time) }
        return count
    }

    /// Drains and tells the operators further down where time is.
    fileprivate func advanceThrough() throws(Failure) -> Step {
        guard try drain() else { return .suspended(beforeRow: 0) }
        let delay = processor.outputDelay
        let isBound = watermark == Watermark.none || watermark == Watermark.end
        let mark = isBound ? watermark : watermark - delay
        return try next.advance(ClockTrace(watermarks: nil, watermarkAfter: mark, keys: nil))
    }

    fileprivate func resume() throws(Failure) -> Step {
        guard try drain() else { return .suspended(beforeRow: 0) }
        return try next.resume()
    }

    fileprivate func checkpoint(into writer: any StateWriter) {
        for port in ports {
            // What the last commit wrote can be read back by now; what this one writes cannot.
            port.rows.shrink(to: memoryBudgetBytes)
            port.rows.checkpoint(into: writer)
        }
        processor.checkpoint(into: writer)
        var progress = ByteWriter()
        progress.write(takenThrough)
        progress.write(closedThrough)
        for port in ports { progress.write(port.watermark) }
        if progress.bytes != savedProgress {
            progress.bytes.withUnsafeBytes { writer.put(progressKey, $0) }
            savedProgress = progress.bytes
        }
        output.committed()
        next.checkpoint(into: writer)
    }

    fileprivate func restore(
        from reader: any StateReader, clocks: WatermarkTracker, pending: ClockTrace?
    ) throws(Failure) {
        if let saved = try reader.get(progressKey) {
            try saved.withBytes { (bytes) throws(Failure) in
                var progress = ByteReader(bytes)
                takenThrough = try progress.read()
                closedThrough = try progress.read()
                for port in ports { port.watermark = try progress.read() }
            }
            savedProgress = saved
        }
        for port in ports {
            try port.rows.restore(
                from: reader, taken: takenThrough, bytesMax: memoryBudgetBytes)
        }
        try processor.restore(from: reader)
        try next.restore(from: reader, clocks: clocks, pending: pending)
    }

    fileprivate var firstDue: Int64 {
        let own = ports.compactMap(\.rows.firstTime).min() ?? .max
        return min(own, processor.firstDue, behind(next.firstDue))
    }
    fileprivate var lastDue: Int64 {
        let own = ports.compactMap(\.rows.lastTime).max() ?? .min
        return max(own, processor.lastDue, behind(next.lastDue))
    }
    /// The watermark here when it is `mark` further down.
    private func behind(_ mark: Int64) -> Int64 {
        mark == .max || mark == .min ? mark : mark + processor.outputDelay
    }

    fileprivate var memoryBytes: Int {
        ports.reduce(processor.memoryBytes + next.memoryBytes) { $0 + $1.rows.memoryBytes }
    }
    fileprivate var droppedCount: UInt64 { processor.droppedCount + next.droppedCount }
    fileprivate var spilledCount: Int {
        ports.reduce(processor.spilledCount + next.spilledCount) { $0 + $1.rows.spilledCount }
    }
    fileprivate var evaluationErrors: UInt64 { processor.evaluationErrors + next.evaluationErrors }
}

/// One input of an ordered operator.
///
/// Operators are asked for their state and told to go on head by head, and each head reaches the
/// operator by a port of its own; the first port stands for all.
final class OrderedPort: Operator {
    private let core: OrderedOperator
    private let index: Int
    private let state: OrderedOperator.PortState
    /// Gets late rows; nil for results of an operator above, where none is late.
    private let lateOutput: LateRows?

    init(_ core: OrderedOperator, index: Int, lateOutput: LateRows?) {
        self.core = core
        self.index = index
        state = core.ports[index]
        self.lateOutput = lateOutput
    }

    var next: any Operator { core.next }
    private var isFirst: Bool { index == 0 }

    func process(_ run: RowRun) throws(Failure) -> Step {
        if areAllInTime(run) {
            run.outcomes?.markUsed(run)
            state.rows.append(run.batch)
        } else {
            try part(run)
        }
        return .done
    }

    private func areAllInTime(_ run: RowRun) -> Bool {
        let column = run.batch.columns[state.rows.timeColumn]
        if column.validity != nil { return false }
        let times = UnsafePointer(column.ints)
        var isLate = false
        if let marks = run.trace.watermarks.map({ UnsafePointer($0.ints) }) {
            for row in 0..<run.batch.rowCount where times[row] <= marks[run.origin(row)] {
                isLate = true
            }
        } else {
            let mark = state.watermark
            for row in 0..<run.batch.rowCount where times[row] <= mark { isLate = true }
        }
        return !isLate
    }

    /// Takes the rows that are in time, and hands on those that are late.
    private func part(_ run: RowRun) throws(Failure) {
        let times = run.batch.columns[state.rows.timeColumn]
        let marks = run.trace.watermarks.map { UnsafePointer($0.ints) }
        var kept: [Int32] = []
        var late: [Int32] = []
        for row in 0..<run.batch.rowCount {
            // A time that an outer join made NULL belongs to no order.
            if times.isNull(row) { continue }
            let mark = if let marks { marks[run.origin(row)] } else { state.watermark }
            if times.ints[row] > mark { kept.append(Int32(row)) } else { late.append(Int32(row)) }
        }
        // A row that is late for one window and not for another is not late.
        if !late.isEmpty, !kept.isEmpty, run.origins != nil {
            let used = Set(kept.map { run.origin(Int($0)) })
            late.removeAll { used.contains(run.origin(Int($0))) }
        }
        if !late.isEmpty {
            guard let lateOutput else { preconditionFailure("an operator's result came late") }
            run.outcomes?.markLate(run, late)
            lateOutput.add(late.withUnsafeBufferPointer { run.batch.gather($0) }, of: run, late)
        }
        kept.withUnsafeBufferPointer { rows in
            run.outcomes?.markUsed(run, rows)
            state.rows.append(run.batch.gather(rows))
        }
    }

    func advance(_ trace: ClockTrace) throws(Failure) -> Step {
        state.watermark = max(state.watermark, trace.watermarkAfter)
        return try core.advanceThrough()
    }

    func flush() throws(Failure) {}
    func resume() throws(Failure) -> Step { isFirst ? try core.resume() : .done }
    func checkpoint(into writer: any StateWriter) { if isFirst { core.checkpoint(into: writer) } }
    func restore(
        from reader: any StateReader, clocks: WatermarkTracker, pending: ClockTrace?
    ) throws(Failure) {
        if isFirst { try core.restore(from: reader, clocks: clocks, pending: pending) }
    }
    var firstDue: Int64 { isFirst ? core.firstDue : .max }
    var lastDue: Int64 { isFirst ? core.lastDue : .min }
    var memoryBytes: Int { isFirst ? core.memoryBytes : 0 }
    var spilledCount: Int { isFirst ? core.spilledCount : 0 }
    var droppedCount: UInt64 { isFirst ? core.droppedCount : 0 }
    var evaluationErrors: UInt64 { isFirst ? core.evaluationErrors : 0 }
}

/// Hands rows on as they come, in order.
final class SortProcessor: OrderedProcessor {
    func process(_ slice: OrderedSlice, into output: OrderedOutput) throws(Failure) {
        try output.emit(slice.batches[0])
    }
}
