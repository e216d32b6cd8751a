// The object stores against real servers, where the environment names some (Tests/Servers starts them):
//
//   WEIR_TEST_WEBHDFS=webhdfs://127.0.0.1:19870,127.0.0.1:19871/weir-test   WEIR_TEST_WEBHDFS_USER=root
//   WEIR_TEST_S3=http://127.0.0.1:18080   WEIR_TEST_S3_BUCKET=weir   AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY
//   WEIR_TEST_CA=/path/ca.pem   the authority of servers with https:// and swebhdfs://
//
// Skipped where they are unset. Each run works in a folder of its own and leaves it for a reader to look at.

import Glibc
import Synchronization
import Testing
import WeirCore

@testable import WeirConnectors

private func environment(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }

private let run = "run-\(SystemClock().nowMilliseconds())"

@Suite(.serialized, .enabled(if: environment("WEIR_TEST_S3") != nil))
struct ObjectStoresRealS3Tests {
    private func store(_ change: (inout S3Options) -> Void = { _ in }) throws -> S3Store {
        var options = S3Options(
            bucket: environment("WEIR_TEST_S3_BUCKET") ?? "weir", prefix: "tests/\(run)")
        options.endpoint = environment("WEIR_TEST_S3")
        options.credentials = .environment
        options.http.caFile = environment("WEIR_TEST_CA")
        change(&options)
        return try S3Store(options, ObjectStoreContext())
    }

    @Test func keepsTheContract() throws {
        let start = SystemClock().monotonicNanoseconds()
        try ObjectStoreContract(store: store(), folder: "contract").run()
        report("S3 contract", since: start)
    }

    @Test func longObjectsGoUpInPartsAndComeBack() throws {
        let bytes = (0..<21_000_001).map { UInt8(truncatingIfNeeded: $0 &* 2_654_435_761 >> 7) }
        try withScratchFolder { scratch in
            let body = ObjectBody.file(path: scratch.file("body", bytes), length: bytes.count)
            let store = try store()
            let start = SystemClock().monotonicNanoseconds()
            try store.put(ObjectKey(path: "multipart/large"), body)
            report("S3 multipart of 21 MB", since: start)
            #expect(try store.head(ObjectKey(path: "multipart/large"))?.length == bytes.count)
            #expect(try store.get(ObjectKey(path: "multipart/large"), bytesMax: bytes.count) == bytes)
        }
    }

    @Test func onlyOneOfManyConditionalWritersWins() throws {
        let winners = try race(16) { index in
            try store().putIfAbsent(
                ObjectKey(path: "race/commit"), .bytes(Array("writer \(index)".utf8)))
        }
        #expect(winners == 1)
    }

    @Test func wrongKeysBucketsAndBodiesAreRefusedWithTheirNames() throws {
        let forged = try store {
            $0.credentials = .fixed(
                S3Credentials(accessKey: environment("AWS_ACCESS_KEY_ID") ?? "", secretKey: "no"))
        }
        let wrongKey = failure { () throws(Failure) in try forged.put(ObjectKey(path: "x"), .bytes([1]))
        }
        #expect(wrongKey?.reason.contains("SignatureDoesNotMatch") == true && wrongKey?.retry == .never)
        let nowhere = try store { $0.bucket = "no-such-bucket-here" }
        let noBucket = failure { () throws(Failure) in
            try nowhere.put(ObjectKey(path: "x"), .bytes([1]))
        }
        #expect(noBucket?.reason.contains("NoSuchBucket") == true)
        #expect(failure { () throws(Failure) in _ = try nowhere.checkAccess() } != nil)
        let changed = ObjectBody.file(
            path: "/etc/hostname", length: 1, sha256: [UInt8](repeating: 0, count: 32))
        let honest = try store()
        let altered = failure { () throws(Failure) in try honest.put(ObjectKey(path: "x"), changed) }
        #expect(altered?.retry == .backoff, "bytes that are not the signed ones: \(altered as Any)")
    }

