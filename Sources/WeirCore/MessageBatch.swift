// Raw messages on their way from a source to the deserializer: all payloads in one run of bytes, so
// that the JSON reader goes over them without a copy.

#if canImport(Glibc)
import Glibc
#endif

/// Messages as they came: payloads back to back, with what the transport said of each.
///
/// Reused from poll to poll; the memory stays. Behind the last payload there are always
/// `MessageBatch.padding` readable bytes, which the JSON reader needs.
public final class MessageBatch {
    /// Readable bytes behind the last payload (simdjson's SIMDJSON_PADDING is 64 or less).
    public static let padding = 64

    /// The payloads, message i at `starts[i] ..< starts[i] + lengths[i]`.
    public private(set) var bytes: UnsafeMutablePointer<UInt8>
    /// Bytes of all payloads.
    public private(set) var byteCount = 0
    private var byteCapacity: Int
    /// Where each payload begins in `bytes`.
    public private(set) var starts: [Int] = []
    /// Bytes of each payload.
    public private(set) var lengths: [Int] = []
    /// The topic of each message (MQTT), or an empty string; STRING.
    public private(set) var topics = Column(.string)
    /// When weir received each message, ms since the epoch.
    public private(set) var receivedAt: [Int64] = []
    /// MQTT's retain flag of each message.
    public private(set) var retained: [Bool] = []
    /// MQTT 5 user properties; only messages that have some are listed, by message index.
    public private(set) var userProperties: [Int: [(name: String, value: String)]] = [:]
    /// Stop polling at this many messages; 16,384 by default.
    public let messagesMax: Int
    /// Stop polling at this many payload bytes; 4 MiB by default. One payload may be longer.
    public let bytesMax: Int

    public init(messagesMax: Int = 16_384, bytesMax: Int = 4 << 20) {
        self.messagesMax = messagesMax
        self.bytesMax = bytesMax
        byteCapacity = 64 << 10
        bytes = .allocate(capacity: byteCapacity + Self.padding)
        bytes.initialize(repeating: 0, count: byteCapacity + Self.padding)
    }

    deinit { bytes.deallocate() }

    /// Messages held.
    public var count: Int { starts.count }
    /// Whether none is held.
    public var isEmpty: Bool { starts.isEmpty }
    /// Whether a source should stop adding messages.
    public var isFull: Bool { count >= messagesMax || byteCount >= bytesMax }

    /// Forgets all messages; memory grown beyond twice `bytesMax` by a giant payload is given back.
    public func removeAll() {
        byteCount = 0
        starts.removeAll(keepingCapacity: true)
        lengths.removeAll(keepingCapacity: true)
        receivedAt.removeAll(keepingCapacity: true)
        retained.removeAll(keepingCapacity: true)
        userProperties.removeAll()
        topics = Column(.string)
        if byteCapacity > 2 * bytesMax { resize(to: 64 << 10) }
    }

    /// Adds one message.
    public func append(
        payload: UnsafeRawBufferPointer, topic: UnsafeBufferPointer<UInt8>, receivedAt: Int64,
        retained: Bool = false, userProperties: [(name: String, value: String)] = []
    ) {
        let room = reserve(payload.count)
        if let base = payload.baseAddress { memcpy(room, base, payload.count) }
        if !userProperties.isEmpty { self.userProperties[count] = userProperties }
        commit(length: payload.count, topic: topic, receivedAt: receivedAt, retained: retained)
    }

    /// Room for `length` bytes at the end, to be filled and then made a message by `commit(length:…)`.
    public func reserve(_ length: Int) -> UnsafeMutablePointer<UInt8> {
        if byteCount + length > byteCapacity { resize(to: max(byteCapacity * 2, byteCount + length)) }
        return bytes + byteCount
    }

    /// Makes the next `length` reserved bytes a message.
    public func commit(
        length: Int, topic: UnsafeBufferPointer<UInt8> = .init(start: nil, count: 0),
        receivedAt: Int64, retained: Bool = false
    ) {
        precondition(byteCount + length <= byteCapacity, "bytes were not reserved")
        starts.append(byteCount)
        lengths.append(length)
        byteCount += length
        memset(bytes + byteCount, 0x20, Self.padding)
        topics.append(topic)
        self.receivedAt.append(receivedAt)
        self.retained.append(retained)
    }

    private func resize(to capacity: Int) {
        let fresh = UnsafeMutablePointer<UInt8>.allocate(capacity: capacity + Self.padding)
        memcpy(fresh, bytes, byteCount)
        memset(fresh + byteCount, 0x20, Self.padding)
        bytes.deallocate()
        bytes = fresh
        byteCapacity = capacity
    }
}
