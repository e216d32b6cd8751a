// Sends requests with a token to one bucket. What the answers mean is the store's business, except for one
// thing: a token that the server does not take any more is fetched anew, and the request is sent once more.

import WeirCore

/// A request to the bucket, before it has an address and a token.
struct GCSRequest {
    var method: String
    /// The object's whole name in the bucket, for failures and, unless `isUpload`, for the address; empty =
    /// the bucket's list of objects.
    var key = ""
    /// Whether it goes to where objects are uploaded; their names are in the query then.
    var isUpload = false
    var query: [(name: String, value: String?)] = []
    var headers: [(name: String, value: String)] = []
    var body = HTTPBody.none
    var responseBytesMax = 1 << 20
    var action: String
}

/// The way to one bucket.
final class GCSConnection {
    private let address: ServerAddress
    private let bucket: String
    private let client: HTTPClient
    private let clock: any MachineClock
    private let tokens: TokenCache

    /// Throws `Failure(.configuration, …)` for an address, a bucket or a key that cannot be.
    init(_ options: GCSOptions, _ context: ObjectStoreContext) throws(Failure) {
        guard let address = ServerAddress(options.endpoint), ["http", "https"].contains(address.scheme)
        else {
            throw Failure(
                .configuration, "reading", "the endpoint \(options.endpoint)",
                "it is not http(s)://host:port", advice: "write https://storage.googleapis.com")
        }
        guard (3...222).contains(options.bucket.utf8.count), !options.bucket.contains("/") else {
            throw Failure(
                .configuration, "reading", "the bucket name \(options.bucket)",
                "bucket names have 3 to 222 characters and no slash")
        }
        self.address = address
        bucket = options.bucket
        clock = context.clock
        let client = try HTTPClient(options.http, abort: context.abort, meter: context.meter)
        self.client = client
        var account: ServiceAccount?
        if case .serviceAccount(let text) = options.credentials {
            account = try ServiceAccount(keyFile: text)
        }
        let source = GCSTokens(
            service: TokenService(client: client, clock: context.clock),
            environment: options.environment, account: account)
        tokens = TokenCache(clock: context.clock) { () throws(Failure) in try source.fetch() }
    }

    var isAborted: Bool { client.isAborted }

    /// The object in words: `gs://bucket/key`.
    func subject(_ key: String) -> String {
        key.isEmpty ? "gs://\(bucket)" : "gs://\(bucket)/\(key)"
    }

    /// Sends a request; any answer of the server is returned.
    func send(_ request: GCSRequest) throws(Failure) -> HTTPResponse {
        let response = try client.perform(authorised(request))
        guard response.status == 401 else { return response }
        tokens.invalidate()
        return try client.perform(authorised(request))
    }

    /// Sends a request to the address of an upload session, which is a credential by itself: it gets into
    /// no sentence, and no token goes there.
    func send(_ request: GCSRequest, toSession url: String) throws(Failure) -> HTTPResponse {
        try client.perform(http(request, url))
    }

    /// The failure for an answer that is a refusal.
    func refusal(of request: GCSRequest, _ response: HTTPResponse) -> Failure {
        GCSError(response).failure(
            http(request, "\(address.scheme)://\(address.authority)"), response,
            nowMilliseconds: clock.nowMilliseconds())
    }

    /// The failure for an answer that Google does not give: a captive portal's or a proxy's page.
    func strangeAnswer(to request: GCSRequest, _ what: String) -> Failure {
        Failure(
            .external, request.action, subject(request.key),
            "\(address.authority) \(what): it is no Google Cloud Storage",
            advice: "look at `endpoint`, and for a proxy or captive portal on the way", retry: .backoff)
    }

    private func authorised(_ request: GCSRequest) throws(Failure) -> HTTPRequest {
        var path = address.path
        if request.isUpload { path += "/upload" }
        path += "/storage/v1/b/\(percentEncoded(bucket))/o"
        if !request.isUpload, !request.key.isEmpty { path += "/" + percentEncoded(request.key) }
        if !request.query.isEmpty { path += "?" + queryString(request.query) }
        var http = http(request, "\(address.scheme)://\(address.authority)\(path)")
        http.headers.append(("authorization", "Bearer \(try tokens.current())"))
        return http
    }

    private func http(_ request: GCSRequest, _ url: String) -> HTTPRequest {
        var http = HTTPRequest(
            request.method, url, action: request.action, subject: subject(request.key))
        http.headers = request.headers
        http.body = request.body
        http.responseBytesMax = request.responseBytesMax
        return http
    }

    /// Whether an upload session's address can be ours: never in clear when we came encrypted.
    func isSession(_ url: String) -> Bool {
        guard let session = ServerAddress(url) else { return false }
        return session.scheme == "https" || (session.scheme == "http" && address.scheme == "http")
    }
}
