// How a sealed segment reaches its sink. The forwarder decides when a segment goes and what follows a
// failure; a delivery knows what "there" means: every object stored, a table's log has the commit, a
// broker has acknowledged each row.
//
// Always true: a delivery may be repeated, after any crash or lost reply, and leaves what one
// delivery leaves; only when it has returned are the segment's rows trimmed.

import WeirConnectors
import WeirCore
import WeirStore

/// Brings segments of one sink where they go. Belongs to the sink's thread.
protocol SegmentDelivery: AnyObject {
    /// What makes the files that it sends, so that segments can wait as files; nil where rows are sent.
    var fileWriter: SegmentWriter? { get }

    /// Brings the segment's rows there, whole; tells `onSent` of each piece that has arrived.
    ///
    /// Throws what the other side answered; the same segment is then delivered again.
    func deliver(
        _ segment: Segment, onSent: (_ name: String, _ bytes: Int) -> Void
    ) throws(Failure)

    /// What has to be done while there is nothing to deliver: keep a connection alive, notice that it is
    /// gone. Returns in how many ms it wants to be called again; nil: never.
    func tend() throws(Failure) -> Int64?

    /// What follows a delivery that has been recorded, and may as well come later.
    func finish() throws(Failure)

    /// What has to be done to keep tables in shape and is not done, and why; nil when nothing waits.
    var upkeepWait: StatusSnapshot.UpkeepWait? { get }

    /// Rows of the segment that was delivered last that the other side has refused for good.
    var refusedRowCount: UInt64 { get }

    /// Writes an empty object under `key`; may be repeated. Asked only of sinks that can have a `marker`.
    func mark(_ key: ObjectKey) throws(Failure)

    /// The agent, other than `agentID`, that has an object in `folder`; nil when none has.
    func otherAgent(than agentID: String, in folder: String) throws(Failure) -> String?
}

extension SegmentDelivery {
    /// Nothing has to be done.
    func tend() throws(Failure) -> Int64? { nil }

    /// Nothing follows.
    func finish() throws(Failure) {}

    /// There are no tables.
    var upkeepWait: StatusSnapshot.UpkeepWait? { nil }

    /// All rows were taken.
    var refusedRowCount: UInt64 { 0 }

    /// Only files lie in folders.
    func mark(_ key: ObjectKey) throws(Failure) {
        preconditionFailure("a sink without folders has no marker")
    }

    /// Only files lie in folders.
    func otherAgent(than agentID: String, in folder: String) throws(Failure) -> String? { nil }
}

extension SegmentDelivery {
    /// Rows are sent as they are.
    var fileWriter: SegmentWriter? { nil }
}

/// A segment's files become objects, each put under its name.
final class ObjectDelivery: SegmentDelivery {
    private let store: any ObjectStore
    private let writer: SegmentWriter
    var fileWriter: SegmentWriter? { writer }

    init(store: any ObjectStore, writer: SegmentWriter) {
        self.store = store
        self.writer = writer
    }

    func deliver(
        _ segment: Segment, onSent: (_ name: String, _ bytes: Int) -> Void
    ) throws(Failure) {
        try writer.forEachFile(of: segment) { (file) throws(Failure) in
            try store.put(file.key, file.body)
            onSent(file.key.text, file.body.length)
        }
    }

    func mark(_ key: ObjectKey) throws(Failure) { try store.put(key, .bytes([])) }

    func otherAgent(than agentID: String, in folder: String) throws(Failure) -> String? {
        var last: ObjectKey?
        while true {
            let page = try store.list(
                prefix: folder + "/", startAfter: last, max: Self.listedAtOnceMax)
            for object in page {
                if let agent = ObjectNaming.agent(ofObject: object.key.name), agent != agentID {
                    return agent
                }
            }
            guard page.count == Self.listedAtOnceMax else { return nil }
            last = page.last?.key
        }
    }

    private static let listedAtOnceMax = 1000
}
