// Sends signed requests to one bucket: the address (path or virtual-host style), the signature, the
// credentials of the moment. What the answers mean is the store's business, except for one thing:
// credentials that the server calls expired are fetched anew and the request is sent once more.

import WeirCore

/// A request to the bucket, before it has an address and a signature.
struct S3Request {
    var method: String
    /// The object's whole key in the bucket, prefix included; empty = the bucket itself.
    var key = ""
    var query: [(name: String, value: String?)] = []
    /// Signed with the rest; names in lower case.
    var headers: [(name: String, value: String)] = []
    var body = HTTPBody.none
    /// SHA-256 of the body, lower-case hexadecimal.
    var payloadHash = AWSSignature.emptyPayloadHash
    var responseBytesMax = 1 << 20
    var action: String
}

/// The way to one bucket.
final class S3Connection {
    /// Where requests go.
    private let address: ServerAddress
    /// What comes before the key: the endpoint's own path, and the bucket in path style.
    private let basePath: String
    private let host: String
    private let options: S3Options
    private let client: HTTPClient
    private let credentials: S3CredentialProvider
    private let clock: any MachineClock

    init(_ options: S3Options, _ context: ObjectStoreContext) throws(Failure) {
        let awsSuffix = options.region.hasPrefix("cn-") ? "amazonaws.com.cn" : "amazonaws.com"
        let endpoint = options.endpoint ?? "https://s3.\(options.region).\(awsSuffix)"
        guard let address = ServerAddress(endpoint), ["http", "https"].contains(address.scheme) else {
            throw Failure(
                .configuration, "reading", "the endpoint \(endpoint)",
                "it is not http(s)://host:port", advice: "write https://s3.example.org")
        }
        guard Self.isBucketName(options.bucket) else {
            throw Failure(
                .configuration, "reading", "the bucket name \(options.bucket)",
                "bucket names have 3 to 63 of a–z, A–Z, 0–9, '.', '_' and '-'")
        }
        let usesPath =
            switch options.addressing {
            case .path: true
            case .virtualHost: false
            case .automatic: options.endpoint != nil || options.bucket.contains(".")
            }
        self.address = address
        self.options = options
        host = usesPath ? address.authority : "\(options.bucket).\(address.authority)"
        basePath =
            percentEncoded(address.path, keepingSlashes: true) + (usesPath ? "/\(options.bucket)" : "")
        client = try HTTPClient(options.http, abort: context.abort, meter: context.meter)
        clock = context.clock
        credentials = S3CredentialProvider(
            options.credentials, environment: options.environment, client: client, clock: clock)
    }

    private static func isBucketName(_ name: String) -> Bool {
        (3...63).contains(name.utf8.count)
            && name.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"),
                    UInt8(ascii: "_"):
                    true
                default: false
                }
            }
    }

    /// The object in words: `s3://bucket/key`, or `gs://…`.
    func subject(_ key: String) -> String {
        "\(options.dialect.scheme)://\(options.bucket)" + (key.isEmpty ? "" : "/\(key)")
    }

    /// Sends a request; any answer of the server is returned.
    func send(_ request: S3Request) throws(Failure) -> HTTPResponse {
        let response = try client.perform(signed(request))
        guard credentials.canRefresh, response.status == 400 || response.status == 403,
            S3Error(response).isOfExpiredCredentials
        else { return response }
        credentials.invalidate()
        return try client.perform(signed(request))
    }

    /// Sends a request; anything but 2xx is a failure.
    func sendExpectingSuccess(_ request: S3Request) throws(Failure) -> HTTPResponse {
        let response = try send(request)
        guard response.isSuccess else { throw refusal(of: request, response) }
        return response
    }

    /// The failure for an answer that is a refusal.
    func refusal(of request: S3Request, _ response: HTTPResponse) -> Failure {
        S3Error(response).failure(
            HTTPRequest(
                request.method, url(request), action: request.action, subject: subject(request.key)),
            response, nowMilliseconds: clock.nowMilliseconds())
    }

    /// The failure for a 2xx answer that no S3 server gives: a captive portal's or a proxy's page.
    func strangeAnswer(to request: S3Request, _ what: String) -> Failure {
        Failure(
            .external, request.action, subject(request.key), "\(host) \(what): it is no S3 server",
            advice: "look at `endpoint`, and for a proxy or captive portal on the way", retry: .backoff)
    }

    private func path(_ key: String) -> String {
        let object = key.isEmpty ? "" : "/" + percentEncoded(key, keepingSlashes: true)
        let path = basePath + object
        return path.isEmpty ? "/" : path
    }

    private func url(_ request: S3Request) -> String {
        let query = request.query.isEmpty ? "" : "?" + queryString(request.query)
        return "\(address.scheme)://\(host)\(path(request.key))\(query)"
    }

    private func signed(_ request: S3Request) throws(Failure) -> HTTPRequest {
        let credentials = try credentials.current()
        let date = HTTPDate.basicISO(clock.nowMilliseconds())
        var headers = request.headers
        let dialect = options.dialect.signature
        headers.append((dialect.headerPrefix + "content-sha256", request.payloadHash))
        headers.append((dialect.headerPrefix + "date", date))
        if let token = credentials.sessionToken {
            headers.append((dialect.headerPrefix + "security-token", token))
        }
        let signature = AWSSignature(
            accessKey: credentials.accessKey, secretKey: credentials.secretKey, region: options.region,
            service: dialect.service, dialect: dialect)
        let authorization = signature.authorization(
            AWSSignableRequest(
                method: request.method, path: path(request.key), query: request.query,
                headers: headers + [("host", host)], payloadHash: request.payloadHash),
            date: date)
        var http = HTTPRequest(
            request.method, url(request), action: request.action, subject: subject(request.key))
        http.headers = headers + [("authorization", authorization)]
        http.body = request.body
        http.responseBytesMax = request.responseBytesMax
        return http
    }
}
