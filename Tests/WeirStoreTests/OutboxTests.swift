// The outbox, step by step: rows keep their order and numbers from append to completion, through
// schema changes, restarts and full outboxes.

import Testing
import WeirCore
import WeirStore

extension OutboxFixture {
    fileprivate func seal(rowsMax: UInt64 = .max, bytesMax: Int = .max, at time: Int64 = 0) throws -> Segment {
        let range = try #require(
            outbox.sealableRange(of: stream, rowsMax: rowsMax, bytesMax: bytesMax))
        return try #require(try outbox.seal(range, sealedAt: time))
    }

    fileprivate var report: OutboxStreamReport {
        get throws { try #require(outbox.reports().first { $0.stream == stream }) }
    }
}

@Suite struct OutboxTests {
    @Test func rowsAreInvisibleUntilTheirCommitReturned() throws {
        let fixture = try OutboxFixture(TemporaryDirectory())
        fixture.appender.append(fixture.stream, rows(0..<10))
        fixture.appender.flush(into: fixture.commit, appendedAt: 5)
        #expect(fixture.outbox.pending(of: fixture.sink) == OutboxPending())
        #expect(fixture.outbox.sealableRange(of: fixture.stream) == nil)
        try fixture.database.commit(fixture.commit)
        fixture.appender.didCommit()
        let pending = fixture.outbox.pending(of: fixture.sink)
        #expect(pending.rows == 10 && pending.unsealedRows == 10 && pending.bytes > 0)
        #expect(pending.oldestAppendedAt == 5 && pending.oldestUnsealedAt == 5)
    }

    @Test func uncommittedRowsNeverExisted() throws {
        let directory = TemporaryDirectory()
        do {
            let fixture = try OutboxFixture(directory)
            try fixture.append(rows(0..<10))
            fixture.appender.append(fixture.stream, rows(10..<20))
            fixture.appender.flush(into: fixture.commit, appendedAt: 0)
        }
        let fixture = try OutboxFixture(directory)
        #expect(try fixture.report.appended == 10)
        try fixture.append(rows(100..<105))
        let segment = try fixture.seal()
        #expect(segment.first == 1 && segment.last == 15)
        #expect(try numbers(in: segment, of: fixture.outbox) == Array(0..<10) + Array(100..<105))
    }

    @Test func aSegmentSurvivesRestartsAndReadsTheSameRows() throws {
        let directory = TemporaryDirectory()
        let sealed: Segment
        do {
            let fixture = try OutboxFixture(directory)
            for start in stride(from: 0, to: 5000, by: 250) {
                try fixture.append(rows(start..<start + 250))
            }
            sealed = try fixture.seal(rowsMax: 1010, at: 77)
            #expect(sealed.first == 1 && sealed.last == 1010 && sealed.sealedAt == 77)
        }
        do {
            let fixture = try OutboxFixture(directory)
            #expect(fixture.outbox.segments(of: fixture.sink) == [sealed])
            #expect(try numbers(in: sealed, of: fixture.outbox) == Array(0..<1010))
            let attached = try fixture.outbox.attach([1, 2, 3], to: sealed)
            #expect(attached.attachment == [1, 2, 3])
        }
        let fixture = try OutboxFixture(directory)
        let found = try #require(fixture.outbox.segments(of: fixture.sink).first)
        #expect(found.attachment == [1, 2, 3])
        let next = try fixture.seal(rowsMax: 1000)
        #expect(next.first == 1011)
        try fixture.outbox.complete(found)
        #expect(try numbers(in: next, of: fixture.outbox) == Array(1010..<2010))
        #expect(try fixture.report.forwarded == 1010)
        #expect(try fixture.report.pending.rows == 3990)
    }

