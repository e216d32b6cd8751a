// Where a FileSource is: which of its files, that file's identity, and the offset behind the last line
// handed over. Kept as bytes in the commit.

/// A saved position of a FileSource.
struct FilePosition: Equatable {
    static let key: [UInt8] = [UInt8(ascii: "f")]
    private static let formatVersion: UInt8 = 1

    /// The file's place among the source's paths; behind the last when all are read.
    var index: Int
    var path: String
    var identity: InputFile.Identity
    var offset: Int64
    /// The offset is inside an overlong line, of which the head was handed over.
    var isSkipping: Bool

    init(index: Int, path: String, identity: InputFile.Identity, offset: Int64, isSkipping: Bool) {
        self.index = index
        self.path = path
        self.identity = identity
        self.offset = offset
        self.isSkipping = isSkipping
    }

    /// All files are read; `index` is how many there are.
    static func behindAll(index: Int) -> FilePosition {
        FilePosition(index: index, path: "", identity: .init(device: 0, inode: 0), offset: 0, isSkipping: false)
    }

    /// From `bytes`; nil for another format.
    init?(_ bytes: [UInt8]) {
        guard bytes.count >= 34, bytes[0] == Self.formatVersion else { return nil }
        let numbers = (0..<4).map { field in
            (0..<8).reduce(UInt64(0)) { $0 << 8 | UInt64(bytes[1 + field * 8 + $1]) }
        }
        guard let index = Int(exactly: numbers[0]), let offset = Int64(exactly: numbers[3]) else { return nil }
        self.index = index
        self.offset = offset
        identity = InputFile.Identity(device: numbers[1], inode: numbers[2])
        isSkipping = bytes[33] != 0
        path = String(decoding: bytes[34...], as: UTF8.self)
    }

    var bytes: [UInt8] {
        [UInt64(index), identity.device, identity.inode, UInt64(offset)].reduce(into: [Self.formatVersion]) {
            bytes, number in
            withUnsafeBytes(of: number.bigEndian) { bytes += $0 }
        } + [isSkipping ? 1 : 0] + Array(path.utf8)
    }
}
