// State of an earlier weir in a form that this one does not read: it must be refused by name and left
// alone, never passed over.

import Testing
import WeirCore
import WeirStore

@testable import WeirRuntime
@testable import WeirSQL

@Suite struct OldLayoutTests {
    private static let sessions = """
        SELECT device, window_start, window_end FROM TABLE(SESSION(TABLE readings PARTITION BY device,
        DESCRIPTOR(ts), INTERVAL '4' SECOND))
        """

    /// A query whose state was committed and taken up again, and the first bytes of its operator's keys.
    private func committed() throws -> (QueryHarness, prefix: [UInt8]) {
        let table = Catalog.Table(name: "readings", schema: Reading.schema, timeColumn: "ts")
        let plan = try QueryBinder(catalog: Catalog(tables: [table], views: [])).bind(Self.sessions).get()
        let harness = try QueryHarness(plan, clock: WatermarkOptions(delay: 1_000))
        try harness.process([Reading(device: "d", line: 1, time: 1_700_000_000_000, value: 1)])
        harness.commit()
        try harness.crash()
        let keys: [[UInt8]] = harness.store.pairs.map(\.key)
        let progress: [UInt8]? = keys.first { key in key.count == 3 && key[0] == 2 && key[2] == 0x10 }
        return (harness, try #require(progress).dropLast())
    }

    /// What waited for its order, how far it had come, and the rows of open sessions.
    @Test(arguments: [[0], [1, 0, 0], [0x10, 0], [0x10, 1, 0, 0]] as [[UInt8]])
    func rowsThatWaitInSessionsAsTheyOnceDidAreRefused(_ rest: [UInt8]) throws {
        let (harness, prefix) = try committed()
        harness.store.writeAhead { writer in
            [1, 2, 3].withUnsafeBytes { writer.put(prefix + rest, $0) }
        }
        let before = harness.store.pairs.map(\.key)
        let error = #expect(throws: Failure.self) { try harness.crash() }
        #expect(error?.description.contains("an earlier weir wrote them") == true)
        #expect(harness.store.pairs.map(\.key) == before)
    }
}