    @Test func aSegmentNeverMixesSchemas() throws {
        let fixture = try OutboxFixture(TemporaryDirectory())
        try fixture.append(rows(0..<100))
        fixture.appender.append(fixture.stream, rows(100..<150))
        fixture.appender.append(fixture.stream, rows(150..<200, alertSchema))
        fixture.appender.append(fixture.stream, rows(200..<250, alertSchema))
        try fixture.append(rows(250..<300))
        var seen: [(Segment, Schema)] = []
        while fixture.outbox.sealableRange(of: fixture.stream) != nil {
            let segment = try fixture.seal()
            var schemas: Set<Schema> = []
            try fixture.outbox.readRows(of: segment) { schemas.insert($0.schema) }
            seen.append((segment, try #require(schemas.count == 1 ? schemas.first : nil)))
        }
        #expect(seen.map(\.0.first) == [1, 151, 251])
        #expect(seen.map(\.1) == [readingSchema, alertSchema, readingSchema])
    }

    @Test func sealingKeepsToItsByteLimitByWholeBlocks() throws {
        let fixture = try OutboxFixture(TemporaryDirectory())
        for start in 0..<20 { try fixture.append(rows(start * 1000..<start * 1000 + 1000)) }
        let blockBytes = fixture.outbox.pending(of: fixture.sink).bytes / 20
        let range = try #require(
            fixture.outbox.sealableRange(of: fixture.stream, bytesMax: blockBytes * 7 / 2))
        #expect(range.rowCount == 4000)
        let least = try #require(fixture.outbox.sealableRange(of: fixture.stream, bytesMax: 0))
        #expect(least.rowCount >= 1, "a segment is never empty")
    }

    @Test func aSegmentWithALimitEndsWithinABlock() throws {
        let fixture = try OutboxFixture(TemporaryDirectory())
        for part in 0..<3 { try fixture.append(rows(part * 1000..<part * 1000 + 1000)) }
        let blockBytes = fixture.outbox.pending(of: fixture.stream).bytes / 3
        var sealed: [UInt64] = []
        while let range = fixture.outbox.sealableRange(
            of: fixture.stream, bytes: SegmentBytes(wanted: .max, limit: blockBytes * 2 / 5))
        {
            #expect(range.bytes <= blockBytes * 2 / 5)
            let segment = try #require(try fixture.outbox.seal(range, sealedAt: 0))
            #expect(abs(fixture.outbox.byteCount(of: segment) - range.bytes) <= 1)
            sealed.append(segment.rowCount)
        }
        #expect(sealed.reduce(0, +) == 3000 && (8...9).contains(sealed.count), "\(sealed)")
        for segment in fixture.outbox.segments(of: fixture.sink) { try fixture.outbox.complete(segment) }
        try fixture.append(rows(0..<10))
        let one = try #require(
            fixture.outbox.sealableRange(of: fixture.stream, bytes: SegmentBytes(wanted: .max, limit: 0)))
        #expect(one.rowCount == 1, "a row at least")
    }

