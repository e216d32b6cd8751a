// Killed at each named point, the store is found either as before the step or as after it.

import Glibc
import Testing
import WeirCore
import WeirStore

/// The scenario that a child process runs until it is killed at `point`: 100 rows committed, 40
/// sealed and completed, 40 sealed, the rest merged and then given up.
private func runUntilKilled(_ path: String, at point: String) throws {
    var options = DatabaseOptions()
    options.crashPoint = CrashPoint(point)
    let database = try Database(try StateDirectory(path), options)
    let outbox = try Outbox(database)
    let appender = OutboxAppender(outbox)
    let stream = appender.register(sink: "lake", stream: "minutes")
    let commit = database.makeCommit()
    for n in 0..<100 { try append(rows(n..<n + 1), to: stream, appender, commit, in: database) }
    guard let sink = outbox.sink(named: "lake") else { return }
    for isFirst in [true, false] {
        guard let range = outbox.sealableRange(of: stream, rowsMax: 40),
            let segment = try outbox.seal(range, sealedAt: 1)
        else { return }
        let attached = try outbox.attach([7], to: segment)
        if isFirst { try outbox.complete(attached) }
    }
    for n in 100..<200 { try append(rows(n..<n + 1), to: stream, appender, commit, in: database) }
    try outbox.mergeSmallBlocks(of: sink)
    try outbox.expireOldest(of: sink, untilBytes: 0)
}

/// A point, and the counts that must be found after it.
struct CrashCase: Sendable, Codable {
    let point: String
    let appended: UInt64
    var forwarded: UInt64 = 0
    var expired: UInt64 = 0
    var segments = 0
    var attached = 0
}

private let cases = [
    CrashCase(point: "commit.before-write:51", appended: 50),
    CrashCase(point: "commit.after-write:51", appended: 51),
    CrashCase(point: "seal.before-write", appended: 100),
    CrashCase(point: "seal.after-write", appended: 100, segments: 1),
    CrashCase(point: "attach.before-write", appended: 100, segments: 1),
    CrashCase(point: "attach.after-write", appended: 100, segments: 1, attached: 1),
    CrashCase(point: "trim.before-write", appended: 100, segments: 1, attached: 1),
    CrashCase(point: "trim.after-write", appended: 100, forwarded: 40),
    CrashCase(point: "seal.before-write:2", appended: 100, forwarded: 40),
    CrashCase(point: "merge.before-write", appended: 200, forwarded: 40, segments: 1, attached: 1),
    CrashCase(point: "merge.after-write", appended: 200, forwarded: 40, segments: 1, attached: 1),
    CrashCase(point: "expire.before-write", appended: 200, forwarded: 40, segments: 1, attached: 1),
    CrashCase(
        point: "expire.after-write", appended: 200, forwarded: 40, expired: 120, segments: 1,
        attached: 1),
]

@Suite struct CrashPointTests {
    @Test(arguments: cases)
    func aKillLeavesTheStepDoneOrUndone(_ expected: CrashCase) async throws {
        let directory = TemporaryDirectory()
        await #expect(processExitsWith: .signal(SIGKILL)) {
            [path = directory.path as String, point = expected.point as String] in
            try runUntilKilled(path, at: point)
        }
        let outbox = try Outbox(try directory.open())
        let report = try #require(outbox.reports().first)
        #expect(report.appended == expected.appended)
        #expect(report.forwarded == expected.forwarded)
        #expect(report.expired == expected.expired)
        let sink = try #require(outbox.sink(named: "lake"))
        let segments = outbox.segments(of: sink)
        #expect(segments.count == expected.segments)
        #expect(segments.filter { $0.attachment == [7] }.count == expected.attached)
        if let range = outbox.sealableRange(of: report.stream) {
            _ = try #require(try outbox.seal(range, sealedAt: 2))
        }
        var next = Int(report.forwarded)
        for segment in outbox.segments(of: sink) {
            #expect(try numbers(in: segment, of: outbox) == Array(next..<Int(segment.last)))
            next = Int(segment.last)
        }
    }
}
