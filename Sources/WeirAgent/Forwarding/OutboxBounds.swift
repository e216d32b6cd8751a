// What keeps one sink's part of the outbox within its bounds, whatever else goes on: small blocks are merged,
// rows become coarser ones, and where it is so configured the oldest are dropped, which the log tells.

import Logging
import WeirCore
import WeirStore

/// The bounds of one sink's rows. Belongs to the sink's thread.
final class OutboxBounds {
    private let sink: SinkID
    private let settings: ForwarderSettings
    private let outbox: Outbox
    /// Merges rows when the outbox is full; nil when the sink does otherwise.
    private let coarsening: OutboxCoarsening?
    private let clock: any MachineClock
    private let logger: Logger
    private var nextMerge: Int64 = 0
    private static let mergeIntervalNanoseconds: Int64 = 1_000_000_000

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
                bytesMax: Int(clamping: settings.outbox.bytesMax), logger: logger)
        }
    }

    /// Makes room, where there is too little.
    func enforce() throws(Failure) {
        let now = clock.monotonicNanoseconds()
        if now >= nextMerge {
            nextMerge = now + Self.mergeIntervalNanoseconds
            // A slow stream makes a tiny block a commit; days of them must not add up in memory.
            _ = try outbox.mergeSmallBlocks(of: sink)
        }
        try coarsening?.makeRoom()
        if settings.outbox.dropsOldest {
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
