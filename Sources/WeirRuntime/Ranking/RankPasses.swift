// Ranking more rows of one event time than memory should hold: they are read from where they wait, once
// for each part of the result. A pass looks for the rows that follow `position` in the order, as many as it
// may hold, puts them out, and leaves the position behind the last one.
//
// So a window of any size needs memory for one part and time for as many readings as there are parts; and
// where N rows of each partition are wanted and these are few, one pass does.

import WeirCore

/// One reading of an event time's rows.
struct RankPass {
    private let processor: RankProcessor
    private let order: RankOrder
    private let waiting: WaitingTime
    private let position: RankPosition?
    private var held: Batch
    /// The key of the last row that is held, when rows behind it had to be left for a later pass.
    private var bound: [UInt8]?
    /// Rows so far with the position's key.
    private var equalSeen: Int64 = 0

    /// Rows that may be held whatever they take.
    private static let heldRowsMin = 2_048

    init(_ processor: RankProcessor, _ waiting: WaitingTime) {
        self.processor = processor
        self.waiting = waiting
        order = processor.order
        position = processor.position
        held = .empty(waiting.schema)
    }

    /// Puts out the next part of the result. True when it was the last one.
    mutating func run(into output: OrderedOutput) throws(Failure) -> Bool {
        var parts: [Batch] = []
        var (rows, bytes) = (0, 0)
        try waiting.forEachPiece { (piece) throws(Failure) in
            let chosen = choose(piece)
            guard chosen.rowCount > 0 else { return }
            parts.append(chosen)
            rows += chosen.rowCount
            bytes += chosen.memoryBytes
            guard bytes > heldBytesMax, rows > Self.heldRowsMin else { return }
            held = joined(held, parts)
            trim(to: rows / 2)
            parts = []
            (rows, bytes) = (held.rowCount, held.memoryBytes)
        }
        held = joined(held, parts)
        try putOut(into: output)
        return bound == nil
    }

    /// An eighth of what the query may have of memory: rows are copied when they are put in order and again
    /// when they are put out, and become text.
    private var heldBytesMax: Int { processor.memoryBudgetBytes / 8 }

    private func joined(_ first: Batch, _ others: [Batch]) -> Batch {
        if others.isEmpty { return first }
        let total = others.reduce(first.rowCount) { $0 + $1.rowCount }
        let columns = first.schema.fields.indices.map { index -> Column in
            let column = Column(first.schema[index].type, capacity: total)
            for part in [first] + others where part.rowCount > 0 {
                column.append(from: part.columns[index], range: 0..<part.rowCount)
            }
            return column
        }
        return Batch(schema: first.schema, columns: columns, rowCount: total)
    }

    /// The rows of `piece` behind the position and not behind the bound.
    private mutating func choose(_ piece: Batch) -> Batch {
        if position == nil, bound == nil { return piece }
        order.encode(piece)
        var rows: [Int32] = []
        for row in 0..<piece.rowCount where isNext(row) { rows.append(Int32(row)) }
        if rows.count == piece.rowCount { return piece }
        return rows.withUnsafeBufferPointer { piece.gather($0) }
    }

    private mutating func isNext(_ row: Int) -> Bool {
        let key = order.keys.key(row)
        if let position {
            let place = position.key.withUnsafeBufferPointer { KeyBytes.compare(key, $0) }
            if place < 0 { return false }
            if place == 0 {
                equalSeen += 1
                if order.latestFirst || equalSeen <= position.equalCount { return false }
            }
            let isComplete = position.number >= order.last
            if isComplete, order.isPartition(of: row, position.partition) { return false }
        }
        guard let bound else { return true }
        let place = bound.withUnsafeBufferPointer { KeyBytes.compare(key, $0) }
        // Rows with the bound's key may have been left already, and those go first; but where the latest
        // one is taken, it takes the place of the one that is held.
        return place < 0 || (place == 0 && order.latestFirst)
    }

    private var start: RankOrder.Start {
        order.isWhole
            ? RankOrder.Start(number: processor.wholeCount)
            : RankOrder.Start(number: position?.number ?? 0, partition: position?.partition)
    }

    /// Keeps the first rows that are wanted, at most so many.
    private mutating func trim(to heldRowsMax: Int) {
        order.encode(held)
        var kept = order.numbered(from: start).rows
        if kept.count > heldRowsMax {
            kept.removeLast(kept.count - heldRowsMax)
            bound = kept.last.map { Array(order.keys.key(Int($0))) }
        }
        guard kept.count < held.rowCount else { return }
        kept.sort()
        held = kept.withUnsafeBufferPointer { held.gather($0) }
    }

    /// Hands on what is held, and moves the position.
    private func putOut(into output: OrderedOutput) throws(Failure) {
        guard held.rowCount > 0 else { return }
        order.encode(held)
        let numbered = order.numbered(from: start)
        guard let last = numbered.rows.last, let number = numbered.numbers.last else { return }
        let key = order.keys.key(Int(last))
        var equalCount: Int64 = 0
        for row in numbered.rows.reversed() {
            guard KeyBytes.compare(order.keys.key(Int(row)), key) == 0 else { break }
            equalCount += 1
        }
        if let position,
            position.key.withUnsafeBufferPointer({ KeyBytes.compare($0, key) == 0 })
        {
            equalCount += position.equalCount
        }
        processor.position = RankPosition(
            key: Array(key), partitionLength: order.keys.partition(Int(last)).count,
            equalCount: equalCount, number: number)
        if order.isWhole { processor.wholeCount = number }
        try processor.emit(numbered, of: held, into: output)
    }
}
