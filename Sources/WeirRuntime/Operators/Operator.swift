// How rows go through a query: each operator gets a run of rows, does its part and hands the result
// to the next one, down to the output. A stateless operator is two things: `next` and `process`.
// One with state adds what the defaults below leave out; the end of a chain is `process` alone.
//
// Sets of results are of any size, so a stateful operator may stop before it is through: it returns
// `.suspended`, nothing is lost, and `resume` goes on. Rows behind the stop have then not been
// looked at; the pipeline keeps them and hands them in again.

import WeirCore
import WeirStore

/// One stage of a query.
protocol Operator: AnyObject {
    /// The operator that gets this one's results.
    var next: any Operator { get }
    /// Takes rows.
    func process(_ run: RowRun) throws(Failure) -> Step
    /// All operators that read the source have been given the batch: rows that were held back to be
    /// put in order with those of another way through the query go on.
    func flush() throws(Failure)
    /// Follows the source's clocks; the rows before were already given to `process`. Doing it twice
    /// does nothing more.
    func advance(_ trace: ClockTrace) throws(Failure) -> Step
    /// Goes on after a `.suspended`, until `.done`.
    func resume() throws(Failure) -> Step
    /// Writes what changed since the last time, and counts the results so far as committed.
    func checkpoint(into writer: any StateWriter)
    /// Takes back what an earlier run saved; called once, first. `pending` are the movements of the
    /// clocks that had not been followed at the commit.
    func restore(
        from reader: any StateReader, clocks: WatermarkTracker, pending: ClockTrace?
    ) throws(Failure)
    /// A watermark below which time does nothing, here and further down; Int64.max when it never does.
    var firstDue: Int64 { get }
    /// A watermark at which something that waits comes out, here or further down, such that nothing comes
    /// out at a later one but what this one makes of it; Int64.min when nothing waits.
    var lastDue: Int64 { get }
    /// Bytes of memory held, here and further down.
    var memoryBytes: Int { get }
    /// Groups and rows of state that memory has no room for, here and further down: they are in
    /// durable state alone.
    var spilledCount: Int { get }
    /// What a limit of state has left out, here and further down, since the start.
    var droppedCount: UInt64 { get }
    /// Values that could not be computed and became NULL, here and further down, since the start.
    var evaluationErrors: UInt64 { get }
}

/// How far an operator came.
enum Step {
    case done
    /// Results must be committed before more are made. Rows of the source from this one on have not
    /// been processed (meaningless for `advance` and `resume`, which only go on).
    case suspended(beforeRow: Int)
}

extension Operator {
    func flush() throws(Failure) { try next.flush() }
    func advance(_ trace: ClockTrace) throws(Failure) -> Step { try next.advance(trace) }
    func resume() throws(Failure) -> Step { try next.resume() }
    func checkpoint(into writer: any StateWriter) { next.checkpoint(into: writer) }
    func restore(
        from reader: any StateReader, clocks: WatermarkTracker, pending: ClockTrace?
    ) throws(Failure) {
        try next.restore(from: reader, clocks: clocks, pending: pending)
    }
    var firstDue: Int64 { next.firstDue }
    var lastDue: Int64 { next.lastDue }
    var memoryBytes: Int { next.memoryBytes }
    var spilledCount: Int { next.spilledCount }
    var droppedCount: UInt64 { next.droppedCount }
    var evaluationErrors: UInt64 { next.evaluationErrors }
}

/// The end of a chain: it takes rows, and there is nobody further down to hand them or questions on to. It
/// keeps nothing over a commit.
protocol LastOperator: Operator {}

extension LastOperator {
    var next: any Operator { preconditionFailure("nothing comes after the end of a chain") }
    func flush() throws(Failure) {}
    func advance(_ trace: ClockTrace) throws(Failure) -> Step { .done }
    func resume() throws(Failure) -> Step { .done }
    func checkpoint(into writer: any StateWriter) {}
    func restore(
        from reader: any StateReader, clocks: WatermarkTracker, pending: ClockTrace?
    ) throws(Failure) {}
    var firstDue: Int64 { .max }
    var lastDue: Int64 { .min }
    var memoryBytes: Int { 0 }
    var spilledCount: Int { 0 }
    var droppedCount: UInt64 { 0 }
    var evaluationErrors: UInt64 { 0 }
}

/// Rows on their way through a query, and which rows of the source they come from.
struct RowRun {
    let batch: Batch
    /// For each row the source's row, ascending; nil when they are the same.
    let origins: [Int32]?
    /// The source's rows that this run stands for, whether anything is left of them or not.
    let sourceRows: Range<Int>
    /// The source's clocks, by source row.
    let trace: ClockTrace
    /// Where to note what became of the source's rows; nil for results of a window.
    let outcomes: RowOutcomes?

    /// The source's row of row `row`.
    @inline(__always)
    func origin(_ row: Int) -> Int { if let origins { Int(origins[row]) } else { row } }

    /// The same source rows with other columns.
    func replacing(_ batch: Batch) -> RowRun {
        precondition(batch.rowCount == self.batch.rowCount, "a row for a row")
        return RowRun(
            batch: batch, origins: origins, sourceRows: sourceRows, trace: trace, outcomes: outcomes
        )
    }

    /// `batch` made of rows `rows` of this one.
    func replacing(_ batch: Batch, rows: UnsafeBufferPointer<Int32>) -> RowRun {
        RowRun(
            batch: batch, origins: rows.map { Int32(origin(Int($0))) }, sourceRows: sourceRows,
            trace: trace, outcomes: outcomes)
    }
}

/// What became of each row of a batch. A row that UNNEST or HOP multiplied counts once: as used if
/// any row made of it was used, else as late if any was late, else as filtered.
final class RowOutcomes {
    private static let late: UInt8 = 1
    private static let used: UInt8 = 2
    private var outcomes: [UInt8] = []

    func begin(rowCount: Int) {
        outcomes.removeAll(keepingCapacity: true)
        outcomes.append(contentsOf: repeatElement(0, count: rowCount))
    }

    /// All rows of `run` reached the end of a query without windows.
    func markUsed(_ run: RowRun) {
        outcomes.withUnsafeMutableBufferPointer { outcomes in
            if let origins = run.origins {
                for origin in origins { outcomes[Int(origin)] = Self.used }
            } else {
                for row in 0..<run.batch.rowCount { outcomes[row] = Self.used }
            }
        }
    }

    func markUsed(_ run: RowRun, _ rows: UnsafeBufferPointer<Int32>) {
        outcomes.withUnsafeMutableBufferPointer { outcomes in
            for row in rows { outcomes[run.origin(Int(row))] = Self.used }
        }
    }

    func markLate(_ run: RowRun, _ rows: [Int32]) {
        for row in rows {
            let origin = run.origin(Int(row))
            outcomes[origin] = max(outcomes[origin], Self.late)
        }
    }

    /// The counts of rows 0 ..< `rowCount`.
    func count(_ rowCount: Int, into statistics: inout QueryStatistics) {
        var tally = (0, 0, 0)
        for row in 0..<rowCount {
            switch outcomes[row] {
            case Self.used: tally.0 += 1
            case Self.late: tally.1 += 1
            default: tally.2 += 1
            }
        }
        statistics.used += UInt64(tally.0)
        statistics.late += UInt64(tally.1)
        statistics.filtered += UInt64(tally.2)
    }
}
