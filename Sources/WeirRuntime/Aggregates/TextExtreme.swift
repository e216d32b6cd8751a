// MIN and MAX of text, by bytes (which for UTF-8 is by code point).

import WeirCore

/// MIN and MAX of STRING and BYTES.
final class TextExtreme: Accumulator {
    private let texts = TextCells()
    private let isMaximum: Bool

    init(isMaximum: Bool) { self.isMaximum = isMaximum }

    var bytesPerGroup: Int { 12 }
    var hasVariableSize: Bool { true }
    var variableBytes: Int { texts.liveBytes }
    func variableBytes(of slots: UnsafeBufferPointer<Int32>) -> Int {
        slots.reduce(0) { $0 + texts.byteCount(Int($1)) }
    }
    /// Bytes of the arena in use, replaced texts included.
    var arenaBytes: Int { texts.arenaBytes }

    func reserve(_ count: Int) { texts.reserve(count) }
    func clear(_ slots: UnsafeBufferPointer<Int32>) { texts.remove(slots) }
    func release(_ slots: UnsafeBufferPointer<Int32>) { texts.remove(slots) }

    func update(_ rows: RowSlots, _ input: AggregateInput) {
        let column = input.argument
        for i in 0..<rows.count where !column.isNull(Int(rows.rows[i])) {
            let text = column.text(Int(rows.rows[i]))
            if isBetter(text, Int(rows.slots[i])) { texts.set(Int(rows.slots[i]), text) }
        }
        texts.sweep()
    }

    func merge(into: UnsafePointer<Int32>, from: UnsafePointer<Int32>, count: Int) {
        for i in 0..<count where texts.hasText(Int(from[i])) {
            if isBetter(texts.text(Int(from[i])), Int(into[i])) {
                texts.copy(from: Int(from[i]), to: Int(into[i]))
            }
        }
        texts.sweep()
    }

    private func isBetter(_ candidate: UnsafeBufferPointer<UInt8>, _ slot: Int) -> Bool {
        guard texts.hasText(slot) else { return true }
        let order = KeyBytes.compare(candidate, texts.text(slot))
        return isMaximum ? order > 0 : order < 0
    }

    func save(_ slots: UnsafeBufferPointer<Int32>, into writer: inout ByteWriter) {
        texts.save(slots, into: &writer)
    }

    func load(_ slots: UnsafeBufferPointer<Int32>, from reader: inout ByteReader) throws(Failure) {
        try texts.load(slots, from: &reader)
    }

    func emit(_ slots: UnsafeBufferPointer<Int32>, into column: Column) {
        for slot in slots {
            if texts.hasText(Int(slot)) {
                column.append(texts.text(Int(slot)))
            } else {
                column.appendNull()
            }
        }
    }
}
