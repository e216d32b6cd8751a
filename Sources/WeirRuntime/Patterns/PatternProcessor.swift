// MATCH_RECOGNIZE: rows in the order of event time go to their keys, and the matcher takes the partial
// matches of each key a row further. What is found is handed on as it is found, at the event time of the
// row that completed it; a match that had to wait for an earlier one that WITHIN has ended, at that end.
//
// A key exists as long as it has a partial match, or a complete one that waits. Keys are independent of
// each other, except that all of them together keep at most PatternLimits.partialMatchesMax.

import WeirCore
import WeirSQL
import WeirStore

/// Finds patterns in rows.
final class PatternProcessor: OrderedProcessor {
    private let pattern: PatternSpec
    let rows: PatternRows
    let pool: MatchPool
    let accumulators: PatternAccumulators
    private let matcher: PatternMatcher
    private let results: MatchResults
    /// The arguments of aggregates that are no plain columns: behind the input's columns in `rows`.
    private let computed: [CompiledExpression]
    private let encoder: KeyEncoder
    private let interner: KeyInterner
    @exclusivity(unchecked) private var numbers: [Int32] = []
    /// By number; nil where nothing is pending.
    @exclusivity(unchecked) private var keys: [PatternKey?] = []
    @exclusivity(unchecked) private var liveKeyCount = 0
    /// Rows taken since the query's first; gives the rows of a key their numbers.
    @exclusivity(unchecked) var takenCount: Int64 = 0
    /// When partial matches end by WITHIN, in the order of their ends.
    private var deadlines: [Deadline] = []
    private var nextDeadline = 0
    private var rowsKeptMax = PatternProcessor.rowsKeptMin
    private var keysKeptMax = PatternProcessor.keysKeptMin
    lazy var ledger = PatternLedger(self)
    private let stateTag: UInt8

    private static let rowsKeptMin = 32_768
    private static let keysKeptMin = 8_192

    /// A start of matches and when they end.
    private struct Deadline {
        let time: Int64
        let key: PatternKey
    }

    init(
        _ pattern: PatternSpec, input: Schema, schema: Schema, stateTag: UInt8, seed: UInt64,
        bounds: MatchBounds = MatchBounds()
    ) throws(Failure) {
        self.pattern = pattern
        self.stateTag = stateTag
        let layout = try PatternLayout(pattern, input)
        computed = layout.computed
        rows = PatternRows(schema: layout.schema)
        pool = MatchPool(variableCount: pattern.elements.count)
        accumulators = try PatternAccumulators(
            pattern.defineValues.aggregates, arguments: layout.defineArguments,
            timeColumn: pattern.timeColumn)
        results = try MatchResults(
            pattern, schema: schema, rows, pool, arguments: layout.measureArguments)
        matcher = try PatternMatcher(
            pattern, PatternAutomaton(pattern.elements), rows, pool, accumulators, results,
            bounds)
        let types = pattern.partition.map { input[$0].type }
        encoder = KeyEncoder(types: types)
        interner = KeyInterner(
            isSingleText: types.count == 1 && types[0].physical == .string, seed: seed)
        matcher.droppedRow = { [unowned self] block in ledger.forget(block) }
    }

    var memoryBytes: Int {
        rows.memoryBytes + pool.memoryBytes + accumulators.memoryBytes + interner.byteCount
            + liveKeyCount * 256 + deadlines.count * 24
    }

    /// Partial matches that were dropped because a limit was reached.
    var droppedCount: UInt64 { matcher.droppedCount }

    var evaluationErrors: UInt64 {
        matcher.evaluationErrors + results.evaluationErrors
            + computed.reduce(0) { $0 + $1.evaluationErrors }
    }

    // MARK: Rows

