// The keys of a windowed query's durable state, below the query's own scope.
//
//     tag m                     progress: what has fired, and where an emission stopped
//     tag f place               a clock whose windows were closed ahead of it
//     tag c end key             a window and key that late rows have corrected
//     tag p start b number      pane: a delta block; all, in order, are its groups in memory
//     tag p start i             pane: its list of spilled runs
//     tag p start r run key     pane: a chunk of a spilled run; `key` is the last group key in it
//
// Numbers are big-endian and `start` has its sign flipped, so byte order is the order of time. A
// chunk is found by seeking to the group key that is looked for.

/// Makes keys for one operator's state.
struct WindowKeyspace {
    let tag: UInt8

    var progress: [UInt8] { [tag, 0x6D] }

    var allAhead: (start: [UInt8], end: [UInt8]) { ([tag, 0x66], [tag, 0x67]) }
    func ahead(_ place: Int32) -> [UInt8] { [tag, 0x66] + Self.bytes(place) }

    var allPanes: (start: [UInt8], end: [UInt8]) { ([tag, 0x70], [tag, 0x71]) }
    func pane(_ start: Int64) -> [UInt8] {
        [tag, 0x70] + Self.bytes(UInt64(bitPattern: start) ^ (1 << 63))
    }
    /// The first key behind a pane's keys.
    func paneEnd(_ start: Int64) -> [UInt8] { pane(start) + [0xFF] }

    func block(_ start: Int64, _ number: UInt32) -> [UInt8] {
        pane(start) + [PaneEntry.block.rawValue] + Self.bytes(number)
    }
    func runList(_ start: Int64) -> [UInt8] { pane(start) + [PaneEntry.runList.rawValue] }
    func run(_ start: Int64, _ number: UInt32) -> [UInt8] {
        pane(start) + [PaneEntry.run.rawValue] + Self.bytes(number)
    }

    var allRevisions: (start: [UInt8], end: [UInt8]) { ([tag, 0x63], [tag, 0x64]) }
    func revision(_ end: Int64, _ key: [UInt8]) -> [UInt8] {
        [tag, 0x63] + Self.bytes(UInt64(bitPattern: end) ^ (1 << 63)) + key
    }

    /// The window's end and the key in the key of a revision; nil for a key that is none.
    func parseRevision(_ key: UnsafeRawBufferPointer) -> (end: Int64, key: [UInt8])? {
        guard key.count >= 10 else { return nil }
        let biased = UInt64(bigEndian: key.loadUnaligned(fromByteOffset: 2, as: UInt64.self))
        return (Int64(bitPattern: biased ^ (1 << 63)), Array(key[10...]))
    }

    /// What an entry of a pane is.
    enum PaneEntry: UInt8 {
        case block = 0x62
        case runList = 0x69
        case run = 0x72
    }

    /// The pane, the kind and the number in a pane's key; nil for a key that is none.
    func parse(_ key: UnsafeRawBufferPointer) -> (start: Int64, entry: PaneEntry, number: UInt32)? {
        guard key.count >= 11, let entry = PaneEntry(rawValue: key[10]) else { return nil }
        let biased = UInt64(bigEndian: key.loadUnaligned(fromByteOffset: 2, as: UInt64.self))
        let number =
            key.count >= 15
            ? UInt32(bigEndian: key.loadUnaligned(fromByteOffset: 11, as: UInt32.self)) : 0
        return (Int64(bitPattern: biased ^ (1 << 63)), entry, number)
    }

    private static func bytes<Number: FixedWidthInteger>(_ number: Number) -> [UInt8] {
        withUnsafeBytes(of: number.bigEndian) { Array($0) }
    }
}
