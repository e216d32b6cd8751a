// The database: what is committed is there again, what is damaged is refused, what is scoped is
// apart.

import Glibc
import Testing
import WeirCore
import WeirStore

@Suite struct DatabaseTests {
    private func put(_ scope: StateScope, _ key: String, _ value: String, _ commit: Commit) {
        Array(value.utf8).withUnsafeBytes { commit.writer(for: scope).put(Array(key.utf8), $0) }
    }

    private func text(_ bytes: [UInt8]?) -> String? {
        bytes.map { String(decoding: $0, as: UTF8.self) }
    }

    @Test func committedPairsAreThereAfterReopening() throws {
        let directory = TemporaryDirectory()
        do {
            let database = try directory.open()
            let commit = database.makeCommit()
            #expect(commit.isEmpty)
            put(database.stateScope(1), "a", "one", commit)
            put(database.metaScope("positions", "sensors"), "p", "7", commit)
            #expect(!commit.isEmpty)
            #expect(try database.stateScope(1).get(Array("a".utf8)) == nil)
            try database.commit(commit)
            #expect(commit.isEmpty)
            #expect(text(try database.stateScope(1).get(Array("a".utf8))) == "one")
        }
        let database = try directory.open()
        #expect(text(try database.stateScope(1).get(Array("a".utf8))) == "one")
        #expect(text(try database.metaScope("positions", "sensors").get(Array("p".utf8))) == "7")
        #expect(try database.metaScope("positions").pairs().isEmpty)
        #expect(try database.stateScope(2).get(Array("a".utf8)) == nil)
    }

    @Test func scopesDoNotSeeEachOther() throws {
        let directory = TemporaryDirectory()
        let database = try directory.open()
        let commit = database.makeCommit()
        for id in [UInt32(1), 2, 255, 256] {
            for key in ["", "k", "\u{ff}"] { put(database.stateScope(id), key, "\(id)", commit) }
        }
        try database.commit(commit)
        for id in [UInt32(1), 2, 255, 256] {
            let pairs = try database.stateScope(id).pairs()
            #expect(pairs.map { text($0.value) } == [String](repeating: "\(id)", count: 3))
        }
        commit.deleteAll(of: database.stateScope(255))
        try database.commit(commit)
        #expect(try database.stateScope(255).pairs().isEmpty)
        #expect(try database.stateScope(256).pairs().count == 3)
        #expect(try database.stateScope(2).pairs().count == 3)
    }

    @Test func scansAndCursorsKeepToTheirBoundsAndOrder() throws {
        let directory = TemporaryDirectory()
        let database = try directory.open()
        let scope = database.stateScope(9)
        let commit = database.makeCommit()
        for key in ["d", "a", "c", "b"] { put(scope, key, key + key, commit) }
        try database.commit(commit)
        var seen: [String] = []
        try scope.scan(Array("b".utf8), Array("d".utf8)) { key, value in
            seen.append(
                String(decoding: key, as: UTF8.self) + String(decoding: value, as: UTF8.self))
            return true
        }
        #expect(seen == ["bbb", "ccc"])
        var first: [UInt8] = []
        try scope.scan([], []) { key, _ in
            first = Array(key)
            return false
        }
        #expect(text(first) == "a")
        let cursor = scope.cursor(Array("c".utf8), [])
        #expect(cursor.isValid && text(Array(cursor.key)) == "c")
        try cursor.advance()
        #expect(cursor.isValid && text(Array(cursor.value)) == "dd")
        try cursor.advance()
        #expect(!cursor.isValid)
    }

    @Test func deletesAndRangesAreRelativeToTheScope() throws {
        let directory = TemporaryDirectory()
        let database = try directory.open()
        let scope = database.stateScope(3)
        let commit = database.makeCommit()
        for key in ["a", "b", "c", "d", "e"] { put(scope, key, "", commit) }
        try database.commit(commit)
        let writer = commit.writer(for: scope)
        writer.delete(Array("a".utf8))
        writer.deleteRange(Array("c".utf8), Array("d".utf8))
        try database.commit(commit)
        #expect(try scope.pairs().map { text($0.key) } == ["b", "d", "e"])
        writer.deleteRange(Array("d".utf8), [])
        try database.commit(commit)
        #expect(try scope.pairs().map { text($0.key) } == ["b"])
    }

    @Test func writesAheadAreThereAfterTheNextCommitAndReopening() throws {
        let directory = TemporaryDirectory()
        do {
            let database = try directory.open()
            try database.stateScope(1).writeAhead { $0.put([1], .init(start: nil, count: 0)) }
            #expect(try database.stateScope(1).get([1]) == [])
            let commit = database.makeCommit()
            put(database.stateScope(1), "x", "y", commit)
            try database.commit(commit)
        }
        #expect(try directory.open().stateScope(1).pairs().count == 2)
    }

    @Test func withoutDurabilityItStillReadsWhatItWrote() throws {
        let directory = TemporaryDirectory()
        let database = try directory.open { $0.isDurable = false }
        let commit = database.makeCommit()
        put(database.stateScope(1), "a", "b", commit)
        try database.commit(commit)
        #expect(try database.stateScope(1).pairs().count == 1)
    }
}
