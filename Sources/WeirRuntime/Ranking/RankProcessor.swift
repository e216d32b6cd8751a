// ROW_NUMBER() over the rows of windows, ORDER BY, OFFSET and LIMIT: the rows of one event time are put
// in order and numbered, and those whose number is wanted go on, in this order.
//
// Rows in windows all have their window's end as event time, so a whole window comes at once. Three things
// keep that within memory:
//
//   - while rows wait, those are dropped that cannot be among the first N of their partition any more
//     (`neededRows`)
//   - more rows of one event time than a slice has are read from where they wait, as often as it takes,
//     each time for the next part of the result (RankPasses)
//   - a commit can come between two parts; how far the result has come is a key and a number, `progress`
//
// Durable is that progress: how many rows the whole result has had (for OFFSET and LIMIT), and where in an
// event time it stands.

import WeirCore
import WeirSQL
import WeirStore

/// Numbers rows and takes some of them.
final class RankProcessor: OrderedProcessor {
    let order: RankOrder
    /// The same order for rows that wait: what cannot be computed is counted once, by `order`.
    private let waitingOrder: RankOrder
    private let schema: Schema
    private let hasNumber: Bool
    let memoryBudgetBytes: Int
    private let progressKey: [UInt8]
    private var savedProgress: [UInt8] = []
    /// Rows of the whole result so far, those that OFFSET leaves out included; 0 for a ranking.
    var wholeCount: Int64 = 0
    /// Where the result stands within an event time whose rows still wait.
    var position: RankPosition?

    convenience init(
        _ spec: RankSpec, schema: Schema, _ options: QueryOptions, stateTag: UInt8
    ) throws(Failure) {
        self.init(
            try RankOrder(spec), try RankOrder(spec), schema: schema, hasNumber: spec.hasNumber, options,
            stateTag)
    }

    convenience init(
        _ spec: SortSpec, schema: Schema, _ options: QueryOptions, stateTag: UInt8
    ) throws(Failure) {
        self.init(
            try RankOrder(spec), try RankOrder(spec), schema: schema, hasNumber: false, options, stateTag)
    }

    private init(
        _ order: RankOrder, _ waitingOrder: RankOrder, schema: Schema, hasNumber: Bool,
        _ options: QueryOptions, _ stateTag: UInt8
    ) {
        self.order = order
        self.waitingOrder = waitingOrder
        self.schema = schema
        self.hasNumber = hasNumber
        memoryBudgetBytes = options.memoryBudgetBytes
        progressKey = [stateTag, 0x10]
    }

    var memoryBytes: Int { order.keys.memoryBytes + waitingOrder.keys.memoryBytes }

    var evaluationErrors: UInt64 { order.evaluationErrors }

    /// Whether the whole result has been put out.
    var isThrough: Bool { order.isWhole && wholeCount >= order.last }

    // MARK: Rows

    func process(_ slice: OrderedSlice, into output: OrderedOutput) throws(Failure) {
        let batch = slice.batches[0]
        guard batch.rowCount > 0, !isThrough else { return }
        order.encode(batch)
        let numbered = order.numbered(from: RankOrder.Start(number: wholeCount))
        if order.isWhole { wholeCount = numbered.numbers.last ?? wholeCount }
        try emit(numbered, of: batch, into: output)
    }

    /// Hands on the rows whose numbers are wanted.
    func emit(
        _ numbered: RankOrder.Numbered, of batch: Batch, into output: OrderedOutput
    ) throws(Failure) {
        var (rows, numbers) = (numbered.rows, numbered.numbers)
        if order.first > 1 {
            let wanted = numbers.indices.filter { numbers[$0] >= order.first }
            rows = wanted.map { rows[$0] }
            numbers = wanted.map { numbers[$0] }
        }
        guard !rows.isEmpty else { return }
        var columns = batch.columns.map { column in
            rows.withUnsafeBufferPointer { column.gather($0) }
        }
        if hasNumber {
            let column = Column(.bigint, capacity: numbers.count)
            for number in numbers { column.append(number) }
            columns.append(column)
        }
        try output.emit(Batch(schema: schema, columns: columns, rowCount: rows.count))
    }

    // MARK: Rows that wait

    var dropsWaitingRows: Bool { order.last != .max }

    func neededRows(_ waiting: Batch) -> [Int32]? {
        // Rows that have been put out already still wait until their event time is through.
        guard dropsWaitingRows, position == nil else { return nil }
        return isThrough ? [] : waitingOrder.needed(waiting, after: wholeCount)
    }

    var readsWaitingRows: Bool { true }

    var isAmidTime: Bool { position != nil }

    func process(_ waiting: WaitingTime, into output: OrderedOutput) throws(Failure) -> Bool {
        while !isThrough {
            var pass = RankPass(self, waiting)
            let isLast = try pass.run(into: output)
            if isLast { break }
            if output.mustCommit { return false }
        }
        position = nil
        return true
    }

    // MARK: Durable state

    func checkpoint(into writer: any StateWriter) {
        var progress = ByteWriter()
        progress.write(wholeCount)
        progress.write(UInt8(position == nil ? 0 : 1))
        if let position { position.write(into: &progress) }
        // Before the first row there is nothing to say.
        guard progress.bytes != savedProgress, wholeCount > 0 || position != nil || !savedProgress.isEmpty
        else { return }
        progress.bytes.withUnsafeBytes { writer.put(progressKey, $0) }
        savedProgress = progress.bytes
    }

    func restore(from reader: any StateReader) throws(Failure) {
        guard let saved = try reader.get(progressKey) else { return }
        try saved.withBytes { (bytes) throws(Failure) in
            var progress = ByteReader(bytes)
            wholeCount = try progress.read()
            if try progress.read(UInt8.self) == 1 { position = try RankPosition(from: &progress) }
        }
        savedProgress = saved
    }
}

/// How far the result has come within an event time.
struct RankPosition {
    /// The key of the last row that was looked at, and how many of its bytes are the partition's.
    let key: [UInt8]
    let partitionLength: Int
    /// How many of the rows with this key have been looked at.
    let equalCount: Int64
    /// The number of the last one.
    let number: Int64

    init(key: [UInt8], partitionLength: Int, equalCount: Int64, number: Int64) {
        self.key = key
        self.partitionLength = partitionLength
        self.equalCount = equalCount
        self.number = number
    }

    var partition: [UInt8] { Array(key.prefix(partitionLength)) }

    fileprivate init(from reader: inout ByteReader) throws(Failure) {
        key = Array(try reader.readString())
        partitionLength = Int(try reader.read(UInt32.self))
        equalCount = try reader.read()
        number = try reader.read()
    }

    fileprivate func write(into writer: inout ByteWriter) {
        writer.writeString(key)
        writer.write(UInt32(partitionLength))
        writer.write(equalCount)
        writer.write(number)
    }
}
