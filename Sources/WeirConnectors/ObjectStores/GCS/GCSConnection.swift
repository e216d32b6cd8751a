// The way to one bucket of Google Cloud Storage: the address, and the token of the moment, which is fetched
// anew when the server does not take it any more. Upload sessions have addresses of their own.

import WeirCore

/// The way to one bucket.
final class GCSConnection: CloudConnection {
    static let serviceName = "Google Cloud Storage"

    private let address: ServerAddress
    private let bucket: String
    let client: HTTPClient
    let clock: any MachineClock
    private let tokens: TokenCache

    /// Throws `Failure(.configuration, …)` for an address, a bucket or a key that cannot be.
    init(_ options: GCSOptions, _ context: ObjectStoreContext) throws(Failure) {
        address = try ServerAddress(
            endpoint: options.endpoint, example: "https://storage.googleapis.com")
        guard (3...222).contains(options.bucket.utf8.count), !options.bucket.contains("/") else {
            throw Failure(
                .configuration, "reading", "the bucket name \(options.bucket)",
                "bucket names have 3 to 222 characters and no slash")
        }
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

    var host: String { address.authority }

    func subject(_ key: String) -> String {
        key.isEmpty ? "gs://\(bucket)" : "gs://\(bucket)/\(key)"
    }

    func dropsCredentials(after response: HTTPResponse) -> Bool {
        guard response.status == 401 else { return false }
        tokens.invalidate()
        return true
    }

    func isOfMissingObject(_ response: HTTPResponse) -> Bool { GCSError(response).isOfMissingObject }

    func refusal(_ response: HTTPResponse) -> CloudRefusal { GCSError(response).refusal(by: host) }

    /// Sends a request to the address of an upload session, which is a credential by itself: it gets into
    /// no sentence, and no token goes there.
    func send(_ request: CloudRequest, toSession url: String) throws(Failure) -> HTTPResponse {
        try client.perform(
            request.http(url, subject: subject(request.key), headers: request.headers))
    }

    func authorised(_ request: CloudRequest) throws(Failure) -> HTTPRequest {
        var path = address.path
        if request.isUpload { path += "/upload" }
        path += "/storage/v1/b/\(percentEncoded(bucket))/o"
        if !request.isUpload, !request.key.isEmpty { path += "/" + percentEncoded(request.key) }
        if !request.query.isEmpty { path += "?" + queryString(request.query) }
        return request.http(
            "\(address.scheme)://\(host)\(path)", subject: subject(request.key),
            headers: request.headers + [("authorization", "Bearer \(try tokens.current())")])
    }

    /// Whether an upload session's address can be ours: never in clear when we came encrypted.
    func isSession(_ url: String) -> Bool {
        guard let session = ServerAddress(url) else { return false }
        return session.scheme == "https" || (session.scheme == "http" && address.scheme == "http")
    }
}
