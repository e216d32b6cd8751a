// What keeps the waiting rows of one sink within their bounds: small blocks are merged so that days of a
// slow stream cost no memory, rows are coarsened or dropped when the outbox is full, and dropped when they
// are too old. All of it goes on while the sink is away: that is when bounds matter.
//
// Coarsening makes room in the end and needs some first. Where the disk has none the rows stay as they
// are, nothing is dropped in their place, and the intake waits at the bound (IntakeGate) until there is
// room: a full disk is no reason to lose what could have been kept.

import Logging
import WeirCore
import WeirStore

/// Keeps one sink's part of the outbox within its bounds. Owned by its forwarder's thread.
final class OutboxBounds {
    private let sink: SinkID
    private let settings: ForwarderSettings
    private let outbox: Outbox
    private let clock: any MachineClock
    private let logger: Logger
    /// Merges rows when the outbox is full; nil when the sink does otherwise.
    private let coarsening: OutboxCoarsening?
    private var nextMerge: Int64 = 0
    private static let mergeIntervalNanoseconds: Int64 = 1_000_000_000
    /// How often it is looked whether the disk has room again.
    private static let roomLookMilliseconds: Int64 = 1000

    init(
        sink: SinkID, settings: ForwarderSettings, outbox: Outbox, clock: any MachineClock, logger: Logger
    ) {
        self.sink = sink
        self.settings = settings
        self.outbox = outbox
        self.clock = clock
        self.logger = logger
        coarsening = settings.coarsening.map {
            OutboxCoarsening(
                $0, sink: sink, sinkName: settings.sinkName, outbox: outbox,
                bytesMax: Int(clamping: settings.outbox.bytesMax),
                reservedBytes: UInt64(clamping: settings.stagingReserveBytes), logger: logger)
        }
    }

    /// Why rows that could be merged stay as they are; nil while nothing hinders that.
    var mergingProblem: String? { coarsening?.hindrance?.description }

    /// How long the forwarder may rest before it enforces the bounds again, ms.
    var waitMillisecondsMax: Int64 { coarsening?.hindrance == nil ? .max : Self.roomLookMilliseconds }

    /// Does what the bounds ask for; nothing most of the time.
    func enforce() throws(Failure) {
        let now = clock.monotonicNanoseconds()
        if now >= nextMerge {
            nextMerge = now + Self.mergeIntervalNanoseconds
            // A slow stream makes a tiny block a commit; days of them must not add up in memory.
            _ = try outbox.mergeSmallBlocks(of: sink)
        }
        try coarsening?.makeRoom()
        if settings.outbox.dropsOldest, coarsening?.hindrance == nil {
            try note(
                outbox.expireOldest(of: sink, untilBytes: Int(settings.outbox.bytesMax)),
                "the outbox is full")
        }
        if let ageMax = settings.outbox.ageMaxMilliseconds {
            try note(
                outbox.expireOlder(of: sink, than: clock.nowMilliseconds() - ageMax),
                "they are older than outbox.max_age")
        }
    }

    private func note(_ expired: [ExpiredRange], _ reason: String) {
        for range in expired {
            logger.error(
                "dropped rows \(range.first)–\(range.last) of \(range.streamName): \(reason)",
                metadata: ["sink": "\(settings.sinkName)", "rows": "\(range.rowCount)"])
        }
    }
}
