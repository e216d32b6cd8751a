// A request and its answer as plain values. A request carries the words for its own failure, because
// only its maker knows what was being done; URLs, which may hold tokens, never get into a sentence.

import WeirCore

/// What a request sends.
public enum HTTPBody: Sendable {
    case none
    case bytes([UInt8])
    /// `length` bytes of the file from `offset` on, streamed.
    case file(path: String, offset: Int, length: Int)

    /// Bytes that will be sent.
    public var length: Int {
        switch self {
        case .none: 0
        case .bytes(let bytes): bytes.count
        case .file(_, _, let length): length
        }
    }
}

/// One HTTP request.
public struct HTTPRequest: Sendable {
    /// In upper case, such as `PUT`.
    public var method: String
    /// With its query, percent-encoded; may hold a token, and is never printed.
    public var url: String
    /// Beside those that the client adds by itself.
    public var headers: [(name: String, value: String)] = []
    /// What is sent; nothing by default.
    public var body = HTTPBody.none
    /// An answer's body longer than this is a failure.
    public var responseBytesMax = 1 << 20
    /// Whether to authenticate by SPNEGO (Kerberos) with the ticket of the environment.
    public var negotiates = false
    /// Whether to go past all proxies (metadata services of clouds).
    public var bypassesProxy = false
    /// The longest wait for a connection; nil = the client's.
    public var connectTimeoutMilliseconds: Int?
    /// The longest time the request may take; nil = the client's.
    public var totalTimeoutMilliseconds: Int?
    /// What is being done, for failures: "uploading".
    public var action: String
    /// To what, for failures: the object's place, without secrets.
    public var subject: String

    public init(_ method: String, _ url: String, action: String, subject: String) {
        self.method = method
        self.url = url
        self.action = action
        self.subject = subject
    }
}

/// An HTTP answer; redirects are answers like any other.
public struct HTTPResponse: Sendable {
    /// The status code of the last answer, 100 to 599.
    public var status: Int
    /// As they came, names in lower case.
    public var headers: [(name: String, value: String)]
    /// Bounded by the request's `responseBytesMax`.
    public var body: [UInt8]

    public init(status: Int, headers: [(name: String, value: String)] = [], body: [UInt8] = []) {
        self.status = status
        self.headers = headers
        self.body = body
    }

    /// The first value of a header; `name` in lower case.
    public func header(_ name: String) -> String? {
        headers.first { $0.name == name }?.value
    }

    /// Whether the status is 2xx.
    public var isSuccess: Bool { (200..<300).contains(status) }

    /// The body as text.
    public var text: String { String(decoding: body, as: UTF8.self) }

    /// The server's clock, ms since the epoch, by the Date header.
    public var serverDateMilliseconds: Int64? {
        header("date").flatMap(HTTPDate.milliseconds(fixdate:))
    }

    /// When to try again: after the time of Retry-After (seconds or a date, bounded by an hour) if the
    /// server named one, else after the usual back-off.
    ///
    /// - Parameter nowMilliseconds: this machine's clock, used where the answer has no Date.
    public func retry(nowMilliseconds: Int64) -> Failure.Retry {
        guard let text = header("retry-after") else { return .backoff }
        let hour: Int64 = 3_600_000
        if let seconds = Int64(text), seconds >= 0 {
            return .after(milliseconds: min(seconds, hour / 1000) * 1000)
        }
        guard let moment = HTTPDate.milliseconds(fixdate: text) else { return .backoff }
        return .after(
            milliseconds: min(max(0, moment - (serverDateMilliseconds ?? nowMilliseconds)), hour))
    }
}
