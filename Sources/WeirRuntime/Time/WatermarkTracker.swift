// A source's clock. It reads event time off the rows, evaluates the watermark row by row (the
// greatest event time so far less the delay, a prefix maximum inside a batch), refuses rows whose
// time cannot be used, and moves time on while the source is silent.
//
// Silence: the loop says on every turn how late it is by the machine's monotonic clock and whether
// the source is connected; only connected time counts, and after a restart it counts from zero, so
// that rows waiting at a broker are not made late by our own absence. After `idleTimeout` without a
// row, event time goes on at the machine's pace, from the moment of the last row. How keys of their
// own (`watermarkBy`) fall idle is told in KeyClocks.
//
// What the clock has become is part of the commit: an idle advance is an input like any other, and
// a restarted agent goes on from it (promise P1).

import WeirCore
import WeirStore

/// How a source's clock runs; all times in milliseconds.
public struct WatermarkOptions: Sendable {
    /// How far behind the greatest event time the watermark stays.
    public var delay: Int64
    /// Rows further ahead of the machine's clock than this are rejected; nil accepts any.
    public var maxAhead: Int64?
    /// Silence after which a source or key no longer holds windows open; nil waits for ever.
    public var idleTimeout: Int64?
    /// The greatest number of keys with clocks of their own.
    public var keysMax: Int
    /// Spreads the keys' hash; no result depends on it.
    public var hashSeed: UInt64

    public init(
        delay: Int64, maxAhead: Int64? = nil, idleTimeout: Int64? = nil, keysMax: Int = 100_000,
        hashSeed: UInt64 = 0
    ) {
        self.delay = delay
        self.maxAhead = maxAhead
        self.idleTimeout = idleTimeout
        self.keysMax = keysMax
        self.hashSeed = hashSeed
    }
}

/// The watermarks of one source.
public final class WatermarkTracker {
    /// Event times beyond this many milliseconds from 1970 (some 285,000 years) are rejected;
    /// inside, window arithmetic cannot overflow.
    public static let eventTimeMax: Int64 = 9_000_000_000_000_000

    /// The combined watermark after all rows so far.
    public private(set) var watermark = Watermark.none
    /// Keys with a clock of their own; 0 without `watermarkBy`.
    public var keyCount: Int { keyClocks?.count ?? 0 }

    private let timeColumn: Int?
    private let keyColumn: Int?
    private let options: WatermarkOptions
    let keyClocks: KeyClocks?
    private var savedWatermark = Watermark.none
    /// Connected milliseconds so far, by the machine's monotonic clock.
    private var connectedTime: Int64 = 0
    private var lastTick: Int64?
    private var lastRowAt: Int64 = 0
    /// The watermark when the last row had come.
    private var watermarkAtLastRow = Watermark.none
    private var nextIdleScan: Int64 = 0

    /// A clock for a source with these columns. `timeColumn` nil: rows have no event time, and
    /// there are no watermarks. `watermarkBy`: the column of the key.
    public init(
        schema: Schema, timeColumn: Int?, watermarkBy: Int? = nil, options: WatermarkOptions
    ) {
        self.timeColumn = timeColumn
        self.options = options
        keyColumn = timeColumn == nil ? nil : watermarkBy
        keyClocks = keyColumn.map {
            KeyClocks(keyType: schema[$0].type, keysMax: options.keysMax, seed: options.hashSeed)
        }
        if let timeColumn {
            precondition(schema[timeColumn].type.isTimestamp, "event time is a timestamp")
        }
    }

    /// Gives each row of `batch` its watermark. `now` is the machine's clock, ms since the epoch.
    public func assign(_ batch: Batch, now: Int64) -> TimedBatch {
        guard let timeColumn else {
            let trace = ClockTrace(watermarks: nil, watermarkAfter: watermark, keys: nil)
            return TimedBatch(batch: batch, trace: trace)
        }
        var rejected = unusableTimes(batch.columns[timeColumn], batch.rowCount, now)
        var accepted = batch.without(rejected.map(\.row))
        var places: [Int32] = []
        if let keyClocks, let keyColumn {
            places = keyClocks.resolve(
                accepted.columns[keyColumn], rowCount: accepted.rowCount, now: connectedTime)
            if places.contains(-1) {
                rejected = Self.adding(places, to: rejected, batch.rowCount)
                accepted = batch.without(rejected.map(\.row))
                places.removeAll { $0 == -1 }
            }
        }
        if accepted.rowCount > 0 { lastRowAt = connectedTime }
        let times = accepted.columns[timeColumn].ints
        let marks = Column(.bigint, capacity: accepted.rowCount)
        marks.setCount(accepted.rowCount)
        let moves = advance(times, marks.ints, places, accepted.rowCount)
        watermarkAtLastRow = watermark
        return TimedBatch(
            batch: Batch(
                schema: accepted.schema, columns: accepted.columns, rowCount: accepted.rowCount,
                watermarks: marks),
            trace: ClockTrace(watermarks: marks, watermarkAfter: watermark, keys: moves),
            rejected: rejected)
    }