    func process(_ slice: OrderedSlice, into output: OrderedOutput) throws(Failure) {
        let batch = PatternOrdering.ordered(slice.batches[0], by: pattern)
        guard batch.rowCount > 0 else { return }
        let first = rows.append(
            batch.columns + computed.map { $0.evaluate(batch) }, rowCount: batch.rowCount)
        intern(batch)
        matcher.begin(batch.columns, rowCount: batch.rowCount)
        let times = batch.columns[pattern.timeColumn]
        for row in 0..<batch.rowCount {
            let time = times.ints[row]
            if pattern.within != nil { expire(through: time) }
            take(row, place: Int32(first + row), time: time)
            if results.isFull { try results.emit(into: output) }
        }
        try results.emit(into: output)
        cleanUp()
    }

    private func intern(_ batch: Batch) {
        if numbers.count < batch.rowCount {
            numbers = [Int32](repeating: 0, count: batch.rowCount)
        }
        let columns = pattern.partition.map { batch.columns[$0] }
        encoder.withKeys(of: columns, rowCount: batch.rowCount) { encoded in
            numbers.withUnsafeMutableBufferPointer { numbers in
                guard let base = numbers.baseAddress else { return }
                if columns.isEmpty {
                    let only = interner.intern(UnsafeBufferPointer(start: nil, count: 0))
                    base.update(repeating: only, count: batch.rowCount)
                } else {
                    interner.intern(encoded, into: base)
                }
            }
        }
        while keys.count < interner.count { keys.append(nil) }
    }

    private func take(_ row: Int, place: Int32, time: Int64) {
        let number = numbers[row]
        if keys[Int(number)] == nil {
            guard matcher.canOpen(row: row) else {
                takenCount += 1
                return
            }
            add(PatternKey(number: number, firstRow: takenCount))
        }
        takenCount += 1
        guard let key = keys[Int(number)] else { return }
        ledger.touch(key)
        if matcher.take(key, row: row, place: place, time: time), let within = pattern.within {
            deadlines.append(Deadline(time: time + within, key: key))
        }
        retireIfIdle(key)
    }

    func add(_ key: PatternKey) {
        while keys.count <= Int(key.number) { keys.append(nil) }
        keys[Int(key.number)] = key
        liveKeyCount += 1
    }

    private func retireIfIdle(_ key: PatternKey) {
        guard key.isLive, key.partial.matches.count == 1, key.complete.isEmpty else { return }
        key.isLive = false
        if key.isSaved { ledger.retire(bytes(of: key)) }
        keys[Int(key.number)] = nil
        liveKeyCount -= 1
    }

    /// The bytes of a key, valid for ever.
    func bytes(of key: PatternKey) -> [UInt8] { Array(interner.key(key.number)) }

    /// The keys that have something pending.
    var liveKeys: [PatternKey] { keys.compactMap(\.self) }

    /// The number of a key's bytes.
    func number(of bytes: [UInt8]) -> Int32 {
        bytes.withUnsafeBufferPointer { interner.intern($0) }
    }

    // MARK: Time

    func close(through watermark: Int64, into output: OrderedOutput) throws(Failure) {
        guard pattern.within != nil else { return }
        // No row is expected up to the watermark, so what ends just behind it has ended.
        expire(through: watermark == Watermark.end ? watermark : watermark + 1)
        try results.emit(into: output)
        cleanUp()
    }

    var firstDue: Int64 {
        nextDeadline < deadlines.count ? deadlines[nextDeadline].time - 1 : .max
    }
    /// Not asked often: deadlines of matches that are gone do not count.
    var lastDue: Int64 {
        guard let within = pattern.within else { return .min }
        return liveKeys.reduce(.min) { last, key in
            key.partial.matches.reduce(last) {
                $1.id < 0 ? $0 : max($0, pool.startTime($1.id) + within - 1)
            }
        }
    }

