// Tokens and what they are made of: when they are fetched anew, and the texts that are signed.

import Synchronization
import Testing
import WeirCore

@testable import WeirConnectors

private final class SteppingClock: MachineClock {
    private let seconds = Mutex<Int64>(0)
    func pass(seconds more: Int64) { seconds.withLock { $0 += more } }
    func nowMilliseconds() -> Int64 { 1_795_000_000_000 + seconds.withLock { $0 } * 1000 }
    func monotonicNanoseconds() -> Int64 { seconds.withLock { $0 } * 1_000_000_000 }
}

private final class Counter {
    var count = 0
    var isDown = false
}

@Suite struct TokenTests {
    private let clock = SteppingClock()
    private let service = Counter()

    private func cache(seconds: Int64) -> TokenCache {
        let service = service
        return TokenCache(clock: clock) { () throws(Failure) in
            if service.isDown { throw Failure(.external, "fetching", "a token", "down", retry: .backoff) }
            service.count += 1
            return AccessToken(text: "token-\(service.count)", lifetimeMilliseconds: seconds * 1000)
        }
    }

    @Test func tokensAreFetchedAnewFiveMinutesBeforeTheirEnd() throws {
        let cache = cache(seconds: 3600)
        #expect(try cache.current() == "token-1")
        clock.pass(seconds: 3299)
        #expect(try cache.current() == "token-1")
        clock.pass(seconds: 1)
        #expect(try cache.current() == "token-2")
        cache.invalidate()
        #expect(try cache.current() == "token-3")
    }

    @Test func theOldTokenServesUntilItsEndWhileTheServiceIsDown() throws {
        let cache = cache(seconds: 3600)
        _ = try cache.current()
        service.isDown = true
        clock.pass(seconds: 3599)
        #expect(try cache.current() == "token-1")
        clock.pass(seconds: 1)
        #expect(failure { () throws(Failure) in _ = try cache.current() }?.retry == .backoff)
        service.isDown = false
        #expect(try cache.current() == "token-2")
    }

    @Test func shortTokensServeForThreeQuartersOfTheirTime() throws {
        let cache = cache(seconds: 40)
        _ = try cache.current()
        clock.pass(seconds: 29)
        #expect(try cache.current() == "token-1")
        clock.pass(seconds: 1)
        #expect(try cache.current() == "token-2")
    }

    @Test func base64IsThatOfTheStandard() {
        // RFC 4648, section 10.
        let vectors = ["": "", "f": "Zg==", "fo": "Zm8=", "foo": "Zm9v", "foob": "Zm9vYg==", "foobar": "Zm9vYmFy"]
        for (plain, encoded) in vectors {
            #expect(Base64.encoded(plain.utf8) == encoded)
            #expect(Base64.decoded(encoded) == Array(plain.utf8))
            #expect(Base64.encodedForURL(plain.utf8) == encoded.filter { $0 != "=" })
        }
        #expect(Base64.encoded([0xFB, 0xFF]) == "+/8=" && Base64.encodedForURL([0xFB, 0xFF]) == "-_8")
        for text in ["Zg=", "Z===", "Zm9v ", "Zm9v\n", "Zm9-", "====", "=Zg="] {
            #expect(Base64.decoded(text) == nil, "\(text)")
        }
    }

    @Test func datesAreWrittenAsTheyAreRead() {
        #expect(HTTPDate.fixdate(784_111_777_000) == "Sun, 06 Nov 1994 08:49:37 GMT")
        for milliseconds: Int64 in [0, 951_782_400_000, 1_795_684_800_000, 4_102_444_799_000] {
            #expect(HTTPDate.milliseconds(fixdate: HTTPDate.fixdate(milliseconds)) == milliseconds)
        }
        #expect(HTTPDate.fixdate(0).hasPrefix("Thu, 01 Jan 1970"))
    }

    @Test func whatAzureSignsIsInItsOrder() {
        let signature = AzureSignature(account: "acct", key: [1])
        let text = signature.stringToSign(
            AzureSignableRequest(
                method: "PUT", path: "/lake/a%3D1", query: [("comp", "block"), ("BlockID", "AA==")],
                headers: [
                    ("x-ms-version", "2021-12-02"), ("content-md5", "bWQ1"), ("x-ms-date", "D"),
                    ("if-none-match", "*"),
                ], contentLength: 5))
        #expect(
            text == "PUT\n\n\n5\nbWQ1\n\n\n\n\n*\n\n\nx-ms-date:D\nx-ms-version:2021-12-02\n"
                + "/acct/lake/a%3D1\nblockid:AA==\ncomp:block")
    }

    @Test func keyFilesThatAreNoneAreRefusedWithoutBeingQuoted() {
        for text in [
            "", "{", "{}", #"{"type":"authorized_user","client_email":"e","private_key":"s3cr3t"}"#,
            #"{"type":"service_account","client_email":"e","private_key":"s3cr3t"}"#,
        ] {
            let said = failure { () throws(Failure) in _ = try ServiceAccount(keyFile: text) }
            #expect(said?.domain == .configuration && said.map { "\($0)".contains("s3cr3t") } == false)
        }
    }

    @Test func secretsOfCloudsAreInNoDescription() {
        var azure = AzureOptions(host: "a.blob.core.windows.net", container: "lake", interface: .blob)
        var dumped = ""
        for credentials in [
            AzureCredentials.accountKey("s3cr3t"), .sharedAccessSignature("s3cr3t"),
            .clientSecret(tenant: "t", client: "c", secret: "s3cr3t"),
        ] {
            azure.credentials = credentials
            dump(azure, to: &dumped)
            dumped += "\(azure)"
        }
        var gcs = GCSOptions(bucket: "lake")
        gcs.credentials = .serviceAccount("s3cr3t")
        dump(gcs, to: &dumped)
        dumped += "\(gcs) \(AccessToken(text: "s3cr3t", lifetimeMilliseconds: 1))"
        #expect(!dumped.contains("s3cr3t"))
    }
}
