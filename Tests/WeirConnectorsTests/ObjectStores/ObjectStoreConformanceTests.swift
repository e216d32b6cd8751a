// The conformance kit: what every store must do, run against every store with a server that verifies what
// it is asked. Whatever exactly-once and the commits of tables rest on is here: one winner among many,
// lost replies, cut uploads, long objects in little memory, and every refusal as one sentence after which
// the same store goes on by itself.

import Glibc
import Testing
import WeirCore

@testable import WeirConnectors

/// A folder of the run's own.
private func folder(_ kind: StoreKind, _ scratch: ScratchFolder? = nil) -> String {
    let name = "run-\(SystemClock().nowMilliseconds())-\(UInt32.random(in: 0 ... .max))"
    switch kind {
    case .file: return (scratch?.path ?? "/tmp") + "/" + name
    case .webHDFS: return "/" + name
    default: return name
    }
}

@Suite(.serialized) struct ObjectStoreConformanceTests {
    private let object = ObjectKey(path: "q/date=2026-11-21/hour=13/a-1-2.ndjson.gz")

    @Test(arguments: StoreKind.present) func keepsTheContract(_ kind: StoreKind) throws {
        try withScratchFolder { scratch in
            try ObjectStoreContract(store: kind.store(folder(kind, scratch)), folder: "stream").run()
        }
    }

    @Test(.enabled(if: StoreKind.hasAtomicCommits), arguments: StoreKind.present)
    func oneOfSixteenRacingWritersWins(_ kind: StoreKind) throws {
        try withScratchFolder { scratch in
            let folder = folder(kind, scratch)
            let commit = ObjectKey(path: "_log/00000000000000000007.json")
            for size in [20, kind == .file || kind == .webHDFS ? 30 : 1_500_000] {
                let key = ObjectKey(path: "\(commit.text)-\(size)")
                let winners = try race(16) { index in
                    let bytes = Array(repeating: UInt8(index), count: size)
                    return try kind.store(folder).putIfAbsent(key, .bytes(bytes))
                }
                #expect(winners == 1)
                let present = try #require(try kind.store(folder).get(key, bytesMax: size))
                #expect(present.count == size && Set(present).count == 1, "one writer's bytes, whole")
            }
            let names = try kind.store(folder).list(prefix: "", startAfter: nil, max: 100).count
            #expect(names == 2, "nothing else is left")
        }
    }

    @Test(arguments: StoreKind.present) func longObjectsTakeLittleMemory(_ kind: StoreKind) throws {
        let length = 256 << 20
        try withScratchFolder { scratch in
            let path = "\(scratch.path)/long"
            try writeLongFile(path, length)
            var change = StoreChange()
            (change.multipartAboveBytes, change.partBytes) = (16 << 20, 8 << 20)
            let store = try kind.store(folder(kind, scratch), change)
            resetPeakMemory()
            let before = memory("VmRSS")
            let body = ObjectBody.file(path: path, length: length)
            try store.put(object, body)
            let grown = memory("VmHWM") - before
            #expect(grown < 48 << 20, "\(kind) took \(grown >> 20) MiB")
            #expect(try store.head(object)?.length == length)
            // A commit of the same bytes finds itself, in little memory too.
            if StoreKind.clouds.contains(kind), kind != .gcsHMAC {
                #expect(try store.putIfAbsent(object, body))
                #expect(memory("VmHWM") - before < 48 << 20)
            }
        }
    }

    @Test(arguments: StoreKind.clouds) func partsComeBackInOrder(_ kind: StoreKind) throws {
        let bytes = (0..<7_000_001).map { UInt8(truncatingIfNeeded: $0 &* 2_654_435_761 >> 7) }
        try withScratchFolder { scratch in
            let body = ObjectBody.file(path: scratch.file("body", bytes), length: bytes.count)
            let store = try kind.store(folder(kind))
            for _ in 0..<2 { try store.put(object, body) }
            #expect(try store.get(object, bytesMax: bytes.count) == bytes)
            #expect(try store.list(prefix: "", startAfter: nil, max: 10).map(\.length) == [bytes.count])
        }
    }

    // MARK: The way to the server

