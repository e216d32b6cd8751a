// A query by each key's own clock (`watermark_by`): every key has operators of its own, for which that
// key's clock is all the time there is. What an operator does with late rows, timers and waiting rows it
// does as ever, so whatever works by one clock works by each key's.
//
// That leaves the order of results. It follows from the order of the input's rows: a row moves its key's
// clock, and what that makes due comes before anything that a later row makes due. Wherever batches are
// cut, the moves are the same ones.
//
// Two ways of going through a batch keep that order. Where rows wait for the clock behind an operator in
// event-time order (`isGated`), nothing comes out while rows go in: all rows of the batch go in first,
// then the clocks are followed. Elsewhere each run of rows of one key goes in, and its clock is followed
// at once.
//
// A key that falls idle is moved on to where all is through that waits, and its clock stays behind: what
// comes later and lies behind that time is late. A key that is forgotten loses all that is kept of it.
//
// Memory: keys that were not used for longest leave it beyond the budget; what is saved of them is all
// there is to them, and time passes for them when something is due.

import WeirCore
import WeirStore

/// The operators of all keys.
final class KeyedOperator {
    let output: ChainOutput
    /// What follows all chains.
    var next: any Operator { output.next }
    private let make: () throws(Failure) -> [any Operator]
    let isGated: Bool
    private let tag: UInt8
    private let memoryBudgetBytes: Int
    let portCount: Int
    private var reader: (any StateReader)?
    private var clocks: WatermarkTracker?
    var places = KeyPlaces()
    private var chains: [Int32: KeyChain] = [:]
    private var touched: [Int32] = []
    private var uses: UInt64 = 0
    private var totals = ChainCounts()
    private var isCountStale = false
    /// A chain that stopped for a commit, and where its time is to go.
    var unfinished: (place: Int32, target: Int64)?
    private var savedProgress: [UInt8] = []
    /// What the ports were given of a batch, and how many of them have been given all.
    var held: [RowRun?]
    var flushedCount = 0

    /// Chains used between two commits.
    private static let touchedMax = 4_096

    /// - Parameters:
    ///   - isGated: whether nothing comes out while rows go in.
    ///   - tag: the first byte of all keys of its state.
    ///   - memoryBudgetBytes: what keys may take of memory after a commit.
    ///   - make: makes the operators of a key, which end at `output`.
    init(
        portCount: Int, isGated: Bool, tag: UInt8, memoryBudgetBytes: Int, output: ChainOutput,
        make: @escaping () throws(Failure) -> [any Operator]
    ) {
        self.portCount = portCount
        self.isGated = isGated
        self.tag = tag
        self.memoryBudgetBytes = memoryBudgetBytes
        self.output = output
        self.make = make
        held = Array(repeating: nil, count: portCount)
    }

    // MARK: Chains

    /// The chain of a key, made or brought back to memory if it is not there.
    func chain(at place: Int32) throws(Failure) -> KeyChain {
        uses += 1
        if let known = chains[place] { return use(known, place) }
        let chain = KeyChain(try make(), prefix: prefix(places.open(place)))
        if let reader, let clocks { try chain.restore(from: reader, clocks) }
        chains[place] = chain
        return use(chain, place)
    }

    private func use(_ chain: KeyChain, _ place: Int32) -> KeyChain {
        chain.lastUse = uses
        isCountStale = true
        if !chain.isTouched {
            chain.isTouched = true
            touched.append(place)
        }
        return chain
    }

    private func prefix(_ birth: Int64) -> KeyPrefix {
        KeyPrefix(bytes: [tag, 2] + withUnsafeBytes(of: birth.bigEndian) { Array($0) })
    }

    /// What all chains say of themselves.
    private var counts: ChainCounts {
        if isCountStale {
            for place in touched { if let chain = chains[place] { count(chain) } }
            isCountStale = false
        }
        return totals
    }

    private func count(_ chain: KeyChain) {
        let counts = chain.counts
        totals.bytes += counts.bytes - chain.counted.bytes
        totals.spilled += counts.spilled - chain.counted.spilled
        totals.dropped = totals.dropped &+ counts.dropped &- chain.counted.dropped
        totals.errors = totals.errors &+ counts.errors &- chain.counted.errors
        chain.counted = counts
    }

    private func drop(_ chain: KeyChain, _ place: Int32) {
        totals.bytes -= chain.counted.bytes
        totals.spilled -= chain.counted.spilled
        chains[place] = nil
    }

    /// Whether a commit must come before more is done.
    var mustCommit: Bool { output.mustCommit || touched.count >= Self.touchedMax }

    // MARK: Time

    /// Moves the time of a key on to `target`. False when a commit must come first.
    func advance(_ place: Int32, to target: Int64) throws(Failure) -> Bool {
        guard places.exists(place), places.raise(place, to: target) else { return true }
        if target < places.firstDue(place) { return true }
        let chain = try chain(at: place)
        guard case .done = try chain.advance(to: target) else {
            unfinished = (place, target)
            return false
        }
        places.setFirstDue(place, chain.firstDue)
        return true
    }

