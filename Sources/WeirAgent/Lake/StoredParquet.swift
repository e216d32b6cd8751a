// A Parquet file in an object store, read a piece at a time: its end, where the footer is, and then the
// columns that are wanted, a row group at once where it is not too long. So memory follows from the row
// groups of a file and never from its length, and of a file of which little is wanted little is fetched.
//
// Data files of a table never change under their names. Checkpoints may be written again while they are
// read, since two agents may write the same one: whoever reads one asks `isUnchanged` before it is used.

import WeirConnectors
import WeirCore
import WeirFormats

/// A Parquet object.
final class StoredParquet: ParquetSource {
    let name: String
    let length: Int
    let readAheadBytesMax = 4 << 20

    private let store: any ObjectStore
    private let key: ObjectKey
    /// What the store said of it before it was read; nil when it was read in one piece.
    private let info: ObjectInfo?
    /// The file's end, and where that begins.
    private let tail: [UInt8]
    private let tailStart: Int
    /// Told how many bytes were fetched.
    private let onRead: (Int) -> Void

    /// Files up to here are fetched whole, and of longer ones so much of the end is.
    private static let wholeBytesMax = 1 << 20
    private static let tailBytes = 64 << 10

    /// The object `key`, of whatever length; nil when there is none.
    init?(_ store: any ObjectStore, _ key: ObjectKey) throws(Failure) {
        let whole = try store.get(key, range: 0..<Self.wholeBytesMax)
        guard var bytes = whole else { return nil }
        var info: ObjectInfo?
        if bytes.count == Self.wholeBytesMax {
            guard let found = try store.head(key) else { return nil }
            info = found
            let start = max(0, found.length - Self.tailBytes)
            guard let end = try store.get(key, range: start..<max(found.length, start + 1)) else { return nil }
            bytes = end
        }
        self.info = info
        self.store = store
        self.key = key
        name = "\(store.location)/\(key)"
        length = info?.length ?? bytes.count
        tail = bytes
        tailStart = length - bytes.count
        onRead = { _ in }
    }

    /// The object `key`, which has `length` bytes and never changes; nil when it is gone, or shorter.
    init?(
        _ store: any ObjectStore, _ key: ObjectKey, length: Int, onRead: @escaping (Int) -> Void
    ) throws(Failure) {
        let start = length <= Self.wholeBytesMax ? 0 : length - Self.tailBytes
        guard length > 0, let bytes = try store.get(key, range: start..<length),
            bytes.count == length - start
        else { return nil }
        onRead(bytes.count)
        self.store = store
        self.key = key
        self.length = length
        self.onRead = onRead
        name = "\(store.location)/\(key)"
        info = nil
        tail = bytes
        tailStart = start
    }

    func read(_ range: Range<Int>) throws(Failure) -> [UInt8] {
        if range.lowerBound >= tailStart {
            return Array(tail[range.lowerBound - tailStart..<range.upperBound - tailStart])
        }
        guard let bytes = try store.get(key, range: range), bytes.count == range.count else {
            throw Failure(
                .external, "reading", name, "it is gone, or has become shorter, while it was read",
                retry: .backoff)
        }
        onRead(bytes.count)
        return bytes
    }

    /// Whether all that was read is of one file.
    func isUnchanged() throws(Failure) -> Bool {
        guard let info else { return true }
        return try store.head(key) == info
    }
}
