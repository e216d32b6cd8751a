// The way to one container of Azure storage, for both of its protocols: the address, the signature or token
// of the moment; a token is fetched anew when the server does not take it any more.

import WeirCore

/// The way to one container.
final class AzureConnection: CloudConnection {
    static let serviceName = "Azure storage"

    /// The version of the protocol that requests are written in.
    private static let version = "2021-12-02"

    private let address: ServerAddress
    /// What comes before the container: the account, where the address is no name.
    private let basePath: String
    private let options: AzureOptions
    let client: HTTPClient
    let clock: any MachineClock
    private let signature: AzureSignature?
    /// Items of the shared access signature, as they go into a URL; empty without one.
    private let accessQuery: String
    private let tokens: TokenCache?
    private let scheme: String

    /// Throws `Failure(.configuration, …)` for an address or a key that cannot be.
    init(_ options: AzureOptions, _ context: ObjectStoreContext) throws(Failure) {
        let endpoint = options.endpoint ?? "https://\(options.host)"
        address = try ServerAddress(
            endpoint: endpoint, example: "https://ACCOUNT.blob.core.windows.net")
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

    var host: String { address.authority }

    func subject(_ key: String) -> String {
        let rest = key.isEmpty ? "" : "/\(key)"
        switch options.interface {
        case .blob: return "\(scheme)://\(options.host)/\(options.container)\(rest)"
        case .fileSystem: return "\(scheme)://\(options.container)@\(options.host)\(rest)"
        }
    }

    func dropsCredentials(after response: HTTPResponse) -> Bool {
        guard let tokens, response.status == 401 else { return false }
        tokens.invalidate()
        return true
    }

    func isOfMissingObject(_ response: HTTPResponse) -> Bool { AzureError(response).isOfMissingObject }

    func refusal(_ response: HTTPResponse) -> CloudRefusal {
        AzureError(response).refusal(
            by: host, response, options.credentials, nowMilliseconds: clock.nowMilliseconds())
    }

    private func path(_ key: String) -> String {
        "\(basePath)/\(options.container)"
            + (key.isEmpty ? "" : "/" + percentEncoded(key, keepingSlashes: true))
    }

    /// The header of a request that gives the object of key `source` the request's key.
    func renameHeader(from source: String) -> (name: String, value: String) {
        // The source has to be authorised too.
        let access = accessQuery.isEmpty ? "" : "?\(accessQuery)"
        return (
            "x-ms-rename-source",
            "/\(options.container)/" + percentEncoded(source, keepingSlashes: true) + access
        )
    }

    func authorised(_ request: CloudRequest) throws(Failure) -> HTTPRequest {
        var headers = request.headers
        headers.append(("x-ms-version", Self.version))
        headers.append(("x-ms-date", HTTPDate.fixdate(clock.nowMilliseconds())))
        if let hash = request.bodyDigest { headers.append(("content-md5", Base64.encoded(hash))) }
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
            "\(address.scheme)://\(host)\(path(request.key))"
            + (query.isEmpty ? "" : "?" + query.joined(separator: "&"))
        return request.http(url, subject: subject(request.key), headers: headers)
    }
}
