// How rows go in where each key has operators of its own, and the way in for the operators above.

import WeirCore
import WeirStore

extension KeyedOperator {
    /// The watermark before each of the source's rows, as its key has it.
    private func ownTrace(_ moves: KeyMoves) -> ClockTrace {
        places.cover(moves.clocks.placeCount)
        let marks = Column(.bigint, capacity: moves.places.count)
        marks.setCount(moves.places.count)
        for (row, place) in moves.places.enumerated() {
            marks.ints[row] = max(moves.before[row], places.ahead(place))
        }
        return ClockTrace(watermarks: marks, watermarkAfter: Watermark.none, keys: nil)
    }

    private static func moves(of run: RowRun) -> KeyMoves {
        guard let moves = run.trace.keys else { preconditionFailure("rows without their keys' clocks") }
        return moves
    }

    func process(_ run: RowRun, port: Int) throws(Failure) -> Step {
        if isGated {
            held[port] = run
            return .done
        }
        let moves = Self.moves(of: run)
        let run = run.with(ownTrace(moves))
        var (source, row) = (run.sourceRows.lowerBound, 0)
        while source < run.sourceRows.upperBound {
            if mustCommit { return try stop(before: source) }
            let part = run.part(from: source, row, to: moves.endOfRun(from: source))
            let place = moves.places[source]
            if part.batch.rowCount > 0 {
                let chain = try chain(at: place)
                if case .suspended(let stopped) = try chain.entries[port].process(part) {
                    unfinished = (place, max(moves.before[stopped], places.ahead(place)))
                    return try stop(before: stopped)
                }
                places.setFirstDue(place, chain.firstDue)
            }
            row += part.batch.rowCount
            source = part.sourceRows.upperBound
            if try !advance(place, to: moves.after[source - 1]) { return try stop(before: source) }
        }
        try output.send()
        return .done
    }

    private func stop(before row: Int) throws(Failure) -> Step {
        try output.send()
        return .suspended(beforeRow: row)
    }

    /// One port has been given all rows of a batch; with the last one they go in.
    func flush() throws(Failure) {
        guard isGated else { return }
        flushedCount += 1
        guard flushedCount == portCount else { return }
        flushedCount = 0
        guard let any = held.lazy.compactMap(\.self).first else { return }
        let moves = Self.moves(of: any)
        let trace = ownTrace(moves)
        let runs = held.map { $0?.with(trace) }
        for port in held.indices { held[port] = nil }
        for (port, run) in runs.enumerated() { if let run { try takeByKey(run, port, moves) } }
    }

    /// Lets rows go in key by key; late ones are put in order later (LateRows), nothing else shows.
    private func takeByKey(_ run: RowRun, _ port: Int, _ moves: KeyMoves) throws(Failure) {
        var order: [Int32] = []
        var rowsOf: [Int32: [Int32]] = [:]
        for row in 0..<run.batch.rowCount {
            let place = moves.places[run.origin(row)]
            if rowsOf[place]?.append(Int32(row)) == nil {
                rowsOf[place] = [Int32(row)]
                order.append(place)
            }
        }
        for place in order {
            guard let rows = rowsOf[place] else { continue }
            let part =
                rows.count == run.batch.rowCount
                ? run : rows.withUnsafeBufferPointer { run.replacing(run.batch.gather($0), rows: $0) }
            try take(part, port, place)
        }
    }

    private func take(_ part: RowRun, _ port: Int, _ place: Int32) throws(Failure) {
        let chain = try chain(at: place)
        guard case .done = try chain.entries[port].process(part) else {
            preconditionFailure("an operator stopped while rows went in")
        }
        places.setFirstDue(place, chain.firstDue)
    }
}

extension RowRun {
    /// The run with other clocks.
    fileprivate func with(_ trace: ClockTrace) -> RowRun {
        RowRun(
            batch: batch, origins: origins, sourceRows: sourceRows, trace: trace, outcomes: outcomes)
    }

    /// What is left of the source's rows `source ..< end`; the first row of it is `row`, if there is one.
    fileprivate func part(from source: Int, _ row: Int, to end: Int) -> RowRun {
        let end = min(end, sourceRows.upperBound)
        var last = row
        while last < batch.rowCount, origin(last) < end { last += 1 }
        if last - row == batch.rowCount, source == sourceRows.lowerBound, end == sourceRows.upperBound {
            return self
        }
        return RowRun(
            batch: batch.slice(row..<last), origins: (row..<last).map { Int32(origin($0)) },
            sourceRows: source..<max(source, end), trace: trace, outcomes: outcomes)
    }
}

extension KeyMoves {
    /// Behind the last of the rows from `row` on that are of its key.
    fileprivate func endOfRun(from row: Int) -> Int {
        var end = row + 1
        while end < places.count, places[end] == places[row] { end += 1 }
        return end
    }
}

/// One branch's way in; the first port stands for all where the operators are meant, the last one is told
/// of time.
final class KeyedPort: Operator {
    private let core: KeyedOperator
    private let index: Int

    init(_ core: KeyedOperator, index: Int) { (self.core, self.index) = (core, index) }

    var next: any Operator { core.next }
    private var isFirst: Bool { index == 0 }

    func process(_ run: RowRun) throws(Failure) -> Step { try core.process(run, port: index) }
    func flush() throws(Failure) { try core.flush() }
    func advance(_ trace: ClockTrace) throws(Failure) -> Step {
        index == core.portCount - 1 ? try core.advance(trace) : .done
    }
    func resume() throws(Failure) -> Step { isFirst ? try core.resume() : .done }
    func checkpoint(into writer: any StateWriter) { if isFirst { core.checkpoint(into: writer) } }
    func restore(
        from reader: any StateReader, clocks: WatermarkTracker, pending: ClockTrace?
    ) throws(Failure) {
        if isFirst { try core.restore(from: reader, clocks: clocks) }
    }
    var firstDue: Int64 { .min }
    var lastDue: Int64 { .min }
    var memoryBytes: Int { isFirst ? core.memoryBytes : 0 }
    var spilledCount: Int { isFirst ? core.spilledCount : 0 }
    var droppedCount: UInt64 { isFirst ? core.droppedCount : 0 }
    var evaluationErrors: UInt64 { isFirst ? core.evaluationErrors : 0 }
}
