// What a source's clock makes of a batch: the rows that may be processed, and for each of them the
// watermark just before it. A query gets nothing else to decide lateness by, so that a cut between
// two batches can never change a result (promise P1).
//
// With `watermark_by` each key keeps a clock of its own; then a trace also says, row by row, whose
// clock the row moved and where to. The passing of time (a silent source, a silent key, the end of
// a bounded input) is a trace without rows: the loop hands it on like any other input.

import WeirCore

/// Rows with their watermarks, ready for the queries that read the source.
public struct TimedBatch {
    /// The accepted rows, with all columns of the source and `Batch.watermarks` filled in.
    public let batch: Batch
    /// How the clocks moved, row by row.
    public let trace: ClockTrace
    /// The rows of the input that were not accepted, in order.
    public let rejected: [RejectedRow]

    init(batch: Batch, trace: ClockTrace, rejected: [RejectedRow] = []) {
        self.batch = batch
        self.trace = trace
        self.rejected = rejected
    }
}

/// A row that has no usable event time.
public struct RejectedRow: Hashable, Sendable {
    /// The row's index in the batch given to `WatermarkTracker.assign`.
    public let row: Int
    /// Why it cannot be used.
    public let reason: RejectionReason
}

/// Why a clock refused a row.
public enum RejectionReason: String, Hashable, Sendable, CaseIterable {
    case eventTimeMissing = "the event time is NULL"
    case eventTimeOutOfRange = "the event time is beyond the years that weir computes with"
    case eventTimeTooFarAhead =
        "the event time is further ahead of the machine's clock than max_ahead"
    case keysExhausted = "there are more watermark_by keys than the limit, and none is idle"
}

/// Movements of a source's clocks, in order.
public final class ClockTrace {
    /// The combined watermark before each row; nil when the trace has no rows.
    let watermarks: Column?
    /// The combined watermark after all of it.
    public let watermarkAfter: Int64
    /// The movements of the keys' clocks, one a row (or one a key when there are no rows); nil
    /// without `watermark_by`.
    let keys: KeyMoves?

    init(watermarks: Column?, watermarkAfter: Int64, keys: KeyMoves?) {
        self.watermarks = watermarks
        self.watermarkAfter = watermarkAfter
        self.keys = keys
    }

    /// The trace from row (or movement) `first` on.
    func suffix(from first: Int) -> ClockTrace {
        ClockTrace(
            watermarks: watermarks.map { $0.slice(min(first, $0.count)..<$0.count) },
            watermarkAfter: watermarkAfter, keys: keys?.suffix(from: first))
    }
}

/// Movements of keys' clocks: entry i says that the clock in place `places[i]` stood at `before[i]`
/// and then at `after[i]`.
///
/// `after` is `Watermark.end` when the key's open windows are to close without its clock moving (it
/// is idle, or the input has ended), and `Watermark.none` when the key is forgotten and its place
/// is free.
struct KeyMoves {
    var places: [Int32] = []
    var before: [Int64] = []
    var after: [Int64] = []
    /// Whose clocks they are, for the keys' bytes.
    let clocks: KeyClocks

    init(clocks: KeyClocks) { self.clocks = clocks }

    mutating func append(place: Int32, before: Int64, after: Int64) {
        places.append(place)
        self.before.append(before)
        self.after.append(after)
    }

    func suffix(from first: Int) -> KeyMoves {
        var result = KeyMoves(clocks: clocks)
        result.places = Array(places.dropFirst(first))
        result.before = Array(before.dropFirst(first))
        result.after = Array(after.dropFirst(first))
        return result
    }
}