    /// Ends the matches that WITHIN ends at or before `time`.
    private func expire(through time: Int64) {
        while nextDeadline < deadlines.count, deadlines[nextDeadline].time <= time {
            let end = deadlines[nextDeadline].time
            var waiting: [PatternKey] = []
            while nextDeadline < deadlines.count, deadlines[nextDeadline].time == end {
                let key = deadlines[nextDeadline].key
                nextDeadline += 1
                if key.isLive, !key.complete.isEmpty {
                    if !waiting.contains(where: { $0 === key }) { waiting.append(key) }
                } else {
                    expire(key, at: end)
                }
            }
            // Only these can give results; their order must not depend on how the rows came.
            if waiting.count > 1 { waiting = inOrder(waiting) }
            for key in waiting { expire(key, at: end) }
        }
        if nextDeadline > 1_024, nextDeadline * 2 > deadlines.count {
            deadlines.removeFirst(nextDeadline)
            nextDeadline = 0
        }
    }

    private func inOrder(_ waiting: [PatternKey]) -> [PatternKey] {
        let numbered = Dictionary(uniqueKeysWithValues: waiting.map { ($0.number, $0) })
        var order = waiting.map(\.number)
        order.withUnsafeMutableBufferPointer { interner.sort($0) }
        return order.compactMap { numbered[$0] }
    }

    private func expire(_ key: PatternKey, at end: Int64) {
        guard key.isLive, let within = pattern.within else { return }
        ledger.touch(key)
        matcher.expire(key, startedThrough: end - within, time: end)
        retireIfIdle(key)
    }

    // MARK: Memory

    /// Gives back the memory of rows and keys that are no longer needed, when these are the greater part.
    private func cleanUp() {
        if rows.count > rowsKeptMax {
            var places: [Int32] = []
            for key in keys {
                guard let key else { continue }
                let from = places.count
                places += key.places[key.keptRange]
                key.move(to: Int32(from))
            }
            rows.keep(places)
            rowsKeptMax = max(Self.rowsKeptMin, rows.count * 2)
        }
        if interner.count > keysKeptMax {
            let isLive = (0..<interner.count).map { number -> UInt8 in
                number < keys.count && keys[number] != nil ? 1 : 0
            }
            let renumbered = interner.keep(isLive)
            let kept = liveKeys
            keys = [PatternKey?](repeating: nil, count: interner.count)
            for key in kept {
                key.number = renumbered[Int(key.number)]
                keys[Int(key.number)] = key
            }
            keysKeptMax = max(Self.keysKeptMin, interner.count * 2)
        }
    }

    // MARK: Durable state

    func checkpoint(into writer: any StateWriter) { ledger.checkpoint(into: writer, tag: stateTag) }

    func restore(from reader: any StateReader) throws(Failure) {
        try ledger.restore(from: reader, tag: stateTag)
        for key in liveKeys { matcher.countRows(of: key) }
        guard let within = pattern.within else { return }
        for key in liveKeys {
            var starts: Set<Int64> = []
            for match in key.partial.matches where match.id >= 0 {
                if starts.insert(pool.startTime(match.id)).inserted {
                    deadlines.append(
                        Deadline(time: pool.startTime(match.id) + within, key: key))
                }
            }
        }
        deadlines.sort { $0.time < $1.time }
    }
}

/// Where the arguments of a pattern's aggregates are.
struct PatternLayout {
    /// The input's columns, then those computed.
    let schema: Schema
    let computed: [CompiledExpression]
    let defineArguments: [[Int]]
    let measureArguments: [[Int]]

    init(_ pattern: PatternSpec, _ input: Schema) throws(Failure) {
        var fields = input.fields
        var expressions: [BoundExpression] = []
        let place = { (argument: BoundExpression) -> Int in
            if case .column(let index, _) = argument { return index }
            let known = expressions.firstIndex(of: argument)
            if known == nil {
                expressions.append(argument)
                fields.append(Field("argument \(expressions.count)", argument.type))
            }
            return input.count + (known ?? expressions.count - 1)
        }
        defineArguments = pattern.defineValues.aggregates.map { $0.call.arguments.map(place) }
        measureArguments = pattern.measureValues.aggregates.map { $0.call.arguments.map(place) }
        schema = Schema(fields)
        var compiled: [CompiledExpression] = []
        for expression in expressions { compiled.append(try CompiledExpression(expression)) }
        computed = compiled
    }
}
