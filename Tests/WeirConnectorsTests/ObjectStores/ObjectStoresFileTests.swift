// The local folder as an object store: the contract, and what happens when the disk does not play along.

import Glibc
import Testing
import WeirCore

@testable import WeirConnectors

private struct FixedClock: MachineClock {
    let milliseconds: Int64
    func nowMilliseconds() -> Int64 { milliseconds }
    func monotonicNanoseconds() -> Int64 { 0 }
}

@Suite struct ObjectStoresFileTests {
    private func store(_ folder: String, _ context: ObjectStoreContext = ObjectStoreContext())
        -> FileStore
    {
        FileStore(FileStoreOptions(directory: folder), context)
    }

    @Test func keepsTheContract() throws {
        try withScratchFolder { scratch in
            try ObjectStoreContract(store: store(scratch.path + "/lake/"), folder: "stream").run()
        }
    }

    @Test func leavesNoTemporaryFilesBehind() throws {
        try withScratchFolder { scratch in
            let store = store(scratch.path)
            try store.put(ObjectKey(path: "a/b"), .bytes([1]))
            #expect(try store.putIfAbsent(ObjectKey(path: "a/b"), .bytes([2])) == false)
            #expect(try store.putIfAbsent(ObjectKey(path: "a/c"), .bytes([2])))
            _ = try store.checkAccess()
            #expect(ScratchFolder.names(in: scratch.path) == ["a"])
            #expect(ScratchFolder.names(in: scratch.path + "/a") == ["b", "c"])
        }
    }

    @Test func failedWriteLeavesNeitherObjectNorTemporary() throws {
        withScratchFolder { scratch in
            let store = store(scratch.path + "/lake")
            let body = ObjectBody.file(path: scratch.file("body", [1, 2, 3]), length: 10)
            let failed = failure { () throws(Failure) in try store.put(ObjectKey(path: "a"), body) }
            #expect(failed?.domain == .storage)
            #expect(ScratchFolder.names(in: scratch.path + "/lake") == [])
        }
    }

    @Test func fullDiskIsAnOutageOfTheSink() throws {
        // /dev/full takes no byte: the temporary name leads there.
        try withScratchFolder { scratch in
            let store = store(scratch.path)
            try store.put(ObjectKey(path: "first"), .bytes([1]))
            #expect(symlink("/dev/full", scratch.path + "/.a.weir-tmp") == 0)
            let failed = failure { () throws(Failure) in
                try store.put(ObjectKey(path: "a"), .bytes([1, 2, 3]))
            }
            #expect(failed?.domain == .external && failed?.retry == .backoff)
            #expect(failed?.reason == "No space left on device")
            #expect(try store.head(ObjectKey(path: "a")) == nil)
            try store.put(ObjectKey(path: "a"), .bytes([1, 2, 3]))
        }
    }

    @Test func folderThatIsAFileOrVanishedIsReportedOrMadeAgain() throws {
        try withScratchFolder { scratch in
            let blocked = store(scratch.file("lake", []))
            let failed = failure { () throws(Failure) in
                try blocked.put(ObjectKey(path: "d/a"), .bytes([1]))
            }
            #expect(failed?.domain == .external && failed?.retry == .backoff)
            let store = store(scratch.path + "/lake2")
            try store.put(ObjectKey(path: "d/a"), .bytes([1]))
            #expect(remove(scratch.path + "/lake2/d/a") == 0 && rmdir(scratch.path + "/lake2/d") == 0)
            try store.put(ObjectKey(path: "d/b"), .bytes([1]))
            #expect(ScratchFolder.names(in: scratch.path + "/lake2/d") == ["b"])
        }
    }

    @Test func onlyOldTemporariesAreCleanedAway() throws {
        try withScratchFolder { scratch in
            _ = scratch.file(".old.weir-tmp", [1])
            let now = SystemClock().nowMilliseconds()
            let soon = FixedClock(milliseconds: now + FileStore.staleAfterMilliseconds / 2)
            try store(scratch.path, ObjectStoreContext(clock: soon)).put(
                ObjectKey(path: "a"), .bytes([1]))
            #expect(ScratchFolder.names(in: scratch.path) == [".old.weir-tmp", "a"])
            let late = FixedClock(milliseconds: now + FileStore.staleAfterMilliseconds * 2)
            try store(scratch.path, ObjectStoreContext(clock: late)).put(
                ObjectKey(path: "a"), .bytes([1]))
            #expect(ScratchFolder.names(in: scratch.path) == ["a"])
        }
    }

    @Test func listingPassesOverForeignNamesLinksAndTemporaries() throws {
        try withScratchFolder { scratch in
            let store = store(scratch.path)
            try store.put(ObjectKey(path: "a/b"), .bytes([1]))
            _ = scratch.file("foreign name", [])
            _ = scratch.file(".x.weir-tmp", [])
            #expect(symlink(scratch.path, scratch.path + "/a/loop") == 0)
            #expect(try store.list(prefix: "", startAfter: nil, max: 10).map(\.key.text) == ["a/b"])
        }
    }

    @Test func raisedFlagStopsACopy() throws {
        withScratchFolder { scratch in
            let context = ObjectStoreContext()
            context.abort.raise()
            let store = store(scratch.path, context)
            #expect(
                failure { () throws(Failure) in try store.put(ObjectKey(path: "a"), .bytes([1])) }
                    != nil)
            #expect(ScratchFolder.names(in: scratch.path) == [])
        }
    }

    @Test func urlsAreReadOrRefused() throws {
        #expect(try FileStoreOptions(url: "file:///srv/lake").directory == "/srv/lake")
        for url in ["file://srv/lake", "/srv/lake", "file:///", "s3://x"] {
            #expect(
                failure { () throws(Failure) in _ = try FileStoreOptions(url: url) }?.domain
                    == .configuration)
        }
    }
}
