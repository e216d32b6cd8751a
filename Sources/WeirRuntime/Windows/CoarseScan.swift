// Finding wide windows whose narrow ones all wait: reading the rows of a stream in order, once.
//
// A wide window is whole when the rows on both sides of its own are known and belong to others: rows come
// in the order of their windows, so nothing of it went before and nothing can follow. The first row of
// the stream has nothing before it. Where rows before were sealed already, or are of the query as it was
// before a change, the window they may belong to is left as it is: a row of a wide window always stands
// for all that the query counted in it.

import WeirCore
import WeirSQL
import WeirStore

/// A wide window, and where its rows lie.
public struct CoarseWindow: Sendable {
    /// The window's first millisecond.
    public let start: Int64
    /// The first millisecond behind the window.
    public let end: Int64
    /// Its rows: those of one narrow window behind those of the other, each in the order of keys.
    fileprivate(set) var runs: [Range<OutboxPlace>]
    /// Where its first row is.
    public var firstRow: OutboxPlace { runs[0].lowerBound }
    /// The place behind its last row.
    public var endOfRows: OutboxPlace { runs[runs.count - 1].upperBound }
}

/// Looks for wide windows that are whole.
public struct CoarseScan {
    /// Windows that are whole, one behind the other without a row between them.
    public private(set) var found: [CoarseWindow] = []
    /// Whether something that stays as it is follows the windows found.
    public private(set) var isEnded = false

    private let plan: CoarsenablePlan
    private let width: Int64
    /// Whether the row before the next one is known, or there is none.
    private var isPreceded: Bool
    /// The window that rows are read of.
    private var open: CoarseWindow?
    /// Whether the open window has its first row, and any row of a narrower window.
    private var isOpenWhole = false
    private var hasFineRows = false
    /// The window and the key of the last row.
    private var lastBounds = (start: Int64.min, end: Int64.min)
    private var lastKey: [UInt8] = []
    /// Narrow windows of a wide one at most; a level of the configuration has no more.
    public static let runsMax = 100

    /// Looks for windows that are `width` ms wide, from a row that nothing goes before, or (not
    /// `beginsWithFirstRow`) from any.
    public init(_ plan: CoarsenablePlan, width: Int64, beginsWithFirstRow: Bool) {
        self.plan = plan
        self.width = width
        isPreceded = beginsWithFirstRow
    }

    /// The block in which the window begins that is not known to be whole yet.
    public var openBlock: Int? { open?.firstRow.block }

    /// The beginning of that window, ms. Not inlined: Swift 6.3.1's optimiser ends with an ownership error
    /// where this and `openBlock` are both inlined into one caller.
    @inline(never) public var openStart: Int64? { open?.start }

    /// The beginning of the wide window that the last row of `batch` falls in; nil when that row is of
    /// another query or wider.
    public func wideStart(ofLastRowIn batch: Batch) throws(Failure) -> Int64? {
        guard batch.rowCount > 0, batch.schema.fields.last?.name == plan.stateColumn,
            let state = batch.columns.last
        else { return nil }
        let head = try GroupRecord.head(of: state.text(batch.rowCount - 1))
        let start = wideStart(of: head.start)
        return head.end <= start + width ? start : nil
    }

    private func wideStart(of start: Int64) -> Int64 {
        let rest = (start - plan.offsetMilliseconds) % width
        return start - (rest < 0 ? rest + width : rest)
    }

    /// Reads the rows of block `index`, the next one; of another query, it ends the windows found.
    public mutating func take(_ batch: Batch, block index: Int) throws(Failure) {
        guard batch.schema.fields.last?.name == plan.stateColumn, let state = batch.columns.last
        else {
            // Of the open window more may have been to come, so it is not whole.
            open = nil
            isPreceded = false
            isEnded = !found.isEmpty
            return
        }
        var key = UnsafeBufferPointer<UInt8>(start: nil, count: 0)
        for row in 0..<batch.rowCount {
            let head = try GroupRecord.head(of: state.text(row))
            let isNext =
                lastBounds == (head.start, head.end)
                && (row == 0
                    ? lastKey.withUnsafeBufferPointer { KeyBytes.compare($0, head.key) < 0 }
                    : KeyBytes.compare(key, head.key) < 0)
            key = head.key
            lastBounds = (head.start, head.end)
            add(OutboxPlace(block: index, row: row), head.start, head.end, isNext: isNext)
            if isEnded { return }
        }
        lastKey = Array(key)
    }

    /// Takes the row at `place`; `isNext` when it follows the one before in a narrow window.
    private mutating func add(_ place: OutboxPlace, _ start: Int64, _ end: Int64, isNext: Bool) {
        let wideStart = wideStart(of: start)
        let behind = OutboxPlace(block: place.block, row: place.row + 1)
        defer { isPreceded = true }
        guard end <= wideStart + width else {
            // A row that is wider than what is looked for.
            close()
            isEnded = !found.isEmpty
            return
        }
        if open?.start != wideStart {
            close()
            if isEnded { return }
            open = CoarseWindow(start: wideStart, end: wideStart + width, runs: [place..<behind])
            isOpenWhole = isPreceded
            hasFineRows = end - start < width
            return
        }
        hasFineRows = hasFineRows || end - start < width
        guard var window = open else { return }
        open = nil
        if isNext {
            let last = window.runs.count - 1
            window.runs[last] = window.runs[last].lowerBound..<behind
        } else {
            window.runs.append(place..<behind)
        }
        open = window
    }

    /// A row of another window follows the open one.
    private mutating func close() {
        guard let window = open else { return }
        open = nil
        if isOpenWhole, hasFineRows, window.runs.count <= Self.runsMax {
            found.append(window)
        } else {
            isEnded = !found.isEmpty
        }
    }
}
