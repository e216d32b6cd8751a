// SESSION as a table function: rows wait until their session is over and then come with its bounds, in
// the order of (end of the session, key), the rows of a session in the order of (time, arrival).
//
// Which session a row belongs to and whether it is late is decided when it comes, by Flink's rule for
// grouped sessions (SessionOperator). A session is over when the watermark has reached its last
// millisecond; it takes part in nothing from then on, and comes out when the clock is next followed.
//
// Rows that wait are durable as they came, each with the watermark before it. So an open session need not
// be saved: a restart lets the rows that are there come again. Rows that a commit holds can leave memory;
// what stays of each is where it is, 24 bytes.
//
// The files: SessionRowSet holds sessions and where their rows are, SessionRowChunks holds the rows.

import WeirCore
import WeirSQL
import WeirStore

/// Puts rows into their sessions.
final class SessionAssignOperator: Operator {
    let next: any Operator
    private let gap: Int64
    private let timeColumn: Int
    private let keyColumns: [Int]
    private let schema: Schema
    private let wallClock: WallClock?
    private let encoder: KeyEncoder
    private let numbers = Buffer<Int32>()
    private let lateOutput: LateRows?
    private let emittedRowsMax: Int
    private let memoryBudgetBytes: Int
    private let progressKey: [UInt8]
    private var savedProgress: [UInt8] = []
    private let sessions: SessionRowSet
    private let chunks: SessionRowChunks
    /// Where time is; all sessions that are over then have been taken to come out.
    private var closedThrough = Watermark.none
    /// Sessions that are coming out, and how many of them have.
    private var due: [SessionRowSet.Session] = []
    private var dueTaken = 0
    private var emittedSinceCommit = 0

    private static let resultRowsMax = 4_096

    /// - Parameters:
    ///   - input: the columns of the rows; `output` has the session's bounds behind them.
    ///   - lateOutput: gets late rows; nil for results of an operator above, where none is late.
    init(
        _ window: WindowSpec, input: Schema, output: Schema, _ options: QueryOptions, stateTag: UInt8,
        lateOutput: LateRows?, next: any Operator
    ) throws(Failure) {
        guard case .session(let gap, let keyColumns) = window.shape else {
            preconditionFailure("not a session")
        }
        self.next = next
        self.gap = gap
        self.keyColumns = keyColumns
        self.lateOutput = lateOutput
        schema = output
        timeColumn = window.timeColumn
        wallClock = if let zone = window.zone { try WallClock(zone: zone) } else { nil }
        encoder = KeyEncoder(types: keyColumns.map { input[$0].type })
        emittedRowsMax = options.emittedRowsMax
        memoryBudgetBytes = options.memoryBudgetBytes
        progressKey = [stateTag, 0x10]
        let isText = keyColumns.count == 1 && input[keyColumns[0]].type.physical == .string
        sessions = SessionRowSet(
            gap: gap, keys: KeyInterner(isSingleText: isText, seed: options.hashSeed))
        chunks = SessionRowChunks(schema: input, keyPrefix: [stateTag, 0x11])
    }

    var memoryBytes: Int { sessions.memoryBytes + chunks.memoryBytes + next.memoryBytes }
    var spilledCount: Int { chunks.spilledCount + next.spilledCount }
    var firstDue: Int64 {
        if !due.isEmpty { return .min }
        return min(next.firstDue, sessions.nextEnd == .max ? .max : sessions.nextEnd - 1)
    }
    var lastDue: Int64 {
        max(next.lastDue, sessions.lastEnd == .min ? .min : sessions.lastEnd - 1)
    }

    // MARK: Rows

    func process(_ run: RowRun) throws(Failure) -> Step {
        precondition(due.isEmpty, "sessions are still coming out")
        let times = run.batch.columns[timeColumn]
        let marks = run.trace.watermarks.map { UnsafePointer($0.ints) }
        intern(run.batch)
        var kept: [Int32] = []
        var late: [Int32] = []
        let savedMarks = Column(.bigint, capacity: run.batch.rowCount)
        for row in 0..<run.batch.rowCount {
            // A time that an outer join made NULL belongs to no session.
            if times.isNull(row) { continue }
            let mark = if let marks { marks[run.origin(row)] } else { closedThrough }
            let place = SessionRowSet.Place(
                time: times.ints[row], chunk: chunks.nextNumber, row: Int32(kept.count))
            if sessions.add(place, key: numbers.base[row], mark: mark) {
                kept.append(Int32(row))
                savedMarks.append(mark)
            } else {
                late.append(Int32(row))
            }
        }
        kept.withUnsafeBufferPointer { rows in
            run.outcomes?.markUsed(run, rows)
            if !rows.isEmpty {
                chunks.add(
                    rows.count == run.batch.rowCount ? run.batch : run.batch.gather(rows), savedMarks)
            }
        }
        if !late.isEmpty { send(late: late, besides: kept, of: run) }
        return .done
    }

    private func intern(_ batch: Batch) {
        numbers.reserve(batch.rowCount)
        encoder.withKeys(of: keyColumns.map { batch.columns[$0] }, rowCount: batch.rowCount) {
            sessions.keys.intern($0, into: numbers.base)
        }
    }

    private func send(late: [Int32], besides kept: [Int32], of run: RowRun) {
        var late = late
        if !kept.isEmpty, run.origins != nil {
            let used = Set(kept.map { run.origin(Int($0)) })
            late.removeAll { used.contains(run.origin(Int($0))) }
        }
        guard !late.isEmpty else { return }
        guard let lateOutput else { preconditionFailure("an operator's result came late") }
        run.outcomes?.markLate(run, late)
        lateOutput.add(late.withUnsafeBufferPointer { run.batch.gather($0) }, of: run, late)
    }

