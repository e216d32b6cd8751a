// The outbox against a model, under random steps with restarts between them, and under two threads.

import Glibc
import Testing
import WeirCore
import WeirStore

/// What the outbox should hold: row i of a stream has the number i in its column `n`.
private struct Model {
    var appended: UInt64 = 0
    var forwarded: UInt64 = 0
    var expired: UInt64 = 0
}

private final class Run {
    let directory = TemporaryDirectory()
    var random: SeededGenerator
    var models: [String: Model] = [:]
    var database: Database?

    init(seed: UInt64) { random = SeededGenerator(seed: seed) }

    /// A run of steps on one opening of the outbox.
    func session(steps: Int) throws {
        let database = try directory.open { $0.memoryBudgetBytes = 4 << 20 }
        let outbox = try Outbox(database)
        let appender = OutboxAppender(outbox)
        let commit = database.makeCommit()
        try check(outbox)
        for _ in 0..<steps {
            let name = ["minutes", "_late/minutes", "alerts"][Int(random.next() % 3)]
            let stream = appender.register(
                sink: random.next() % 2 == 0 ? "lake" : "hdfs", stream: name)
            try step(outbox, appender, commit, stream, database)
            try check(outbox)
        }
    }

    private func key(_ outbox: Outbox, _ stream: StreamID) throws -> (key: String, sink: SinkID) {
        let report = try #require(outbox.reports().first { $0.stream == stream })
        let sink = try #require(outbox.sink(named: report.sinkName))
        return ("\(report.sinkName)/\(report.streamName)", sink)
    }

    private func step(
        _ outbox: Outbox, _ appender: OutboxAppender, _ commit: Commit, _ stream: StreamID,
        _ database: Database
    ) throws {
        let (key, sink) = try key(outbox, stream)
        switch random.next() % 12 {
        case 0..<5:
            let first = Int(models[key]?.appended ?? 0) + 1
            let count = [1, 3, 200, 3000][Int(random.next() % 4)]
            let schema = random.next() % 8 == 0 ? alertSchema : readingSchema
            try append(
                rows(first..<first + count, schema), to: stream, appender, commit, in: database)
            models[key, default: Model()].appended += UInt64(count)
        case 5..<7:
            guard
                let range = outbox.sealableRange(
                    of: stream, rowsMax: random.next() % 4000, bytesMax: Int(random.next() % 30_000)
                )
            else { return }
            _ = try #require(try outbox.seal(range, sealedAt: 1))
        case 7..<9:
            guard let segment = outbox.segments(of: sink).randomElement(using: &random) else {
                return
            }
            guard segment.staged == nil else {
                #expect(try outbox.files(of: segment).map(\.rowCount) == [Int(segment.rowCount)])
                try outbox.complete(segment)
                let completed = try self.key(outbox, segment.stream).key
                models[completed, default: Model()].forwarded += segment.rowCount
                return
            }
            #expect(
                try numbers(in: segment, of: outbox)
                    == Array(Int(segment.first)...Int(segment.last)))
            try outbox.complete(segment)
            let completed = try self.key(outbox, segment.stream).key
            models[completed, default: Model()].forwarded += segment.rowCount
        case 9:
            let bytes = outbox.pending(of: sink).bytes
            for range in try outbox.expireOldest(
                of: sink, untilBytes: Int(random.next() % UInt64(bytes + 1)))
            {
                models[try self.key(outbox, range.stream).key, default: Model()].expired +=
                    range.rowCount
            }
        case 10:
            try outbox.mergeSmallBlocks(of: sink)
            if let segment = outbox.segments(of: sink).first(where: { $0.staged == nil }) {
                let file = StagedFile(
                    name: OutboxFolder.name(of: segment, sink: "lake", index: 0, fileExtension: ""),
                    key: "a", length: Int(random.next() % 5000) + 1, sha256: [], partition: 0,
                    rowCount: Int(segment.rowCount))
                #expect(try outbox.stage(segment, as: [file]).staged?.byteCount == file.length)
            }
        default:
            guard let segment = outbox.segments(of: sink).first else { return }
            let attached = try outbox.attach([UInt8(random.next() % 256)], to: segment)
            #expect(outbox.segments(of: sink).first == attached)
        }
    }

    private func check(_ outbox: Outbox) throws {
        for report in outbox.reports() {
            let model = models["\(report.sinkName)/\(report.streamName)"] ?? Model()
            #expect(report.appended == model.appended)
            #expect(report.forwarded == model.forwarded)
            #expect(report.expired == model.expired)
            #expect(report.pending.rows == report.appended - report.forwarded - report.expired)
            #expect((report.pending.bytes > 0) == (report.pending.rows > 0))
            #expect((report.pending.unsealedBytes > 0) == (report.pending.unsealedRows > 0))
        }
    }
}

