// What an operator over rows in event-time order has to bring along: one of these, and a line in
// PipelineBuilder. Waiting, ordering, lateness, draining in pieces and the durable form of waiting rows
// are OrderedOperator's.
//
// The rule that keeps batches out of results (promise P1): a processor is a sequential function of the
// rows in their order and of time. Where something happens because time has passed (a timer with a
// deadline, such as the end of an outer join's wait), it happens
//
//   - in `process`, before the first row whose event time is above the deadline
//   - in `close`, when the deadline is at or below the watermark
//
// and among each other timers go by deadline. The watermark itself is never looked at in any other way:
// where it stands between two rows depends on how the input was cut.

import WeirCore
import WeirStore

/// Computes over rows in the order of event time.
protocol OrderedProcessor: AnyObject {
    /// Takes the next rows: all of one or more consecutive event times, above all earlier ones.
    func process(_ slice: OrderedSlice, into output: OrderedOutput) throws(Failure)
    /// Time has reached `watermark`: all rows up to it have been processed, none will follow.
    /// `Watermark.end` at the end of a bounded input.
    func close(through watermark: Int64, into output: OrderedOutput) throws(Failure)
    /// Writes what changed since the last call, under keys that begin with the tag it was made with.
    func checkpoint(into writer: any StateWriter)
    /// Takes back what an earlier run saved; called once, first. The reader stays in use, for state
    /// that is larger than memory.
    func restore(from reader: any StateReader) throws(Failure)
    /// The rows among `waiting`, ascending, without which results would be others; nil to keep all. Not
    /// asked unless `dropsWaitingRows`.
    func neededRows(_ waiting: Batch) -> [Int32]?
    /// Whether rows may be dropped while they wait.
    var dropsWaitingRows: Bool { get }
    /// Whether more rows of one event time than a slice has are to be handed over where they wait.
    var readsWaitingRows: Bool { get }
    /// Whether such an event time has been begun and is not through.
    var isAmidTime: Bool { get }
    /// Takes the rows of one event time, all that there are. False when a commit must come first: it is
    /// called again with the same rows, perhaps by a process that has restored the state.
    func process(_ waiting: WaitingTime, into output: OrderedOutput) throws(Failure) -> Bool
    /// A watermark below which `close` puts nothing out; Int64.max when it never does.
    var firstDue: Int64 { get }
    /// The watermark at which `close` has put out all that it ever will; Int64.min when there is nothing.
    var lastDue: Int64 { get }
    /// How far, in ms, the event time of a result may lie behind the rows that it was made from.
    var outputDelay: Int64 { get }
    /// Bytes of memory held.
    var memoryBytes: Int { get }
    /// Rows of state that are in durable state alone.
    var spilledCount: Int { get }
    /// What a limit of state has left out, since the start.
    var droppedCount: UInt64 { get }
    /// Values that could not be computed and became NULL, since the start.
    var evaluationErrors: UInt64 { get }
}

extension OrderedProcessor {
    func close(through watermark: Int64, into output: OrderedOutput) throws(Failure) {}
    func checkpoint(into writer: any StateWriter) {}
    func restore(from reader: any StateReader) throws(Failure) {}
    func neededRows(_ waiting: Batch) -> [Int32]? { nil }
    var dropsWaitingRows: Bool { false }
    var readsWaitingRows: Bool { false }
    var isAmidTime: Bool { false }
    func process(_ waiting: WaitingTime, into output: OrderedOutput) throws(Failure) -> Bool {
        preconditionFailure("this processor takes slices")
    }
    var firstDue: Int64 { .max }
    var lastDue: Int64 { .min }
    var outputDelay: Int64 { 0 }
    var memoryBytes: Int { 0 }
    var spilledCount: Int { 0 }
    var droppedCount: UInt64 { 0 }
    var evaluationErrors: UInt64 { 0 }
}

/// A run of rows, input by input, each in the order of (event time, arrival).
struct OrderedSlice {
    /// For each input its rows; without rows for an input that has none here.
    let batches: [Batch]
    /// For each input the column with the event time, which has no NULL.
    let timeColumns: [Int]

    /// The event times of an input's rows.
    func times(_ input: Int) -> UnsafePointer<Int64> {
        UnsafePointer(batches[input].columns[timeColumns[input]].ints)
    }

    /// Rows of all inputs.
    var rowCount: Int { batches.reduce(0) { $0 + $1.rowCount } }

    /// Calls `body` with every row in the order of (event time, input, arrival).
    func forEachInOrder(
        _ body: (_ input: Int, _ row: Int, _ time: Int64) throws(Failure) -> Void
    ) throws(Failure) {
        var next = [Int](repeating: 0, count: batches.count)
        let times = batches.indices.map(times)
        while true {
            var least: Int?
            for input in batches.indices where next[input] < batches[input].rowCount {
                if let chosen = least, times[chosen][next[chosen]] <= times[input][next[input]] {
                    continue
                }
                least = input
            }
            guard let input = least else { return }
            try body(input, next[input], times[input][next[input]])
            next[input] += 1
        }
    }
}

/// Takes a processor's results, in order.
final class OrderedOutput {
    private let next: any Operator
    /// Rows that may be handed on between two commits before one must come.
    private let rowsMax: Int
    /// Rows since the last commit.
    private var rowCount = 0

    init(next: any Operator, rowsMax: Int = .max) { (self.next, self.rowsMax) = (next, rowsMax) }

    /// Whether results must be committed before more are made.
    var mustCommit: Bool { rowCount >= rowsMax }

    /// A commit has come.
    func committed() { rowCount = 0 }

    /// Hands on rows with the operator's schema.
    func emit(_ batch: Batch) throws(Failure) {
        guard batch.rowCount > 0 else { return }
        rowCount += batch.rowCount
        let trace = ClockTrace(watermarks: nil, watermarkAfter: Watermark.none, keys: nil)
        // What comes first can stop for a commit, what follows it finishes what it is handed.
        _ = try next.process(
            RowRun(
                batch: batch, origins: nil, sourceRows: 0..<0, trace: trace, outcomes: nil))
    }
}
