// Credentials that come and go: containers, instances, expiry.

import Synchronization
import Testing
import WeirCore

@testable import WeirConnectors

/// A clock that a test moves.
private final class MovingClock: MachineClock {
    private let milliseconds = Mutex<Int64>(1_600_000_000_000)
    func nowMilliseconds() -> Int64 { milliseconds.withLock { $0 } }
    func monotonicNanoseconds() -> Int64 { 0 }
    func advance(minutes: Int64) { milliseconds.withLock { $0 += minutes * 60_000 } }
}

@Suite struct S3CredentialTests {
    private let clock = MovingClock()

    private func provider(_ source: S3CredentialSource, _ environment: [String: String]) throws
        -> S3CredentialProvider
    {
        S3CredentialProvider(source, environment: environment, client: try HTTPClient(), clock: clock)
    }

    private func document(_ key: String, ends: String) -> String {
        #"{"Code":"Success","AccessKeyId":"\#(key)","SecretAccessKey":"s","Token":"t","Expiration":"\#(ends)"}"#
    }

    @Test func environmentIsTakenAndMissingOnesAreNamed() throws {
        let full = ["AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_SESSION_TOKEN": "c"]
        let credentials = try provider(.automatic, full).current()
        #expect(
            credentials.accessKey == "a" && credentials.secretKey == "b"
                && credentials.sessionToken == "c")
        let lacking = try provider(.environment, ["AWS_ACCESS_KEY_ID": "a"])
        #expect(failure { () throws(Failure) in _ = try lacking.current() }?.domain == .configuration)
    }

    @Test func instanceRoleComesByATokenAndIsRefreshedBeforeItEnds() throws {
        let server = StubServer { [self] request in
            if request.method == "PUT" { return .answer(200, "TOKEN") }
            guard request.headers["x-aws-ec2-metadata-token"] == "TOKEN" else { return .answer(401) }
            let isRole = request.path.hasSuffix("/edge-role")
            // 1,600,000,000 s is 2020-09-13T12:26:40Z.
            let late = clock.nowMilliseconds() >= 1_600_000_000_000 + 55 * 60_000
            return .answer(
                200,
                isRole
                    ? document(
                        late ? "K2" : "K1", ends: late ? "2020-09-13T19:00:00Z" : "2020-09-13T13:26:40Z"
                    ) : "edge-role\n")
        }
        let provider = try provider(.automatic, ["AWS_EC2_METADATA_SERVICE_ENDPOINT": server.url])
        #expect(try provider.current().accessKey == "K1")
        clock.advance(minutes: 54)
        #expect(try provider.current().accessKey == "K1")
        #expect(server.requests.count == 3, "kept for as long as it lasts")
        clock.advance(minutes: 2)
        #expect(try provider.current().accessKey == "K2")
        #expect(try provider.current().sessionToken == "t")
    }

    @Test func withoutAnyCredentialsItIsSaidWhereTheyBelong() throws {
        let nowhere = ["AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://127.0.0.1:\(freePort())"]
        let provider = try provider(.automatic, nowhere)
        let failed = failure { () throws(Failure) in _ = try provider.current() }
        #expect(failed?.advice.contains("set access_key and secret_key of the sink") == true)
        #expect(failed?.retry == .backoff)
    }

    @Test func containerTokenIsReadFromItsFileAndOldCredentialsServeDuringAnOutage() throws {
        let isDown = Mutex(false)
        let server = StubServer { [self] request in
            if isDown.withLock({ $0 }) { return .answer(500) }
            guard request.headers["authorization"] == "Bearer x" else { return .answer(401) }
            return .answer(200, document("K1", ends: "2020-09-13T13:26:40Z"))
        }
        try withScratchFolder { scratch in
            let provider = try provider(
                .automatic,
                [
                    "AWS_CONTAINER_CREDENTIALS_FULL_URI": server.url + "/v1/credentials",
                    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": scratch.file(
                        "token", Array("Bearer x\n".utf8)),
                ])
            #expect(try provider.current().accessKey == "K1")
            isDown.withLock { $0 = true }
            clock.advance(minutes: 58)
            #expect(try provider.current().accessKey == "K1", "it still has two minutes")
            clock.advance(minutes: 3)
            let failed = failure { () throws(Failure) in _ = try provider.current() }
            #expect(failed?.domain == .external && failed?.retry == .backoff)
        }
    }

    @Test func plainHTTPToElsewhereIsRefused() throws {
        let provider = try provider(
            .automatic, ["AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://10.0.0.1/x"])
        #expect(failure { () throws(Failure) in _ = try provider.current() }?.domain == .configuration)
    }

    @Test func expiredTokenIsReplacedAndTheRequestRepeated() throws {
        let issued = Mutex(0)
        let metadata = StubServer { [self] _ in
            .answer(
                200,
                document("K\(issued.withLock { $0 += 1; return $0 })", ends: "2020-09-13T18:00:00Z"))
        }
        let fake = FakeS3()
        let server = fake.start()
        var options = S3Options(bucket: fake.bucket)
        options.endpoint = server.url
        options.environment = ["AWS_CONTAINER_CREDENTIALS_FULL_URI": metadata.url]
        fake.fail(FakeS3.error(400, "ExpiredToken")) { _ in true }
        let store = try S3Store(options, ObjectStoreContext(clock: clock))
        try store.put(ObjectKey(path: "a"), .bytes([1]))
        #expect(server.requests.count == 2)
        #expect(server.requests.last?.headers["authorization"]?.contains("Credential=K2/") == true)
        #expect(server.requests.last?.headers["x-amz-security-token"] == "t")
        #expect(
            server.requests.last?.headers["authorization"]?.contains("x-amz-security-token") == true)
    }
}

@Suite struct S3XMLTests {
    private func parse(_ text: String) -> XMLElement? { XMLElement(parsing: Array(text.utf8)) }

    @Test func documentsOfServersAreRead() {
        let root = parse(
            "<?xml version=\"1.0\"?>\n<!-- c --><s3:L xmlns:s3=\"u\" a='>'>"
                + "<K>a&amp;b&#x41;&#66;<![CDATA[<x>]]></K><K/></s3:L>\n"
        )
        #expect(root?.name == "L" && root?["K"] == "a&bAB<x>" && root?.children("K").count == 2)
    }

    @Test(arguments: [
        "", "<a>", "<a></b>", "<a b></a>", "<a>&nope;</a>", "<a>&#xD800;</a>", "{}", "<!DOCTYPE a><a/>",
    ])
    func malformedTextIsRefused(_ text: String) { #expect(parse(text) == nil) }

    @Test func depthIsBounded() { #expect(parse(String(repeating: "<a>", count: 100_000)) == nil) }
}
