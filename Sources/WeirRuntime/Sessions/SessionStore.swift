// The open sessions of a query: for each key a short chain of them, mostly one, in no more order than
// that of their making. A session has a slot, an index into the flat arrays of every accumulator.
//
// Sessions wait for their end in buckets by time. A session is entered once, under the end that it then
// has; rows that prolong it do not touch the buckets. A bucket whose time has come is emptied: sessions
// that are over are due, prolonged ones go to the bucket of their new end. So a session costs one entry
// for each gap's length that it lasts, however many rows it has.
//
// A slot is given out again only when its bucket's entry is gone; until then a session that was merged
// into another is dead.

import WeirCore

/// An open session.
struct Session {
    var start: Int64
    /// The last row's time and the gap: the first time that would be another session's.
    var end: Int64
    var key: Int32
    /// The next session of the same key, -1 at the end.
    var next: Int32
    var isLive: Bool
    /// Whether it changed since the last checkpoint.
    var isDirty: Bool
    /// Whether durable storage has it, with its key.
    var isNamed: Bool
}

/// Sessions, their keys and their accumulators.
final class SessionStore {
    let gap: Int64
    let encoder: KeyEncoder
    private(set) var keys: KeyInterner
    let accumulators: [any Accumulator]
    /// By slot.
    let sessions = Buffer<Session>()
    /// By key number: the key's first session, -1 for none.
    private let heads = Buffer<Int32>()
    private var headCount = 0
    /// Slots given out so far, free ones included.
    private(set) var slotCount = 0
    private(set) var liveCount = 0
    /// Bytes charged for live sessions: a function of the rows alone.
    private(set) var chargedBytes = 0
    let pages = SessionPages()

    private var free: [Int32] = []
    private var buckets: [Int64: [Int32]] = [:]
    /// The buckets that there are, the earliest first.
    private var order = BinaryHeap<Int64>()
    private let bucketLength: Int64
    private let fixedBytes: Int
    private let hasVariableState: Bool
    /// Whether sessions wait in buckets; with a clock for each key they are found by their clock.
    private let usesBuckets: Bool

    /// What a session takes beside its key and its accumulators: the slot, its share of the tables, and
    /// the room that these grow into.
    private static let bytesPerSession = 160
    private static let unusedKeyBytesMax = 4 << 20

    init(
        gap: Int64, keyTypes: [DataType], accumulators: [any Accumulator], seed: UInt64,
        usesBuckets: Bool
    ) {
        self.gap = gap
        self.accumulators = accumulators
        self.usesBuckets = usesBuckets
        bucketLength = max(1, gap / 16)
        encoder = KeyEncoder(types: keyTypes)
        keys = KeyInterner(
            isSingleText: keyTypes.count == 1 && keyTypes[0].physical == .string, seed: seed)
        hasVariableState = accumulators.contains { $0.hasVariableSize }
        fixedBytes = accumulators.reduce(Self.bytesPerSession) { $0 + $1.bytesPerGroup }
        for accumulator in accumulators { accumulator.reserve(sessions.capacity) }
    }

    /// Bytes that accumulators hold beyond what is charged.
    var variableBytes: Int {
        hasVariableState ? accumulators.reduce(0) { $0 + $1.variableBytes } : 0
    }

    /// Bytes of memory held, roughly.
    var memoryBytes: Int {
        sessions.capacity * fixedBytes + keys.byteCount + keys.count * 36 + variableBytes
    }

    /// The greatest end of a session in memory; Int64.min when there is none.
    var lastEnd: Int64 {
        (0..<slotCount).reduce(.min) { last, slot in
            sessions.base[slot].isLive ? max(last, sessions.base[slot].end) : last
        }
    }

    // MARK: Sessions

    /// The first session of key `number`, -1 for none.
    @inline(__always)
    func head(_ number: Int32) -> Int32 { heads.base[Int(number)] }

    /// Makes room for the keys that were added since the last call.
    func coverKeys() {
        heads.reserve(keys.count)
        while headCount < keys.count {
            heads.base[headCount] = -1
            headCount += 1
        }
    }

