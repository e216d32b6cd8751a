// Recognises what the broker sends a second time. A PUBACK is written only after the commit, so a
// connection that breaks in between makes the broker send messages again that are already in the
// state; they come first, in their old order and with their old packet ids.
//
// The filter remembers for each of the 65,536 packet ids the last message that had it. From a reconnect
// on, messages that agree with their entry are dropped, up to the first that does not: from there on
// everything is new. It is saved in the same commit as the messages' effects (only the pages that
// changed), so it is as true after a kill -9 as before.
//
// An entry also holds a coarse arrival number. The broker never has more than `receiveMaximum` messages
// unacknowledged, so an entry from the previous round through the ids cannot be a redelivery, even when
// a sensor sends the same bytes for ever; without the number such a message would be lost.

import Glibc

/// What was received under each packet id, and which of it comes again.
struct RedeliveryFilter {
    static let packetIDCount = 65_536
    /// Packet ids a saved page.
    static let pageIDs = 64
    /// Messages a step of an entry's 16-bit arrival number.
    private static let granule: UInt64 = 1024
    private static let formatVersion: UInt8 = 1

    /// The upper 48 bits of the message's hash, and the arrival number; 0 where nothing was received.
    private var entries = [UInt64](repeating: 0, count: packetIDCount)
    private var changedPages = [Bool](repeating: false, count: packetIDCount / pageIDs)
    /// Messages remembered so far.
    private var sequence: UInt64 = 0
    private var sequenceIsSaved = true
    private let granulesMax: UInt64
    /// Whether the next message may be one that comes again.
    private(set) var isReplaying = false

    /// `receiveMaximum`: how many messages the broker may have in flight.
    init(receiveMaximum: Int) {
        // As far back as a broker with an old snapshot may reach, but less than a whole round of the
        // ids minus the window: older entries belong to the round before.
        let needed = receiveMaximum / Int(Self.granule) + 2
        granulesMax = UInt64(max(needed, (Self.packetIDCount - receiveMaximum) / Int(Self.granule) - 2))
    }

    /// After a (re)connect to the same session: what comes next may have been received before.
    mutating func beginReplay() { isReplaying = true }

    /// The session is gone at the broker, and its packet ids begin anew.
    mutating func clear() {
        for index in entries.indices where entries[index] != 0 {
            entries[index] = 0
            changedPages[index / Self.pageIDs] = true
        }
        isReplaying = false
    }

    /// Takes note of a message. False: it was received before and has to be dropped.
    mutating func admits(packetID: Int, hash: UInt64) -> Bool {
        let tag = hash & ~0xFFFF
        if isReplaying {
            let entry = entries[packetID]
            let age = (sequence / Self.granule &- entry) & 0xFFFF
            if entry != 0, entry & ~0xFFFF == tag, age <= granulesMax { return false }
            isReplaying = false
        }
        sequence += 1
        sequenceIsSaved = false
        let number = (sequence / Self.granule) & 0xFFFF
        // 0 means "nothing received": the one hash in 2⁴⁸ that would read so is moved.
        entries[packetID] = tag | number == 0 ? 1 << 16 : tag | number
        changedPages[packetID / Self.pageIDs] = true
        return true
    }

    /// A hash of topic and payload that is the same in every process and version of weir: eight bytes a
    /// step, multiplied and folded. Not against an adversary, who could as well send the message twice.
    static func hash(_ topic: UnsafeRawBufferPointer, _ payload: UnsafeRawBufferPointer) -> UInt64 {
        fold(payload, into: fold(topic, into: 0x9E37_79B9_7F4A_7C15))
    }

    private static func fold(_ bytes: UnsafeRawBufferPointer, into start: UInt64) -> UInt64 {
        let factor: UInt64 = 0xD6E8_FEB8_6659_FD93
        var state = (start ^ UInt64(bytes.count)) &* factor
        guard let base = bytes.baseAddress else { return state ^ (state >> 32) }
        let whole = bytes.count & ~7
        var offset = 0
        while offset < whole {
            let word = base.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
            state = (state ^ UInt64(littleEndian: word)) &* factor
            state ^= state >> 32
            offset += 8
        }
        var last: UInt64 = 0
        while offset < bytes.count {
            last = last << 8 | UInt64(base.load(fromByteOffset: offset, as: UInt8.self))
            offset += 1
        }
        state = (state ^ last) &* factor
        state ^= state >> 29
        state = state &* factor
        return state ^ (state >> 32)
    }

    // MARK: Saving

    private static let sequenceKey = UInt8(ascii: "n")
    private static let pageKey = UInt8(ascii: "p")

    /// Writes the arrival number and the pages that changed since the last call; an empty value is a
    /// page without entries.
    mutating func save(_ put: (_ key: [UInt8], _ value: [UInt8]) -> Void) {
        if !sequenceIsSaved {
            put([Self.sequenceKey], [Self.formatVersion] + littleEndianBytes(sequence))
            sequenceIsSaved = true
        }
        for page in changedPages.indices where changedPages[page] {
            changedPages[page] = false
            let slots = entries[page * Self.pageIDs..<(page + 1) * Self.pageIDs]
            var value: [UInt8] = []
            if slots.contains(where: { $0 != 0 }) {
                value.reserveCapacity(Self.pageIDs * 8)
                for slot in slots { value += littleEndianBytes(slot) }
            }
            put([Self.pageKey, UInt8(page >> 8), UInt8(page & 0xFF)], value)
        }
    }

    /// Takes back a pair of `save`. False: it is not one of the filter's, or not of this format.
    mutating func restore(key: [UInt8], value: [UInt8]) -> Bool {
        if key == [Self.sequenceKey], value.count == 9, value[0] == Self.formatVersion {
            sequence = littleEndian(value[1...])
            return true
        }
        guard key.count == 3, key[0] == Self.pageKey, value.isEmpty || value.count == Self.pageIDs * 8 else {
            return false
        }
        let page = Int(key[1]) << 8 | Int(key[2])
        guard page < changedPages.count else { return false }
        for slot in 0..<Self.pageIDs {
            entries[page * Self.pageIDs + slot] =
                value.isEmpty ? 0 : littleEndian(value[slot * 8..<(slot + 1) * 8])
        }
        return true
    }
}

private func littleEndianBytes(_ value: UInt64) -> [UInt8] {
    withUnsafeBytes(of: value.littleEndian) { Array($0) }
}

private func littleEndian(_ bytes: ArraySlice<UInt8>) -> UInt64 {
    bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) }
}
