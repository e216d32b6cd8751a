// Coarser rows in the place of waiting ones: order, numbers and counts stay right through seals, further
// rewriting, expiry and restarts, and nothing is seen of a rewriting that was not finished.

import Testing
import WeirCore
import WeirStore

extension OutboxFixture {
    /// Puts rows `fresh` in the place of those in `start ..< end`.
    fileprivate func rewrite(
        _ start: OutboxPlace, _ end: OutboxPlace, with fresh: Range<Int>
    ) throws -> Bool {
        let blocks = outbox.unsealedBlocks(of: stream)
        let rewriting = try #require(OutboxRewriting(outbox, blocks, from: start, to: end))
        try rewriting.append(rows(fresh))
        return try rewriting.finish()
    }

    fileprivate func seal(rowsMax: UInt64 = .max) throws -> Segment {
        let range = try #require(outbox.sealableRange(of: stream, rowsMax: rowsMax))
        return try #require(try outbox.seal(range, sealedAt: 0))
    }

    fileprivate var report: OutboxStreamReport {
        get throws { try #require(outbox.reports().first { $0.stream == stream }) }
    }

    fileprivate var isBalanced: Bool {
        get throws {
            let report = try report
            return report.appended + report.made
                == report.forwarded + report.pending.rows + report.expired + report.merged
        }
    }
}

@Suite struct OutboxRewritingTests {
    /// Three blocks of ten rows; the new rows stand for the last three of the first block, the second,
    /// and the first two of the third.
    private func rewritten(_ directory: TemporaryDirectory) throws -> OutboxFixture {
        let fixture = try OutboxFixture(directory)
        for start in [0, 10, 20] { try fixture.append(rows(start..<start + 10)) }
        #expect(
            try fixture.rewrite(
                OutboxPlace(block: 0, row: 7), OutboxPlace(block: 2, row: 2), with: 100..<104))
        return fixture
    }

    private let expected = Array(0..<7) + Array(100..<104) + Array(22..<30)

    @Test func newRowsTakeThePlaceOfOldOnes() throws {
        let fixture = try rewritten(TemporaryDirectory())
        let report = try fixture.report
        #expect(report.appended == 30 && report.merged == 15 && report.made == 4)
        #expect(report.pending.rows == 19 && report.pending.unsealedRows == 19)
        #expect(try fixture.isBalanced)
        let segment = try fixture.seal()
        #expect(segment.first == 1 && segment.last == 30 && segment.rowCount == 19)
        #expect(try numbers(in: segment, of: fixture.outbox) == expected)
        try fixture.outbox.complete(segment)
        #expect(try fixture.report.forwarded == 19)
        #expect(try fixture.isBalanced)
    }

    @Test func aRestartFindsTheNewRows() throws {
        let directory = TemporaryDirectory()
        do { _ = try rewritten(directory) }
        let fixture = try OutboxFixture(directory)
        #expect(try fixture.report.merged == 15 && fixture.report.made == 4)
        try fixture.append(rows(30..<35))
        let segment = try fixture.seal()
        #expect(segment.last == 35)
        #expect(try numbers(in: segment, of: fixture.outbox) == expected + Array(30..<35))
    }

    @Test func segmentsMayEndAnywhere() throws {
        for rowsMax in UInt64(1)...19 {
            let directory = TemporaryDirectory()
            var fixture = try rewritten(directory)
            var found: [Int] = []
            while fixture.outbox.pending(of: fixture.stream).unsealedRows > 0 {
                let segment = try fixture.seal(rowsMax: rowsMax)
                #expect(segment.rowCount <= rowsMax)
                found += try numbers(in: segment, of: fixture.outbox)
                if segment.first % 2 == 0 { try fixture.outbox.complete(segment) }
                #expect(try fixture.isBalanced)
            }
            #expect(found == expected)
            _ = consume fixture
            fixture = try OutboxFixture(directory)
            #expect(try fixture.isBalanced)
            #expect(try fixture.report.pending.unsealedRows == 0)
        }
    }

