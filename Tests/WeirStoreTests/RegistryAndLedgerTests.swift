// The query registry and the ledger: what they say after a restart is what was committed.

import Testing
import WeirCore
import WeirStore

@Suite struct RegistryAndLedgerTests {
    @Test func unchangedQueriesKeepTheirStateAndChangedOnesGetAnother() throws {
        let directory = TemporaryDirectory()
        do {
            let database = try directory.open()
            let registry = try QueryRegistry(database)
            #expect(registry.resolve(name: "a", fingerprint: [1]) == .new(id: 1))
            #expect(registry.resolve(name: "b", fingerprint: [2]) == .new(id: 2))
            let commit = database.makeCommit()
            registry.flush(into: commit)
            try database.commit(commit)
        }
        do {
            let database = try directory.open()
            let registry = try QueryRegistry(database)
            #expect(registry.resolve(name: "a", fingerprint: [1]) == .unchanged(id: 1))
            #expect(
                registry.resolve(name: "b", fingerprint: [9])
                    == .changed(id: 3, previousFingerprint: [2], previousID: 2))
            let commit = database.makeCommit()
            registry.flush(into: commit)
            try database.commit(commit)
        }
        let registry = try QueryRegistry(try directory.open())
        #expect(registry.resolve(name: "b", fingerprint: [9]) == .unchanged(id: 3))
        #expect(registry.removed.map(\.name) == ["a"])
    }

    @Test func numbersAreNeverUsedTwice() throws {
        let directory = TemporaryDirectory()
        do {
            let database = try directory.open()
            let registry = try QueryRegistry(database)
            _ = registry.resolve(name: "a", fingerprint: [1])
            registry.forget(name: "a")
            let commit = database.makeCommit()
            registry.flush(into: commit)
            try database.commit(commit)
        }
        let registry = try QueryRegistry(try directory.open())
        #expect(registry.removed.isEmpty)
        #expect(registry.resolve(name: "a", fingerprint: [1]) == .new(id: 2))
    }

    @Test func anUncommittedResolutionIsForgotten() throws {
        let directory = TemporaryDirectory()
        do {
            let registry = try QueryRegistry(try directory.open())
            _ = registry.resolve(name: "a", fingerprint: [1])
        }
        let registry = try QueryRegistry(try directory.open())
        #expect(registry.resolve(name: "a", fingerprint: [1]) == .new(id: 1))
    }

    @Test func countersGoOnFromTheirCommittedValues() throws {
        let directory = TemporaryDirectory()
        do {
            let database = try directory.open()
            let ledger = try Ledger(database)
            let received = ledger.register("received", [.init("source", "sensors")])
            let rejected = ledger.register("rejected", [.init("source", "sensors")])
            #expect(ledger.register("received", [.init("source", "sensors")]) == received)
            ledger.add(received, 10)
            ledger.add(rejected)
            let commit = database.makeCommit()
            ledger.flush(into: commit)
            try database.commit(commit)
            ledger.flush(into: commit)
            #expect(commit.isEmpty, "only what changed is written")
            ledger.add(received, 5)
            ledger.flush(into: commit)
        }
        let ledger = try Ledger(try directory.open())
        #expect(ledger.snapshot().map(\.name) == ["received", "rejected"])
        #expect(ledger.snapshot().map(\.value) == [10, 1])
        let received = ledger.register("received", [.init("source", "sensors")])
        #expect(ledger.value(received) == 10)
        let other = ledger.register("received", [.init("source", "posts")])
        #expect(ledger.value(other) == 0)
        ledger.add(other, .init(3))
        #expect(ledger.snapshot().map(\.value) == [3, 10, 1])
        #expect(ledger.snapshot().first?.labels == [.init("source", "posts")])
    }

    @Test func whatIsShownIsWhatWasSettledLast() throws {
        let directory = TemporaryDirectory()
        let database = try directory.open()
        let ledger = try Ledger(database)
        let taken = ledger.register("in")
        let used = ledger.register("used")
        ledger.add(taken, 10)
        #expect([ledger.settledValue(taken), ledger.settledValue(used)] == [0, 0])
        ledger.add(used, 10)
        ledger.settle()
        ledger.add(taken, 5)
        #expect([ledger.settledValue(taken), ledger.settledValue(used)] == [10, 10])
        #expect(ledger.value(taken) == 15)
        let commit = database.makeCommit()
        ledger.flush(into: commit)
        try database.commit(commit)
        let again = try Ledger(database)
        #expect(again.settledValue(again.register("in")) == 15)
    }
}
