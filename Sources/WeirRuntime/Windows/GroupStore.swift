// The groups of a windowed query, all panes together. A group is a key in a pane; it has a slot, an
// index into the flat arrays of every accumulator. Slots of groups that are gone are given out
// again.
//
// What is charged against the memory budget is a group's fixed size and its key's length, a number
// that follows from the rows alone: the same whether the state was built up here or restored,
// however keys are shared in memory. Decisions that could show in a result (when to spill) go by
// it.

import WeirCore

/// Groups, their keys and their accumulators.
final class GroupStore {
    let encoder: KeyEncoder
    let keys: KeyInterner
    let accumulators: [any Accumulator]
    let geometry: WindowGeometry
    /// Panes that have groups, in memory or spilled, by start.
    private(set) var panes: [Pane] = []
    /// Panes that are gone but of which durable storage still tells.
    private var retired: [Int64: RetiredPane] = [:]
    /// A pane that no time falls in, for loops to start with.
    let noPane: UnsafeMutablePointer<PaneTable>
    /// Bytes charged for all groups in memory.
    private(set) var chargedBytes = 0

    // By slot.
    let keyOf = Buffer<Int32>()
    let paneOf = Buffer<Int64>()
    /// The group's number in its pane's durable blocks, or -1.
    let localOf = Buffer<Int32>()
    let indexInPane = Buffer<Int32>()
    let isDirty = Buffer<UInt8>()

    private let free = Buffer<Int32>()
    private var freeCount = 0
    private var slotCount = 0
    private let fixedBytes: Int
    private let hasVariableState: Bool
    private var expectedGroups = 16
    /// What a group takes beside its key and its accumulators: the slot, its share of the tables,
    /// and of what sorting needs, measured on a million groups.
    static let bytesPerGroup = 120
    /// Blocks of a pane may exceed twice its size by this much before they are replaced.
    private static let blockBytesSlack = 64 << 10
    /// Memory that keys without a group may take.
    private static let unusedKeyBytesMax = 4 << 20

    init(
        geometry: WindowGeometry, keyTypes: [DataType], accumulators: [any Accumulator],
        seed: UInt64
    ) {
        self.geometry = geometry
        self.accumulators = accumulators
        encoder = KeyEncoder(types: keyTypes)
        keys = KeyInterner(
            isSingleText: keyTypes.count == 1 && keyTypes[0].physical == .string, seed: seed)
        hasVariableState = accumulators.contains(where: \.hasVariableSize)
        fixedBytes = accumulators.reduce(Self.bytesPerGroup) { $0 + $1.bytesPerGroup }
        noPane = .allocate(capacity: 1)
        noPane.initialize(
            to: PaneTable(
                start: .max, end: .min, lateAt: .max, entries: .allocate(capacity: 1), shift: 28))
        for accumulator in accumulators { accumulator.reserve(keyOf.capacity) }
    }

    deinit {
        noPane.pointee.entries.deallocate()
        noPane.deallocate()
    }

    /// Bytes of text that accumulators hold beyond what is charged.
    var variableBytes: Int {
        hasVariableState ? accumulators.reduce(0) { $0 + $1.variableBytes } : 0
    }
    /// Bytes of a pane's groups in memory: what is charged, and what its aggregates hold beyond.
    func bytes(of pane: Pane) -> Int {
        guard hasVariableState else { return pane.chargedBytes }
        return pane.slots.withUnsafeBufferPointer { slots in
            accumulators.reduce(pane.chargedBytes) { $0 + $1.variableBytes(of: slots) }
        }
    }

    /// Whether a pane's blocks take so much more than the pane that a full copy is better.
    func isWasteful(blockBytes: Int, of pane: Pane) -> Bool {
        blockBytes > 2 * pane.chargedBytes + Self.blockBytesSlack
            && blockBytes > 2 * bytes(of: pane) + Self.blockBytesSlack
    }

    /// Values that the limits of groups left out.
    var droppedValues: UInt64 { accumulators.reduce(0) { $0 + $1.droppedValues } }

    /// Whether a group's size can grow after it was charged.
    var hasVariableSizes: Bool { hasVariableState }

    /// Whether a pane may have spilled runs.
    private(set) var hasSpilledPanes = false

    /// Notes that a pane got its first run.
    func noteSpill() { hasSpilledPanes = true }

    /// Groups in runs outside of memory.
    var spilledCount: Int {
        hasSpilledPanes
            ? panes.reduce(0) { $1.runs.reduce($0) { $0 + Int($1.groupCount) } } : 0
    }

    /// Bytes of memory held, roughly.
    var memoryBytes: Int {
        let slots = keyOf.capacity * (fixedBytes - Self.bytesPerGroup + 25)
        return slots + keys.byteCount + keys.count * 32 + variableBytes
            + panes.reduce(0) { $0 + $1.memoryBytes }
    }

    // MARK: Panes