    /// Moves the clock over rows with these event times, noting in `marks` where it stood before
    /// each.
    private func advance(
        _ times: UnsafePointer<Int64>, _ marks: UnsafeMutablePointer<Int64>, _ places: [Int32],
        _ rowCount: Int
    ) -> KeyMoves? {
        if let keyClocks {
            return keyClocks.advance(
                places, times: times, delay: options.delay, now: connectedTime, marks: marks,
                combined: &watermark)
        }
        let delay = options.delay
        var current = watermark
        for row in 0..<rowCount {
            marks[row] = current
            current = max(current, times[row] - delay)
        }
        watermark = current
        return nil
    }

    /// The passing of time: call on every turn of the loop, before `assign`. `monotonic` is the
    /// machine's monotonic clock in ms. Returns how the clocks moved, nil when they did not; the
    /// trace goes to every query of the source (`QueryPipeline.advance`).
    public func tick(monotonic: Int64, isConnected: Bool) -> ClockTrace? {
        let elapsed = max(0, monotonic - (lastTick ?? monotonic))
        lastTick = monotonic
        if isConnected { connectedTime += elapsed }
        guard let timeout = options.idleTimeout, watermark > Watermark.none else { return nil }
        let before = watermark
        var moves: KeyMoves?
        if let keyClocks, connectedTime >= nextIdleScan {
            nextIdleScan = connectedTime + max(1, min(timeout / 8, 1000))
            moves = keyClocks.findIdle(now: connectedTime, timeout: timeout)
            if keyClocks.minimum < Int64.max { watermark = max(watermark, keyClocks.minimum) }
        }
        let silence = connectedTime - lastRowAt
        if silence >= timeout, watermark < Self.eventTimeMax {
            watermark = max(watermark, watermarkAtLastRow + silence)
        }
        if watermark == before, moves?.places.isEmpty ?? true { return nil }
        return ClockTrace(watermarks: nil, watermarkAfter: watermark, keys: moves)
    }

    /// The end of a bounded input: every window closes.
    public func end() -> ClockTrace {
        watermark = Watermark.end
        return ClockTrace(
            watermarks: nil, watermarkAfter: Watermark.end, keys: keyClocks?.closeAll())
    }
}

// MARK: Refusing rows

extension WatermarkTracker {
    private func unusableTimes(_ column: Column, _ rowCount: Int, _ now: Int64) -> [RejectedRow] {
        let latest = min(options.maxAhead.map { now + $0 } ?? .max, Self.eventTimeMax)
        var rejected: [RejectedRow] = []
        let times = column.ints
        for row in 0..<rowCount {
            let time = times[row]
            if time <= latest, time >= -Self.eventTimeMax, !column.isNull(row) { continue }
            let reason: RejectionReason =
                if column.isNull(row) {
                    .eventTimeMissing
                } else if time > Self.eventTimeMax || time < -Self.eventTimeMax {
                    .eventTimeOutOfRange
                } else {
                    .eventTimeTooFarAhead
                }
            rejected.append(RejectedRow(row: row, reason: reason))
        }
        return rejected
    }

    /// `rejected`, in order, with the accepted rows whose place is -1.
    private static func adding(
        _ places: [Int32], to rejected: [RejectedRow], _ rowCount: Int
    ) -> [RejectedRow] {
        var result: [RejectedRow] = []
        var earlier = rejected.makeIterator()
        var next = earlier.next()
        var place = places.makeIterator()
        for row in 0..<rowCount {
            if let refused = next, refused.row == row {
                result.append(refused)
                next = earlier.next()
            } else if place.next() == -1 {
                result.append(RejectedRow(row: row, reason: .keysExhausted))
            }
        }
        return result
    }
}

extension Batch {
    /// The rows that are not in `rows` (ascending).
    fileprivate func without(_ rows: [Int]) -> Batch {
        if rows.isEmpty { return self }
        var kept: [Int32] = []
        var next = 0
        for row in 0..<rowCount {
            if next < rows.count, rows[next] == row { next += 1 } else { kept.append(Int32(row)) }
        }
        return kept.withUnsafeBufferPointer { gather($0) }
    }
}

// MARK: Durable state

extension WatermarkTracker {
    private static let watermarkKey: [UInt8] = [0x77]

    /// Writes what changed since the last call, under the source's own scope.
    public func checkpoint(into writer: any StateWriter) {
        keyClocks?.checkpoint(into: writer)
        guard watermark != savedWatermark else { return }
        savedWatermark = watermark
        withUnsafeBytes(of: watermark.littleEndian) { writer.put(Self.watermarkKey, $0) }
    }

    /// Takes back what an earlier run saved; call once, before anything else.
    public func restore(from reader: any StateReader) throws(Failure) {
        guard let saved = try reader.get(Self.watermarkKey) else { return }
        guard saved.count == 8 else { throw ByteReader.damaged }
        watermark = saved.reversed().reduce(0) { $0 << 8 | Int64($1) }
        savedWatermark = watermark
        watermarkAtLastRow = watermark
        try keyClocks?.restore(from: reader)
    }
}