    /// Follows the clocks from one of their movements to the next. False when a commit must come first.
    private func follow(_ moves: KeyMoves, isEnd: Bool) throws(Failure) -> Bool {
        places.cover(moves.clocks.placeCount)
        for (place, after) in zip(moves.places, moves.after) where places.exists(place) {
            // At the end, and when it is forgotten, an operator does what nothing is due for, too.
            if after == Watermark.none || isEnd { places.setFirstDue(place, Watermark.none) }
            let isThrough =
                switch after {
                case Watermark.none: try forget(place)
                case Watermark.end where !isEnd: try closeIdle(place)
                default: try advance(place, to: after)
                }
            guard isThrough, !mustCommit else { return false }
        }
        return true
    }

    /// Lets all come out that waits for the time of an idle key. Where nothing waits, its operators are
    /// not brought back to memory.
    private func closeIdle(_ place: Int32) throws(Failure) -> Bool {
        guard places.firstDue(place) < .max else { return true }
        while true {
            let due = try chain(at: place).lastDue
            guard due > places.mark(place) else { return true }
            places.setAhead(place, due)
            places.setFirstDue(place, Watermark.none)
            guard try advance(place, to: due) else { return false }
        }
    }

    private func forget(_ place: Int32) throws(Failure) -> Bool {
        guard try advance(place, to: Watermark.end) else { return false }
        if let chain = chains[place] {
            count(chain)
            drop(chain, place)
            touched.removeAll { $0 == place }
        }
        places.close(place)
        return true
    }

    func advance(_ trace: ClockTrace) throws(Failure) -> Step {
        // Where rows went in and clocks were followed together, only time without rows is left.
        if let moves = trace.keys, isGated || trace.watermarks == nil {
            let isThrough = try follow(moves, isEnd: trace.watermarkAfter == Watermark.end)
            try output.send()
            if !isThrough { return .suspended(beforeRow: 0) }
        }
        return .done
    }

    func resume() throws(Failure) -> Step {
        guard let (place, target) = unfinished else { return .done }
        let chain = try chain(at: place)
        var step = try chain.resume()
        if case .done = step { step = try chain.advance(to: target) }
        try output.send()
        guard case .done = step else { return .suspended(beforeRow: 0) }
        unfinished = nil
        places.setFirstDue(place, chain.firstDue)
        return .done
    }
}

// MARK: Durable state and memory

extension KeyedOperator {
    private var progressKey: [UInt8] { [tag, 0] }

    func checkpoint(into writer: any StateWriter) {
        if counts.bytes > memoryBudgetBytes { shrink() }
        for place in touched {
            guard let chain = chains[place] else { continue }
            chain.checkpoint(into: writer)
            chain.isTouched = false
        }
        touched.removeAll(keepingCapacity: true)
        places.checkpoint(into: writer, tag: tag) { self.prefix($0) }
        var progress = ByteWriter()
        progress.write(unfinished?.place ?? -1)
        progress.write(unfinished?.target ?? 0)
        if progress.bytes != savedProgress {
            progress.bytes.withUnsafeBytes { writer.put(progressKey, $0) }
            savedProgress = progress.bytes
        }
        output.committed()
        next.checkpoint(into: writer)
    }

    /// Lets keys leave memory that have not changed since the last commit, those used longest ago first.
    private func shrink() {
        guard reader != nil else { return }
        let unused = chains.filter { !$0.value.isTouched }.sorted { $0.value.lastUse < $1.value.lastUse }
        for (place, chain) in unused where totals.bytes > memoryBudgetBytes / 4 * 3 {
            drop(chain, place)
        }
    }

    func restore(
        from reader: any StateReader, clocks: WatermarkTracker
    ) throws(Failure) {
        (self.reader, self.clocks) = (reader, clocks)
        if let saved = try reader.get(progressKey) {
            try saved.withBytes { (bytes) throws(Failure) in
                var progress = ByteReader(bytes)
                let place: Int32 = try progress.read()
                let target: Int64 = try progress.read()
                unfinished = place < 0 ? nil : (place, target)
            }
            savedProgress = saved
        }
        try places.restore(from: reader, tag: tag)
        try next.restore(from: reader, clocks: clocks, pending: nil)
    }

    var memoryBytes: Int { counts.bytes + places.memoryBytes + next.memoryBytes }
    /// Keys that are in durable state alone count as one each.
    var spilledCount: Int {
        counts.spilled + places.count - chains.count + next.spilledCount
    }
    var droppedCount: UInt64 { counts.dropped + next.droppedCount }
    var evaluationErrors: UInt64 { counts.errors + next.evaluationErrors }
}
