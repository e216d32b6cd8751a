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
    /// The segment under way.
    private var current: Segment?
    private(set) var refusedRowCount: UInt64 = 0

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
    }

    func tend() throws(Failure) -> Int64? { try publisher.tend() }

    func deliver(
        _ segment: Segment, onSent: (_ name: String, _ bytes: Int) -> Void
    ) throws(Failure) {
        if current != segment {
            publisher.begin(at: segment.first)
            current = segment
            refusedRowCount = 0
        }
        let prefix = texts.idPrefix(segment.streamName)
        var bytes = 0
        try texts.forEachRow(of: segment, from: publisher.acknowledged + 1) { (row) throws(Failure) in
            try self.publisher.publish(
                row.text, to: self.topic.topic(row.batch, row.index, stream: segment.streamName),
                id: "\(prefix)\(row.number)", number: row.number)
            bytes += row.text.count
            self.crashPoint.pass("publish.after-row")
        }
        crashPoint.pass("publish.before-flush")
        try publisher.flush()
        crashPoint.pass("publish.after-flush")
        for refusal in publisher.refused {
            logger.error(
                "dropped row \(refusal.number) of \(segment.streamName): \(refusal.reason)",
                metadata: ["sink": "\(settings.sinkName)"])
        }
        refusedRowCount = UInt64(publisher.refused.count)
        onSent("\(prefix)\(segment.last)", bytes)
    }
}
