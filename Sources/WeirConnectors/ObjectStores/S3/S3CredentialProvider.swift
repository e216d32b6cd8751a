// Hands out the credentials of the moment. Those of containers and instances end after some hours; they
// are fetched anew five minutes before that, and the old ones go on serving until their end when the
// service cannot be reached.
//
// Sources: "Container credential provider" of the AWS SDKs reference guide, and "Use IMDSv2" of the EC2
// user guide. Neither service is ever asked through a proxy.

import Glibc
import WeirCore

/// The credentials of one store.
final class S3CredentialProvider {
    private static let refreshBeforeMilliseconds: Int64 = 300_000

    private let source: S3CredentialSource
    private let environment: [String: String]
    private let client: HTTPClient
    private let clock: any MachineClock
    private var cached: S3Credentials?

    init(
        _ source: S3CredentialSource, environment: [String: String], client: HTTPClient,
        clock: any MachineClock
    ) {
        self.environment = environment
        self.client = client
        self.clock = clock
        let hasContainer = environment.keys.contains { $0.hasPrefix("AWS_CONTAINER_CREDENTIALS_") }
        switch source {
        case .automatic where environment["AWS_ACCESS_KEY_ID"] != nil: self.source = .environment
        case .automatic: self.source = hasContainer ? .container : .instance
        default: self.source = source
        }
    }

    /// Whether a server's "expired" can be answered by fetching anew.
    var canRefresh: Bool {
        switch source {
        case .container, .instance: true
        case .fixed, .environment, .automatic: false
        }
    }

    /// The server does not take them any more: fetch anew at the next use.
    func invalidate() { cached = nil }

    func current() throws(Failure) -> S3Credentials {
        switch source {
        case .fixed(let credentials): return credentials
        case .environment: return try fromEnvironment()
        case .container, .instance, .automatic: break
        }
        let now = clock.nowMilliseconds()
        if let cached, now < (cached.expiresAtMilliseconds ?? .max) - Self.refreshBeforeMilliseconds {
            return cached
        }
        do throws(Failure) {
            let fresh = if case .container = source { try fromContainer() } else { try fromInstance() }
            cached = fresh
            return fresh
        } catch {
            if let cached, now < cached.expiresAtMilliseconds ?? .max { return cached }
            throw error
        }
    }

    private func fromEnvironment() throws(Failure) -> S3Credentials {
        guard let accessKey = environment["AWS_ACCESS_KEY_ID"],
            let secretKey = environment["AWS_SECRET_ACCESS_KEY"]
        else {
            throw Failure(
                .configuration, "looking for", "S3 credentials",
                "AWS_ACCESS_KEY_ID or AWS_SECRET_ACCESS_KEY is not in the environment",
                advice: "set both, or access_key and secret_key of the sink")
        }
        return S3Credentials(
            accessKey: accessKey, secretKey: secretKey, sessionToken: environment["AWS_SESSION_TOKEN"])
    }

    private func fromContainer() throws(Failure) -> S3Credentials {
        let relative = environment["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"]
        guard
            let url = relative.map({ "http://169.254.170.2\($0)" })
                ?? environment["AWS_CONTAINER_CREDENTIALS_FULL_URI"],
            let address = ServerAddress(url), Self.isTrusted(address)
        else {
            throw Failure(
                .configuration, "looking for", "the container's S3 credentials",
                "AWS_CONTAINER_CREDENTIALS_FULL_URI is neither https nor a loopback or link-local service"
            )
        }
        var request = metadataRequest("GET", url)
        if let token = try containerToken() { request.headers.append(("Authorization", token)) }
        return try credentials(in: client.perform(request), from: request)
    }

