// One clock a key (`watermark_by`): a gateway that comes back with a backlog is not late, and a
// device whose clock runs ahead makes nobody else late.
//
// Each key has a place, given out in order of first appearance and kept until the key is forgotten.
// Rows whose key is NULL share one key. The combined watermark is the least clock of all keys that
// are not idle; it never falls, so a key that appears with an older time does not take it back.
//
// Idle: a key that was silent for the idle timeout no longer holds the combined watermark, and its
// own open windows close; its clock stays where it is, so that its backlog, when it comes, is in
// time for every window not yet closed. Above three quarters of the limit, idle keys are forgotten,
// those silent for longest first; a forgotten key that comes back begins as a new one. At the
// limit, rows of new keys are rejected.

import WeirCore
import WeirStore

/// The clocks of a source's keys.
final class KeyClocks {
    private let encoder: KeyEncoder
    private var interner: KeyInterner
    private let seed: UInt64
    private let keysMax: Int
    /// Place of each interned key.
    private var placeOf: [Int32] = []
    /// Each place's key as the encoder writes it; empty for a free place.
    private var keys: [[UInt8]] = []
    private var clocks: [Int64] = []
    private var lastRowAt: [Int64] = []
    private var isIdle: [Bool] = []
    private var freePlaces: [Int32] = []
    private var least = MinimumTree()
    private var changedKeys: Set<Int32> = []
    private var isBlockChanged: [Bool] = []
    private let numbers = Buffer<Int32>()

    /// Clocks written together as one value of durable state.
    private static let blockPlaces = 256

    init(keyType: DataType, keysMax: Int, seed: UInt64) {
        encoder = KeyEncoder(types: [keyType])
        self.seed = seed
        self.keysMax = keysMax
        interner = KeyInterner(isSingleText: keyType.physical == .string, seed: seed)
    }

    /// Keys that have a clock.
    var count: Int { keys.count - freePlaces.count }
    /// Places given out so far, free ones included.
    var placeCount: Int { keys.count }
    /// The least clock of all keys that are not idle; Int64.max when there is none.
    var minimum: Int64 { least.minimum }

    /// The key at `place`, in the form of a KeyEncoder for that one column.
    func key(at place: Int32) -> [UInt8] { keys[Int(place)] }
    /// The clock at `place`.
    func clock(at place: Int32) -> Int64 { clocks[Int(place)] }
    /// Where the clock of `key` is.
    func place(of key: [UInt8]) -> Int32? {
        key.withUnsafeBufferPointer { interner.find($0) }.map { placeOf[Int($0)] }
    }

    /// The place of each row's key; -1 for a new key when there is no place left.
    func resolve(_ column: Column, rowCount: Int, now: Int64) -> [Int32] {
        numbers.reserve(rowCount)
        encoder.withKeys(of: [column], rowCount: rowCount) {
            interner.intern($0, into: numbers.base)
        }
        while placeOf.count < interner.count {
            placeOf.append(takePlace(Int32(placeOf.count), now))
        }
        let result = (0..<rowCount).map { placeOf[Int(numbers.base[$0])] }
        if result.contains(-1) { rebuildInterner() }
        return result
    }

    /// Moves the clocks over rows with these event times: row i is of the key at `places[i]`. Notes
    /// in `marks` the combined watermark before each row; `combined` is where it stands before and
    /// after.
    func advance(
        _ places: [Int32], times: UnsafePointer<Int64>, delay: Int64, now: Int64,
        marks: UnsafeMutablePointer<Int64>, combined: inout Int64
    ) -> KeyMoves {
        var moves = KeyMoves(clocks: self)
        moves.places = places
        moves.before.reserveCapacity(places.count)
        moves.after.reserveCapacity(places.count)
        var current = combined
        clocks.withUnsafeMutableBufferPointer { clocks in
            for (row, place) in places.enumerated() {
                marks[row] = current
                let index = Int(place)
                let before = clocks[index]
                let after = max(before, times[row] - delay)
                moves.before.append(before)
                moves.after.append(after)
                if after > before || isIdle[index] {
                    isIdle[index] = false
                    clocks[index] = after
                    least.set(index, after)
                    isBlockChanged[index / Self.blockPlaces] = true
                }
                current = max(current, least.minimum)
            }
        }
        for place in places { lastRowAt[Int(place)] = now }
        combined = current
        return moves
    }

    /// Marks keys idle that were silent since `now - timeout`, and forgets some when there are
    /// many.
    func findIdle(now: Int64, timeout: Int64) -> KeyMoves {
        var moves = KeyMoves(clocks: self)
        let silent = keys.indices.filter {
            !keys[$0].isEmpty && !isIdle[$0] && now - lastRowAt[$0] >= timeout
        }
        for place in inKeyOrder(silent) {
            isIdle[place] = true
            least.set(place, .max)
            moves.append(place: Int32(place), before: clocks[place], after: Watermark.end)
        }
        let comfortable = keysMax / 4 * 3
        guard count > comfortable else { return moves }
        let idle = keys.indices.filter { !keys[$0].isEmpty && isIdle[$0] }
            .sorted { (lastRowAt[$0], $0) < (lastRowAt[$1], $1) }
        for place in idle.prefix(count - comfortable) {
            moves.append(place: Int32(place), before: clocks[place], after: Watermark.none)
            keys[place] = []
            clocks[place] = Watermark.none
            changedKeys.insert(Int32(place))
            freePlaces.append(Int32(place))
        }
        rebuildInterner()
        return moves
    }

