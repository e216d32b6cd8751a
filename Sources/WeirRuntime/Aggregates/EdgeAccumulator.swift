// FIRST_VALUE and LAST_VALUE: the value with the least or the greatest event time, of equal times the
// one that arrived first or last. NULLs do not count. Flink goes by arrival alone; with event time
// the outcome is the same whatever order the network brought the rows in, as far as times differ.

import WeirCore

/// FIRST_VALUE and LAST_VALUE of single values.
final class EdgeAccumulator: Accumulator {
    private let isLast: Bool
    private let physical: PhysicalType
    private let times = Buffer<Int64>()
    private let hasValue = Buffer<UInt8>()
    /// The values of types that are no text; those of up to eight bytes widened, doubles as bits.
    private let words = Buffer<Int64>()
    private let wides = Buffer<Int128>()
    private let texts = TextCells()

    init(isLast: Bool, physical: PhysicalType) {
        self.isLast = isLast
        self.physical = physical
    }

    var bytesPerGroup: Int { physical == .int128 ? 25 : physical == .string ? 21 : 17 }
    var hasVariableSize: Bool { physical == .string }
    var variableBytes: Int { texts.liveBytes }
    func variableBytes(of slots: UnsafeBufferPointer<Int32>) -> Int {
        if physical != .string { return 0 }
        return slots.reduce(0) { $0 + texts.byteCount(Int($1)) }
    }

    func reserve(_ count: Int) {
        times.reserve(count)
        hasValue.reserve(count)
        switch physical {
        case .string: texts.reserve(count)
        case .int128: wides.reserve(count)
        default: words.reserve(count)
        }
    }

    func clear(_ slots: UnsafeBufferPointer<Int32>) {
        for slot in slots { hasValue.base[Int(slot)] = 0 }
        if physical == .string { texts.remove(slots) }
    }

    func release(_ slots: UnsafeBufferPointer<Int32>) {
        if physical == .string { texts.remove(slots) }
    }

    /// Whether a later arrival with time `time` takes the place of what slot `slot` holds.
    @inline(__always)
    private func isBetter(_ time: Int64, _ slot: Int) -> Bool {
        if hasValue.base[slot] == 0 { return true }
        return isLast ? time >= times.base[slot] : time < times.base[slot]
    }

    func update(_ rows: RowSlots, _ input: AggregateInput) {
        let column = input.argument
        for i in 0..<rows.count {
            let (row, slot) = (Int(rows.rows[i]), Int(rows.slots[i]))
            if column.isNull(row) { continue }
            let time = input.times?[row] ?? 0
            guard isBetter(time, slot) else { continue }
            hasValue.base[slot] = 1
            times.base[slot] = time
            switch physical {
            case .string: texts.set(slot, column.text(row))
            case .int128: wides.base[slot] = column.wides[row]
            case .bool: words.base[slot] = Int64(column.bools[row])
            case .double: words.base[slot] = Int64(bitPattern: column.doubles[row].bitPattern)
            default: words.base[slot] = column.ints[row]
            }
        }
        texts.sweep()
    }

    func merge(into: UnsafePointer<Int32>, from: UnsafePointer<Int32>, count: Int) {
        for i in 0..<count {
            let (to, other) = (Int(into[i]), Int(from[i]))
            guard hasValue.base[other] != 0, isBetter(times.base[other], to) else { continue }
            hasValue.base[to] = 1
            times.base[to] = times.base[other]
            switch physical {
            case .string: texts.copy(from: other, to: to)
            case .int128: wides.base[to] = wides.base[other]
            default: words.base[to] = words.base[other]
            }
        }
        texts.sweep()
    }

    func save(_ slots: UnsafeBufferPointer<Int32>, into writer: inout ByteWriter) {
        let (times, hasValue) = (times.base, hasValue.base)
        writer.writeWords(count: slots.count) { hasValue[Int(slots[$0])] }
        writer.writeWords(count: slots.count) { i -> Int64 in
            hasValue[Int(slots[i])] == 0 ? 0 : times[Int(slots[i])]
        }
        switch physical {
        case .string: texts.save(slots, into: &writer)
        case .int128:
            let wides = wides.base
            writer.writeWords(count: slots.count) { i -> Int128 in
                hasValue[Int(slots[i])] == 0 ? 0 : wides[Int(slots[i])]
            }
        default:
            let words = words.base
            writer.writePacked(count: slots.count) { i in
                hasValue[Int(slots[i])] == 0 ? 0 : words[Int(slots[i])]
            }
        }
    }

    func load(_ slots: UnsafeBufferPointer<Int32>, from reader: inout ByteReader) throws(Failure) {
        let (times, hasValue) = (times.base, hasValue.base)
        try reader.readWords(UInt8.self, count: slots.count) { hasValue[Int(slots[$0])] = $1 }
        try reader.readWords(Int64.self, count: slots.count) { times[Int(slots[$0])] = $1 }
        switch physical {
        case .string: try texts.load(slots, from: &reader)
        case .int128:
            let wides = wides.base
            try reader.readWords(Int128.self, count: slots.count) { wides[Int(slots[$0])] = $1 }
        default:
            let words = words.base
            try reader.readPacked(count: slots.count) { words[Int(slots[$0])] = $1 }
        }
    }

    func emit(_ slots: UnsafeBufferPointer<Int32>, into column: Column) {
        for slot in slots.map({ Int($0) }) {
            if hasValue.base[slot] == 0 {
                column.appendNull()
                continue
            }
            switch physical {
            case .string: column.append(texts.text(slot))
            case .int128: column.append(wides.base[slot])
            case .bool: column.append(words.base[slot] != 0)
            case .double:
                column.append(Double(bitPattern: UInt64(bitPattern: words.base[slot])))
            default: column.append(words.base[slot])
            }
        }
    }
}
