// The different values of a group, in the order in which each came first. A list holds them; beyond a
// few, a table of their hashes finds them. How the table lies shows nowhere.

import WeirCore

/// A growing set of values, in the order of arrival.
final class ValueSet: GroupState {
    let list = ValueList()
    /// Index + 1 or 0, by open addressing, at most half of it used; empty while the list is short.
    private let table = Buffer<Int32>()
    private var mask = 0
    /// The index of NULL, or -1.
    private var nullIndex = -1
    /// Up to so many values are looked through one by one.
    private static let unhashedMax = 8

    init() {}

    static var savesChanges: Bool { true }
    var count: Int { list.count }
    var byteCount: Int { list.byteCount + 16 * list.count }

    /// The index of a value, which is added if it is new; nil if it is new and the set is full.
    func insert(_ value: UnsafeRawBufferPointer?) -> (index: Int, isNew: Bool)? {
        guard let value else {
            if nullIndex >= 0 { return (nullIndex, false) }
            guard list.append(nil) else { return nil }
            noteLast()
            return (list.count - 1, true)
        }
        if mask == 0 {
            for index in 0..<list.count where isEqual(index, value) { return (index, false) }
        } else {
            var place = home(value)
            while table.base[place] != 0 {
                let index = Int(table.base[place]) - 1
                if isEqual(index, value) { return (index, false) }
                place = (place + 1) & mask
            }
        }
        guard list.append(value) else { return nil }
        noteLast()
        return (list.count - 1, true)
    }

    private func isEqual(_ index: Int, _ value: UnsafeRawBufferPointer) -> Bool {
        guard let held = list[index], held.count == value.count else { return false }
        if value.isEmpty { return true }
        let (a, b) = (held.bindMemory(to: UInt8.self), value.bindMemory(to: UInt8.self))
        guard let left = a.baseAddress, let right = b.baseAddress else { return true }
        return KeyBytes.areEqual(left, right, value.count)
    }

    private func home(_ value: UnsafeRawBufferPointer) -> Int {
        let bytes = value.bindMemory(to: UInt8.self)
        guard let base = bytes.baseAddress else { return 0 }
        return Int(truncatingIfNeeded: KeyBytes.hash(base, bytes.count, seed: 0)) & mask
    }

    /// The last value of the list is new.
    private func noteLast() {
        let index = list.count - 1
        if list[index] == nil { nullIndex = index }
        if mask == 0, list.count <= Self.unhashedMax { return }
        if list.count * 2 > mask + 1 { rebuild() } else { enter(index) }
    }

    private func enter(_ index: Int) {
        guard let value = list[index] else { return }
        var place = home(value)
        while table.base[place] != 0 { place = (place + 1) & mask }
        table.base[place] = Int32(index + 1)
    }

    private func rebuild() {
        let capacity = max(32, (mask + 1) * 2)
        mask = capacity - 1
        table.reserve(capacity)
        table.base.update(repeating: 0, count: capacity)
        for index in 0..<list.count { enter(index) }
    }

    func merge(_ other: ValueSet) -> Int {
        var dropped = 0
        for index in 0..<other.count where insert(other.list[index]) == nil { dropped += 1 }
        return dropped
    }

    func save(into writer: inout ByteWriter) { list.save(into: &writer) }
    func saveChanges(into writer: inout ByteWriter) { list.saveChanges(into: &writer) }
    func forgetSaved() { list.forgetSaved() }
    func loadChanges(from reader: inout ByteReader) throws(Failure) { try load(from: &reader) }

    func load(from reader: inout ByteReader) throws(Failure) {
        let first = list.count
        try list.load(from: &reader)
        for index in first..<list.count where list[index] == nil { nullIndex = index }
        if list.count <= Self.unhashedMax { return }
        while list.count * 2 > mask + 1 { rebuild() }
        for index in first..<list.count where !isEntered(index) { enter(index) }
    }

    private func isEntered(_ index: Int) -> Bool {
        guard let value = list[index] else { return true }
        var place = home(value)
        while table.base[place] != 0 {
            if Int(table.base[place]) == index + 1 { return true }
            place = (place + 1) & mask
        }
        return false
    }
}

/// The different values of a group and how often each came.
final class CountedValues: GroupState {
    let values = ValueSet()
    private let counts = Buffer<Int64>()

    init() {}

    static var savesChanges: Bool { false }
    var count: Int { values.count }
    var byteCount: Int { values.byteCount + 8 * values.count }

    /// How often value `index` came.
    func occurrences(_ index: Int) -> Int64 { counts.base[index] }

    /// Counts a value; false when it is new and there is no room.
    func add(_ value: UnsafeRawBufferPointer?, times: Int64) -> Bool {
        guard let (index, isNew) = values.insert(value) else { return false }
        counts.reserve(index + 1)
        counts.base[index] = (isNew ? 0 : counts.base[index]) &+ times
        return true
    }

    func merge(_ other: CountedValues) -> Int {
        var dropped = 0
        for index in 0..<other.count
        where !add(other.values.list[index], times: other.occurrences(index)) { dropped += 1 }
        return dropped
    }

    func save(into writer: inout ByteWriter) {
        values.save(into: &writer)
        writer.writePacked(count: count) { counts.base[$0] }
    }

    func load(from reader: inout ByteReader) throws(Failure) {
        try values.load(from: &reader)
        counts.reserve(count)
        let counts = counts.base
        try reader.readPacked(count: count) { counts[$0] = $1 }
    }
}