    @Test func wrongClockIsRefusedAndNamed() throws {
        var options = S3Options(bucket: environment("WEIR_TEST_S3_BUCKET") ?? "weir")
        options.endpoint = environment("WEIR_TEST_S3")
        options.credentials = .environment
        options.http.caFile = environment("WEIR_TEST_CA")
        let yesterday = FixedTime(SystemClock().nowMilliseconds() - 86_430_000)
        let store = try S3Store(options, ObjectStoreContext(clock: yesterday))
        let failed = failure { () throws(Failure) in try store.put(ObjectKey(path: "x"), .bytes([1])) }
        #expect(failed?.reason.contains("clock is 24 h 0 min behind") == true, "\(failed as Any)")
    }

    @Test func accessCheckPasses() throws {
        let report = try store().checkAccess()
        #expect(report.warnings.isEmpty && abs(report.clockOffsetMilliseconds ?? .max) < 5000)
    }
}

@Suite(.serialized, .enabled(if: environment("WEIR_TEST_WEBHDFS") != nil))
struct ObjectStoresRealHDFSTests {
    private func store(_ change: (inout WebHDFSOptions) -> Void = { _ in }) throws -> WebHDFSStore {
        var options = try WebHDFSOptions(url: (environment("WEIR_TEST_WEBHDFS") ?? "") + "/\(run)")
        options.authentication = .userName(environment("WEIR_TEST_WEBHDFS_USER") ?? "root")
        options.http.caFile = environment("WEIR_TEST_CA")
        change(&options)
        return try WebHDFSStore(options, ObjectStoreContext())
    }

    @Test func keepsTheContract() throws {
        let start = SystemClock().monotonicNanoseconds()
        try ObjectStoreContract(store: store(), folder: "contract").run()
        report("HDFS contract", since: start)
    }

    @Test func longObjectsComeBack() throws {
        let bytes = (0..<21_000_001).map { UInt8(truncatingIfNeeded: $0 &* 2_654_435_761 >> 7) }
        let store = try store()
        let start = SystemClock().monotonicNanoseconds()
        try store.put(ObjectKey(path: "large"), .bytes(bytes))
        report("HDFS put of 21 MB", since: start)
        #expect(try store.get(ObjectKey(path: "large"), bytesMax: bytes.count) == bytes)
    }

    @Test func onlyOneOfManyConditionalWritersWins() throws {
        let winners = try race(8) { index in
            try store().putIfAbsent(
                ObjectKey(path: "race/commit"), .bytes(Array("writer \(index)".utf8)))
        }
        #expect(winners == 1)
        #expect(
            try store().list(prefix: "race/", startAfter: nil, max: 10).map(\.key.text) == [
                "race/commit"
            ])
    }

    @Test func strangersAreDenied() throws {
        let stranger = try store { $0.authentication = .userName("stranger") }
        let failed = failure { () throws(Failure) in try stranger.put(ObjectKey(path: "x"), .bytes([1]))
        }
        #expect(failed?.retry == .never && failed?.reason.contains("AccessControlException") == true)
        let checked = failure { () throws(Failure) in _ = try stranger.checkAccess() }
        #expect(checked?.retry == .never)
    }

    @Test func accessCheckPasses() throws {
        #expect(try abs(store().checkAccess().clockOffsetMilliseconds ?? .max) < 5000)
    }

    @Test func fileStoredByAnEarlierAttemptIsReplacedByTheSame() throws {
        let store = try store()
        for _ in 0..<3 { try store.put(ObjectKey(path: "again/a"), .bytes([1, 2, 3])) }
        #expect(try store.list(prefix: "again/", startAfter: nil, max: 10).map(\.length) == [3])
    }
}

/// How many of `count` writers on threads of their own were told that they had won.
func race(_ count: Int, _ body: @escaping @Sendable (Int) throws -> Bool) throws -> Int {
    let results = Results()
    for index in 0..<count {
        runThread {
            do {
                let hasWon = try body(index)
                results.list.withLock { $0.append(hasWon ? "won" : "lost") }
            } catch {
                results.list.withLock { $0.append("\(error)") }
            }
        }
    }
    while results.list.withLock({ $0.count }) < count { usleep(10_000) }
    let list = results.list.withLock { $0 }
    #expect(list.filter { $0 != "won" && $0 != "lost" } == [])
    return list.filter { $0 == "won" }.count
}

private final class Results: Sendable {
    let list = Mutex<[String]>([])
}

private func report(_ what: String, since start: Int64) {
    print("\(what): \((SystemClock().monotonicNanoseconds() - start) / 1_000_000) ms")
}