@Suite struct OutboxModelTests {
    @Test(arguments: [1, 2, 3, 4] as [UInt64])
    func identitiesHoldUnderRandomStepsAndRestarts(seed: UInt64) throws {
        let run = Run(seed: seed)
        for _ in 0..<8 { try run.session(steps: 40) }
    }

    @Test func aForwarderAndTheLoopDoNotDisturbEachOther() async throws {
        let directory = TemporaryDirectory()
        let total = 20_000
        do {
            let database = try directory.open { $0.isDurable = false }
            let outbox = try Outbox(database)
            let appender = OutboxAppender(outbox)
            let stream = appender.register(sink: "lake", stream: "minutes")
            let sink = try #require(outbox.sink(named: "lake"))
            let forwarder = Task.detached { try forward(total, outbox, stream, sink) }
            let commit = database.makeCommit()
            var next = 0
            var random = SeededGenerator(seed: 9)
            while next < total {
                let count = min(total - next, 1 + Int(random.next() % 100))
                try append(rows(next..<next + count), to: stream, appender, commit, in: database)
                next += count
            }
            let forwarded = try await forwarder.value
            #expect(forwarded == Array(0..<total))
            #expect(outbox.pending(of: sink) == OutboxPending())
        }
    }

    @Test func expiringWhileForwardingLosesNoRowTwice() async throws {
        let directory = TemporaryDirectory()
        let database = try directory.open { $0.isDurable = false }
        let outbox = try Outbox(database)
        let appender = OutboxAppender(outbox)
        let stream = appender.register(sink: "lake", stream: "minutes")
        let sink = try #require(outbox.sink(named: "lake"))
        let commit = database.makeCommit()
        var expired: [Int] = []
        try append(rows(0..<1), to: stream, appender, commit, in: database)
        let total = 20_000
        let forwarder = Task.detached {
            var seen: [Int] = []
            // First what was appended, then what waits: the other way round, rows that come between the
            // two looks would be left.
            while outbox.reports()[0].appended < UInt64(total)
                || outbox.pending(of: stream).rows > 0
            {
                seen += try forward(1, outbox, stream, sink)
            }
            return seen
        }
        var next = 1
        while next < total {
            let count = min(total - next, 50)
            try append(rows(next..<next + count), to: stream, appender, commit, in: database)
            next += count
            guard next % 200 == 1 else { continue }
            for range in try outbox.expireOldest(of: sink, untilBytes: 2000) {
                expired += Int(range.first) - 1..<Int(range.last)
            }
        }
        let seen = try await forwarder.value
        #expect((seen + expired).sorted() == Array(0..<total))
        #expect(seen == seen.sorted())
    }
}

/// Seals, reads and completes until at least `count` rows are through or nothing is there; returns
/// column `n`.
private func forward(
    _ count: Int, _ outbox: Outbox, _ stream: StreamID, _ sink: SinkID
) throws -> [Int] {
    var seen: [Int] = []
    var random = SeededGenerator(seed: 11)
    while seen.count < count {
        guard let range = outbox.sealableRange(of: stream, rowsMax: 1 + random.next() % 2000) else {
            if count == 1 { return seen }
            sched_yield()
            continue
        }
        guard let segment = try outbox.seal(range, sealedAt: 0) else { continue }
        try outbox.mergeSmallBlocks(of: sink)
        seen += try numbers(in: segment, of: outbox)
        try outbox.complete(segment)
    }
    return seen
}