    /// A new session of key `number`; its accumulators are yet to be cleared. One that is over already
    /// does not wait for its end.
    func open(_ number: Int32, start: Int64, end: Int64, isOver: Bool = false) -> Int32 {
        let slot = takeSlot()
        place(slot, number, start: start, end: end)
        if usesBuckets, !isOver { enter(slot, end) }
        sessions.base[Int(slot)].isDirty = true
        pages.noteDirty(slot)
        return slot
    }

    /// Takes back a session that durable storage has in `slot`; slots come in any order.
    func restore(_ slot: Int32, key: UnsafeBufferPointer<UInt8>, start: Int64, end: Int64) {
        cover(slot: Int(slot))
        let number = keys.intern(key)
        coverKeys()
        place(slot, number, start: start, end: end)
        sessions.base[Int(slot)].isNamed = true
    }

    private func place(_ slot: Int32, _ number: Int32, start: Int64, end: Int64) {
        sessions.base[Int(slot)] = Session(
            start: start, end: end, key: number, next: heads.base[Int(number)], isLive: true,
            isDirty: false, isNamed: false)
        heads.base[Int(number)] = slot
        liveCount += 1
        let bytes = chargeOf(number)
        chargedBytes += bytes
        pages.charge(slot, bytes)
    }

    /// What durable storage says further on of a session that was taken back: its bounds, or, without
    /// any, that it is gone.
    func amend(_ slot: Int32, bounds: (start: Int64, end: Int64)?) {
        if let bounds {
            (sessions.base[Int(slot)].start, sessions.base[Int(slot)].end) = bounds
        } else {
            sessions.base[Int(slot)].isNamed = false
            close(slot)
        }
    }

    /// A session has changed.
    @inline(__always)
    func noteChange(_ slot: Int32) {
        if sessions.base[Int(slot)].isDirty { return }
        sessions.base[Int(slot)].isDirty = true
        pages.noteDirty(slot)
    }

    /// Takes a session out: it was merged into another, or emitted. Its slot is released by `recycle`.
    func close(_ slot: Int32) {
        let session = sessions.base[Int(slot)]
        precondition(session.isLive, "a session is closed twice")
        unchain(slot, session)
        if session.isNamed { pages.noteRemoved(slot) }
        sessions.base[Int(slot)].isLive = false
        sessions.base[Int(slot)].isDirty = false
        sessions.base[Int(slot)].isNamed = false
        liveCount -= 1
        let bytes = chargeOf(session.key)
        chargedBytes -= bytes
        pages.charge(slot, -bytes)
        if hasVariableState {
            withUnsafePointer(to: slot) { slot in
                let one = UnsafeBufferPointer(start: slot, count: 1)
                for accumulator in accumulators { accumulator.release(one) }
            }
        }
    }

    /// Gives out again the slot of a closed session that no bucket has.
    func recycle(_ slot: Int32) { free.append(slot) }

    private func unchain(_ slot: Int32, _ session: Session) {
        var place = heads.base[Int(session.key)]
        if place == slot {
            heads.base[Int(session.key)] = session.next
            return
        }
        while sessions.base[Int(place)].next != slot { place = sessions.base[Int(place)].next }
        sessions.base[Int(place)].next = session.next
    }

    private func chargeOf(_ number: Int32) -> Int { fixedBytes + keys.key(number).count }

    private func takeSlot() -> Int32 {
        if let slot = free.popLast() { return slot }
        cover(slot: slotCount)
        return Int32(slotCount - 1)
    }

    /// Makes room for a slot; those below that are new are no session's.
    private func cover(slot: Int) {
        guard slot >= slotCount else { return }
        precondition(slot < 1 << 30, "too many sessions")
        sessions.reserve(slot + 1)
        for accumulator in accumulators { accumulator.reserve(sessions.capacity) }
        while slotCount <= slot {
            sessions.base[slotCount] = Session(
                start: 0, end: 0, key: 0, next: -1, isLive: false, isDirty: false, isNamed: false)
            slotCount += 1
        }
    }