    @Test func segmentsCompleteInAnyOrderAndFreeOnlyTheirOwnBlocks() throws {
        let fixture = try OutboxFixture(TemporaryDirectory())
        for start in 0..<10 { try fixture.append(rows(start * 100..<start * 100 + 100)) }
        let segments = try (0..<4).map { _ in try fixture.seal(rowsMax: 250) }
        for index in [2, 0, 3, 1] {
            #expect(
                try numbers(in: segments[index], of: fixture.outbox)
                    == Array(index * 250..<index * 250 + 250))
            try fixture.outbox.complete(segments[index])
        }
        #expect(fixture.outbox.pending(of: fixture.sink) == OutboxPending())
        #expect(try fixture.report.forwarded == 1000)
    }

    @Test func theOldestUnsealedRowsExpireAndSegmentsDoNot() throws {
        let directory = TemporaryDirectory()
        do {
            let fixture = try OutboxFixture(directory)
            let other = fixture.appender.register(sink: "lake", stream: "_late/minutes")
            for start in 0..<10 {
                try fixture.append(rows(start * 100..<start * 100 + 100), at: Int64(start))
                fixture.appender.append(other, rows(start * 10..<start * 10 + 10))
            }
            let segment = try fixture.seal(rowsMax: 250)
            let ranges = try fixture.outbox.expireOldest(
                of: fixture.sink, untilBytes: fixture.outbox.pending(of: fixture.sink).bytes * 2 / 3
            )
            let minutes = try #require(ranges.first { $0.stream == fixture.stream })
            #expect(minutes.first == 251 && minutes.streamName == "minutes")
            #expect(try fixture.report.expired == minutes.rowCount)
            let late = try #require(ranges.first { $0.stream == other })
            #expect(late.first == 1, "blocks of one commit go together")
            #expect(try numbers(in: segment, of: fixture.outbox) == Array(0..<250))
            let next = try fixture.seal(rowsMax: 1)
            #expect(next.first == minutes.last + 1)
            try fixture.outbox.complete(segment)
            #expect(try numbers(in: next, of: fixture.outbox) == [Int(next.first) - 1])
        }
        let fixture = try OutboxFixture(directory)
        let report = try fixture.report
        #expect(report.appended == report.forwarded + report.expired + report.pending.rows)
        try fixture.outbox.expireOldest(of: fixture.sink, untilBytes: 0)
        #expect(try fixture.report.pending.unsealedRows == 0)
        #expect(fixture.outbox.segments(of: fixture.sink).count == 1)
    }

    @Test func rowsBeyondAnAgeExpire() throws {
        let fixture = try OutboxFixture(TemporaryDirectory())
        for start in 0..<10 {
            try fixture.append(rows(start * 10..<start * 10 + 10), at: Int64(start))
        }
        #expect(try fixture.outbox.expireOlder(of: fixture.sink, than: 0).isEmpty)
        let ranges = try fixture.outbox.expireOlder(of: fixture.sink, than: 4)
        #expect(ranges.map(\.first) == [1] && ranges.map(\.last) == [40])
        #expect(fixture.outbox.pending(of: fixture.sink).oldestUnsealedAt == 4)
        #expect(try fixture.report.expired == 40)
    }

    @Test func rowsThatExpiredMeanwhileAreNotSealed() throws {
        let fixture = try OutboxFixture(TemporaryDirectory())
        try fixture.append(rows(0..<100))
        let range = try #require(fixture.outbox.sealableRange(of: fixture.stream))
        try fixture.outbox.expireOldest(of: fixture.sink, untilBytes: 0)
        #expect(try fixture.outbox.seal(range, sealedAt: 0) == nil)
    }

    @Test func sinksHaveRowNumbersAndBoundsOfTheirOwn() throws {
        let fixture = try OutboxFixture(TemporaryDirectory())
        let hdfs = fixture.appender.register(sink: "hdfs", stream: "minutes")
        try fixture.append(rows(0..<5))
        try append(rows(0..<7), to: hdfs, fixture.appender, fixture.commit, in: fixture.database)
        let sink = try #require(fixture.outbox.sink(named: "hdfs"))
        #expect(fixture.outbox.pending(of: fixture.sink).rows == 5)
        #expect(fixture.outbox.pending(of: sink).rows == 7)
        #expect(fixture.outbox.streams(of: sink).map(\.name) == ["minutes"])
        let range = try #require(fixture.outbox.sealableRange(of: hdfs))
        #expect(range.first == 1 && range.last == 7)
        #expect(fixture.appender.register(sink: "hdfs", stream: "minutes") == hdfs)
    }

    @Test func bigBatchesAreCutAndSmallOnesCollected() throws {
        let fixture = try OutboxFixture(TemporaryDirectory())
        try fixture.append(rows(0..<100_000))
        var sizes: [Int] = []
        try fixture.outbox.readRows(of: fixture.seal()) { sizes.append($0.rowCount) }
        #expect(sizes.count > 10 && sizes.allSatisfy { $0 > 1000 })
        for n in 0..<1000 { fixture.appender.append(fixture.stream, rows(n..<n + 1)) }
        try fixture.append(rows(1000..<1001))
        sizes = []
        try fixture.outbox.readRows(of: fixture.seal()) { sizes.append($0.rowCount) }
        #expect(sizes == [1001])
    }

    @Test func bigBatchesDoNotOvertakeCollectedRows() throws {
        // Rows a batch: some are collected, some are blocks of their own, some are both of about one size.
        for sizes in [[10, 4000], [10, 20_000], [500, 2000, 4500, 3, 5000, 1], [10, 4000, 10, 100_000, 7]] {
            let fixture = try OutboxFixture(TemporaryDirectory())
            var next = 0
            for size in sizes {
                fixture.appender.append(fixture.stream, rows(next..<next + size))
                next += size
            }
            try fixture.append(rows(next..<next + 1))
            #expect(try numbers(in: fixture.seal(), of: fixture.outbox) == Array(0...next), "\(sizes)")
        }
    }

    @Test func aMillionRowsGoThroughInBoundedTime() throws {
        let directory = TemporaryDirectory()
        let batch = rows(0..<20_000)
        do {
            let fixture = try OutboxFixture(directory)
            for _ in 0..<50 { try fixture.append(batch) }
        }
        let fixture = try OutboxFixture(directory)
        #expect(fixture.outbox.pending(of: fixture.stream).unsealedRows == 1_000_000)
        var count = 0
        while fixture.outbox.sealableRange(of: fixture.stream) != nil {
            let segment = try fixture.seal(rowsMax: 333_333)
            try fixture.outbox.readRows(of: segment) { count += $0.rowCount }
            try fixture.outbox.complete(segment)
        }
        #expect(count == 1_000_000)
        #expect(try fixture.report.forwarded == 1_000_000)
        #expect(fixture.outbox.pending(of: fixture.sink) == OutboxPending())
    }

    @Test func manySmallBlocksAreMergedWithoutChangingRows() throws {
        let directory = TemporaryDirectory()
        do {
            let fixture = try OutboxFixture(directory)
            for n in 0..<400 { try fixture.append(rows(n..<n + 1), at: Int64(n)) }
            let sealed = try fixture.seal(rowsMax: 100)
            let before = fixture.outbox.pending(of: fixture.sink)
            #expect(try fixture.outbox.mergeSmallBlocks(of: fixture.sink) > 250)
            let after = fixture.outbox.pending(of: fixture.sink)
            #expect(after.rows == before.rows && after.bytes < before.bytes)
            #expect(after.oldestUnsealedAt == 100)
            #expect(try fixture.outbox.mergeSmallBlocks(of: fixture.sink) == 0)
            #expect(try numbers(in: sealed, of: fixture.outbox) == Array(0..<100))
        }
        let fixture = try OutboxFixture(directory)
        try fixture.append(rows(400..<401))
        let segment = try fixture.seal()
        #expect(try numbers(in: segment, of: fixture.outbox) == Array(100..<401))
        for segment in fixture.outbox.segments(of: fixture.sink) {
            try fixture.outbox.complete(segment)
        }
        #expect(fixture.outbox.pending(of: fixture.sink) == OutboxPending())
    }
}
