// Posts rows to an HTTP receiver, one request at a time, and reads its answer: taken; these rows are refused
// for what they are; or something that passes or must be mended, after which the same request is sent again.
//
// A lost reply leaves open whether the rows were taken. Then the same body goes out again under the same
// Idempotency-Key, and InfluxDB overwrites points with themselves.

import WeirCore

/// One sink's way to its receiver; belongs to one thread.
public final class RowPoster {
    /// What became of a request.
    public enum Outcome {
        case taken
        /// The rows are refused for what they are: another try gives the same answer.
        case refused(Failure)
        /// The body is longer than the receiver takes; fewer rows may pass.
        case tooLarge(Failure)
    }

    private let options: RowPostOptions
    private let client: HTTPClient
    private let clock: any MachineClock
    private let url: String
    /// The address as failures and reports name it: without path and query, which may be secret.
    public let location: String

    /// Throws `Failure(.configuration, …)` for an address that is none.
    public init(
        _ options: RowPostOptions, clock: any MachineClock = SystemClock(), abort: AbortFlag = AbortFlag(),
        meter: (any UploadMeter)? = nil
    ) throws(Failure) {
        guard let address = ServerAddress(options.url) else {
            throw Failure(.configuration, "reading", "url", "it is no http:// or https:// address")
        }
        self.options = options
        self.clock = clock
        location = "\(address.scheme)://\(address.authority)"
        let query = queryString(options.query.map { ($0.name, $0.value) })
        let joint = options.url.contains("?") ? "&" : "?"
        url = query.isEmpty ? options.url : options.url + joint + query
        client = try HTTPClient(options.http, abort: abort, meter: meter)
    }

    /// Sends one body, compressed already where bodies are. `key` names its rows for ever.
    ///
    /// Throws when there was no answer, or one that asks to try again or to mend something.
    public func post(_ body: [UInt8], key: String) throws(Failure) -> Outcome {
        var request = HTTPRequest("POST", url, action: "posting to", subject: location)
        request.headers = [("Content-Type", options.contentType)]
        if options.isCompressed { request.headers.append(("Content-Encoding", "gzip")) }
        if options.receiver == .webhook { request.headers.append(("Idempotency-Key", key)) }
        sign(&request, body)
        request.body = .bytes(body)
        let response = try client.perform(request)
        if response.isSuccess { return .taken }
        return try outcome(response)
    }

    private func sign(_ request: inout HTTPRequest, _ body: [UInt8]) {
        if let secret = options.signingSecret {
            let value = WebhookSignature.value(
                body, secret: secret, unixSeconds: clock.nowMilliseconds() / 1000)
            request.headers.append((WebhookSignature.header, value))
        }
        switch options.authorization {
        case .none: break
        case .basic(let user, let password):
            let text = Base64.encoded(Array("\(user):\(password)".utf8))
            request.headers.append(("Authorization", "Basic \(text)"))
        case .token(let scheme, let token):
            request.headers.append(("Authorization", "\(scheme) \(token)"))
        }
        request.headers += options.headers
    }

    // MARK: Answers

    private func outcome(_ response: HTTPResponse) throws(Failure) -> Outcome {
        switch response.status {
        case 413:
            return .tooLarge(failure("it does not take a body of this length (413)"))
        case 400 where isAboutRows(response), 422:
            return .refused(failure("it refuses the rows (\(response.status))\(influxReason(response))"))
        default:
            throw standing(response)
        }
    }

    /// A failure that has nothing to do with the rows: it passes, or somebody mends it.
    private func standing(_ response: HTTPResponse) -> Failure {
        let status = response.status
        let retry = response.retry(nowMilliseconds: clock.nowMilliseconds())
        switch status {
        case 300..<400:
            return failure(
                "it answers with a redirect (\(status)), which is not followed", "put the new address into url")
        case 401:
            return failure("it does not know us (401)", "look at \(credentialKeys)", retry)
        case 403:
            return failure("it knows us and refuses us (403)", "look at the rights of \(credentialKeys)", retry)
        case 404:
            if case .influx(let store) = options.receiver {
                return failure("it has no \(store) (404)", "make it, or mend its name", retry)
            }
            return failure("there is nothing at the path of url (404)", "", retry)
        case 408: return failure("it has waited too long for the request (408)", "", retry)
        case 429: return failure("it asks to slow down (429)", "", retry)
        case 503: return failure("it is not available at the moment (503)", "", retry)
        default: return failure("it answered \(status)\(influxReason(response))", "", retry)
        }
    }

    private func failure(
        _ reason: String, _ advice: String = "", _ retry: Failure.Retry = .backoff
    ) -> Failure {
        Failure(.external, "posting to", location, reason, advice: advice, retry: retry)
    }

    private var credentialKeys: String {
        switch options.authorization {
        case .none: options.receiver == .webhook ? "bearer_token or username" : "token or username"
        case .basic: "username and password"
        case .token(let scheme, _): scheme == "Bearer" ? "bearer_token" : "token"
        }
    }

    /// InfluxDB also says by a 400 that a bucket's name is wrong, which is not the rows' fault.
    private func isAboutRows(_ response: HTTPResponse) -> Bool {
        guard case .influx = options.receiver else { return true }
        let text = influxMessage(response)
        return ["unable to parse", "partial write", "field type conflict", "invalid field", "bad timestamp",
            "beyond retention"]
            .contains { text.contains($0) } || text.isEmpty
    }

    /// What InfluxDB says went wrong, where it says so without repeating rows.
    private func influxReason(_ response: HTTPResponse) -> String {
        guard case .influx = options.receiver else { return "" }
        let text = influxMessage(response)
        if text.contains("unable to parse") { return ": a line of them cannot be read" }
        // Values are in quotes only in the parser's sentences; names of fields and measurements may stay.
        return text.isEmpty ? "" : ": \(String(text.prefix(240)))"
    }

    private func influxMessage(_ response: HTTPResponse) -> String {
        let document = JSONValue(parsing: response.body)
        return document?["message"]?.string ?? document?["error"]?.string ?? ""
    }

    // MARK: Trying

    /// Tries the way there for `weir check --connect`, without sending a row.
    public func checkAccess() throws(Failure) -> AccessReport {
        if options.receiver == .webhook { return try checkWebhook() }
        // An empty write names the bucket or the database and changes nothing.
        var request = HTTPRequest("POST", url, action: "posting to", subject: location)
        request.headers = [("Content-Type", options.contentType)]
        sign(&request, [])
        let response = try client.perform(request)
        let isRight = response.isSuccess || (response.status == 400 && isEmptyWrite(response))
        guard isRight else { throw standing(response) }
        return AccessReport(
            summary: "\(location) takes points", clockOffsetMilliseconds: offset(response))
    }

    private func isEmptyWrite(_ response: HTTPResponse) -> Bool {
        let text = influxMessage(response)
        return text.contains("points") || text.contains("empty")
    }

    /// OPTIONS asks for nothing to be done; most receivers do not know it, which is no fault.
    private func checkWebhook() throws(Failure) -> AccessReport {
        var request = HTTPRequest("OPTIONS", url, action: "asking", subject: location)
        sign(&request, [])
        let response = try client.perform(request)
        var report = AccessReport(
            summary: "\(location) answers; whether it takes rows shows with the first",
            clockOffsetMilliseconds: offset(response))
        if [401, 403].contains(response.status) {
            report.warnings = ["it answered \(response.status): look at \(credentialKeys)"]
        }
        return report
    }

    private func offset(_ response: HTTPResponse) -> Int64? {
        response.serverDateMilliseconds.map { $0 - clock.nowMilliseconds() }
    }
}