    /// Closes every key's windows: the input has ended.
    func closeAll() -> KeyMoves {
        var moves = KeyMoves(clocks: self)
        for place in inKeyOrder(keys.indices.filter { !keys[$0].isEmpty }) {
            moves.append(place: Int32(place), before: clocks[place], after: Watermark.end)
        }
        return moves
    }

    /// Places depend on what was forgotten when; results may not.
    private func inKeyOrder(_ places: [Int]) -> [Int] {
        places.sorted { keys[$0].lexicographicallyPrecedes(keys[$1]) }
    }

    private func takePlace(_ number: Int32, _ now: Int64) -> Int32 {
        guard count < keysMax else { return -1 }
        let place: Int32
        if let free = freePlaces.popLast() {
            place = free
        } else {
            place = Int32(keys.count)
            addPlace(now)
        }
        keys[Int(place)] = Array(interner.key(number))
        isIdle[Int(place)] = false
        lastRowAt[Int(place)] = now
        changedKeys.insert(place)
        return place
    }

    private func addPlace(_ now: Int64) {
        if keys.count % Self.blockPlaces == 0 { isBlockChanged.append(false) }
        keys.append([])
        clocks.append(Watermark.none)
        lastRowAt.append(now)
        isIdle.append(false)
    }

    /// Forgets the bytes of keys that have no place.
    private func rebuildInterner() {
        interner = KeyInterner(isSingleText: encoder.types[0].physical == .string, seed: seed)
        placeOf.removeAll(keepingCapacity: true)
        for place in keys.indices where !keys[place].isEmpty {
            _ = keys[place].withUnsafeBufferPointer { interner.intern($0) }
            placeOf.append(Int32(place))
        }
    }
}

// MARK: Durable state

extension KeyClocks {
    /// Writes what changed since the last time: new and forgotten keys, and blocks of clocks.
    func checkpoint(into writer: any StateWriter) {
        for place in changedKeys.sorted() {
            let stateKey = Self.stateKey(.name, place)
            if keys[Int(place)].isEmpty {
                writer.delete(stateKey)
            } else {
                keys[Int(place)].withUnsafeBytes { writer.put(stateKey, $0) }
            }
        }
        for block in isBlockChanged.indices where isBlockChanged[block] {
            let first = block * Self.blockPlaces
            let last = min(first + Self.blockPlaces, clocks.count)
            var value = ByteWriter(reserving: (last - first) * 8)
            value.writeWords(count: last - first) { clocks[first + $0] }
            value.bytes.withUnsafeBytes { writer.put(Self.stateKey(.clocks, Int32(block)), $0) }
        }
        changedKeys.removeAll(keepingCapacity: true)
        isBlockChanged = [Bool](repeating: false, count: isBlockChanged.count)
    }

    /// Takes back the clocks of an earlier run; silence is counted from now on.
    func restore(from reader: any StateReader) throws(Failure) {
        try reader.scan([Kind.name.rawValue], [Kind.name.rawValue + 1]) {
            key, value throws(Failure) in
            let place = try Self.number(key)
            try makePlaces(place + 1)
            keys[place] = Array(value)
            return true
        }
        try reader.scan([Kind.clocks.rawValue], [Kind.clocks.rawValue + 1]) {
            key, value throws(Failure) in
            let first = try Self.number(key) * Self.blockPlaces
            var bytes = ByteReader(value)
            try bytes.readWords(Int64.self, count: value.count / 8) { index, clock in
                if first + index < clocks.count, !keys[first + index].isEmpty {
                    clocks[first + index] = clock
                    least.set(first + index, clock)
                }
            }
            return true
        }
        freePlaces = keys.indices.reversed().filter { keys[$0].isEmpty }.map { Int32($0) }
        rebuildInterner()
    }

    private func makePlaces(_ wanted: Int) throws(Failure) {
        guard wanted <= 1 << 28 else { throw ByteReader.damaged }
        while keys.count < wanted { addPlace(0) }
    }

    private enum Kind: UInt8 {
        case clocks = 0x63
        case name = 0x6B
    }

    private static func stateKey(_ kind: Kind, _ number: Int32) -> [UInt8] {
        [kind.rawValue] + withUnsafeBytes(of: number.bigEndian) { Array($0) }
    }

    private static func number(_ key: UnsafeRawBufferPointer) throws(Failure) -> Int {
        guard key.count == 5 else { throw ByteReader.damaged }
        return Int(Int32(bigEndian: key.loadUnaligned(fromByteOffset: 1, as: Int32.self)))
    }
}
