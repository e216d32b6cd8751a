// Segments at rest: what is durable when, what is counted, and what goes with them. The files here are
// written by the tests; what real ones hold is the forwarder's business.

import Glibc
import Testing
import WeirCore
import WeirStore

/// An outbox with one stream of `lake`, and 20 rows a segment in `segments`.
private final class Bench {
    let directory: TemporaryDirectory
    let database: Database
    let outbox: Outbox
    let stream: StreamID
    let sink: SinkID

    init(
        _ directory: TemporaryDirectory, rowCount: Int, at time: Int64 = 1000
    ) throws {
        self.directory = directory
        database = try directory.open()
        outbox = try Outbox(database)
        let appender = OutboxAppender(outbox)
        stream = appender.register(sink: "lake", stream: "minutes")
        let commit = database.makeCommit()
        for start in stride(from: 0, to: rowCount, by: 10) {
            try append(
                rows(start..<start + 10), to: stream, appender, commit, at: time + Int64(start),
                in: database)
        }
        sink = try #require(outbox.sink(named: "lake"))
    }

    func seal(_ count: UInt64) throws -> Segment {
        let range = try #require(outbox.sealableRange(of: stream, rowsMax: count))
        return try #require(try outbox.seal(range, sealedAt: 5000))
    }

    /// Puts a segment to rest in one file of `bytes` bytes.
    @discardableResult
    func stage(_ segment: Segment, bytes: Int = 100) throws -> Segment {
        try outbox.stage(segment, as: [try writeFile(for: segment, in: outbox, bytes: bytes)])
    }

