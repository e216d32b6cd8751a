// Where a Parquet file is read from, and what can be wrong with it.
//
// Files come from outside: they may be cut short, damaged, or made to do harm. So every number in them is
// checked before memory is taken by it or anything is found by it, and whatever is wrong ends as a
// `Failure` that names the file. Memory is bounded by the limits below, not by what a file says.

import WeirCore

/// Bytes that can be read at any place.
public protocol ParquetSource: AnyObject {
    /// What is read, for errors: a key or a path.
    var name: String { get }
    /// Bytes in all.
    var length: Int { get }

    /// Exactly the bytes of `range`, which lies within `length`.
    func read(_ range: Range<Int>) throws(Failure) -> [UInt8]

    /// Bytes of a row group up to which it is better read at once than column by column; 0: never.
    var readAheadBytesMax: Int { get }
}

extension ParquetSource {
    /// All is at hand.
    public var readAheadBytesMax: Int { 0 }
}

/// A file that is in memory.
public final class ParquetBytes: ParquetSource {
    public let name: String
    private let bytes: [UInt8]

    public init(_ bytes: [UInt8], name: String) {
        self.bytes = bytes
        self.name = name
    }

    public var length: Int { bytes.count }

    public func read(_ range: Range<Int>) throws(Failure) -> [UInt8] { Array(bytes[range]) }
}

/// What the reader takes at most.
enum ParquetReadLimits {
    /// Bytes of a footer.
    static let footerBytesMax = 32 << 20
    /// Bytes of a page, compressed or not.
    static let pageBytesMax = 128 << 20
    /// Levels, which are values and NULLs, of a page.
    static let pageLevelsMax = 1 << 23
    /// Bytes of a page's header, statistics included.
    static let headerBytesMax = 16 << 20
    /// Nodes of a schema, and how deep they nest.
    static let schemaNodesMax = 20_000
    static let schemaDepthMax = 32
    /// What one column of a batch holds: bytes of texts, and levels.
    static let batchTextBytesMax = 1 << 30
    static let batchLevelsMax = 1 << 24
    /// How deep structures of the footer nest.
    static let thriftDepthMax = 24
}

/// Why a file cannot be read, before it is known which one it is.
enum ParquetFault: Error {
    /// The bytes end before the structure does.
    case truncated
    /// What is wrong, as the reason of a `Failure`.
    case broken(String)
    /// The bytes could not be had.
    case source(Failure)

    /// The same for people.
    func failure(_ name: String) -> Failure {
        switch self {
        case .source(let failure): failure
        case .truncated: Failure(.input, "reading", name, "it ends in the middle of a structure")
        case .broken(let reason): Failure(.input, "reading", name, reason)
        }
    }
}
