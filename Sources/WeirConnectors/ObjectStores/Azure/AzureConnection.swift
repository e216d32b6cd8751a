// Sends authorised requests to one container: the address, the signature or token of the moment. What
// the answers mean is the store's business, except for one thing: a token that the server does not take
// any more is fetched anew, and the request is sent once more.

import WeirCore

/// A request to the container, before it has an address and a signature.
struct AzureRequest {
    var method: String
    /// The object's whole name in the container, prefix included; empty = the container itself.
    var key = ""
    var query: [(name: String, value: String?)] = []
    /// Signed with the rest; names in lower case.
    var headers: [(name: String, value: String)] = []
    var body = HTTPBody.none
    /// The MD5 of the body, which the server checks; nil for requests without one.
    var bodyMD5: [UInt8]?
    /// The whole name of the object that is to get the name `key`.
    var renameSource: String?
    var responseBytesMax = 1 << 20
    var action: String
}

/// The way to one container.
final class AzureConnection {
    /// The version of the protocol that requests are written in.
    private static let version = "2021-12-02"

    private let address: ServerAddress
    /// What comes before the container: the account, where the address is no name.
    private let basePath: String
    private let options: AzureOptions
    private let client: HTTPClient
    private let clock: any MachineClock
    private let signature: AzureSignature?
    /// Items of the shared access signature, as they go into a URL; empty without one.
    private let accessQuery: String
    private let tokens: TokenCache?
    private let scheme: String

    /// Throws `Failure(.configuration, …)` for an address or a key that cannot be.
    init(_ options: AzureOptions, _ context: ObjectStoreContext) throws(Failure) {
        let endpoint = options.endpoint ?? "https://\(options.host)"
        guard let address = ServerAddress(endpoint), ["http", "https"].contains(address.scheme) else {
            throw Failure(
                .configuration, "reading", "the endpoint \(endpoint)",
                "it is not http(s)://host:port", advice: "write https://ACCOUNT.blob.core.windows.net")
        }
        self.address = address
        self.options = options
        basePath = Self.isNumericOrLocal(address.host) ? "/\(options.account)" : ""
        scheme = options.interface == .blob ? "https" : "abfss"
        clock = context.clock
        let client = try HTTPClient(options.http, abort: context.abort, meter: context.meter)
        self.client = client
        var signature: AzureSignature?
        var accessQuery = ""
        var tokens: TokenCache?
        switch options.credentials {
        case .accountKey(let text):
            guard let key = Base64.decoded(text), !key.isEmpty else {
                throw Failure(
                    .configuration, "reading", "account_key", "it is not base64",
                    advice: "copy the whole key, with the \"=\" at its end")
            }
            signature = AzureSignature(account: options.account, key: key)
        case .sharedAccessSignature(let text):
            let query = text.hasPrefix("?") ? text.dropFirst() : text[...]
            guard query.contains("sig="), query.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != 0x23 })
            else {
                throw Failure(
                    .configuration, "reading", "sas_token", "it is no query string with a sig=",
                    advice: "copy the SAS token, not the URL or the connection string")
            }
            accessQuery = String(query)
        case .clientSecret, .managedIdentity:
            let source = AzureTokens(
                options: options, service: TokenService(client: client, clock: context.clock))
            tokens = TokenCache(clock: context.clock) { () throws(Failure) in try source.fetch() }
        }
        self.signature = signature
        self.accessQuery = accessQuery
        self.tokens = tokens
    }

    private static func isNumericOrLocal(_ host: String) -> Bool {
        host == "localhost" || host.hasPrefix("[")
            || host.utf8.allSatisfy { $0 == UInt8(ascii: ".") || (0x30...0x39).contains($0) }
    }

    /// The object in words, as its URL without anything secret.
    func subject(_ key: String) -> String {
        let rest = key.isEmpty ? "" : "/\(key)"
        switch options.interface {
        case .blob: return "\(scheme)://\(options.host)/\(options.container)\(rest)"
        case .fileSystem: return "\(scheme)://\(options.container)@\(options.host)\(rest)"
        }
    }

    /// Sends a request; any answer of the server is returned.
    func send(_ request: AzureRequest) throws(Failure) -> HTTPResponse {
        let response = try client.perform(authorised(request))
        guard let tokens, response.status == 401 else { return response }
        tokens.invalidate()
        return try client.perform(authorised(request))
    }

    /// Sends a request; anything but 2xx is a failure.
    func sendExpectingSuccess(_ request: AzureRequest) throws(Failure) -> HTTPResponse {
        let response = try send(request)
        guard response.isSuccess else { throw refusal(of: request, response) }
        return response
    }

    /// Sends a request that may be repeated at once when no answer comes, since a connection that breaks
    /// in one part of a long object should not cost the parts before it.
    func sendPart(_ request: AzureRequest) throws(Failure) -> HTTPResponse {
        for _ in 1..<3 {
            do throws(Failure) {
                return try sendExpectingSuccess(request)
            } catch {
                guard error.domain == .external, error.retry == .backoff, !client.isAborted else {
                    throw error
                }
            }
        }
        return try sendExpectingSuccess(request)
    }

    /// The failure for an answer that is a refusal.
    func refusal(of request: AzureRequest, _ response: HTTPResponse) -> Failure {
        AzureError(response).failure(
            HTTPRequest(
                request.method, "\(address.scheme)://\(address.authority)", action: request.action,
                subject: subject(request.key)),
            response, options.credentials, nowMilliseconds: clock.nowMilliseconds())
    }

    /// The failure for a 2xx answer that Azure does not give: a captive portal's or a proxy's page.
    func strangeAnswer(to request: AzureRequest, _ what: String) -> Failure {
        Failure(
            .external, request.action, subject(request.key),
            "\(address.authority) \(what): it is no Azure storage",
            advice: "look at `endpoint`, and for a proxy or captive portal on the way", retry: .backoff)
    }

    private func path(_ key: String) -> String {
        "\(basePath)/\(options.container)"
            + (key.isEmpty ? "" : "/" + percentEncoded(key, keepingSlashes: true))
    }

    private func authorised(_ request: AzureRequest) throws(Failure) -> HTTPRequest {
        var headers = request.headers
        headers.append(("x-ms-version", Self.version))
        headers.append(("x-ms-date", HTTPDate.fixdate(clock.nowMilliseconds())))
        if let hash = request.bodyMD5 { headers.append(("content-md5", Base64.encoded(hash))) }
        if let source = request.renameSource {
            // The source has to be authorised too.
            let access = accessQuery.isEmpty ? "" : "?\(accessQuery)"
            headers.append(
                (
                    "x-ms-rename-source",
                    "/\(options.container)/" + percentEncoded(source, keepingSlashes: true) + access
                ))
        }
        if let signature {
            let signable = AzureSignableRequest(
                method: request.method, path: path(request.key), query: request.query,
                headers: headers, contentLength: request.body.length)
            headers.append(("authorization", signature.authorization(signable)))
        } else if let tokens {
            headers.append(("authorization", "Bearer \(try tokens.current())"))
        }
        let query = [queryString(request.query), accessQuery].filter { !$0.isEmpty }
        let url =
            "\(address.scheme)://\(address.authority)\(path(request.key))"
            + (query.isEmpty ? "" : "?" + query.joined(separator: "&"))
        var http = HTTPRequest(
            request.method, url, action: request.action, subject: subject(request.key))
        http.headers = headers
        http.body = request.body
        http.responseBytesMax = request.responseBytesMax
        return http
    }
}