    @Test func rowsAreRewrittenAgainAndAgain() throws {
        let directory = TemporaryDirectory()
        var fixture = try rewritten(directory)
        // All that is left of the first block, the new one, and a part of the third.
        #expect(
            try fixture.rewrite(
                OutboxPlace(block: 0, row: 0), OutboxPlace(block: 2, row: 4), with: 200..<203))
        #expect(
            try fixture.rewrite(
                OutboxPlace(block: 0, row: 1), OutboxPlace(block: 0, row: 3), with: 300..<301))
        let left = [200, 300, 26, 27, 28, 29]
        #expect(try fixture.report.pending.rows == 6)
        _ = consume fixture
        fixture = try OutboxFixture(directory)
        #expect(try fixture.isBalanced)
        #expect(try numbers(in: fixture.seal(), of: fixture.outbox) == left)
    }

    @Test func sealedRowsStay() throws {
        let fixture = try OutboxFixture(TemporaryDirectory())
        for start in [0, 10, 20] { try fixture.append(rows(start..<start + 10)) }
        let before = fixture.outbox.unsealedBlocks(of: fixture.stream)
        #expect(before.count == 3 && before.beginsWithFirstRow)
        let rewriting = try #require(
            OutboxRewriting(
                fixture.outbox, before, from: OutboxPlace(block: 0, row: 0),
                to: OutboxPlace(block: 1, row: 10)))
        try rewriting.append(rows(100..<102))
        let segment = try fixture.seal(rowsMax: 5)
        #expect(try !rewriting.finish())
        let after = fixture.outbox.unsealedBlocks(of: fixture.stream)
        #expect(after.count == 2 && !after.beginsWithFirstRow && after.first(of: 0) == 11)
        #expect(try numbers(in: segment, of: fixture.outbox) == Array(0..<5))
        #expect(try fixture.rewrite(
            OutboxPlace(block: 0, row: 0), OutboxPlace(block: 1, row: 10), with: 100..<102))
        #expect(try numbers(in: fixture.seal(), of: fixture.outbox) == Array(5..<10) + [100, 101])
    }

    @Test func whatIsAbandonedLeavesTheOldRows() throws {
        let directory = TemporaryDirectory()
        do {
            let fixture = try OutboxFixture(directory)
            try fixture.append(rows(0..<50_000))
            let blocks = fixture.outbox.unsealedBlocks(of: fixture.stream)
            let end = OutboxPlace(block: blocks.count - 1, row: blocks.rowCount(of: blocks.count - 1))
            let rewriting = try #require(
                OutboxRewriting(fixture.outbox, blocks, from: OutboxPlace(block: 0, row: 0), to: end))
            #expect(try rewriting.abandon() == 0)
            try rewriting.append(rows(100..<40_000))
            #expect(try rewriting.abandon() > 0)
            #expect(try fixture.report.merged == 0 && fixture.isBalanced)
        }
        let fixture = try OutboxFixture(directory)
        #expect(
            try fixture.rewrite(
                OutboxPlace(block: 0, row: 0), OutboxPlace(block: 0, row: 3), with: 7..<8))
        #expect(try numbers(in: fixture.seal(), of: fixture.outbox) == [7] + Array(3..<50_000))
    }

    @Test func theOpenTailIsWhatWouldBeSealed() throws {
        let fixture = try rewritten(TemporaryDirectory())
        #expect(fixture.outbox.openTail(of: fixture.stream).map(\.rowCount) == [19])
        let pieces = fixture.outbox.openTail(of: fixture.stream, rowsMax: 5)
        #expect(pieces.map(\.rowCount) == [5, 5, 5, 4] && pieces.allSatisfy(\.isOpen))
        #expect(try pieces.flatMap { try numbers(in: $0, of: fixture.outbox) } == expected)
        #expect(try fixture.report.pending.unsealedRows == 19, "nothing was sealed")
        let segment = try fixture.seal(rowsMax: 5)
        #expect(!segment.isOpen && segment.first == pieces[0].first && segment.last == pieces[0].last)
        let tail = fixture.outbox.openTail(of: fixture.stream)
        #expect(tail.map(\.first) == [pieces[1].first])
        #expect(try numbers(in: tail[0], of: fixture.outbox) == Array(expected[5...]))
        try fixture.outbox.complete(fixture.seal())
        #expect(fixture.outbox.openTail(of: fixture.stream).isEmpty)
    }

    @Test func coarserRowsExpireAsOthersDo() throws {
        let fixture = try rewritten(TemporaryDirectory())
        let expired = try fixture.outbox.expireOldest(of: fixture.sink, untilBytes: 0)
        #expect(expired.map(\.rowCount) == [19])
        #expect(try fixture.report.expired == 19 && fixture.isBalanced)
    }

    @Test func rowsAreDiscardedThroughAnyNumber() throws {
        for last in UInt64(1)...30 {
            let directory = TemporaryDirectory()
            var fixture = try rewritten(directory)
            let gone = try #require(
                try fixture.outbox.discardUnsealed(of: fixture.stream, through: last))
            #expect(try fixture.report.expired == gone.rowCount && fixture.isBalanced)
            _ = consume fixture
            fixture = try OutboxFixture(directory)
            #expect(try fixture.isBalanced)
            let left = expected.dropFirst(Int(gone.rowCount))
            guard !left.isEmpty else { continue }
            #expect(try numbers(in: fixture.seal(), of: fixture.outbox) == Array(left))
        }
    }

    @Test func manyRowsComeInSeveralBlocks() throws {
        let directory = TemporaryDirectory()
        do {
            let fixture = try OutboxFixture(directory)
            for start in stride(from: 0, to: 50_000, by: 5000) {
                try fixture.append(rows(start..<start + 5000))
            }
            let blocks = fixture.outbox.unsealedBlocks(of: fixture.stream)
            let last = blocks.count - 1
            let end = OutboxPlace(block: last, row: blocks.rowCount(of: last))
            let rewriting = try #require(
                OutboxRewriting(
                    fixture.outbox, blocks, from: OutboxPlace(block: 0, row: 100), to: end))
            for start in stride(from: 0, to: 20_000, by: 500) {
                try rewriting.append(rows(start..<start + 500))
            }
            #expect(try rewriting.finish())
        }
        let fixture = try OutboxFixture(directory)
        #expect(fixture.outbox.unsealedBlocks(of: fixture.stream).count > 3)
        let segment = try fixture.seal()
        #expect(try numbers(in: segment, of: fixture.outbox) == Array(0..<100) + Array(0..<20_000))
        #expect(segment.last == 50_000)
    }

    @Test func hiddenColumnsAreNotHandedOver() throws {
        let fixture = try OutboxFixture(TemporaryDirectory())
        let plain = rows(0..<4)
        let state = Column(.bytes)
        for n in 0..<4 { state.append("state \(n)") }
        try fixture.append(
            Batch(
                schema: Schema(readingSchema.fields + [Field(Field.hiddenName("state"), .bytes)]),
                columns: plain.columns + [state], rowCount: 4))
        let blocks = fixture.outbox.unsealedBlocks(of: fixture.stream)
        let whole = try fixture.outbox.readBlock(0, of: blocks, by: BatchDecoder())
        #expect(whole.columns.count == 5)
        try fixture.outbox.readRows(of: try fixture.seal()) { batch in
            #expect(batch.schema == readingSchema && batch.columns.count == 4)
        }
    }
}
