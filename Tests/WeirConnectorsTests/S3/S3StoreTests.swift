// The S3 store against a server in this process: the contract, and every fault that a real one shows.

import Synchronization
import Testing
import WeirCore

@testable import WeirConnectors

@Suite struct S3StoreTests {
    private let fake = FakeS3()
    private let object = ObjectKey(path: "q/date=2026-11-21/a-1-2.ndjson.gz")

    private func store(
        _ server: StubServer, _ change: (inout S3Options) -> Void = { _ in },
        context: ObjectStoreContext = ObjectStoreContext()
    ) throws -> S3Store {
        var options = S3Options(bucket: fake.bucket, prefix: "/plant/")
        options.endpoint = server.url
        options.credentials = .fixed(S3Credentials(accessKey: "KEY", secretKey: "SECRETKEY"))
        change(&options)
        return try S3Store(options, context)
    }

    private func stored() -> [UInt8]? { fake.contents.withLock { $0.objects["plant/\(object.text)"] } }

    @Test func keepsTheContract() throws {
        try ObjectStoreContract(store: store(fake.start()), folder: "stream").run()
    }

    @Test func longObjectsGoUpInPartsAndAreWhole() throws {
        let server = fake.start()
        let bytes = (0..<2_500_001).map { UInt8(truncatingIfNeeded: $0 &* 13 >> 5) }
        let store = try store(server) {
            $0.multipartAboveBytes = 1_000_000
            $0.partBytes = 1_000_000
        }
        try withScratchFolder { scratch in
            try store.put(object, .file(path: scratch.file("body", bytes), length: bytes.count))
        }
        #expect(stored() == bytes)
        #expect(
            server.requests.filter { $0.query["partNumber"] != nil }.map(\.body.count) == [
                1_000_000, 1_000_000, 500_001,
            ])
        #expect(fake.contents.withLock { $0.uploads.isEmpty })
    }

    @Test func partPlanIsAFunctionOfTheLengthAndNeverOver10000Parts() {
        let large = PartPlan(length: 200 << 30, partBytes: 8 << 20)
        #expect(large.count <= 10_000 && large.partBytes % (1 << 20) == 0)
        #expect(large.range(large.count - 1).upperBound == 200 << 30)
        let small = PartPlan(length: 17, partBytes: 8)
        #expect((0..<small.count).map(small.range) == [0..<8, 8..<16, 16..<17])
    }

    @Test func brokenPartIsSentAgainAndAFailedUploadIsAborted() throws {
        let server = fake.start()
        let store = try store(server) {
            $0.multipartAboveBytes = 10
            $0.partBytes = 10
        }
        let isSecondPart: @Sendable (StubRequest) -> Bool = { $0.query["partNumber"] == "2" }
        fake.fail(.drop, when: isSecondPart)
        fake.fail(FakeS3.error(500, "InternalError"), when: isSecondPart)
        let body = ObjectBody.bytes([UInt8](0..<25))
        try store.put(object, body)
        #expect(stored() == [UInt8](0..<25))
        fake.fail(FakeS3.error(403, "AccessDenied"), when: isSecondPart)
        #expect(failure { () throws(Failure) in try store.put(object, body) }?.retry == .never)
        #expect(fake.contents.withLock { $0.uploads.isEmpty }, "no parts are left to be paid for")
    }

    @Test func completionThatFailsAfterIts200IsAFailure() throws {
        let store = try store(fake.start()) { $0.multipartAboveBytes = 1 }
        fake.fail(FakeS3.error(200, "InternalError")) {
            $0.method == "POST" && $0.query["uploadId"] != nil
        }
        let failed = failure { () throws(Failure) in try store.put(object, .bytes([1, 2, 3])) }
        #expect(failed?.retry == .backoff && failed?.reason.contains("InternalError") == true)
        try store.put(object, .bytes([1, 2, 3]))
        #expect(stored() == [1, 2, 3])
    }

    @Test func leftoversOfACrashedUploadAreAborted() throws {
        fake.contents.withLock {
            $0.uploads["old"] = ("plant/\(object.text)", [1: [9]])
            $0.uploads["other"] = ("plant/another", [:])
        }
        try store(fake.start()) { $0.multipartAboveBytes = 1 }.put(object, .bytes([1, 2, 3]))
        #expect(fake.contents.withLock { Array($0.uploads.keys) } == ["other"])
    }

    @Test func lostReplyOfPutIfAbsentIsRecognisedAsOurs() throws {
        let store = try store(fake.start())
        let body = ObjectBody.bytes(Array("commit 1".utf8))
        fake.fail(.drop, takesEffect: true) { $0.method == "PUT" }
        #expect(
            failure { () throws(Failure) in _ = try store.putIfAbsent(object, body) }?.retry == .backoff
        )
        #expect(try store.putIfAbsent(object, body))
        #expect(try !store.putIfAbsent(object, .bytes(Array("commit 2".utf8))))
    }

    @Test func lostReplyOfPutEndsWithOneWholeObject() throws {
        let store = try store(fake.start())
        fake.fail(.drop, takesEffect: true) { $0.method == "PUT" }
        #expect(
            failure { () throws(Failure) in try store.put(object, .bytes([1, 2])) }?.retry == .backoff)
        try store.put(object, .bytes([1, 2]))
        #expect(stored() == [1, 2])
        #expect(fake.contents.withLock { $0.objects.count } == 1)
    }

    @Test(arguments: [
        (503, "SlowDown", "3", Failure.Retry.after(milliseconds: 3000)),
        (503, "SlowDown", "", .backoff),
        (429, "TooManyRequests", "1", .after(milliseconds: 1000)), (500, "InternalError", "", .backoff),
        (400, "RequestTimeout", "", .backoff), (409, "OperationAborted", "", .backoff),
        (403, "QuotaExceeded", "", .backoff), (400, "BadDigest", "", .backoff),
        (403, "AccessDenied", "", .never), (404, "NoSuchBucket", "", .never),
        (403, "InvalidAccessKeyId", "", .never), (403, "SignatureDoesNotMatch", "", .never),
    ])
    func refusalsSayWhetherToTryAgain(
        _ status: Int, _ code: String, _ after: String, _ retry: Failure.Retry
    ) throws {
        let store = try store(fake.start())
        fake.fail(FakeS3.error(status, code, headers: after.isEmpty ? [:] : ["Retry-After": after])) {
            _ in true
        }
        let failed = failure { () throws(Failure) in try store.put(object, .bytes([1])) }
        #expect(failed?.retry == retry && failed?.domain == .external)
        #expect(
            failed?.reason.contains(code) == true && failed?.description.contains("SECRET") == false)
        try store.put(object, .bytes([1]))
    }

    @Test func wrongClockIsNamedWithTheDifference() throws {
        let store = try store(
            fake.start(), context: ObjectStoreContext(clock: FixedTime(784_111_777_000)))
        fake.fail(
            FakeS3.error(
                403, "RequestTimeTooSkewed", headers: ["Date": "Sun, 06 Nov 1994 09:10:00 GMT"])
        ) { _ in true }
        let failed = failure { () throws(Failure) in try store.put(object, .bytes([1])) }
        #expect(failed?.reason.contains("clock is 20 min 23 s behind") == true)
        #expect(failed?.retry == .backoff)
    }

    @Test func captivePortalIsNotMistakenForTheStore() throws {
        let portal = StubServer { _ in .answer(200, "<html>Please log in</html>") }
        let store = try store(portal)
        #expect(failure { () throws(Failure) in try store.put(object, .bytes([1])) }?.retry == .backoff)
        #expect(failure { () throws(Failure) in _ = try store.putIfAbsent(object, .bytes([1])) } != nil)
        #expect(
            failure { () throws(Failure) in _ = try store.list(prefix: "", startAfter: nil, max: 1) }
                != nil)
        #expect(failure { () throws(Failure) in _ = try store.checkAccess() } != nil)
    }

    @Test func accessCheckTellsClockOffsetAndMissingRights() throws {
        let store = try store(
            fake.start(), context: ObjectStoreContext(clock: FixedTime(784_111_777_000)))
        #expect(try store.checkAccess().warnings.isEmpty)
        fake.fail(FakeS3.error(403, "AccessDenied", headers: ["Date": "Sun, 06 Nov 1994 08:49:40 GMT"]))
        { _ in true }
        let report = try store.checkAccess()
        #expect(report.warnings.count == 1 && report.clockOffsetMilliseconds == 3000)
        fake.fail(FakeS3.error(403, "InvalidAccessKeyId")) { _ in true }
        #expect(
            failure { () throws(Failure) in _ = try store.checkAccess() }?.advice
                == "look at access_key")
    }

    @Test func virtualHostStyleAndAWSAddresses() throws {
        var options = S3Options(bucket: "weir")
        options.credentials = .fixed(S3Credentials(accessKey: "KEY", secretKey: "SECRETKEY"))
        options.region = "eu-west-1"
        options.http.proxy = .url("http://127.0.0.1:1")  // no packet leaves
        let store = try S3Store(options, ObjectStoreContext())
        let failed = failure { () throws(Failure) in try store.put(object, .bytes([1])) }
        #expect(failed?.reason.contains("weir.s3.eu-west-1.amazonaws.com") == true)
        options.bucket = "with.dots"
        let dotted = try S3Store(options, ObjectStoreContext())
        #expect(
            failure { () throws(Failure) in try dotted.put(object, .bytes([1])) }?.reason
                .hasPrefix("s3.eu-west-1.amazonaws.com") == true)
    }

    @Test func urlsAndNamesAreReadOrRefused() throws {
        let options = try S3Options(url: "s3://weir/plant/a")
        #expect(options.bucket == "weir")
        #expect(try S3Store(options, ObjectStoreContext()).location == "s3://weir/plant/a")
        #expect(
            failure { () throws(Failure) in _ = try S3Options(url: "https://weir") }?.domain
                == .configuration)
        for bucket in ["", "a", "a/b", "a?b", "ä-ö-ü"] {
            let failed = failure { () throws(Failure) in
                _ = try S3Store(S3Options(bucket: bucket), ObjectStoreContext())
            }
            #expect(failed?.domain == .configuration, "\(bucket)")
        }
    }

    @Test func secretsAreNotInDescriptions() {
        let credentials = S3Credentials(
            accessKey: "AKIA", secretKey: "SECRETKEY", sessionToken: "TOKEN")
        var options = S3Options(bucket: "weir")
        options.credentials = .fixed(credentials)
        options.environment = [:]
        var dumped = ""
        dump(options, to: &dumped)
        for text in ["\(credentials)", "\(options)", dumped] {
            #expect(!text.contains("SECRETKEY") && !text.contains("TOKEN"))
        }
    }
}

struct FixedTime: MachineClock {
    let milliseconds: Int64
    init(_ milliseconds: Int64) { self.milliseconds = milliseconds }
    func nowMilliseconds() -> Int64 { milliseconds }
    func monotonicNanoseconds() -> Int64 { 0 }
}
