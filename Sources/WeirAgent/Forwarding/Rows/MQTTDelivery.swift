// Rows of a segment become messages of a broker, one a row. The segment is delivered when the broker has
// acknowledged all of them; a try that follows a failure in the same process begins behind the last row
// that it had acknowledged, one after a crash begins with the segment.

import Logging
import WeirConnectors
import WeirCore
import WeirStore

/// Publishes segments.
final class MQTTDelivery: SegmentDelivery {
    private let publisher: MQTTPublisher
    private let topic: TopicTemplate
    private let texts: RowTexts
    private let settings: ForwarderSettings
    private let crashPoint: CrashPoint
    private let logger: Logger
    /// What paces and counts the messages; nil for nobody.
    private let line: UplinkLine?
    /// What MQTT adds to a message at most, beside topic, id and payload: lengths, properties' names.
    private static let frameBytes = 48
    /// The segment under way.
    private var current: Segment?
    /// How far the segments of all streams have come: one that was refused goes on where it was, whatever
    /// its neighbours have sent meanwhile.
    private var progress: [StreamID: Progress] = [:]
    /// Rows of the segment under way that were refused for good before another was.
    private var refusedEarlier: [MQTTPublisher.Refusal] = []
    private(set) var refusedRowCount: UInt64 = 0

    private struct Progress {
        let segment: Segment
        let acknowledged: UInt64
        let refused: [MQTTPublisher.Refusal]
    }

    init(
        _ publisher: MQTTPublisher, topic: TopicTemplate, texts: RowTexts, _ settings: ForwarderSettings,
        _ environment: ForwarderEnvironment
    ) {
        self.publisher = publisher
        self.topic = topic
        self.texts = texts
        self.settings = settings
        crashPoint = environment.crashPoint
        logger = environment.logger
        line = environment.line
    }

    func tend() throws(Failure) -> Int64? { try publisher.tend() }

    func deliver(
        _ segment: Segment, onSent: (_ name: String, _ bytes: Int) -> Void
    ) throws(Failure) {
        if current != segment {
            let known = progress[segment.stream].flatMap { $0.segment == segment ? $0 : nil }
            publisher.begin(at: known.map { $0.acknowledged + 1 } ?? segment.first)
            refusedEarlier = known?.refused ?? []
            current = segment
            refusedRowCount = 0
        }
        defer {
            progress[segment.stream] = Progress(
                segment: segment, acknowledged: publisher.acknowledged,
                refused: refusedEarlier + publisher.refused)
        }
        let prefix = texts.idPrefix(segment.streamName)
        var bytes = 0
        try texts.forEachRow(of: segment, from: publisher.acknowledged + 1) { (row) throws(Failure) in
            let topic = self.topic.topic(row.batch, row.index, stream: segment.streamName)
            let id = "\(prefix)\(row.number)"
            try self.pass(row.text.count + topic.utf8.count + id.utf8.count + Self.frameBytes)
            try self.publisher.publish(row.text, to: topic, id: id, number: row.number)
            bytes += row.text.count
            self.crashPoint.pass("publish.after-row")
        }
        crashPoint.pass("publish.before-flush")
        try publisher.flush()
        crashPoint.pass("publish.after-flush")
        let refused = refusedEarlier + publisher.refused
        for refusal in refused {
            logger.error(
                "dropped row \(refusal.number) of \(segment.streamName): \(refusal.reason)",
                metadata: ["sink": "\(settings.sinkName)"])
        }
        refusedRowCount = UInt64(refused.count)
        onSent("\(prefix)\(segment.last)", bytes)
    }

    /// Waits until the uplink has room for `count` bytes; the connection is looked after meanwhile.
    private func pass(_ count: Int) throws(Failure) {
        guard let line else { return }
        var left = count
        while left > 0 {
            let permitted = line.permit(left)
            left -= permitted
            if permitted == 0 { _ = try publisher.tend() }
        }
        line.count(count)
    }
}
