// Hours of a stream: an hour is complete when it is closed and none of its rows waits, in the order of time,
// over restarts, with empty hours between, and never for rows that are not committed.

import Testing
import WeirCore

@testable import WeirStore

private let hour: Int64 = 3_600_000

extension OutboxFixture {
    /// Commits rows of some hours, and that everything before `closed` is closed.
    fileprivate func append(_ batch: Batch? = nil, hours: Set<Int64> = [], closed: Int64? = nil) throws {
        if let batch {
            appender.append(stream, batch)
            appender.note(hours: hours, of: stream)
        }
        if let closed { appender.close(stream, upTo: closed) }
        appender.flush(into: commit, appendedAt: 0)
        try database.commit(commit)
        appender.didCommit()
    }

    fileprivate func forward(rowsMax: UInt64 = .max) throws {
        let range = try #require(outbox.sealableRange(of: stream, rowsMax: rowsMax))
        try outbox.complete(try #require(try outbox.seal(range, sealedAt: 0)))
    }

    /// Marks all that is complete; returns the hours.
    fileprivate func mark() throws -> [Int64] {
        var marked: [Int64] = []
        while let found = outbox.completeHour(of: stream) {
            try outbox.didMark(found, of: stream, sink: sink)
            marked.append(found / hour)
        }
        return marked
    }
}

@Suite struct OutboxClosingTests {
    @Test func anHourIsCompleteWhenItIsClosedAndItsRowsAreGone() throws {
        let fixture = try OutboxFixture(TemporaryDirectory())
        try fixture.append(rows(0..<10), hours: [5 * hour])
        try fixture.forward()
        #expect(try fixture.mark() == [], "it is not closed")
        try fixture.append(rows(10..<20), hours: [5 * hour, 6 * hour], closed: 6 * hour + 5)
        #expect(try fixture.mark() == [], "rows of it wait")
        try fixture.forward(rowsMax: 5)
        #expect(try fixture.mark() == [], "some still do")
        try fixture.forward()
        #expect(try fixture.mark() == [5])
        #expect(try fixture.mark() == [], "once")
    }

    @Test func aSealedSegmentHoldsItsHoursBack() throws {
        let fixture = try OutboxFixture(TemporaryDirectory())
        try fixture.append(rows(0..<10), hours: [5 * hour], closed: 6 * hour)
        let range = try #require(fixture.outbox.sealableRange(of: fixture.stream))
        let segment = try #require(try fixture.outbox.seal(range, sealedAt: 0))
        #expect(try fixture.mark() == [])
        try fixture.outbox.complete(segment)
        #expect(try fixture.mark() == [5])
    }

    @Test func hoursBetweenWithoutRowsAreMarkedUnlessTheyAreTooMany() throws {
        let fixture = try OutboxFixture(TemporaryDirectory())
        try fixture.append(rows(0..<10), hours: [5 * hour, 8 * hour], closed: 10 * hour)
        try fixture.forward()
        #expect(try fixture.mark() == [5, 6, 7, 8, 9])
        let later = 5000 * hour
        try fixture.append(rows(10..<20), hours: [later], closed: later + 2 * hour)
        try fixture.forward()
        #expect(try fixture.mark() == [5000, 5001])
    }

    @Test func hoursBefore1970AreHoursToo() throws {
        let fixture = try OutboxFixture(TemporaryDirectory())
        try fixture.append(rows(0..<10), hours: [-2 * hour, -hour], closed: 1)
        try fixture.forward()
        #expect(try fixture.mark() == [-2, -1])
    }

    @Test func allIsFoundAgainAfterARestartAndNothingOfWhatWasNotCommitted() throws {
        let directory = TemporaryDirectory()
        do {
            let fixture = try OutboxFixture(directory)
            try fixture.append(rows(0..<10), hours: [5 * hour, 6 * hour], closed: 6 * hour)
            try fixture.forward()
            #expect(try fixture.mark() == [5])
            fixture.appender.append(fixture.stream, rows(10..<20))
            fixture.appender.note(hours: [7 * hour], of: fixture.stream)
            fixture.appender.close(fixture.stream, upTo: 9 * hour)
            fixture.appender.flush(into: fixture.commit, appendedAt: 0)
        }
        let fixture = try OutboxFixture(directory)
        #expect(try fixture.mark() == [])
        try fixture.append(closed: 7 * hour)
        #expect(try fixture.mark() == [6])
        fixture.appender.close(fixture.stream, upTo: 6 * hour)
        #expect(!fixture.appender.isClosing, "what is closed stays so")
    }

    @Test func rowsBehindTheirMarkerAreNamedOnce() throws {
        let fixture = try OutboxFixture(TemporaryDirectory())
        try fixture.append(rows(0..<10), hours: [5 * hour], closed: 6 * hour)
        try fixture.forward()
        #expect(try fixture.mark() == [5])
        try fixture.append(rows(10..<20), hours: [5 * hour])
        #expect(try fixture.mark() == [])
        #expect(try fixture.outbox.takeStragglers(of: fixture.stream, sink: fixture.sink) == [5 * hour])
        #expect(try fixture.outbox.takeStragglers(of: fixture.stream, sink: fixture.sink) == [])
    }

    @Test func countsOfTheUplinkAreKeptByDayAndMonth() throws {
        let directory = TemporaryDirectory()
        do {
            let records = UplinkRecords(try directory.open())
            for day in [20_000, 20_001, -5, 20_100] {
                try records.write(
                    day: (day, Int64(day) * 3), month: (24_000, 77), isSynced: day != 20_100)
            }
            try records.write(
                day: (20_100, 1), month: (24_001, 5), forgottenDays: [-5, 20_000],
                forgottenMonths: [24_000], isSynced: true)
            try records.write(.init(sent: 70, encoded: 100), sink: "lake", stream: "minutes")
        }
        let records = UplinkRecords(try directory.open())
        let counts = try records.counts()
        #expect(counts.days == [20_001: 60_003, 20_100: 1])
        #expect(counts.months == [24_001: 5])
        #expect(try records.volume(sink: "lake", stream: "minutes") == .init(sent: 70, encoded: 100))
        #expect(try records.volume(sink: "lake", stream: "hours") == nil)
    }
}
