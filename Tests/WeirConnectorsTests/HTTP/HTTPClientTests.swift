// What the HTTP client must do with servers that behave and with those that do not.

import Glibc
import Testing
import WeirCore

@testable import WeirConnectors

private func request(_ method: String, _ url: String) -> HTTPRequest {
    HTTPRequest(method, url, action: "testing", subject: "the stub")
}

/// Runs `body` and returns the failure it must throw.
func failure(of body: () throws(Failure) -> Void, line: Int = #line) -> Failure? {
    do throws(Failure) {
        try body()
        Issue.record("nothing failed (line \(line))")
        return nil
    } catch {
        return error
    }
}

@Suite struct HTTPClientTests {
    @Test func sendsMethodHeadersAndBodyAndReturnsTheAnswer() throws {
        let server = StubServer { _ in
            .answer(201, "made", headers: ["ETag": "\"1\"", "X-Twice": " a "])
        }
        let client = try HTTPClient()
        var put = request("PUT", server.url + "/a%2Fb?x=1")
        put.headers = [("X-One", "1"), ("X-Empty", "")]
        put.body = .bytes(Array("hello".utf8))
        let response = try client.perform(put)
        #expect(response.status == 201 && response.text == "made" && response.header("etag") == "\"1\"")
        let seen = server.requests[0]
        #expect(seen.method == "PUT" && seen.target == "/a%2Fb?x=1" && seen.body == Array("hello".utf8))
        #expect(seen.headers["x-one"] == "1" && seen.headers["x-empty"] == "")
    }

    @Test func bodylessPutAndPostSayTheirLengthIsZero() throws {
        let server = StubServer { _ in .answer(200) }
        let client = try HTTPClient()
        for method in ["PUT", "POST"] { _ = try client.perform(request(method, server.url)) }
        #expect(server.requests.map { $0.headers["content-length"] } == ["0", "0"])
        #expect(server.requests.map(\.method) == ["PUT", "POST"])
    }

    @Test func headAndDeleteHaveNoBodyAndReuseTheConnection() throws {
        let server = StubServer { request in .answer(request.method == "HEAD" ? 200 : 204) }
        let client = try HTTPClient()
        #expect(try client.perform(request("HEAD", server.url)).status == 200)
        #expect(try client.perform(request("DELETE", server.url)).status == 204)
        #expect(try client.perform(request("GET", server.url)).status == 204)
        #expect(server.requests.map(\.method) == ["HEAD", "DELETE", "GET"])
    }

