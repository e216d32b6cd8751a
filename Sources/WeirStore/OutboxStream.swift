// What is known in memory of one stream: its counts, where its blocks are, its segments in flight.
// Plain values and arithmetic, no disk and no lock, so that the rules can be tested by themselves.

import WeirCore

/// Where a block lies and what is in it.
struct OutboxBlock: Hashable, Sendable {
    /// The number of its first row.
    let first: UInt64
    /// The rows that it has.
    let rowCount: UInt32
    /// Its encoded size.
    let byteCount: UInt32
    /// When its oldest row was committed, ms since the epoch.
    let appendedAt: Int64
    /// Equal for blocks of equal schema.
    let schemaHash: UInt64
    /// Numbers behind its rows whose rows are no more: coarser rows took their place.
    var voidCount: UInt32 = 0
    /// How often its rows were put in the place of others; part of its key, so that new blocks are
    /// written beside those that they replace.
    var generation: UInt8 = 0

    /// The part of its bytes that rows `from ... to` take, those of them that it has.
    func bytes(ofRows from: UInt64, _ to: UInt64) -> Int {
        let (start, end) = (max(first, from), min(lastRow, to))
        guard start <= end else { return 0 }
        return Int(UInt64(byteCount) * (end - start + 1) / UInt64(rowCount))
    }

    /// The number of its last row.
    var lastRow: UInt64 { first + UInt64(rowCount) - 1 }
    /// The last number that is its.
    var last: UInt64 { lastRow + UInt64(voidCount) }
}

/// One stream's rows: `forwarded` and `expired` ones are gone, the others are in blocks or, those of
/// staged segments, in files. Rows that were merged into coarser ones leave numbers without a row.
struct OutboxStream: Sendable {
    let sink: Int
    let name: String
    /// The last row's number.
    private(set) var appended: UInt64 = 0
    /// The next row to be sealed; what lies before it is sealed, forwarded or expired.
    private(set) var nextUnsealed: UInt64 = 1
    private(set) var forwarded: UInt64 = 0
    private(set) var expired: UInt64 = 0
    /// Rows that went into coarser ones, and coarser rows that were made of them.
    private(set) var merged: UInt64 = 0
    private(set) var made: UInt64 = 0
    /// By number; those of rows that are gone are not in it.
    private(set) var blocks: [OutboxBlock] = []
    /// Sealed and not completed, in the order of sealing.
    private(set) var segments: [Segment] = []
    /// What is known of the hours that its rows fall in.
    var hours = StreamHours()
    /// Who counts what is taken in for it.
    var account = StreamAccount()
    private var byteCount = 0
    private var fileByteCount = 0
    private var fileCount = 0
    private var unsealedByteCount = 0
    /// Numbers without a row among the unsealed ones.
    private var unsealedVoidCount: UInt64 = 0

    init(sink: Int, name: String) {
        self.sink = sink
        self.name = name
    }

    /// A stream as it was found on disk.
    init(
        sink: Int, name: String, appended: UInt64, progress: Progress, blocks: [OutboxBlock],
        segments: [Segment]
    ) {
        self.sink = sink
        self.name = name
        self.appended = appended
        self.segments = segments
        self.blocks = blocks
        apply(progress)
        byteCount = blocks.reduce(0) { $0 + Int($1.byteCount) }
        unsealedByteCount = blocks[indexOfUnsealed...].reduce(0) { $0 + Int($1.byteCount) }
        unsealedVoidCount = blocks[indexOfUnsealed...].reduce(0) { $0 + UInt64($1.voidCount) }
        for staged in segments.compactMap(\.staged) { count(staged, 1) }
    }

    /// The part of a stream that its forwarder's writes change.
    struct Progress: Hashable, Sendable {
        var nextUnsealed: UInt64 = 1
        var forwarded: UInt64 = 0
        var expired: UInt64 = 0
        var merged: UInt64 = 0
        var made: UInt64 = 0
    }

    var progress: Progress {
        Progress(
            nextUnsealed: nextUnsealed, forwarded: forwarded, expired: expired, merged: merged,
            made: made)
    }

    /// No segment begins among numbers without a row, so all of a block's lie on one side.
    var unsealedRowCount: UInt64 { appended + 1 - nextUnsealed - unsealedVoidCount }

    var pending: OutboxPending {
        var pending = OutboxPending()
        pending.rows = appended + made - merged - forwarded - expired
        pending.bytes = byteCount + fileByteCount
        pending.fileBytes = fileByteCount
        pending.fileCount = fileCount
        pending.oldestAppendedAt = [
            blocks.first?.appendedAt, segments.first { $0.staged != nil }?.staged?.oldestAppendedAt,
        ].compactMap(\.self).min()
        pending.unsealedRows = unsealedRowCount
        pending.unsealedBytes = unsealedByteCount
        let unsealed = indexOfUnsealed
        pending.oldestUnsealedAt = unsealed < blocks.count ? blocks[unsealed].appendedAt : nil
        return pending
    }

