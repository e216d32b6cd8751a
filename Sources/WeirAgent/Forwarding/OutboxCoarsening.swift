// `outbox.on_full = "coarsen"`: when a sink's outbox is nearly full, its oldest rows are merged into rows
// of wider windows, level by level, until a quarter is free again. The least is lost that way: all rows
// reach the first level before any reaches the second.
//
// Only rows that no segment holds are merged, since names of objects are promises, and only windows that
// wait as a whole (CoarseScan). Each merge replaces a stretch of rows in one synced write
// (OutboxRewriting), so that a crash finds either the narrow rows or the wide ones. It runs on the
// thread of the sink's forwarder, which alone seals and drops rows of the sink.
//
// What is merged when follows from how full the outbox is, and so from the network; what a wide row says
// follows from the narrow rows alone.
//
// The new rows are on the disk before the old ones go. So half of `free_space_reserve` is kept for it that
// the intake leaves alone, and the other half is never touched: RocksDB does not come back from a full
// disk. When that does not do, what was written goes again, and merging waits for room.

import Logging
import WeirCore
import WeirRuntime
import WeirSQL
import WeirStore

/// Which rows of a sink can be merged, and how.
struct CoarseningSettings: Sendable {
    /// The widths of windows, from the narrowest, ms.
    let widths: [Int64]
    /// By the names of streams.
    let plans: [String: CoarsenablePlan]
}

/// Merges rows of one sink. Owned by its forwarder's thread.
final class OutboxCoarsening {
    private let settings: CoarseningSettings
    private let sink: SinkID
    private let sinkName: String
    private let outbox: Outbox
    private let bytesMax: Int
    /// Free bytes of the state's disk that merging leaves alone.
    private let reservedBytes: UInt64
    private let logger: Logger
    private let decoder = BatchDecoder()
    private var coarseners: [String: WindowCoarsener] = [:]
    /// The row from which on windows of a width may be found in a stream; what is before is as wide, or
    /// is to stay as it is.
    private var looked: [Look: UInt64] = [:]
    /// The window of a width, by its beginning, that the last row of a stream fell in when nothing could
    /// be merged: until a row of a later one comes, there is no need to read all rows once more.
    private var waitsFor: [Look: Int64] = [:]
    /// Rows appended when there was nothing more to merge.
    private var exhaustedAt: UInt64?
    /// Why rows that could be merged are not: the disk has no room for those that would take their place.
    private(set) var hindrance: Failure?
    /// Free bytes below which rows that did not fit need not be tried again.
    private var wantedBytes: UInt64 = 0
    /// Whether room is so short that one window is merged at a time.
    private var isShortOfRoom = false

    private struct Look: Hashable {
        let stream: StreamID
        let width: Int64
    }

    /// Encoded bytes of rows that are merged with one write, beyond those of one window.
    private static let bytesAtOnceMax = 8 << 20
    /// How much more room there must be, at least, before rows are tried that did not fit.
    private static let missingBytesMin = 1 << 20

    init(
        _ settings: CoarseningSettings, sink: SinkID, sinkName: String, outbox: Outbox, bytesMax: Int,
        reservedBytes: UInt64, logger: Logger
    ) {
        self.settings = settings
        self.sink = sink
        self.sinkName = sinkName
        self.outbox = outbox
        self.bytesMax = bytesMax
        self.reservedBytes = reservedBytes
        self.logger = logger
    }

    private var bytes: Int { outbox.pending(of: sink).bytes }

    /// Merges rows if the outbox is seven eighths full, until a quarter is free or nothing is left to
    /// merge. Without room on the disk it does nothing, and `hindrance` says so.
    func makeRoom() throws(Failure) {
        guard bytes > bytesMax / 8 * 7 else { return endHindrance() }
        let appended = outbox.appendedRows(of: sink)
        if appended == exhaustedAt { return endHindrance() }
        while true {
            let wasShortOfRoom = isShortOfRoom
            do throws(Failure) {
                try checkRoom(atLeast: wantedBytes)
                try mergeWhileTooFull(appended)
                return endHindrance()
            } catch where error.retry != .never {
                // One window at a time may still fit.
                if !wasShortOfRoom, isShortOfRoom, wantedBytes == 0 { continue }
                if hindrance == nil { logger.warning("\(error)", metadata: ["sink": "\(sinkName)"]) }
                hindrance = error
                return
            }
        }
    }

    private func mergeWhileTooFull(_ appended: UInt64) throws(Failure) {
        for width in settings.widths {
            for (stream, name) in outbox.streams(of: sink) {
                guard let coarsener = try coarsener(of: name) else { continue }
                let before = counts(of: stream)
                while isTooFull, try mergeNext(in: stream, coarsener, width) {}
                tell(name, width, before, counts(of: stream))
                if !isTooFull { return }
            }
        }
        exhaustedAt = appended
    }

    private var isTooFull: Bool { bytes > bytesMax / 4 * 3 }

    private func coarsener(of stream: String) throws(Failure) -> WindowCoarsener? {
        if let known = coarseners[stream] { return known }
        guard let plan = settings.plans[stream] else { return nil }
        let made = try WindowCoarsener(plan)
        coarseners[stream] = made
        return made
    }

