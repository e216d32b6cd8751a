// The operators of one key, from the first that keeps rows to the last: as many ways in as the plan has
// branches, one way out, which all keys share.

import WeirCore
import WeirStore

/// One key's operators, in memory.
final class KeyChain {
    /// Where the rows of each branch go in.
    let entries: [any Operator]
    let prefix: KeyPrefix
    /// When it was last used, counted in uses of all.
    var lastUse: UInt64 = 0
    /// Whether it was used since the last commit.
    var isTouched = false
    /// What was counted of it last.
    var counted = ChainCounts()

    /// What the objects of a chain take before they hold anything, roughly.
    private static let baseBytes = 6_144

    init(_ entries: [any Operator], prefix: KeyPrefix) { (self.entries, self.prefix) = (entries, prefix) }

    /// Takes back what was saved of it, perhaps nothing.
    func restore(from reader: any StateReader, _ clocks: WatermarkTracker) throws(Failure) {
        let own = PrefixedReader(reader, prefix)
        for entry in entries { try entry.restore(from: own, clocks: clocks, pending: nil) }
    }

    func checkpoint(into writer: any StateWriter) {
        let own = PrefixedWriter(writer, prefix)
        for entry in entries { entry.checkpoint(into: own) }
    }

    /// Moves its time on; doing it twice does nothing more.
    func advance(to watermark: Int64) throws(Failure) -> Step {
        let trace = ClockTrace(watermarks: nil, watermarkAfter: watermark, keys: nil)
        for entry in entries {
            if case .suspended = try entry.advance(trace) { return .suspended(beforeRow: 0) }
        }
        return .done
    }

    func resume() throws(Failure) -> Step {
        for entry in entries {
            if case .suspended = try entry.resume() { return .suspended(beforeRow: 0) }
        }
        return .done
    }

    /// A watermark below which time does nothing; Int64.max when it never does anything.
    var firstDue: Int64 { entries.reduce(.max) { min($0, $1.firstDue) } }
    /// The watermark at which all that waits is through, as far as it is known; Int64.min when nothing
    /// waits.
    var lastDue: Int64 { entries.reduce(.min) { max($0, $1.lastDue) } }

    var counts: ChainCounts {
        entries.reduce(into: ChainCounts(bytes: Self.baseBytes)) { counts, entry in
            counts.bytes += entry.memoryBytes
            counts.spilled += entry.spilledCount
            counts.dropped += entry.droppedCount
            counts.errors += entry.evaluationErrors
        }
    }
}

/// What operators say of themselves.
struct ChainCounts {
    var bytes = 0
    var spilled = 0
    var dropped: UInt64 = 0
    var errors: UInt64 = 0
}

/// The one way out of all chains: small pieces are put together before they go on. To each chain it is the
/// end: what follows is asked once, and not by each chain.
final class ChainOutput: LastOperator {
    let next: any Operator
    private let schema: Schema
    private let rowsMax: Int
    private var held: [Batch] = []
    private var heldRows = 0
    private var sinceCommit = 0

    private static let heldRowsMax = 4_096

    /// - Parameter rowsMax: rows after which a commit must come.
    init(schema: Schema, rowsMax: Int, next: any Operator) {
        (self.schema, self.rowsMax, self.next) = (schema, rowsMax, next)
    }

    /// Whether results must be committed before more are made.
    var mustCommit: Bool { sinceCommit >= rowsMax }

    func process(_ run: RowRun) throws(Failure) -> Step {
        guard run.batch.rowCount > 0 else { return .done }
        held.append(run.batch)
        heldRows += run.batch.rowCount
        sinceCommit += run.batch.rowCount
        if heldRows >= Self.heldRowsMax { try send() }
        return .done
    }

    /// Hands on what is held.
    func send() throws(Failure) {
        guard let first = held.first else { return }
        let batch = held.count == 1 ? first : joined()
        held.removeAll(keepingCapacity: true)
        heldRows = 0
        let trace = ClockTrace(watermarks: nil, watermarkAfter: Watermark.none, keys: nil)
        _ = try next.process(
            RowRun(batch: batch, origins: nil, sourceRows: 0..<0, trace: trace, outcomes: nil))
    }

    private func joined() -> Batch {
        let columns = schema.fields.indices.map { index -> Column in
            let column = Column(schema[index].type, capacity: heldRows)
            for part in held { column.append(from: part.columns[index], range: 0..<part.rowCount) }
            return column
        }
        return Batch(schema: schema, columns: columns, rowCount: heldRows)
    }

    /// A commit has come.
    func committed() {
        precondition(held.isEmpty, "results are held over a commit")
        sinceCommit = 0
    }
}
