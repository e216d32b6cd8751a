// APPROX_TOP_K: the k most frequent values of a group, by Space-Saving (Metwally, Agrawal and El Abbadi,
// 2005): a fixed number of counters, ten times k and at least a hundred. While there are not more
// different values than counters all is exact; beyond, a new value takes the counter with the least
// count and goes on from there, so that a count is too high by at most N / counters of N rows, and no
// value is missed that came more often than that. Two groups merge as Agarwal and others have it
// ("Mergeable summaries", 2012): a value that one of them lacks may have come there as often as its
// least count.
//
// A value is told from others by its 64-bit hash.

import WeirCore

/// The counters of a group.
final class HeavyHitters: GroupState {
    private struct Counter {
        var value: [UInt8]
        var hash: UInt64
        var count: Int64
    }

    private var counters: [Counter] = []
    private var indexOf: [UInt64: Int] = [:]
    private var counterMax = 0
    /// Bytes of the values.
    private var valueBytes = 0
    /// Where the search for a counter with the least count goes on.
    private var cursor = 0
    private var least: Int64 = 0

    init() {}

    var byteCount: Int { 192 + 96 * counters.count + valueBytes }

    func add(_ value: UnsafeRawBufferPointer, counterMax: Int) {
        self.counterMax = counterMax
        let hash = ValueBytes.stableHash(value)
        if let index = indexOf[hash] {
            counters[index].count &+= 1
            return
        }
        let counter = Counter(value: Array(value), hash: hash, count: 1)
        if counters.count < counterMax { append(counter) } else { replaceLeast(by: counter) }
    }

    private func append(_ counter: Counter) {
        indexOf[counter.hash] = counters.count
        counters.append(counter)
        valueBytes += counter.value.count
    }

    /// Counts only grow, so a counter at the least count is looked for once around from the last one;
    /// if there is none, the least has grown.
    private func replaceLeast(by new: Counter) {
        var steps = 0
        while counters[cursor].count != least {
            cursor = cursor + 1 == counters.count ? 0 : cursor + 1
            steps += 1
            if steps == counters.count {
                least = counters.reduce(Int64.max) { min($0, $1.count) }
                steps = 0
            }
        }
        indexOf[counters[cursor].hash] = nil
        valueBytes += new.value.count - counters[cursor].value.count
        counters[cursor] = Counter(value: new.value, hash: new.hash, count: least &+ 1)
        indexOf[new.hash] = cursor
    }

    /// How often a value may have come that has no counter.
    private var unseenMax: Int64 {
        counters.count < counterMax ? 0 : counters.reduce(Int64.max) { min($0, $1.count) }
    }

    func merge(_ other: HeavyHitters) -> Int {
        counterMax = max(counterMax, other.counterMax)
        let (unseen, otherUnseen) = (unseenMax, other.unseenMax)
        var all = counters
        for index in all.indices {
            let known = other.indexOf[all[index].hash].map { other.counters[$0].count }
            all[index].count &+= known ?? otherUnseen
        }
        for counter in other.counters where indexOf[counter.hash] == nil {
            var counter = counter
            counter.count &+= unseen
            all.append(counter)
        }
        if all.count > counterMax { all = Array(Self.sorted(all).prefix(counterMax)) }
        replaceAll(by: all)
        return 0
    }

    private func replaceAll(by all: [Counter]) {
        counters = []
        indexOf = [:]
        valueBytes = 0
        for counter in all { append(counter) }
        (cursor, least) = (0, 0)
    }

    /// By falling count; of equal counts, the one that has had its counter longer first.
    private static func sorted(_ counters: [Counter]) -> [Counter] {
        counters.indices.sorted { a, b in
            counters[a].count != counters[b].count ? counters[a].count > counters[b].count : a < b
        }.map { counters[$0] }
    }

    /// The values with the greatest counts, and these.
    func top(_ count: Int) -> [(value: [UInt8], count: Int64)] {
        Self.sorted(counters).prefix(count).map { ($0.value, $0.count) }
    }

    func save(into writer: inout ByteWriter) {
        writer.write(UInt32(counterMax))
        writer.write(UInt32(cursor))
        writer.write(least)
        writer.write(UInt32(counters.count))
        writer.writePacked(count: counters.count) { counters[$0].count }
        for counter in counters { writer.writeString(counter.value) }
    }

    func load(from reader: inout ByteReader) throws(Failure) {
        counterMax = Int(try reader.read(UInt32.self))
        let place = Int(try reader.read(UInt32.self))
        let lowest: Int64 = try reader.read()
        let count = try reader.readCount()
        var counts: [Int64] = []
        try reader.readPacked(count: count) { counts.append($1) }
        var all: [Counter] = []
        for count in counts {
            let value = try reader.readString()
            all.append(
                Counter(
                    value: Array(value), hash: ValueBytes.stableHash(value), count: count))
        }
        guard place < max(count, 1) else { throw ByteReader.damaged }
        replaceAll(by: all)
        (cursor, least) = (place, lowest)
    }
}

/// APPROX_TOP_K: an ARRAY of ROW(item, hits), the most frequent first; NULL for a group without a value.
struct ApproximateTopK: ObjectAggregate {
    typealias State = HeavyHitters
    let count: Int

    func add(_ row: Int, of input: AggregateInput, to state: HeavyHitters) -> Bool {
        ValueBytes.with(input.arguments[0], row) {
            state.add($0, counterMax: max(100, 10 * count))
        }
        return true
    }

    func emit(_ state: HeavyHitters?, into column: Column) {
        guard let state, let rows = column.child else {
            column.appendNull()
            return
        }
        for (value, hits) in state.top(count) {
            value.withUnsafeBytes { ValueBytes.append($0, to: rows.fields[0]) }
            rows.fields[1].append(hits)
            rows.appendRow()
        }
        column.appendArray()
    }
}
