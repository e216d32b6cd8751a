// One sink's end of the uplink: asked by the sink's forwarder before and after an upload, and by the
// sink's HTTP requests for every piece of a body.

import Glibc
import WeirConnectors
import WeirCore

/// A sink's line on the shared uplink.
final class UplinkLine: UploadMeter {
    private let uplink: Uplink
    private let index: Int
    /// The longest that a request is kept in one question, ms: it looks for a stop between two.
    private static let waitMillisecondsMax: Int64 = 100

    init(_ uplink: Uplink, _ index: Int) {
        self.uplink = uplink
        self.index = index
    }

    /// What was sent by all sinks and what is left.
    var budget: UploadBudget { uplink.budget }

    /// The sink that goes first, when this one has something due since `oldest`.
    func holder(oldest: Int64) -> String? { uplink.holder(index, oldest: oldest) }

    /// Another sink that sends, or has something due; nil when there is none.
    var busySink: String? { uplink.busySink(besides: index) }

    /// Charges an upload that begins, or something that nobody waits for; durable on return.
    func begin(estimate: Int64, isUpkeep: Bool = false) throws(Failure) {
        try uplink.begin(index, estimate: estimate, isUpkeep: isUpkeep)
    }

    /// Charges more for what is under way; durable on return.
    func charge(_ bytes: Int64) throws(Failure) { try uplink.charge(index, bytes) }

    /// Corrects the charge of an upload that has ended; durable on return. Returns the bytes that it took.
    @discardableResult
    func end(reported: Int64) throws(Failure) -> Int64 { try uplink.end(index, reported: reported) }

    /// Charges what was sent since the last upload, and in none.
    func settle() throws(Failure) { try uplink.settle(index) }

    /// Nothing is due any more.
    func withdraw() { uplink.withdraw(index) }

    func permit(_ wanted: Int) -> Int {
        let (bytes, wait) = uplink.permit(index, wanted)
        if bytes == 0 {
            poll(nil, 0, Int32(max(1, min(wait / 1_000_000 + 1, Self.waitMillisecondsMax))))
        }
        return bytes
    }

    func count(_ bytes: Int) { uplink.count(index, bytes) }
}
