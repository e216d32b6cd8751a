// What every object store must do, whatever it keeps its objects in. The suites of the stores run these
// checks on fakes in this process, and on real servers where the environment names some.

import Testing
import WeirCore

@testable import WeirConnectors

/// Runs the whole contract below a folder of keys that is empty.
struct ObjectStoreContract {
    let store: any ObjectStore
    /// The first segment of all keys used.
    let folder: String

    func key(_ name: String) -> ObjectKey {
        ObjectKey(segments: [folder] + name.split(separator: "/").map(String.init))
    }

    func run() throws {
        try putReplacesAndGetReturnsExactly()
        try filesAreStoredAsBytesAre()
        try absentObjectsAreNilAndDeletable()
        try getIsBounded()
        try rangesAreExact()
        try putIfAbsentHasOneWinner()
        try oddNamesComeBack()
        try listingIsInByteOrderAndPages()
        if store.canRename { try renameReplaces() }
    }

    private func putReplacesAndGetReturnsExactly() throws {
        let object = key("date=2026-11-21/hour=13/a-1-2.ndjson")
        try store.put(object, .bytes(Array("first".utf8)))
        try store.put(object, .bytes(Array("second, longer".utf8)))
        try store.put(object, .bytes(Array("second, longer".utf8)))
        #expect(try store.get(object, bytesMax: 100) == Array("second, longer".utf8))
        #expect(try store.head(object)?.length == 14)
        let empty = key("empty")
        try store.put(empty, .bytes([]))
        #expect(try store.get(empty, bytesMax: 0) == [])
        #expect(try store.head(empty)?.length == 0)
    }

    private func filesAreStoredAsBytesAre() throws {
        let bytes = (0..<700_001).map { UInt8(truncatingIfNeeded: $0 &* 7 >> 2) }
        try withScratchFolder { scratch in
            // The object is the file's beginning: what follows belongs to the next one.
            let path = scratch.file("body", bytes + [1, 2, 3])
            try store.put(key("file"), .file(path: path, length: bytes.count))
        }
        #expect(try store.get(key("file"), bytesMax: bytes.count) == bytes)
    }

    private func absentObjectsAreNilAndDeletable() throws {
        let absent = key("no/such")
        #expect(try store.get(absent, bytesMax: 10) == nil)
        #expect(try store.head(absent) == nil)
        try store.delete(absent)
        try store.put(absent, .bytes([1]))
        try store.delete(absent)
        try store.delete(absent)
        #expect(try store.head(absent) == nil)
    }

    private func getIsBounded() throws {
        try store.put(key("ten"), .bytes([UInt8](repeating: 1, count: 10)))
        #expect(try store.get(key("ten"), bytesMax: 10)?.count == 10)
        #expect(failure { () throws(Failure) in _ = try store.get(key("ten"), bytesMax: 9) } != nil)
    }

    private func rangesAreExact() throws {
        let bytes = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) }
        let long = key("date=2026-11-21/hour=13/a%20b.parquet")
        try store.put(long, .bytes(bytes))
        for range in [0..<1, 0..<300_000, 1..<2, 65_535..<131_073, 299_999..<300_000] {
            #expect(try store.get(long, range: range) == Array(bytes[range]), "\(range)")
        }
        // Behind the end there is nothing.
        #expect(try store.get(long, range: 0..<400_000) == bytes)
        #expect(try store.get(long, range: 299_990..<400_000) == Array(bytes[299_990...]))
        try store.put(key("none"), .bytes([]))
        #expect(try store.get(key("none"), range: 0..<10) == [])
        #expect(try store.get(key("no/such"), range: 0..<10) == nil)
    }

    private func putIfAbsentHasOneWinner() throws {
        let log = key("_log/00000000000000000001.json")
        #expect(try store.putIfAbsent(log, .bytes(Array("mine".utf8))))
        #expect(try store.putIfAbsent(log, .bytes(Array("mine".utf8))), "a repetition of ours is ours")
        #expect(try !store.putIfAbsent(log, .bytes(Array("hers".utf8))), "the same length, other bytes")
        #expect(try !store.putIfAbsent(log, .bytes(Array("longer".utf8))))
        #expect(try store.get(log, bytesMax: 100) == Array("mine".utf8))
    }

    private func oddNamesComeBack() throws {
        for name in ["a b", "x:y", "per%cent", "plus+", "späť", "..", "?q=1&r", "#h", "\"<&>'", "a=b"] {
            let odd = ObjectKey(segments: [folder, "odd", name])
            try store.put(odd, .bytes(Array(name.utf8)))
            #expect(try store.get(odd, bytesMax: 100) == Array(name.utf8), "\(name)")
        }
        #expect(try store.list(prefix: "\(folder)/odd/", startAfter: nil, max: 100).count == 10)
    }

    private func listingIsInByteOrderAndPages() throws {
        let names = ["b", "a/2", "a/1", "a-1", "a=1/x", "a", "c/d/e/f"].map { "list/\($0)" }
        // A file system cannot have the file "a" beside the folder "a".
        let possible = names.filter { $0 != "list/a" }
        for name in possible { try store.put(key(name), .bytes(Array(name.utf8))) }
        let expected = possible.map { key($0).text }.sorted {
            $0.utf8.lexicographicallyPrecedes($1.utf8)
        }
        let prefix = "\(folder)/list/"
        #expect(try store.list(prefix: prefix, startAfter: nil, max: 100).map(\.key.text) == expected)
        var paged: [String] = []
        var after: ObjectKey?
        while true {
            let page = try store.list(prefix: prefix, startAfter: after, max: 2)
            paged += page.map(\.key.text)
            after = page.last?.key
            if page.count < 2 { break }
        }
        #expect(paged == expected)
        let partial = try store.list(prefix: "\(folder)/list/a", startAfter: nil, max: 100)
        #expect(partial.map(\.key.text) == expected.filter { $0.hasPrefix("\(folder)/list/a") })
        #expect(partial.first?.length == "list/a-1".utf8.count)
        #expect(try store.list(prefix: "\(folder)/nothing/", startAfter: nil, max: 10).isEmpty)
    }

    private func renameReplaces() throws {
        try store.put(key("from"), .bytes(Array("moved".utf8)))
        try store.put(key("to/there"), .bytes(Array("in the way".utf8)))
        try store.rename(key("from"), to: key("to/there"))
        #expect(try store.head(key("from")) == nil)
        #expect(try store.get(key("to/there"), bytesMax: 100) == Array("moved".utf8))
        #expect(failure { () throws(Failure) in try store.rename(key("from"), to: key("x")) } != nil)
    }
}
