// Writes the markers of hours that are complete: an empty object in the hour's folder, after the last object
// of the hour. What is due is known from committed records alone (WeirStore/OutboxClosing.swift); a crash
// between the object and the record of it leads to the same empty object again.

import Logging
import WeirConnectors
import WeirCore
import WeirStore

/// One sink's markers. Belongs to the sink's thread.
final class MarkerWriter {
    private let sink: SinkID
    private let sinkName: String
    /// The marker's name.
    private let name: String
    private let outbox: Outbox
    private let logger: Logger
    /// Markers written in one go, so that bounds are looked at in between.
    private static let atOnceMax = 64

    init(sink: SinkID, sinkName: String, name: String, outbox: Outbox, logger: Logger) {
        self.sink = sink
        self.sinkName = sinkName
        self.name = name
        self.outbox = outbox
        self.logger = logger
    }

    /// Writes the markers that are due by `delivery`; throws what the other side answered.
    func writeDue(by delivery: any SegmentDelivery) throws(Failure) {
        var left = Self.atOnceMax
        for stream in outbox.streams(of: sink) {
            while left > 0, let hour = outbox.completeHour(of: stream.id) {
                let key = ObjectNaming.markerKey(stream: stream.name, hour: hour, name: name)
                try delivery.mark(ObjectKey(path: key))
                try outbox.didMark(hour, of: stream.id, sink: sink)
                left -= 1
                logger.info("marked", metadata: ["sink": "\(sinkName)", "object": "\(key)"])
            }
            for hour in try outbox.takeStragglers(of: stream.id, sink: sink) {
                let (date, clock) = ObjectNaming.folder(of: hour)
                logger.warning(
                    "rows of \(stream.name) came for date=\(date)/hour=\(clock) after its marker was due",
                    metadata: ["sink": "\(sinkName)"])
            }
        }
    }

    /// Whether there is anything to write or to say.
    var isDue: Bool { outbox.streams(of: sink).contains { outbox.hasNewsOfHours(of: $0.id) } }
}
