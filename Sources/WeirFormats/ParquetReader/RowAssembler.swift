// From levels back to columns: the way back from `ShreddedRows`. A node has a slot for each place at which its
// parent has an element; what the levels of the node's first leaf say decides whether the slot holds a
// value, and how many elements a list has.
//
// Leaves of one node must agree on that. In a damaged file they need not, so it is compared, not assumed.

import WeirCore

/// Builds the columns of a batch from the leaves' levels and values.
struct RowAssembler {
    let leaves: [LeafReader]

    private static let disagreement = ParquetFault.broken("the columns of a nested column do not agree")

    /// The column of `node`, a column of the file.
    func column(_ node: ReadNode, rows: Int) throws(ParquetFault) -> Column {
        let column = try build(node, Slots(definition: 0, repetition: 0))
        guard column.count == rows else { throw Self.disagreement }
        return column
    }

    /// Which levels make a slot: those of at least this definition and at most this repetition.
    private struct Slots {
        let definition: UInt8
        let repetition: UInt8
    }

    private func build(_ node: ReadNode, _ slots: Slots) throws(ParquetFault) -> Column {
        switch node.content {
        case .leaf(let number): return try buildLeaf(leaves[number], node, slots)
        case .row(let fields):
            let columns = try build(fields, slots)
            guard let count = columns.first?.count, columns.allSatisfy({ $0.count == count }) else {
                throw Self.disagreement
            }
            let validity = validity(node, slots, count: count)
            return Column(row: node.type, count: count, validity: validity, fields: columns)
        case .list(let element):
            let child = try build(element, Self.elements(node))
            return try list(node, slots, child)
        case .map(let key, let value):
            let columns = try build([key, value], Self.elements(node))
            guard columns[0].count == columns[1].count, let type = node.type.elementType else {
                throw Self.disagreement
            }
            return try list(
                node, slots, Column(row: type, count: columns[0].count, validity: nil, fields: columns))
        }
    }

    private func build(_ nodes: [ReadNode], _ slots: Slots) throws(ParquetFault) -> [Column] {
        var columns: [Column] = []
        for node in nodes { columns.append(try build(node, slots)) }
        return columns
    }

    private static func elements(_ node: ReadNode) -> Slots {
        Slots(definition: UInt8(node.elementDefinition), repetition: UInt8(node.elementRepetition))
    }

    // MARK: Slots

    /// Calls `body` with the definition level of each slot of `node`.
    private func forEachSlot(_ node: ReadNode, _ slots: Slots, _ body: (UInt8) -> Void) {
        let leaf = leaves[node.firstLeaf]
        leaf.definitions.withUnsafeBufferPointer { definitions in
            leaf.repetitions.withUnsafeBufferPointer { repetitions in
                for index in definitions.indices
                where definitions[index] >= slots.definition && repetitions[index] <= slots.repetition {
                    body(definitions[index])
                }
            }
        }
    }

    /// One byte a slot; nil when no slot is NULL.
    private func validity(
        _ node: ReadNode, _ slots: Slots, count: Int
    ) -> UnsafeMutablePointer<UInt8>? {
        let flags = Column(.boolean, capacity: count)
        let there = UInt8(node.definition)
        var hasNull = false
        forEachSlot(node, slots) { definition in
            flags.append(definition >= there)
            hasNull = hasNull || definition < there
        }
        guard hasNull else { return nil }
        let copy = ValueBuffer<UInt8>.allocateCopy(of: flags.bools, count: flags.count)
        return copy
    }

    private func buildLeaf(
        _ leaf: LeafReader, _ node: ReadNode, _ slots: Slots
    ) throws(ParquetFault) -> Column {
        let values = leaf.values
        let there = UInt8(node.definition)
        let (definitions, repetitions) = (leaf.definitions, leaf.repetitions)
        if values.count == definitions.count { return values }
        // Spread over the slots: runs of values are copied as a whole.
        let column = Column(node.type, capacity: definitions.count)
        var (taken, pending) = (0, 0)
        for index in definitions.indices
        where definitions[index] >= slots.definition && repetitions[index] <= slots.repetition {
            if definitions[index] == there {
                pending += 1
            } else {
                column.append(from: values, range: taken..<taken + pending)
                (taken, pending) = (taken + pending, 0)
                column.appendNull()
            }
        }
        guard taken + pending == values.count else { throw Self.disagreement }
        column.append(from: values, range: taken..<taken + pending)
        return column
    }

    private func list(
        _ node: ReadNode, _ slots: Slots, _ child: Column
    ) throws(ParquetFault) -> Column {
        let leaf = leaves[node.firstLeaf]
        let (there, element) = (UInt8(node.definition), UInt8(node.elementDefinition))
        let level = UInt8(node.elementRepetition)
        let flags = ValueBuffer<UInt8>()
        let ends = ValueBuffer<Int32>()
        ends.append(0)
        var (count, hasNull): (Int32, Bool) = (0, false)
        for index in leaf.definitions.indices {
            let definition = leaf.definitions[index]
            let repetition = leaf.repetitions[index]
            guard definition >= slots.definition else { continue }
            if repetition <= slots.repetition {
                // A slot begins; the one before it ends with what has been counted.
                if flags.count > 0 { ends.append(count) }
                flags.append(definition >= there ? 1 : 0)
                hasNull = hasNull || definition < there
            } else if flags.count == 0 {
                throw Self.disagreement
            }
            if definition >= element, repetition <= level { count += 1 }
        }
        if flags.count > 0 { ends.append(count) }
        guard Int(count) == child.count else { throw Self.disagreement }
        let validity = hasNull ? ValueBuffer.allocateCopy(of: flags.base, count: flags.count) : nil
        let storage = ValueBuffer.allocateCopy(of: ends.base, count: ends.count)
        return Column(
            adopting: UnsafeMutableRawPointer(storage), type: node.type, count: flags.count,
            validity: validity, child: child)
    }
}

extension ValueBuffer {
    /// Memory of malloc's with `count` values, for a column to take over.
    static func allocateCopy(
        of values: UnsafeMutablePointer<Value>, count: Int
    ) -> UnsafeMutablePointer<Value> {
        let buffer = allocate(nil, count)
        buffer.update(from: values, count: count)
        return buffer
    }
}
