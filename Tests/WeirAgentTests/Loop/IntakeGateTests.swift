// A full outbox and the intake: a sink that drops rows lets it go on, one whose rows could be merged if the
// disk had room for that holds it up, so that nothing is dropped for want of room.

import Testing
import WeirCore
import WeirStore

@testable import WeirAgent

@Suite struct IntakeGateTests {
    private final class Fixture {
        let folder: TemporaryFolder
        let database: Database
        let outbox: Outbox
        let appender: OutboxAppender
        let board = StatusBoard()

        init() throws {
            folder = try TemporaryFolder([:])
            database = try Database(StateDirectory(folder.path), DatabaseOptions())
            outbox = try Outbox(database)
            appender = OutboxAppender(outbox)
        }

        deinit { folder.remove() }

        func append(rows count: Int) throws {
            let numbers = Column(.bigint, capacity: count)
            for number in 0..<count { numbers.ints[number] = Int64(number) &* 0x1E37_79B9_7F4A_7C15 }
            numbers.setCount(count)
            let stream = appender.register(sink: "lake", stream: "minutes")
            appender.append(
                stream, Batch(schema: Schema([Field("n", .bigint)]), columns: [numbers], rowCount: count))
            let commit = database.makeCommit()
            appender.flush(into: commit, appendedAt: 0)
            try database.commit(commit)
            appender.didCommit()
        }

        func gate(isForMergingOnly: Bool) -> IntakeGate {
            IntakeGate(
                bounds: [.init(sinkName: "lake", bytesMax: 1000, isForMergingOnly: isForMergingOnly)],
                outbox: outbox, appender: appender, board: board, directory: database.directory,
                reserveBytes: 0, clock: SystemClock())
        }

        func publish(mergingProblem: String?) {
            var status = StatusSnapshot.SinkStatus()
            status.name = "lake"
            status.mergingProblem = mergingProblem
            board.publish(sink: status)
        }
    }

    @Test func rowsThatCannotBeMergedForWantOfRoomHoldUpTheIntake() throws {
        let fixture = try Fixture()
        let gate = fixture.gate(isForMergingOnly: true)
        fixture.publish(mergingProblem: "no room")
        #expect(try gate.isOpen(), "the outbox is not full")
        try fixture.append(rows: 1000)
        #expect(try !gate.isOpen())
        #expect(gate.reason.contains("the disk of state_dir has no room to merge its rows"))
        fixture.publish(mergingProblem: nil)
        #expect(try gate.isOpen(), "the sink drops rows")
    }

    @Test func aSinkThatPausesTheIntakeSaysWhy() throws {
        let fixture = try Fixture()
        let gate = fixture.gate(isForMergingOnly: false)
        try fixture.append(rows: 1000)
        #expect(try !gate.isOpen())
        #expect(gate.reason == "the outbox of sink lake is full")
        fixture.publish(mergingProblem: "no room")
        #expect(try !gate.isOpen())
        #expect(gate.reason.contains("no room to merge"))
    }
}

@Suite struct ObjectNamingTests {
    @Test func anObjectsNameTellsItsAgentAndRows() {
        let naming = ObjectNaming(agentID: "edge-1", fileExtension: ".ndjson.gz")
        let key = naming.key(stream: "minutes", at: 0, first: 101, last: 342)
        let name = key.split(separator: "/").last ?? ""
        let parts = ObjectNaming.parts(ofObject: name)
        #expect(parts?.agent == "edge-1" && parts?.rows == 101...342)
        for other in ["", "edge-1", "edge-1-00000000000000000342-00000000000000000101.csv", "_SUCCESS"] {
            #expect(ObjectNaming.parts(ofObject: other) == nil)
        }
    }
}