    // MARK: Time

    func advance(_ trace: ClockTrace) throws(Failure) -> Step {
        guard try close(through: trace.watermarkAfter) else { return .suspended(beforeRow: 0) }
        return try next.advance(trace)
    }

    func resume() throws(Failure) -> Step {
        guard try close(through: closedThrough) else { return .suspended(beforeRow: 0) }
        return try next.resume()
    }

    /// Lets all sessions come out that are over at `mark`. False when a commit must come first.
    private func close(through mark: Int64) throws(Failure) -> Bool {
        closedThrough = max(closedThrough, mark)
        if due.isEmpty { due = sessions.takeDue(closedThrough) }
        while dueTaken < due.count {
            if emittedSinceCommit >= emittedRowsMax { return false }
            var end = dueTaken
            var rows = 0
            while end < due.count, rows < Self.resultRowsMax {
                rows += due[end].rows.count
                end += 1
            }
            try emit(due[dueTaken..<end], rowCount: rows)
            emittedSinceCommit += rows
            dueTaken = end
        }
        due.removeAll()
        dueTaken = 0
        chunks.dropEmpty()
        sessions.forgetUnusedKeys()
        return true
    }

    private func emit(_ over: ArraySlice<SessionRowSet.Session>, rowCount: Int) throws(Failure) {
        let columns = schema.fields.map { Column($0.type, capacity: rowCount) }
        let width = columns.count - 3
        var order: [Int32] = []
        var isInOrder = true
        for session in over {
            let first = Int32(order.count)
            try chunks.take(session.rows.map { ($0.chunk, $0.row) }, into: columns[..<width])
            var places = Array(first..<first + Int32(session.rows.count))
            places.sort { a, b in
                let (one, other) = (session.rows[Int(a - first)].time, session.rows[Int(b - first)].time)
                return one != other ? one < other : a < b
            }
            if isInOrder { isInOrder = zip(places, places.dropFirst()).allSatisfy { $0 < $1 } }
            order += places
            let start = wallClock?.local(session.start) ?? session.start
            let end = wallClock?.local(session.end) ?? session.end
            for _ in session.rows {
                columns[width].append(start)
                columns[width + 1].append(end)
                columns[width + 2].append(session.end - 1)
            }
        }
        let batch = Batch(schema: schema, columns: columns, rowCount: rowCount)
        let trace = ClockTrace(watermarks: nil, watermarkAfter: Watermark.none, keys: nil)
        _ = try next.process(
            RowRun(
                batch: isInOrder ? batch : order.withUnsafeBufferPointer { batch.gather($0) },
                origins: nil, sourceRows: 0..<0, trace: trace, outcomes: nil))
    }
}

// MARK: Durable state

extension SessionAssignOperator {
    func checkpoint(into writer: any StateWriter) {
        // What the last commit wrote can be read back by now; what this one writes cannot.
        chunks.shrink(to: max(0, memoryBudgetBytes - sessions.memoryBytes))
        chunks.checkpoint(into: writer)
        var progress = ByteWriter()
        progress.write(closedThrough)
        progress.write(UInt8(due.isEmpty ? 0 : 1))
        if !due.isEmpty {
            progress.write(dueTaken == 0 ? Int64.min : due[dueTaken - 1].end)
            progress.writeString(dueTaken == 0 ? [] : sessions.bytes(of: due[dueTaken - 1].key))
        }
        if progress.bytes != savedProgress {
            progress.bytes.withUnsafeBytes { writer.put(progressKey, $0) }
            savedProgress = progress.bytes
        }
        emittedSinceCommit = 0
        next.checkpoint(into: writer)
    }

    func restore(
        from reader: any StateReader, clocks: WatermarkTracker, pending: ClockTrace?
    ) throws(Failure) {
        try refuseOldLayout(reader)
        var last: (end: Int64, key: [UInt8])?
        if let saved = try reader.get(progressKey) {
            try saved.withBytes { (bytes) throws(Failure) in
                var progress = ByteReader(bytes)
                closedThrough = try progress.read()
                if try progress.read(UInt8.self) == 1 {
                    last = (try progress.read(), Array(try progress.readString()))
                }
            }
            savedProgress = saved
        }
        try chunks.restore(from: reader, bytesMax: memoryBudgetBytes) { number, batch, marks in
            intern(batch)
            let times = batch.columns[timeColumn].ints
            for row in 0..<batch.rowCount {
                let place = SessionRowSet.Place(time: times[row], chunk: number, row: Int32(row))
                sessions.readd(place, key: numbers.base[row], mark: marks[row])
            }
        }
        let mark = closedThrough
        sessions.finishRestoring { end, key in
            guard let last else { return end - 1 <= mark }
            if end != last.end { return end < last.end }
            return !last.key.lexicographicallyPrecedes(key)
        }
        chunks.keep(sessions.all)
        try next.restore(from: reader, clocks: clocks, pending: pending)
    }

    /// Rows that wait in the layout before this one lie under keys that are none here; to pass over them
    /// would lose them.
    private func refuseOldLayout(_ reader: any StateReader) throws(Failure) {
        let tag = progressKey[0]
        var isOld = false
        let ranges: [(from: [UInt8], to: [UInt8])] = [([tag], [tag, 0x10]), ([tag, 0x10, 0], [tag, 0x11])]
        for range in ranges where !isOld {
            try reader.scan(range.from, range.to) { (_, _) throws(Failure) in
                isOld = true
                return false
            }
        }
        guard isOld else { return }
        throw Failure(
            .state, "reading", "the rows that wait in sessions",
            "an earlier weir wrote them, by other rules and in another form",
            advice: "run that weir until the sessions are over, or give the query another name: it then "
                + "begins without them; nothing was changed")
    }
}