    // MARK: Looking

    /// The index of the first block with a row at or behind `row`, or the number of blocks.
    func index(ofBlockAt row: UInt64) -> Int {
        var (low, high) = (0, blocks.count)
        while low < high {
            let middle = (low + high) / 2
            if blocks[middle].last < row { low = middle + 1 } else { high = middle }
        }
        return low
    }

    var indexOfUnsealed: Int { index(ofBlockAt: nextUnsealed) }

    /// The blocks that hold rows of a segment.
    func blocks(overlapping segment: Segment) -> Range<Int> {
        let start = index(ofBlockAt: segment.first)
        let end = index(ofBlockAt: segment.last)
        return start..<max(start, min(blocks.count, end + 1))
    }

    /// The longest run of unsealed rows from the oldest on that has one schema and no more than
    /// `rowsMax` rows; it ends with the block that brings it to `bytes.wanted`, or within one, before it
    /// has more than `bytes.limit`.
    func sealable(
        rowsMax: UInt64, bytes bounds: SegmentBytes
    ) -> (first: UInt64, last: UInt64, rowCount: UInt64, bytes: Int)? {
        var index = indexOfUnsealed
        guard index < blocks.count else { return nil }
        let schema = blocks[index].schemaHash
        let rowLimit = max(rowsMax, 1)
        var (last, rowCount, bytes) = (nextUnsealed - 1, UInt64(0), 0)
        while index < blocks.count, blocks[index].schemaHash == schema, rowCount < rowLimit,
            bytes < max(bounds.wanted, 1)
        {
            let block = blocks[index]
            let rows = block.lastRow - last
            var taken = min(rows, rowLimit - rowCount)
            let (size, room) = (block.bytes(ofRows: last + 1, last + taken), bounds.limit - bytes)
            if size > room {
                taken = max(rowCount == 0 ? 1 : 0, taken * UInt64(max(0, room)) / UInt64(size))
                if taken == 0 { break }
            }
            bytes += block.bytes(ofRows: last + 1, last + taken)
            last = taken == rows ? block.last : last + taken
            rowCount += taken
            if taken < rows { break }
            index += 1
        }
        return (nextUnsealed, last, rowCount, bytes)
    }

    /// `number`, or the last of the numbers without a row that it is among or that follow it: between
    /// those nothing begins.
    func endOfVoids(at number: UInt64) -> UInt64 {
        let index = index(ofBlockAt: number)
        guard index < blocks.count, number >= blocks[index].lastRow else { return number }
        return blocks[index].last
    }

    /// How many rows there are among the numbers `first ... last`.
    func rowCount(_ first: UInt64, _ last: UInt64) -> UInt64 {
        var rows: UInt64 = 0
        var index = index(ofBlockAt: first)
        while index < blocks.count, blocks[index].first <= last {
            let (start, end) = (max(first, blocks[index].first), min(last, blocks[index].lastRow))
            if start <= end { rows += end - start + 1 }
            index += 1
        }
        return rows
    }

    /// The blocks in which no row would be left if rows `first ... last` were gone.
    func blocksFreed(byRemoving first: UInt64, _ last: UInt64, of segment: Segment?) -> Range<Int> {
        let kept = segments.filter { $0.staged == nil && $0.number != segment?.number }
        var start = index(ofBlockAt: first)
        var end = start
        while end < blocks.count, blocks[end].first <= last {
            let block = blocks[end]
            let isUnsealed = block.last > last && block.last >= nextUnsealed
            let isNeeded =
                isUnsealed || kept.contains { $0.first <= block.last && $0.last >= block.first }
            if isNeeded, end > start { break }
            end += 1
            if isNeeded { start = end }
        }
        return start..<end
    }

    /// The first pending row that is in no block, or nil. Only damage makes one.
    var firstMissingRow: UInt64? {
        var live = segments.filter { $0.staged == nil }.map { ($0.first, $0.last) }
        if unsealedRowCount > 0 { live.append((nextUnsealed, appended)) }
        for (first, last) in live {
            var row = first
            var index = index(ofBlockAt: first)
            while row <= last {
                guard index < blocks.count, blocks[index].first <= row else { return row }
                row = blocks[index].last + 1
                index += 1
            }
        }
        return nil
    }

    /// Whether the counts agree with what is pending.
    var isConsistent: Bool {
        guard nextUnsealed >= 1, nextUnsealed <= appended + 1,
            segments.allSatisfy({ $0.first <= $0.last && $0.last < nextUnsealed })
        else { return false }
        let sealed = segments.reduce(0) { $0 + $1.rowCount }
        let unsealedNumbers = appended + 1 - nextUnsealed
        let index = indexOfUnsealed
        guard unsealedVoidCount <= unsealedNumbers, merged <= appended + made,
            index == blocks.count || blocks[index].lastRow >= nextUnsealed
        else { return false }
        return appended + made == forwarded + expired + merged + sealed + unsealedRowCount
    }