    @Test(arguments: StoreKind.proxied) func lostReplyOfPutLeavesOneWholeObject(_ kind: StoreKind) throws {
        let proxy = SharedServers.proxy(kind)
        let store = try kind.store(folder(kind), StoreChange(port: proxy.port))
        try proxy.fail("drop_reply", when: kind.finalRequest)
        try persist { () throws(Failure) in try store.put(object, .bytes(Array("rows".utf8))) }
        #expect(try proxy.isUsed())
        #expect(try store.get(object, bytesMax: 10) == Array("rows".utf8))
        #expect(try store.list(prefix: "", startAfter: nil, max: 10).count == 1)
    }

    @Test(arguments: StoreKind.proxied) func lostReplyOfPutIfAbsentIsRecognisedAsOurs(_ kind: StoreKind) throws {
        let proxy = SharedServers.proxy(kind)
        let store = try kind.store(folder(kind), StoreChange(port: proxy.port))
        try proxy.fail("drop_reply", when: kind.finalRequest)
        var hasWon = false
        try persist { () throws(Failure) in
            hasWon = try store.putIfAbsent(object, .bytes(Array("commit 1".utf8)))
        }
        #expect(try proxy.isUsed())
        #expect(hasWon)
        #expect(try !store.putIfAbsent(object, .bytes(Array("commit 2".utf8))))
        #expect(try store.list(prefix: "", startAfter: nil, max: 10).count == 1)
    }

    @Test(arguments: StoreKind.proxied) func cutUploadLeavesNothingUnderTheName(_ kind: StoreKind) throws {
        let bytes = [UInt8](repeating: 7, count: 300_000)
        let proxy = SharedServers.proxy(kind)
        let place = folder(kind)
        let store = try kind.store(place, StoreChange(port: proxy.port))
        try proxy.fail("cut_upload", when: kind.bodyRequest, ", \"bytes\": 100000, \"times\": 3")
        let failed = failure { () throws(Failure) in try store.put(object, .bytes(bytes)) }
        #expect(failed?.retry == .backoff, "\(failed as Any)")
        #expect(try kind.store(place).head(object) == nil)
        try persist { () throws(Failure) in try store.put(object, .bytes(bytes)) }
        #expect(try store.get(object, bytesMax: bytes.count) == bytes)
    }

    @Test(arguments: StoreKind.clouds) func partsCutOrLostAreSentAgain(_ kind: StoreKind) throws {
        let bytes = (0..<7_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 4) }
        let part: String =
            switch kind {
            case .azureBlob: "comp=block&"
            case .azureFiles: "action=append&position=2097152"
            case .gcsJSON: "^PUT /upload"
            default: "partNumber=2"
            }
        try withScratchFolder { scratch in
            let body = ObjectBody.file(path: scratch.file("body", bytes), length: bytes.count)
            for (fault, more) in [("drop_reply", ""), ("cut_upload", ", \"bytes\": 500000"), ("drop_request", "")] {
                let proxy = SharedServers.proxy(kind)
                let store = try kind.store(folder(kind), StoreChange(port: proxy.port))
                try proxy.fail(fault, when: part, more)
                try store.put(object, body)
                #expect(try proxy.isUsed(), "\(fault)")
                #expect(try store.get(object, bytesMax: bytes.count) == bytes, "\(fault)")
            }
        }
    }
}

/// Tries until it succeeds, as the forwarder does.
private func persist(_ body: () throws(Failure) -> Void) throws {
    for _ in 0..<3 {
        do throws(Failure) {
            return try body()
        } catch {
            #expect(error.retry == .backoff, "\(error)")
        }
    }
    try body()
}

/// A file that has something to compare in every MiB, and holes between.
private func writeLongFile(_ path: String, _ length: Int) throws {
    let file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
    defer { close(file) }
    try #require(ftruncate(file, off_t(length)) == 0)
    for mark in stride(from: 0, to: length, by: 1 << 20) {
        let text = Array("mark \(mark)".utf8)
        try #require(pwrite(file, text, text.count, off_t(mark)) == text.count)
    }
}

/// Makes VmHWM begin at what is used now.
private func resetPeakMemory() {
    if let file = fopen("/proc/self/clear_refs", "w") {
        fputs("5", file)
        fclose(file)
    }
}

/// A figure of /proc/self/status, bytes.
private func memory(_ name: String) -> Int {
    let lines = contents(of: "/proc/self/status").split(separator: "\n")
    let line = lines.first { $0.hasPrefix("\(name):") } ?? ""
    return (Int(line.filter(\.isNumber)) ?? 0) << 10
}
