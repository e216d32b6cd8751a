// AWS Signature Version 4 in headers, after "Create a signed AWS API request" of the IAM user guide,
// with the exception that S3 makes: the path is encoded once and not normalised. The caller sends path
// and query exactly as they are encoded here. Google's V4 signing process is the same with other words.

import Crypto

/// One request, as far as its signature is concerned.
struct AWSSignableRequest {
    var method: String
    /// Percent-encoded, beginning with a slash.
    var path: String
    /// Plain names and values; a name without a value is signed with an empty one.
    var query: [(name: String, value: String?)] = []
    /// The headers to sign, `host` and the date among them; names in lower case.
    var headers: [(name: String, value: String)]
    /// The SHA-256 of the body in lower-case hexadecimal.
    var payloadHash: String
}

/// The words in which the two clouds that sign this way differ.
struct SignatureDialect: Sendable, Hashable {
    /// What headers of the protocol's own begin with.
    let headerPrefix: String
    /// Of the algorithm's name and of the key.
    let family: String
    let terminator: String
    let service: String

    static let amazon = SignatureDialect(
        headerPrefix: "x-amz-", family: "AWS4", terminator: "aws4_request", service: "s3")
    static let google = SignatureDialect(
        headerPrefix: "x-goog-", family: "GOOG4", terminator: "goog4_request", service: "storage")
}

/// Signs requests for one region and service.
struct AWSSignature {
    let accessKey: String
    let secretKey: String
    let region: String
    let service: String
    var dialect = SignatureDialect.amazon

    /// The SHA-256 of no bytes.
    static let emptyPayloadHash = hexadecimal(SHA256.hash(data: [UInt8]()))

    /// The value of the Authorization header.
    ///
    /// - Parameter date: the request's time as in its x-amz-date or x-goog-date, `20261121T130509Z`.
    func authorization(_ request: AWSSignableRequest, date: String) -> String {
        let scope = "\(date.prefix(8))/\(region)/\(service)/\(dialect.terminator)"
        let toSign = stringToSign(canonicalRequest(request), date: date, scope: scope)
        var key = Array("\(dialect.family)\(secretKey)".utf8)
        for part in [String(date.prefix(8)), region, service, dialect.terminator] {
            key = mac(part, key: key)
        }
        return "\(dialect.family)-HMAC-SHA256 Credential=\(accessKey)/\(scope), "
            + "SignedHeaders=\(signedHeaderNames(request)), Signature=\(hexadecimal(mac(toSign, key: key)))"
    }

    func canonicalRequest(_ request: AWSSignableRequest) -> String {
        let query = request.query
            .map { (name: percentEncoded($0.name), value: percentEncoded($0.value ?? "")) }
            .sorted { ($0.name, $0.value) < ($1.name, $1.value) }
            .map { "\($0.name)=\($0.value)" }
            .joined(separator: "&")
        let headers = sortedHeaders(request).map { "\($0.name):\(singleSpaced($0.value))\n" }.joined()
        return [
            request.method, request.path, query, headers, signedHeaderNames(request),
            request.payloadHash,
        ].joined(separator: "\n")
    }

    private func stringToSign(_ canonicalRequest: String, date: String, scope: String) -> String {
        let digest = hexadecimal(SHA256.hash(data: Array(canonicalRequest.utf8)))
        return "\(dialect.family)-HMAC-SHA256\n\(date)\n\(scope)\n\(digest)"
    }

    private func sortedHeaders(_ request: AWSSignableRequest) -> [(name: String, value: String)] {
        request.headers.sorted { $0.name < $1.name }
    }

    private func signedHeaderNames(_ request: AWSSignableRequest) -> String {
        sortedHeaders(request).map(\.name).joined(separator: ";")
    }

    /// Without blanks at the ends, and with one where there are several.
    private func singleSpaced(_ value: String) -> String {
        value.split(separator: " ", omittingEmptySubsequences: true).joined(separator: " ")
    }

    private func mac(_ text: String, key: [UInt8]) -> [UInt8] {
        Array(HMAC<SHA256>.authenticationCode(for: Array(text.utf8), using: SymmetricKey(data: key)))
    }
}