    /// Merges the oldest rows of a stream that can be merged to `width`; false when there are none.
    private func mergeNext(
        in stream: StreamID, _ coarsener: WindowCoarsener, _ width: Int64
    ) throws(Failure) -> Bool {
        let look = Look(stream: stream, width: width)
        let blocks = outbox.unsealedBlocks(of: stream)
        let start = blocks.index(at: looked[look] ?? 0)
        var scan = CoarseScan(
            coarsener.plan, width: width, beginsWithFirstRow: start == 0 && blocks.beginsWithFirstRow)
        if start < blocks.count, let open = waitsFor[look] {
            let last = try read(blocks.count - 1, of: blocks)
            if try scan.wideStart(ofLastRowIn: last) == open { return false }
        }
        waitsFor[look] = nil
        try take(blocks, from: start, into: &scan)
        let found = scan.found
        guard let first = found.first, let last = found.last,
            let rewriting = OutboxRewriting(outbox, blocks, from: first.firstRow, to: last.endOfRows)
        else {
            // Next time the row before the open window must be seen again.
            let from = max(start, (scan.openBlock ?? blocks.count) - 1)
            if from < blocks.count { looked[look] = blocks.first(of: from) }
            if found.isEmpty { waitsFor[look] = scan.openStart }
            return false
        }
        try rewrite(found, by: coarsener, blocks, into: rewriting)
        guard try rewriting.finish() else { return false }
        looked[look] = rewriting.lastRowNumber
        return true
    }

    /// Writes the rows of wide windows. When the disk has no room for them, what was written goes again, and
    /// it is tried with one window or, if it was one, when there is more room.
    private func rewrite(
        _ windows: [CoarseWindow], by coarsener: WindowCoarsener, _ blocks: UnsealedBlocks,
        into rewriting: OutboxRewriting
    ) throws(Failure) {
        let free = try outbox.freeBytes()
        do throws(Failure) {
            for window in windows {
                try coarsener.merge(
                    window, read: { (index) throws(Failure) in try read(index, of: blocks) },
                    emit: { (rows) throws(Failure) in
                        try checkRoom()
                        try rewriting.append(rows)
                    })
            }
            try checkRoom()
        } catch where error.retry != .never {
            let bytes = try rewriting.abandon()
            // What it took is the least that was missing.
            if windows.count == 1 { wantedBytes = free + UInt64(max(bytes, Self.missingBytesMin)) }
            isShortOfRoom = true
            throw error
        }
    }

    /// Shows the scan blocks until it has found enough to merge at once.
    private func take(
        _ blocks: UnsealedBlocks, from start: Int, into scan: inout CoarseScan
    ) throws(Failure) {
        var (index, foundBytes) = (start, 0)
        let bytesMax = isShortOfRoom ? 1 : Self.bytesAtOnceMax
        while index < blocks.count, !scan.isEnded, foundBytes < bytesMax {
            try scan.take(try read(index, of: blocks), block: index)
            if !scan.found.isEmpty { foundBytes += blocks.bytes(of: index) }
            index += 1
        }
    }

    private func read(_ index: Int, of blocks: UnsealedBlocks) throws(Failure) -> Batch {
        try outbox.readBlock(index, of: blocks, by: decoder)
    }

    // MARK: Room on the disk

    /// Throws, to be tried again, when fewer bytes are free than have to stay, or than `wanted`.
    private func checkRoom(atLeast wanted: UInt64 = 0) throws(Failure) {
        let free = try outbox.freeBytes()
        let needed = max(reservedBytes, wanted)
        guard free < needed else { return }
        throw Failure(
            .storage, "merging waiting rows of sink", sinkName,
            "the disk of state_dir has no room for the rows that take their place: "
                + "\(StatusText.bytes(free)) are free, and half of free_space_reserve, "
                + "\(StatusText.bytes(reservedBytes)), must stay so",
            advice: "make at least \(StatusText.bytes(needed - free)) more room there, and merging goes on "
                + "by itself",
            retry: .backoff)
    }

    private func endHindrance() {
        (wantedBytes, isShortOfRoom) = (0, false)
        guard hindrance != nil else { return }
        hindrance = nil
        logger.info("the disk has room to merge waiting rows again", metadata: ["sink": "\(sinkName)"])
    }

    // MARK: Telling

    private func counts(of stream: StreamID) -> (merged: UInt64, made: UInt64) {
        outbox.reports().first { $0.stream == stream }.map { ($0.merged, $0.made) } ?? (0, 0)
    }

    private func tell(
        _ stream: String, _ width: Int64, _ before: (merged: UInt64, made: UInt64),
        _ now: (merged: UInt64, made: UInt64)
    ) {
        guard now.merged > before.merged else { return }
        let (rows, made) = (now.merged - before.merged, now.made - before.made)
        logger.warning(
            """
            the outbox is nearly full: \(rows) rows of \(stream) were merged into \(made) of windows of \
            \(Quantity.text(milliseconds: width))
            """,
            metadata: ["sink": "\(sinkName)"])
    }
}
