// What segments say was taken in for them: over all segments of a stream, nothing is counted twice or left
// out, whatever seals, restarts and rows that were given up came between.

import Testing
import WeirCore
import WeirStore

/// An outbox whose rows are counted: one source, one query.
private final class Counted {
    let database: Database
    let outbox: Outbox
    let appender: OutboxAppender
    let ledger: Ledger
    let commit: Commit
    let stream: StreamID
    let received: Ledger.CounterID
    let late: Ledger.CounterID

    /// `names` are those of the sources that the stream is counted by.
    init(_ directory: TemporaryDirectory, sources: [String] = ["s"]) throws {
        database = try directory.open()
        outbox = try Outbox(database)
        ledger = try Ledger(database)
        appender = OutboxAppender(outbox)
        commit = database.makeCommit()
        stream = appender.register(sink: "lake", stream: "minutes")
        let counters = sources.map { [ledger] in
            ledger.register("source_rows_received", [.init("source", $0)])
        }
        received = try #require(counters.first)
        late = ledger.register("query_rows_late", [.init("query", "minutes")])
        appender.account(stream, by: counters + [late], of: ledger)
        appender.bindAccounts(to: ledger)
        try write()
    }

    func write() throws {
        appender.flush(into: commit, appendedAt: 0)
        ledger.flush(into: commit)
        try database.commit(commit)
        ledger.settle()
        appender.didCommit(counts: ledger.settledValues)
    }

    /// Takes in `count` rows, `lateCount` more of which are late.
    func take(_ count: Int, late lateCount: Int = 0) throws {
        ledger.add(received, UInt64(count + lateCount))
        ledger.add(late, UInt64(lateCount))
        appender.append(stream, rows(0..<count))
        try write()
    }

    func seal(rowsMax: UInt64 = .max) throws -> Segment {
        let range = try #require(outbox.sealableRange(of: stream, rowsMax: rowsMax))
        return try #require(try outbox.seal(range, sealedAt: 0))
    }

    func taken(of segment: Segment) throws -> [[UInt64]] {
        try outbox.taken(of: segment).map { [$0.from, $0.to] }
    }
}

@Suite struct OutboxAccountTests {
    @Test func aSegmentSaysWhatWasTakenInSinceTheOneBefore() throws {
        let counted = try Counted(TemporaryDirectory())
        try counted.take(10)
        let first = try counted.seal()
        try counted.take(5, late: 2)
        try counted.take(3)
        let second = try counted.seal()
        #expect(try counted.taken(of: first) == [[0, 10], [0, 0]])
        #expect(try counted.taken(of: second) == [[10, 20], [0, 2]])
        let names = try counted.outbox.taken(of: second).map { [$0.owner, $0.name, $0.what] }
        #expect(names == [["source", "s", "received"], ["query", "minutes", "late"]])
    }

    @Test func theFirstOfSeveralPiecesOfATickHasTheCounts() throws {
        let counted = try Counted(TemporaryDirectory())
        try counted.take(10)
        let pieces = [try counted.seal(rowsMax: 4), try counted.seal(rowsMax: 4), try counted.seal()]
        #expect(try pieces.map { try counted.taken(of: $0)[0] } == [[0, 10], [10, 10], [10, 10]])
    }

    @Test func countsThatAreNotCommittedAreNotTold() throws {
        let counted = try Counted(TemporaryDirectory())
        try counted.take(10)
        counted.ledger.add(counted.received, 90)
        #expect(try counted.taken(of: counted.seal()) == [[0, 10], [0, 0]])
        try counted.write()
        let open = try counted.outbox.takenSinceSeal(of: counted.stream)
        #expect(open.map(\.from) == [10, 0] && open.map(\.to) == [100, 0])
    }

    @Test func segmentsAddUpToTheLedgerOverRestarts() throws {
        let directory = TemporaryDirectory()
        var random = SeededGenerator(seed: 7)
        var ends: [[UInt64]] = []
        for _ in 0..<12 {
            let counted = try Counted(directory)
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                try counted.take(
                    Int.random(in: 1...9, using: &random), late: Int.random(in: 0...2, using: &random))
                guard Bool.random(using: &random) else { continue }
                let segment = try counted.seal(rowsMax: UInt64.random(in: 1...20, using: &random))
                ends.append(try counted.taken(of: segment)[0])
                if Bool.random(using: &random) { try counted.outbox.complete(segment) }
            }
        }
        let counted = try Counted(directory)
        try counted.take(1)
        ends.append(try counted.taken(of: counted.seal())[0])
        #expect(ends.first?.first == 0)
        for (one, next) in zip(ends, ends.dropFirst()) { #expect(one[1] == next[0]) }
        #expect(ends.last?.last == counted.ledger.value(counted.received))
        for segment in counted.outbox.segments(of: try sink(of: counted)) {
            #expect(try counted.outbox.taken(of: segment).count == 2, "as long as it waits")
        }
    }

    private func sink(of counted: Counted) throws -> SinkID {
        try #require(counted.outbox.sink(named: "lake"))
    }

    @Test func whatACompletedOrDiscardedSegmentSaidGoesWithIt() throws {
        let counted = try Counted(TemporaryDirectory())
        try counted.take(10)
        let (first, second) = (try counted.seal(rowsMax: 5), try counted.seal())
        try counted.outbox.complete(first)
        _ = try counted.outbox.discard(second)
        #expect(try counted.outbox.taken(of: first).isEmpty)
        #expect(try counted.outbox.taken(of: second).isEmpty)
        try counted.take(1)
        #expect(try counted.taken(of: counted.seal()) == [[10, 11], [0, 0]], "a gap can be seen")
    }

    @Test func aSourceThatComesLaterBeginsWithItsCountThen() throws {
        let directory = TemporaryDirectory()
        do {
            let counted = try Counted(directory)
            let other = counted.ledger.register("source_rows_received", [.init("source", "t")])
            counted.ledger.add(other, 70)
            try counted.take(10)
        }
        let counted = try Counted(directory, sources: ["s", "t"])
        let open = try counted.outbox.takenSinceSeal(of: counted.stream)
        #expect(open.map(\.name) == ["s", "t", "minutes"] && open.map(\.from) == [0, 70, 0])
        #expect(try counted.taken(of: counted.seal()) == [[0, 10], [70, 70], [0, 0]])
    }

    @Test func rowsOfAStreamThatNobodyAccountsForAnyMoreAreStillCounted() throws {
        let directory = TemporaryDirectory()
        try Counted(directory).take(10)
        let database = try directory.open()
        let outbox = try Outbox(database)
        let ledger = try Ledger(database)
        let appender = OutboxAppender(outbox)
        appender.bindAccounts(to: ledger)
        appender.didCommit(counts: ledger.settledValues)
        let sink = try #require(outbox.sink(named: "lake"))
        let stream = try #require(outbox.streams(of: sink).first).id
        let range = try #require(outbox.sealableRange(of: stream))
        let segment = try #require(try outbox.seal(range, sealedAt: 0))
        #expect(try outbox.taken(of: segment).map(\.to) == [10, 0])
    }
}
