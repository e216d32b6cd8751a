// Bearer tokens that identity services hand out for an hour or so. They are fetched when they are first
// needed and anew before they end; while the service cannot be reached, the old one serves until its end.
//
// Ends are counted on the monotonic clock: services say how many seconds a token lasts, and a machine
// whose clock is set meanwhile must not use a token for too long or too short.

import WeirCore

/// A token, and when it ends.
struct AccessToken: Sendable, CustomStringConvertible, CustomReflectable {
    let text: String
    /// From the moment on at which it was fetched, ms.
    let lifetimeMilliseconds: Int64

    var description: String { "AccessToken" }
    var customMirror: Mirror { Mirror(self, children: []) }
}

/// Keeps the token of the moment.
final class TokenCache {
    /// So long before its end a token is fetched anew, ms; short-lived ones in their last quarter.
    private static let refreshBeforeMillisecondsMax: Int64 = 300_000

    private let clock: any MachineClock
    private let fetch: () throws(Failure) -> AccessToken
    private var cached: (token: AccessToken, refreshAt: Int64, endsAt: Int64)?

    /// - Parameter fetch: asks the identity service.
    init(clock: any MachineClock, fetch: @escaping () throws(Failure) -> AccessToken) {
        self.clock = clock
        self.fetch = fetch
    }

    /// The server does not take the token any more: fetch anew at the next use.
    func invalidate() { cached = nil }

    /// A token that is good now, as far as its service said.
    func current() throws(Failure) -> String {
        let now = clock.monotonicNanoseconds() / 1_000_000
        if let cached, now < cached.refreshAt { return cached.token.text }
        do throws(Failure) {
            let token = try fetch()
            let margin = min(Self.refreshBeforeMillisecondsMax, token.lifetimeMilliseconds / 4)
            let end = now + token.lifetimeMilliseconds
            cached = (token, end - margin, end)
            return token.text
        } catch {
            if let cached, now < cached.endsAt { return cached.token.text }
            throw error.concerningAll()
        }
    }
}

/// Asks identity services.
struct TokenService {
    let client: HTTPClient
    let clock: any MachineClock

    /// A request to a service on the machine or its link, which is never asked through a proxy.
    static func localRequest(_ url: String, subject: String) -> HTTPRequest {
        var request = HTTPRequest("GET", url, action: "fetching", subject: subject)
        request.bypassesProxy = true
        request.connectTimeoutMilliseconds = 2_000
        request.totalTimeoutMilliseconds = 10_000
        request.responseBytesMax = 64 << 10
        return request
    }

    /// A form sent to a service somewhere.
    static func formRequest(
        _ url: String, _ fields: [(name: String, value: String?)], subject: String
    ) -> HTTPRequest {
        var request = HTTPRequest("POST", url, action: "fetching", subject: subject)
        request.headers = [("content-type", "application/x-www-form-urlencoded")]
        request.body = .bytes(Array(queryString(fields).utf8))
        request.totalTimeoutMilliseconds = 30_000
        request.responseBytesMax = 64 << 10
        return request
    }

    /// Sends a request and takes the token out of the answer.
    ///
    /// - Parameter refusal: the failure for an answer without a token.
    func token(
        _ request: HTTPRequest, orElse refusal: (HTTPResponse) -> Failure
    ) throws(Failure) -> AccessToken {
        let response = try client.perform(request)
        guard response.isSuccess, let document = JSONValue(parsing: response.body),
            let text = document["access_token"]?.string, !text.isEmpty
        else { throw refusal(response) }
        // Azure's metadata service writes the number as a string.
        let lifetime = document["expires_in"]
        let seconds = lifetime?.integer ?? lifetime?.string.flatMap { Int64($0) } ?? 300
        return AccessToken(text: text, lifetimeMilliseconds: max(0, min(seconds, 86_400)) * 1000)
    }

    /// The failure for an answer without a token.
    func failure(
        of request: HTTPRequest, _ response: HTTPResponse, reason: String, advice: String,
        isTransient: Bool
    ) -> Failure {
        Failure(
            .external, request.action, request.subject, reason, advice: advice,
            retry: isTransient ? response.retry(nowMilliseconds: clock.nowMilliseconds()) : .never)
    }
}

/// What an answer without a token says, in the words of OAuth 2.0 (RFC 6749, section 5.2).
struct TokenAnswer {
    /// The service, for sentences.
    let host: String
    /// The service's word for it, such as `invalid_grant`; empty when the answer has none.
    let code: String
    /// The first line of the service's sentence; empty when the answer has none.
    let description: String
    /// `login.example.org answered 400 invalid_grant: the service's sentence`.
    let sentence: String
    /// Whether trying again can help. A page that is no JSON is somebody else's: a portal's, a proxy's.
    let isTransient: Bool

    init(to request: HTTPRequest, _ response: HTTPResponse) {
        let document = JSONValue(parsing: response.body)
        host = ServerAddress(request.url)?.authority ?? "the token service"
        code = document?["error"]?.string ?? ""
        description = firstLine(document?["error_description"]?.string ?? "")
        var sentence = "\(host) answered \(response.status)"
        if response.isSuccess { sentence += " without a token" }
        if !code.isEmpty { sentence += " \(code)" }
        if !description.isEmpty { sentence += ": \(description)" }
        self.sentence = sentence
        isTransient = response.status >= 500 || response.status == 429 || document == nil
    }
}

/// The first line of a server's message, of a sensible length.
func firstLine(_ text: String) -> String {
    String(text.prefix { !$0.isNewline }.prefix(300))
}