    var report: OutboxStreamReport { get throws { try #require(outbox.reports().first) } }
    var files: [String] { list("\(directory.path)/outbox/lake") }
}

private func writeFile(for segment: Segment, in outbox: Outbox, bytes: Int) throws -> StagedFile {
    let name = OutboxFolder.name(of: segment, sink: "lake", index: 0, fileExtension: ".ndjson")
    mkdir(outbox.folder.path, 0o700)
    mkdir(outbox.folder.path(of: "lake"), 0o700)
    WeirStoreTests.writeFile(outbox.folder.path(of: name), [UInt8](repeating: 7, count: bytes))
    return StagedFile(
        name: name, key: "minutes/a", length: bytes, sha256: [1, 2], partition: 5, rowCount: 20,
        statistics: [9])
}

@Suite struct OutboxStagingTests {
    @Test func rowsAtRestLeaveTheirBlocksAndAreCountedByTheirFiles() throws {
        let bench = try Bench(TemporaryDirectory(), rowCount: 100)
        let before = try bench.report.pending
        let staged = try bench.stage(bench.seal(40))
        let pending = try bench.report.pending
        #expect(pending.rows == 100 && pending.fileCount == 1 && pending.fileBytes == 100)
        #expect(pending.bytes < before.bytes + 100 && pending.oldestAppendedAt == 1000)
        #expect(bench.outbox.byteCount(of: staged) == 100)
        let file = try #require(try bench.outbox.files(of: staged).first)
        #expect(file.key == "minutes/a" && file.sha256 == [1, 2] && file.statistics == [9])
        try bench.outbox.complete(staged)
        #expect(try bench.report.forwarded == 40 && bench.report.pending.fileBytes == 0)
        #expect(bench.files.isEmpty)
    }

    @Test func aRestartFindsThemAndRemovesWhatNobodyNames() throws {
        let directory = TemporaryDirectory()
        do {
            let bench = try Bench(directory, rowCount: 100)
            try bench.stage(bench.seal(35))
            try bench.stage(bench.seal(25))
            let unrecorded = try bench.seal(20)
            _ = try writeFile(for: unrecorded, in: bench.outbox, bytes: 5)
            writeFile("\(directory.path)/outbox/lake/notes.txt", [1])
            #expect(bench.files.count == 4)
        }
        let outbox = try Outbox(try directory.open())
        #expect(list("\(directory.path)/outbox/lake").count == 3, "two files, and notes of somebody's")
        let sink = try #require(outbox.sink(named: "lake"))
        let segments = outbox.segments(of: sink)
        #expect(segments.map { $0.staged?.fileCount } == [1, 1, nil])
        #expect(segments.map(\.rowCount) == [35, 25, 20])
        #expect(try numbers(in: segments[2], of: outbox) == Array(60..<80))
        for segment in segments { try outbox.complete(segment) }
        #expect(outbox.reports().first?.forwarded == 80)
        #expect(outbox.pending(of: sink).rows == 20)
    }

    @Test func aFullOutboxGivesUpFilesButNeverTheNextOneToGo() throws {
        let bench = try Bench(TemporaryDirectory(), rowCount: 100)
        for _ in 0..<3 { try bench.stage(bench.seal(20), bytes: 100_000) }
        let gone = try bench.outbox.expireOldest(of: bench.sink, untilBytes: 210_000)
        #expect(gone.map(\.first) == [21] && gone.map(\.last) == [40] && gone.map(\.rowCount) == [20])
        #expect(bench.files.count == 2)
        #expect(bench.outbox.segments(of: bench.sink).map(\.first) == [1, 41])
        let rest = try bench.outbox.expireOldest(of: bench.sink, untilBytes: 0)
        #expect(rest.map(\.first) == [41] && rest.map(\.last) == [100], "files, then blocks")
        let report = try bench.report
        #expect(report.expired == 80 && report.pending.rows == 20 && report.pending.bytes == 100_000)
    }

    /// A stream that waits alone may have sent parts of its segment, as its neighbour may of its own.
    @Test func theNextSegmentOfEachStreamIsKept() throws {
        let bench = try Bench(TemporaryDirectory(), rowCount: 40)
        let appender = OutboxAppender(bench.outbox)
        let late = appender.register(sink: "lake", stream: "_late/minutes")
        try append(
            rows(0..<40), to: late, appender, bench.database.makeCommit(), at: 2000, in: bench.database)
        for _ in 0..<2 {
            try bench.stage(bench.seal(20))
            let range = try #require(bench.outbox.sealableRange(of: late, rowsMax: 20))
            try bench.stage(try #require(try bench.outbox.seal(range, sealedAt: 5000)))
        }
        let gone = try bench.outbox.expireOldest(of: bench.sink, untilBytes: 0)
        #expect(gone.map(\.first) == [21, 21])
        #expect(bench.outbox.segments(of: bench.sink).map(\.first) == [1, 1])
    }

    @Test func filesAreTooOldWhenAllTheirRowsAre() throws {
        let bench = try Bench(TemporaryDirectory(), rowCount: 100, at: 1000)
        for _ in 0..<3 { try bench.stage(bench.seal(20)) }
        // Rows 21–40 were committed at 1020 and 1030.
        #expect(try bench.outbox.expireOlder(of: bench.sink, than: 1030).isEmpty)
        #expect(try bench.outbox.expireOlder(of: bench.sink, than: 1031).map(\.first) == [21])
        #expect(try bench.report.expired == 20)
    }

    @Test func whatIsDiscardedIsCountedAndItsFilesGo() throws {
        let directory = TemporaryDirectory()
        do {
            let bench = try Bench(directory, rowCount: 100)
            let staged = try bench.stage(bench.seal(20))
            let sealed = try bench.seal(20)
            #expect(bench.outbox.claim(staged))
            #expect(throws: Failure.self) { try bench.outbox.discard(staged) }
            bench.outbox.release(staged)
            #expect(try bench.outbox.discard(staged)?.rowCount == 20)
            #expect(try bench.outbox.discard(staged) == nil, "it is gone")
            #expect(!bench.outbox.claim(staged))
            #expect(try bench.outbox.discard(sealed)?.first == 21)
            #expect(try bench.outbox.discardUnsealed(of: bench.stream, through: 55)?.rowCount == 15)
            #expect(bench.files.isEmpty)
        }
        let report = try #require(try Outbox(try directory.open()).reports().first)
        #expect(report.expired == 55 && report.pending.rows == 45 && report.forwarded == 0)
    }

    @Test(arguments: [
        ("stage.before-record", 0, 100), ("stage.after-record", 1, 100),
        ("discard.before-write", 1, 100), ("discard.after-write", 0, 80),
        ("trim.before-write", 1, 100), ("trim.after-write", 0, 80),
    ])
    func aKillLeavesTheStepDoneOrUndone(_ point: String, files: Int, rows: UInt64) async throws {
        let directory = TemporaryDirectory()
        await #expect(processExitsWith: .signal(SIGKILL)) {
            [path = directory.path as String, point = point as String] in
            var options = DatabaseOptions()
            options.crashPoint = CrashPoint(point)
            let database = try Database(try StateDirectory(path), options)
            let outbox = try Outbox(database)
            let appender = OutboxAppender(outbox)
            let stream = appender.register(sink: "lake", stream: "minutes")
            let commit = database.makeCommit()
            try append(WeirStoreTests.rows(0..<100), to: stream, appender, commit, in: database)
            let range = try #require(outbox.sealableRange(of: stream, rowsMax: 20))
            let segment = try #require(try outbox.seal(range, sealedAt: 1))
            let staged = try outbox.stage(
                segment, as: [try writeFile(for: segment, in: outbox, bytes: 10)])
            if point.hasPrefix("trim") { try outbox.complete(staged) }
            _ = try outbox.discard(staged)
        }
        let outbox = try Outbox(try directory.open())
        let report = try #require(outbox.reports().first)
        #expect(report.pending.rows == rows && report.pending.fileCount == files)
        #expect(list("\(directory.path)/outbox/lake").count == files)
        let sink = try #require(outbox.sink(named: "lake"))
        for segment in outbox.segments(of: sink) where segment.staged == nil {
            #expect(try numbers(in: segment, of: outbox) == Array(0..<20))
        }
    }

    @Test func anOutboxCanBeLookedIntoWhileItIsInUse() throws {
        let directory = TemporaryDirectory()
        let bench = try Bench(directory, rowCount: 100)
        try bench.stage(bench.seal(20))
        let sealed = try bench.seal(30)
        let seen = try Outbox(try Database(reading: try StateDirectory(reading: directory.path)))
        #expect(seen.reports().first?.pending.rows == 100)
        let segments = seen.segments(of: try #require(seen.sink(named: "lake")))
        #expect(segments.map(\.rowCount) == [20, 30])
        #expect(try numbers(in: segments[1], of: seen) == Array(20..<50))
        try bench.outbox.complete(sealed)
        #expect(bench.files.count == 1, "nothing was changed by looking")
    }

    /// A start that refuses what the query state holds leaves the directory to the weir that wrote it.
    @Test func aDirectoryOfTheFormatBeforeIsMarkedByTheFirstWrite() throws {
        let directory = TemporaryDirectory()
        do { _ = try Bench(directory, rowCount: 20) }
        writeFile("\(directory.path)/format", Array("weir state format 1\n".utf8))
        #expect(try Outbox(try directory.open()).reports().first?.pending.rows == 20)
        #expect(readFile("\(directory.path)/format") == Array("weir state format 1\n".utf8))
        do { _ = try Bench(directory, rowCount: 20) }
        #expect(readFile("\(directory.path)/format") == Array("weir state format 2\n".utf8))
    }
}
