// The way to one bucket of S3: the address (path or virtual-host style), the signature, the credentials of
// the moment, which are fetched anew when the server calls them expired.

import WeirCore

/// The way to one bucket.
final class S3Connection: CloudConnection {
    static let serviceName = "S3 server"

    /// Where requests go.
    private let address: ServerAddress
    /// What comes before the key: the endpoint's own path, and the bucket in path style.
    private let basePath: String
    let host: String
    let client: HTTPClient
    let clock: any MachineClock
    private let options: S3Options
    private let credentials: S3CredentialProvider

    /// Throws `Failure(.configuration, …)` for an endpoint or a bucket that cannot be.
    init(_ options: S3Options, _ context: ObjectStoreContext) throws(Failure) {
        let awsSuffix = options.region.hasPrefix("cn-") ? "amazonaws.com.cn" : "amazonaws.com"
        let endpoint = options.endpoint ?? "https://s3.\(options.region).\(awsSuffix)"
        let address = try ServerAddress(endpoint: endpoint, example: "https://s3.example.org")
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

    func dropsCredentials(after response: HTTPResponse) -> Bool {
        guard credentials.canRefresh, response.status == 400 || response.status == 403,
            S3Error(response).isOfExpiredCredentials
        else { return false }
        credentials.invalidate()
        return true
    }

    func isOfMissingObject(_ response: HTTPResponse) -> Bool { S3Error(response).isOfMissingObject }

    func refusal(_ response: HTTPResponse) -> CloudRefusal {
        S3Error(response).refusal(by: host, response, nowMilliseconds: clock.nowMilliseconds())
    }

    private func path(_ key: String) -> String {
        let object = key.isEmpty ? "" : "/" + percentEncoded(key, keepingSlashes: true)
        let path = basePath + object
        return path.isEmpty ? "/" : path
    }

    private func currentCredentials() throws(Failure) -> S3Credentials {
        do throws(Failure) {
            return try credentials.current()
        } catch {
            throw error.concerningAll()
        }
    }

    func authorised(_ request: CloudRequest) throws(Failure) -> HTTPRequest {
        precondition(
            request.bodyDigest != nil || request.body.length == 0, "the hash of a body is signed")
        let credentials = try currentCredentials()
        let date = HTTPDate.basicISO(clock.nowMilliseconds())
        let payloadHash = request.bodyDigest.map { hexadecimal($0) } ?? AWSSignature.emptyPayloadHash
        var headers = request.headers
        let dialect = options.dialect.signature
        headers.append((dialect.headerPrefix + "content-sha256", payloadHash))
        headers.append((dialect.headerPrefix + "date", date))
        if let token = credentials.sessionToken {
            headers.append((dialect.headerPrefix + "security-token", token))
        }
        let signature = AWSSignature(
            accessKey: credentials.accessKey, secretKey: credentials.secretKey, region: options.region,
            service: dialect.service, dialect: dialect)
        let path = path(request.key)
        let authorization = signature.authorization(
            AWSSignableRequest(
                method: request.method, path: path, query: request.query,
                headers: headers + [("host", host)], payloadHash: payloadHash),
            date: date)
        let query = request.query.isEmpty ? "" : "?" + queryString(request.query)
        return request.http(
            "\(address.scheme)://\(host)\(path)\(query)", subject: subject(request.key),
            headers: headers + [("authorization", authorization)])
    }
}