    private func containerToken() throws(Failure) -> String? {
        guard let path = environment["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"] else {
            return environment["AWS_CONTAINER_AUTHORIZATION_TOKEN"]
        }
        let file = open(path, O_RDONLY | O_CLOEXEC)
        var bytes = [UInt8](repeating: 0, count: 64 << 10)
        let count = file < 0 ? -1 : read(file, &bytes, bytes.count)
        let code = errno
        if file >= 0 { close(file) }
        guard count > 0 else {
            throw Failure(
                .external, "reading", path, count < 0 ? systemErrorText(code) : "it is empty",
                retry: .backoff)
        }
        return trimmed(String(decoding: bytes[..<count], as: UTF8.self))
    }

    /// Plain HTTP is for addresses that do not leave the machine or its link.
    private static func isTrusted(_ address: ServerAddress) -> Bool {
        let local = ["169.254.170.2", "169.254.170.23", "[fd00:ec2::23]", "localhost", "[::1]"]
        return address.scheme == "https" || local.contains(address.host)
            || address.host.hasPrefix("127.")
    }

    private func fromInstance() throws(Failure) -> S3Credentials {
        guard environment["AWS_EC2_METADATA_DISABLED"]?.lowercased() != "true" else {
            throw Failure(
                .configuration, "looking for", "S3 credentials",
                "none are configured, and AWS_EC2_METADATA_DISABLED forbids asking the instance",
                advice: "set access_key and secret_key of the sink, or AWS_ACCESS_KEY_ID and its secret"
            )
        }
        let base = environment["AWS_EC2_METADATA_SERVICE_ENDPOINT"] ?? "http://169.254.169.254"
        var tokenRequest = metadataRequest("PUT", "\(base)/latest/api/token")
        tokenRequest.headers = [("X-aws-ec2-metadata-token-ttl-seconds", "21600")]
        let token = try text(of: tokenRequest)
        let folder = "\(base)/latest/meta-data/iam/security-credentials/"
        var roleRequest = metadataRequest("GET", folder)
        roleRequest.headers = [("X-aws-ec2-metadata-token", token)]
        let role = try text(of: roleRequest).split(separator: "\n").first ?? ""
        var request = metadataRequest("GET", folder + percentEncoded(String(role)))
        request.headers = roleRequest.headers
        return try credentials(in: client.perform(request), from: request)
    }

    private func metadataRequest(_ method: String, _ url: String) -> HTTPRequest {
        var request = TokenService.localRequest(url, subject: "S3 credentials")
        request.method = method
        return request
    }

    /// What the instance's metadata service says. Off Amazon's machines it is not there, which then means
    /// that nobody has given any credentials.
    private func text(of request: HTTPRequest) throws(Failure) -> String {
        let response: HTTPResponse
        do throws(Failure) {
            response = try client.perform(request)
        } catch {
            throw Failure(
                error.domain, error.action, error.subject, error.reason,
                advice: "set access_key and secret_key of the sink, or AWS_ACCESS_KEY_ID and "
                    + "AWS_SECRET_ACCESS_KEY, unless this machine has a role of Amazon's",
                retry: error.retry)
        }
        guard response.isSuccess, !response.body.isEmpty else { throw refusal(response, request) }
        return trimmed(response.text)
    }

    private func credentials(
        in response: HTTPResponse, from request: HTTPRequest
    ) throws(Failure) -> S3Credentials {
        guard response.isSuccess, let document = JSONValue(parsing: response.body),
            let accessKey = document["AccessKeyId"]?.string,
            let secretKey = document["SecretAccessKey"]?.string
        else { throw refusal(response, request) }
        return S3Credentials(
            accessKey: accessKey, secretKey: secretKey, sessionToken: document["Token"]?.string,
            expiresAtMilliseconds: document["Expiration"]?.string.flatMap { TimestampText.parse($0) })
    }

    private func refusal(_ response: HTTPResponse, _ request: HTTPRequest) -> Failure {
        let host = ServerAddress(request.url)?.authority ?? "the metadata service"
        return Failure(
            .external, request.action, request.subject,
            "\(host) answered \(response.status) without credentials",
            advice:
                "give the instance or container a role, or set access_key and secret_key of the sink",
            retry: response.retry(nowMilliseconds: clock.nowMilliseconds()))
    }
}