    /// The index of the first pane that starts at or after `start`.
    func paneIndex(atOrAfter start: Int64) -> Int {
        var (low, high) = (0, panes.count)
        while low < high {
            let middle = (low + high) / 2
            if panes[middle].start < start { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// The pane that starts at `start`, if it has groups.
    func pane(_ start: Int64) -> Pane? {
        let index = paneIndex(atOrAfter: start)
        return index < panes.count && panes[index].start == start ? panes[index] : nil
    }

    /// The pane that starts at `start`, made now if there is none.
    func makePane(_ start: Int64) -> Pane {
        let index = paneIndex(atOrAfter: start)
        if index < panes.count, panes[index].start == start { return panes[index] }
        let pane = Pane(start: start, geometry: geometry, expectedGroups: expectedGroups)
        if let earlier = retired[start] {
            // What the next checkpoint deletes must not be what this pane writes.
            pane.nextRun = earlier.runCount
            pane.blocks = earlier.blocks.upperBound..<earlier.blocks.upperBound
        }
        panes.insert(pane, at: index)
        return pane
    }

    /// Panes dropped since the last call whose durable parts are to be deleted.
    func takeRetired() -> [RetiredPane] {
        defer { retired.removeAll() }
        return retired.values.sorted { $0.start < $1.start }
    }

    /// Forgets a pane and its groups.
    func drop(_ pane: Pane) {
        if pane.nextRun > 0 || !pane.blocks.isEmpty {
            let firstBlock = retired[pane.start]?.blocks.lowerBound ?? pane.blocks.lowerBound
            let blocks = firstBlock..<pane.blocks.upperBound
            retired[pane.start] = RetiredPane(
                start: pane.start, blocks: blocks, runCount: pane.nextRun)
        }
        expectedGroups = min(pane.slots.count, 1 << 16)
        release(pane)
        let index = paneIndex(atOrAfter: pane.start)
        precondition(panes[index] === pane, "a pane that is not there")
        panes.remove(at: index)
        if hasSpilledPanes, !pane.runs.isEmpty {
            hasSpilledPanes = panes.contains { !$0.runs.isEmpty }
        }
    }

    /// Forgets a pane's groups in memory, not the pane.
    func release(_ pane: Pane) {
        chargedBytes -= pane.chargedBytes
        pane.slots.withUnsafeBufferPointer { releaseSlots($0) }
        pane.removeAllGroups()
    }

    // MARK: Groups

    /// Adds the group of key `number` to a pane that has it not. Its accumulators are yet to be
    /// cleared.
    func makeGroup(_ number: Int32, in pane: Pane) -> Int32 {
        let slot = takeSlot(number)
        let index = Int(slot)
        paneOf.base[index] = pane.start
        localOf.base[index] = -1
        indexInPane.base[index] = Int32(pane.slots.count)
        isDirty.base[index] = 1
        pane.insert(slot, keyOf: keyOf.base)
        pane.dirty.append(slot)
        let bytes = chargeOf(number)
        pane.chargedBytes += bytes
        chargedBytes += bytes
        return slot
    }

    /// Takes one group out of its pane; the pane stays even if it is empty then.
    func removeGroup(_ slot: Int32, from pane: Pane) {
        pane.removeFromTable(slot, keyOf: keyOf.base)
        let index = Int(indexInPane.base[Int(slot)])
        let last = pane.slots.removeLast()
        if last != slot {
            pane.slots[index] = last
            indexInPane.base[Int(last)] = Int32(index)
        }
        if localOf.base[Int(slot)] >= 0 { pane.removedLocals.append(localOf.base[Int(slot)]) }
        let bytes = chargeOf(keyOf.base[Int(slot)])
        pane.chargedBytes -= bytes
        chargedBytes -= bytes
        isDirty.base[Int(slot)] = 0
        withUnsafePointer(to: slot) { releaseSlots(UnsafeBufferPointer(start: $0, count: 1)) }
    }

    /// A slot for a group of no pane, for the length of a merge; it is charged to nobody.
    func makeTemporary(_ number: Int32) -> Int32 {
        let slot = takeSlot(number)
        isDirty.base[Int(slot)] = 0
        return slot
    }

    /// Gives slots back.
    func releaseSlots(_ slots: UnsafeBufferPointer<Int32>) {
        guard let source = slots.baseAddress, slots.count > 0 else { return }
        if hasVariableState { for accumulator in accumulators { accumulator.release(slots) } }
        free.reserve(freeCount + slots.count)
        (free.base + freeCount).update(from: source, count: slots.count)
        freeCount += slots.count
    }

    private func chargeOf(_ number: Int32) -> Int { fixedBytes + keys.key(number).count }

    private func takeSlot(_ number: Int32) -> Int32 {
        let slot: Int32
        if freeCount > 0 {
            freeCount -= 1
            slot = free.base[freeCount]
        } else {
            precondition(slotCount < Int(Int32.max) - 1, "too many groups in memory")
            slot = Int32(slotCount)
            slotCount += 1
            if slotCount > keyOf.capacity { growSlots() }
        }
        keyOf.base[Int(slot)] = number
        return slot
    }

    private func growSlots() {
        keyOf.reserve(slotCount)
        let capacity = keyOf.capacity
        paneOf.reserve(capacity)
        localOf.reserve(capacity)
        indexInPane.reserve(capacity)
        isDirty.reserve(capacity)
        for accumulator in accumulators { accumulator.reserve(capacity) }
    }

    /// Forgets keys that no group has, once they are the greater part and take much memory; until
    /// then they stay, since the same devices come back in the next window. Key numbers change:
    /// call it only between batches.
    func forgetUnusedKeys() {
        guard keys.byteCount + keys.count * 32 > Self.unusedKeyBytesMax else { return }
        let live = panes.reduce(0) { $0 + $1.slots.count }
        guard keys.count > 2 * live else { return }
        var isLive = [UInt8](repeating: 0, count: keys.count)
        for pane in panes { for slot in pane.slots { isLive[Int(keyOf.base[Int(slot)])] = 1 } }
        let renumbered = keys.keep(isLive)
        for pane in panes {
            for slot in pane.slots {
                keyOf.base[Int(slot)] = renumbered[Int(keyOf.base[Int(slot)])]
            }
            pane.rebuildTable(keyOf: keyOf.base)
        }
    }
}