    /// All has been taken back: sessions wait for their end, and the slots that none has are free.
    func finishRestoring() {
        free = (0..<slotCount).reversed().filter { !sessions.base[$0].isLive }.map { Int32($0) }
        guard usesBuckets else { return }
        for slot in 0..<slotCount where sessions.base[slot].isLive {
            enter(Int32(slot), sessions.base[slot].end)
        }
    }

    /// Forgets keys without a session, once they take much memory and are more than `unusedMax`, or, by
    /// default, the greater part. Call it between batches only.
    func forgetUnusedKeys(beyond unusedMax: Int? = nil) {
        guard keys.byteCount + keys.count * 36 > Self.unusedKeyBytesMax,
            keys.count - liveCount > unusedMax ?? liveCount
        else { return }
        var isUsed = [UInt8](repeating: 0, count: keys.count)
        for slot in 0..<slotCount where sessions.base[slot].isLive {
            isUsed[Int(sessions.base[slot].key)] = 1
        }
        let renumbered = keys.keep(isUsed)
        for (old, new) in renumbered.enumerated() where new >= 0 {
            heads.base[Int(new)] = heads.base[old]
        }
        headCount = keys.count
        for slot in 0..<slotCount where sessions.base[slot].isLive {
            sessions.base[slot].key = renumbered[Int(sessions.base[slot].key)]
        }
    }

    // MARK: Leaving memory

    /// An end at or before which at least one in `parts` of the open sessions end, roughly one in `parts`.
    func earlyEnd(_ parts: Int) -> Int64 {
        let step = max(1, slotCount / 4_096)
        var ends: [Int64] = []
        for slot in stride(from: 0, to: slotCount, by: step) where sessions.base[slot].isLive {
            ends.append(sessions.base[slot].end)
        }
        ends.sort()
        return ends.isEmpty ? .max : ends[min(ends.count - 1, ends.count / parts)]
    }

    /// Takes sessions that are gone out of the buckets. No session may be due.
    func purgeBuckets() {
        guard usesBuckets else { return }
        let waiting = buckets.values.flatMap { $0 }
        buckets.removeAll()
        order.removeAll()
        for slot in waiting {
            if sessions.base[Int(slot)].isLive {
                enter(slot, sessions.base[Int(slot)].end)
            } else {
                recycle(slot)
            }
        }
    }

    // MARK: Buckets

    private func bucket(_ end: Int64) -> Int64 {
        CivilCalendar.floorDivide(end, by: bucketLength)
    }

    private func enter(_ slot: Int32, _ end: Int64) {
        let bucket = bucket(end)
        if buckets[bucket]?.append(slot) == nil {
            buckets[bucket] = [slot]
            order.push(bucket, by: <)
        }
    }

    /// Takes out of the buckets the sessions that are over at `mark`, in the order of (end, key). They
    /// stay open.
    func takeDue(_ mark: Int64) -> [Int32] {
        // Over: end - 1 <= mark.
        let limit = mark == .max ? .max : bucket(mark + 1)
        var due: [Int32] = []
        while let first = order.first, first <= limit {
            guard let waiting = buckets.removeValue(forKey: first) else {
                preconditionFailure("a bucket is missing")
            }
            order.removeFirst(by: <)
            var kept: [Int32] = []
            for slot in waiting {
                let session = sessions.base[Int(slot)]
                if !session.isLive {
                    recycle(slot)
                } else if session.end - 1 <= mark {
                    due.append(slot)
                } else if bucket(session.end) == first {
                    kept.append(slot)
                } else {
                    enter(slot, session.end)
                }
            }
            if !kept.isEmpty {
                buckets[first] = kept
                order.push(first, by: <)
                break
            }
        }
        sort(&due)
        return due
    }

    /// Puts sessions into the order of (end, key).
    func sort(_ slots: inout [Int32]) {
        if slots.count < 2 { return }
        let sessions = sessions.base
        slots.sort { a, b in
            let (one, other) = (sessions[Int(a)], sessions[Int(b)])
            if one.end != other.end { return one.end < other.end }
            return one.key != other.key
                && KeyBytes.compare(keys.key(one.key), keys.key(other.key)) < 0
        }
    }
}
