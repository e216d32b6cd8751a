// A disk that fills up, on a small file system of its own where mounting one is allowed: what was
// acknowledged stays, nothing goes on after the failure, and a kept reserve avoids it altogether.

import Glibc
import Testing
import WeirCore
import WeirStore

/// A tmpfs, unmounted at the end.
private final class SmallFileSystem {
    let path: String
    private let directory = TemporaryDirectory()

    init?(megabytes: Int) {
        path = "\(directory.path)/disk"
        mkdir(path, 0o750)
        guard mount("weir-test", path, "tmpfs", 0, "size=\(megabytes)m") == 0 else { return nil }
    }

    func grow(megabytes: Int) -> Bool {
        mount("weir-test", path, "tmpfs", UInt(MS_REMOUNT), "size=\(megabytes)m") == 0
    }

    deinit { umount(path) }
}

private let canMount = SmallFileSystem(megabytes: 1) != nil

/// 2,000 doubles that do not compress.
private func makeNoise() -> Column {
    var random = SeededGenerator(seed: 1)
    let noise = Column(.double, capacity: 2000)
    for _ in 0..<2000 { noise.append(Double(bitPattern: random.next())) }
    return noise
}

/// Rows numbered from `first`, a block of 16 KB.
private func block(_ first: Int, _ noise: Column) -> Batch {
    let n = Column(.bigint, capacity: 2000)
    for i in 0..<2000 { n.ints[i] = Int64(first + i) }
    n.setCount(2000)
    let schema = Schema([Field("n", .bigint), Field("noise", .double)])
    return Batch(schema: schema, columns: [n, noise], rowCount: 2000)
}

/// Commits until the disk is full, noting each acknowledged commit in `notes`, and checks that
/// nothing goes through afterwards.
private func fillDisk(_ path: String, notes: String) throws {
    // Debian's RocksDB has its assertions on, and one of them may end the process here. That is a
    // crash like any other: what counts is what the next start finds.
    signal(SIGABRT) { _ in _exit(0) }
    let database = try Database(try StateDirectory(path))
    let appender = OutboxAppender(try Outbox(database))
    let stream = appender.register(sink: "lake", stream: "minutes")
    let commit = database.makeCommit()
    let file = open(notes, O_WRONLY | O_CREAT, 0o600)
    let noise = makeNoise()
    for n in 0..<10_000 {
        do {
            try append(block(n * 2000, noise), to: stream, appender, commit, in: database)
        } catch {
            let first = try #require(error as? Failure)
            #expect(first.domain == .storage)
            #expect(throws: Failure.self) { try database.commit(commit) }
            #expect(throws: Failure.self) { try database.stateScope(1).get([1]) }
            _exit(0)
        }
        _ = write(file, "\n", 1)
    }
    Issue.record("the disk never filled up")
}

@Suite(.enabled(if: canMount, "mounting a tmpfs is not allowed here"))
struct FullDiskTests {
    @Test(arguments: [20, 33])
    func whatWasAcknowledgedSurvivesAFullDisk(megabytes: Int) async throws {
        let disk = try #require(SmallFileSystem(megabytes: megabytes))
        let notes = TemporaryDirectory()
        await #expect(processExitsWith: .success) {
            [path = disk.path as String, notes = "\(notes.path)/notes" as String] in
            try fillDisk(path, notes: notes)
        }
        let acknowledged = readFile("\(notes.path)/notes").count
        #expect(acknowledged > 10)
        #expect(disk.grow(megabytes: 4 * megabytes))
        let outbox = try Outbox(try Database(try StateDirectory(disk.path)))
        let report = try #require(outbox.reports().first)
        #expect(report.appended / 2000 >= UInt64(acknowledged))
        #expect(
            report.appended / 2000 <= UInt64(acknowledged) + 1, "one may have been cut off unheard")
        let range = try #require(outbox.sealableRange(of: report.stream))
        let segment = try #require(try outbox.seal(range, sealedAt: 0))
        var next: Int64 = 0
        try outbox.readRows(of: segment) { batch in
            #expect(batch.columns[0].ints[0] == next)
            next += Int64(batch.rowCount)
        }
        #expect(next == Int64(report.appended))
    }

    @Test func withTheReserveKeptTheOutboxCanBeDrainedAndFilledAgain() throws {
        let disk = try #require(SmallFileSystem(megabytes: 48))
        var options = DatabaseOptions()
        options.memoryBudgetBytes = 4 << 20
        let database = try Database(try StateDirectory(disk.path), options)
        let outbox = try Outbox(database)
        let appender = OutboxAppender(outbox)
        let stream = appender.register(sink: "lake", stream: "minutes")
        let commit = database.makeCommit()
        let noise = makeNoise()
        var next = 0
        for _ in 0..<3 {
            let first = next
            while try database.directory.freeBytes() >= options.reserveBytes {
                try append(block(next, noise), to: stream, appender, commit, in: database)
                next += 2000
            }
            #expect(next > first + 100_000, "draining gave the space back")
            while let range = outbox.sealableRange(of: stream, rowsMax: 200_000) {
                let segment = try #require(try outbox.seal(range, sealedAt: 0))
                try outbox.complete(segment)
            }
        }
    }
}