    // MARK: Changing, after the change is durable

    mutating func append(_ block: OutboxBlock) {
        precondition(block.first == appended + 1, "rows are numbered densely")
        appended = block.last
        blocks.append(block)
        byteCount += Int(block.byteCount)
        unsealedByteCount += Int(block.byteCount)
    }

    mutating func seal(_ segment: Segment) {
        precondition(
            segment.first == nextUnsealed && segment.last <= appended, "seals come in order")
        segments.append(segment)
        moveUnsealed(to: segment.last + 1)
    }

    mutating func replace(_ segment: Segment) {
        guard let index = segments.firstIndex(where: { $0.number == segment.number }) else {
            return
        }
        segments[index] = segment
    }

    /// The segment's rows are in files, and `freed` blocks are deleted.
    mutating func stage(_ segment: Segment, freed: Range<Int>) {
        replace(segment)
        if let staged = segment.staged { count(staged, 1) }
        remove(freed)
    }

    /// The segment is stored elsewhere: its rows are forwarded, and `freed` blocks are deleted.
    /// `refused` of its rows were not, and count as given up.
    mutating func complete(_ segment: Segment, refused: UInt64 = 0, freed: Range<Int>) {
        end(segment)
        forwarded += segment.rowCount - refused
        expired += refused
        remove(freed)
    }

    /// The segment is given up, and `freed` blocks are deleted.
    mutating func expire(_ segment: Segment, freed: Range<Int>) {
        end(segment)
        expired += segment.rowCount
        remove(freed)
    }

    /// Unsealed rows up to `last` are given up, and `freed` blocks are deleted.
    mutating func expire(through last: UInt64, freed: Range<Int>) {
        precondition(last >= nextUnsealed && last <= appended, "only unsealed rows expire")
        expired += rowCount(nextUnsealed, last)
        moveUnsealed(to: last + 1)
        remove(freed)
    }

    /// `merged` now holds the rows of the unsealed blocks `range`.
    mutating func merge(_ range: Range<Int>, into merged: OutboxBlock) {
        precondition(range.lowerBound >= indexOfUnsealed, "only unsealed blocks are merged")
        let before = blocks[range].reduce(0) { $0 + Int($1.byteCount) }
        byteCount += Int(merged.byteCount) - before
        unsealedByteCount += Int(merged.byteCount) - before
        blocks.replaceSubrange(range, with: CollectionOfOne(merged))
    }

    /// `fresh` blocks, with fewer rows, now have the numbers of the unsealed blocks `range`: `madeRows`
    /// took the place of `mergedRows`.
    mutating func rewrite(
        _ range: Range<Int>, with fresh: [OutboxBlock], mergedRows: UInt64, madeRows: UInt64
    ) {
        precondition(range.lowerBound >= indexOfUnsealed, "only unsealed blocks are rewritten")
        let old = blocks[range]
        precondition(
            old.first?.first == fresh.first?.first && old.last?.last == fresh.last?.last,
            "the same numbers")
        let bytes = fresh.reduce(0) { $0 + Int($1.byteCount) } - old.reduce(0) { $0 + Int($1.byteCount) }
        byteCount += bytes
        unsealedByteCount += bytes
        unsealedVoidCount += fresh.reduce(0) { $0 + UInt64($1.voidCount) }
        unsealedVoidCount -= old.reduce(0) { $0 + UInt64($1.voidCount) }
        merged += mergedRows
        made += madeRows
        blocks.replaceSubrange(range, with: fresh)
    }

    private mutating func end(_ segment: Segment) {
        // The oldest goes first nearly always.
        if segments.first?.number == segment.number {
            segments.removeFirst()
        } else {
            segments.removeAll { $0.number == segment.number }
        }
        if let staged = segment.staged { count(staged, -1) }
    }

    private mutating func count(_ staged: StagedSummary, _ sign: Int) {
        fileByteCount += sign * staged.byteCount
        fileCount += sign * staged.fileCount
    }

    private mutating func apply(_ progress: Progress) {
        nextUnsealed = progress.nextUnsealed
        forwarded = progress.forwarded
        expired = progress.expired
        merged = progress.merged
        made = progress.made
    }

    private mutating func moveUnsealed(to row: UInt64) {
        for index in indexOfUnsealed..<index(ofBlockAt: row) {
            unsealedByteCount -= Int(blocks[index].byteCount)
            unsealedVoidCount -= UInt64(blocks[index].voidCount)
        }
        nextUnsealed = row
    }

    private mutating func remove(_ freed: Range<Int>) {
        byteCount -= blocks[freed].reduce(0) { $0 + Int($1.byteCount) }
        blocks.removeSubrange(freed)
    }
}