    @Test func sendsARangeOfAFile() throws {
        let server = StubServer { _ in .answer(200) }
        let bytes = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) }
        var put = request("PUT", server.url)
        try withScratchFolder { scratch in
            put.body = .file(path: scratch.file("body", bytes), offset: 1_000, length: 2_500_000)
            _ = try HTTPClient().perform(put)
        }
        #expect(server.requests[0].body == Array(bytes[1_000..<2_501_000]))
    }

    @Test func fileThatShrankIsAStorageFailureAndNotAShortBody() throws {
        let server = StubServer { _ in .answer(200) }
        var put = request("PUT", server.url)
        let client = try HTTPClient()
        withScratchFolder { scratch in
            put.body = .file(path: scratch.file("body", [1, 2, 3]), offset: 0, length: 10)
            #expect(failure { () throws(Failure) in _ = try client.perform(put) }?.domain == .storage)
        }
        #expect(server.requests.allSatisfy { !$0.isWhole })
    }

    @Test func redirectsAreAnswers() throws {
        let server = StubServer { _ in .answer(307, headers: ["Location": "http://127.0.0.1:1/"]) }
        let response = try HTTPClient().perform(request("GET", server.url))
        #expect(response.status == 307 && response.header("location") == "http://127.0.0.1:1/")
    }

    @Test func answerLongerThanTheCapIsAFailure() throws {
        let server = StubServer { _ in .answer(200, body: [UInt8](repeating: 1, count: 5000)) }
        let client = try HTTPClient()
        var get = request("GET", server.url)
        get.responseBytesMax = 4999
        #expect(
            failure { () throws(Failure) in _ = try client.perform(get) }?.reason.contains("4999")
                == true)
        get.responseBytesMax = 5000
        #expect(try client.perform(get).body.count == 5000)
    }

    @Test func lostReplyIsAFailureThatNamesTheHostAndNotTheQuery() throws {
        let server = StubServer { _ in .drop }
        let client = try HTTPClient()
        var put = request("PUT", server.url + "/x?delegation=SECRET&X-Amz-Signature=SECRET")
        put.body = .bytes([1])
        let failed = failure { () throws(Failure) in _ = try client.perform(put) }
        #expect(failed?.domain == .external && failed?.retry == .backoff)
        #expect(failed?.description.contains("127.0.0.1:\(server.port)") == true)
        #expect(failed?.description.contains("SECRET") == false)
    }

    @Test func refusedConnectionNamesTheHost() throws {
        let client = try HTTPClient()
        let failed = failure { () throws(Failure) in
            _ = try client.perform(request("GET", "http://127.0.0.1:1/?token=SECRET"))
        }
        #expect(failed?.description.contains("127.0.0.1:1: ") == true)
        #expect(failed?.description.contains("SECRET") == false)
    }

    @Test func silentServerIsGivenUp() throws {
        let server = StubServer { _ in .silence }
        var options = HTTPClientOptions()
        options.totalTimeoutMilliseconds = 200
        let client = try HTTPClient(options)
        let failed = failure { () throws(Failure) in _ = try client.perform(request("GET", server.url))
        }
        #expect(failed?.retry == .backoff)
        options.totalTimeoutMilliseconds = 0
        options.stallTimeoutSeconds = 1
        let patient = try HTTPClient(options)
        #expect(
            failure { () throws(Failure) in _ = try patient.perform(request("GET", server.url)) } != nil
        )
    }

    @Test func raisedFlagEndsATransferUnderWay() throws {
        let server = StubServer { _ in .silence }
        let abort = AbortFlag()
        let client = try HTTPClient(abort: abort)
        runThread {
            usleep(100_000)
            abort.raise()
        }
        let start = SystemClock().monotonicNanoseconds()
        let failed = failure { () throws(Failure) in _ = try client.perform(request("GET", server.url))
        }
        #expect(failed?.reason == "weir is stopping")
        #expect(SystemClock().monotonicNanoseconds() - start < 3_000_000_000)
        #expect(
            failure { () throws(Failure) in _ = try client.perform(request("GET", server.url)) } != nil)
        #expect(server.requests.count == 1)
    }

    @Test func uploadKeepsToTheRateLimit() throws {
        let server = StubServer { _ in .answer(200) }
        var options = HTTPClientOptions()
        options.uploadBytesPerSecondMax = 200_000
        var put = request("PUT", server.url)
        put.body = .bytes([UInt8](repeating: 7, count: 300_000))
        let start = SystemClock().monotonicNanoseconds()
        _ = try HTTPClient(options).perform(put)
        #expect(SystemClock().monotonicNanoseconds() - start > 800_000_000)
        #expect(server.requests[0].isWhole)
    }

    @Test func explicitProxyIsUsedAndBypassedWhereAsked() throws {
        let proxy = StubServer { _ in .answer(200, "by proxy") }
        let server = StubServer { _ in .answer(200, "direct") }
        var options = HTTPClientOptions()
        options.proxy = .url("http://127.0.0.1:\(proxy.port)")
        let client = try HTTPClient(options)
        var get = request("GET", server.url)
        #expect(try client.perform(get).text == "by proxy")
        get.bypassesProxy = true
        #expect(try client.perform(get).text == "direct")
    }

    @Test func headersCannotBeSmuggledIn() throws {
        let server = StubServer { _ in .answer(200) }
        let client = try HTTPClient()
        var get = request("GET", server.url)
        get.headers = [("X-Token", "a\r\nX-Evil: 1")]
        #expect(failure { () throws(Failure) in _ = try client.perform(get) } != nil)
        #expect(server.requests.isEmpty)
    }

    @Test func otherSchemesAreRefused() throws {
        let client = try HTTPClient()
        for url in ["file:///etc/passwd", "ftp://127.0.0.1/", "gopher://127.0.0.1:1/"] {
            #expect(
                failure { () throws(Failure) in _ = try client.perform(request("GET", url)) } != nil)
        }
    }

    @Test func missingKerberosTicketIsAnAnswer401() throws {
        let server = StubServer { _ in .answer(401, headers: ["WWW-Authenticate": "Negotiate"]) }
        var get = request("GET", server.url)
        get.negotiates = true
        #expect(try HTTPClient().perform(get).status == 401)
    }
}

@Suite struct HTTPRetryAfterTests {
    private func retry(_ headers: [(name: String, value: String)]) -> Failure.Retry {
        HTTPResponse(status: 503, headers: headers).retry(nowMilliseconds: 1_000_000_000_000)
    }

    @Test func secondsAndDatesAreUnderstood() {
        #expect(retry([]) == .backoff)
        #expect(retry([("retry-after", "7")]) == .after(milliseconds: 7_000))
        #expect(
            retry([("retry-after", "Sun, 09 Sep 2001 01:46:50 GMT")]) == .after(milliseconds: 10_000))
        #expect(
            retry([
                ("retry-after", "Sun, 09 Sep 2001 01:46:50 GMT"),
                ("date", "Sun, 09 Sep 2001 01:46:48 GMT"),
            ]) == .after(milliseconds: 2_000))
    }

    @Test func nonsenseIsNoDelayAndNoneIsLongerThanAnHour() {
        #expect(retry([("retry-after", "soon")]) == .backoff)
        #expect(retry([("retry-after", "-5")]) == .backoff)
        #expect(retry([("retry-after", "99999999999999999")]) == .after(milliseconds: 3_600_000))
        #expect(retry([("retry-after", "Sun, 09 Sep 2001 01:46:30 GMT")]) == .after(milliseconds: 0))
    }

    @Test func datesAreReadStrictly() {
        #expect(HTTPDate.milliseconds(fixdate: "Sun, 06 Nov 1994 08:49:37 GMT") == 784_111_777_000)
        #expect(HTTPDate.milliseconds(fixdate: "Sun, 06 Nov 1994 08:49:37 CET") == nil)
        #expect(HTTPDate.milliseconds(fixdate: "Sun, 31 Feb 1994 08:49:37 GMT") == nil)
        #expect(HTTPDate.milliseconds(fixdate: "Sunday, 06-Nov-94 08:49:37 GMT") == nil)
        #expect(HTTPDate.basicISO(784_111_777_000) == "19941106T084937Z")
    }
}
