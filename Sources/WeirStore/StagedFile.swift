// A segment at rest: its rows stand in finished files below the state directory, and no block holds
// them any more. What is waiting then costs no memory, is written to flash once, and is sent as it
// is, however often that has to be tried.
//
// Always true: the manifest that names the files is written only when every one of them is synced,
// and in the same write the blocks go. So a file without a manifest was left by a crash and holds
// nothing that is not in blocks; a manifest without its file is damage.

import WeirCore

/// One file of a segment at rest.
public struct StagedFile: Hashable, Sendable {
    /// Its path below the outbox's folder.
    public let name: String
    /// Its name at the sink, encoded.
    public let key: String
    /// Bytes.
    public let length: Int
    /// The SHA-256 of its bytes.
    public let sha256: [UInt8]
    /// The instant whose UTC date and hour its folder at the sink is called after, ms.
    public let partition: Int64
    /// Rows in it.
    public let rowCount: Int
    /// What its writer said of its columns, in a form that whoever delivers it knows.
    public let statistics: [UInt8]

    public init(
        name: String, key: String, length: Int, sha256: [UInt8], partition: Int64, rowCount: Int,
        statistics: [UInt8] = []
    ) {
        self.name = name
        self.key = key
        self.length = length
        self.sha256 = sha256
        self.partition = partition
        self.rowCount = rowCount
        self.statistics = statistics
    }

    func put(to fields: inout ByteWriter) {
        fields.put(name)
        fields.put(key)
        fields.put(UInt64(length))
        fields.put(sha256)
        fields.put(partition)
        fields.put(UInt64(rowCount))
        fields.put(statistics)
    }

    init(from fields: inout ByteReader) throws(Malformed) {
        name = try fields.getString()
        key = try fields.getString()
        length = Int(clamping: try fields.get(UInt64.self))
        sha256 = try fields.getBytes()
        partition = try fields.get(Int64.self)
        rowCount = Int(clamping: try fields.get(UInt64.self))
        statistics = try fields.getBytes()
    }
}

/// What is kept in memory of a segment's files: days of them must not add up there.
public struct StagedSummary: Hashable, Sendable {
    /// How many there are.
    public let fileCount: Int
    /// Bytes of all files.
    public let byteCount: Int
    /// When its first row was committed, ms since the epoch.
    public let oldestAppendedAt: Int64
    /// When its last row was committed, or soon after, ms since the epoch.
    public let newestAppendedAt: Int64

    func put(to fields: inout ByteWriter) {
        fields.put(UInt32(fileCount))
        fields.put(UInt64(byteCount))
        fields.put(oldestAppendedAt)
        fields.put(newestAppendedAt)
    }

    init(files: [StagedFile], oldestAppendedAt: Int64, newestAppendedAt: Int64) {
        fileCount = files.count
        byteCount = files.reduce(0) { $0 + $1.length }
        self.oldestAppendedAt = oldestAppendedAt
        self.newestAppendedAt = newestAppendedAt
    }

    init(from fields: inout ByteReader) throws(Malformed) {
        fileCount = Int(try fields.get(UInt32.self))
        byteCount = Int(clamping: try fields.get(UInt64.self))
        oldestAppendedAt = try fields.get(Int64.self)
        newestAppendedAt = try fields.get(Int64.self)
    }
}
