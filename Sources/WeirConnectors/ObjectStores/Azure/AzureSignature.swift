// The SharedKey signature of Azure storage, after "Authorize with Shared Key" of its REST reference, in
// the form that versions since 2015-02-21 want. It covers method, headers and query, not the body: that
// is what Content-MD5, which it does cover, is for.

import Crypto

/// One request, as far as its signature is concerned.
struct AzureSignableRequest {
    var method: String
    /// As it is sent, percent-encoded, beginning with a slash.
    var path: String
    /// Plain names and values.
    var query: [(name: String, value: String?)] = []
    /// Names in lower case, those of `x-ms-` among them.
    var headers: [(name: String, value: String)] = []
    /// Bytes.
    var contentLength = 0
}

/// Signs requests to one account.
struct AzureSignature {
    let account: String
    let key: [UInt8]

    /// The value of the Authorization header.
    func authorization(_ request: AzureSignableRequest) -> String {
        "SharedKey \(account):\(code(of: stringToSign(request)))"
    }

    /// The signature of a text, base64.
    func code(of text: String) -> String {
        let code = HMAC<SHA256>.authenticationCode(
            for: Array(text.utf8), using: SymmetricKey(data: key))
        return Base64.encoded(code)
    }

    func stringToSign(_ request: AzureSignableRequest) -> String {
        let value = { (name: String) in request.headers.first { $0.name == name }?.value ?? "" }
        let lines = [
            request.method, value("content-encoding"), value("content-language"),
            request.contentLength == 0 ? "" : String(request.contentLength), value("content-md5"),
            value("content-type"), "" /* the date is in x-ms-date */, value("if-modified-since"),
            value("if-match"), value("if-none-match"), value("if-unmodified-since"), value("range"),
        ]
        let own = request.headers.filter { $0.name.hasPrefix("x-ms-") }
            .sorted { $0.name < $1.name }
            .map { "\($0.name):\($0.value)\n" }
        return lines.joined(separator: "\n") + "\n" + own.joined() + resource(request)
    }

    private func resource(_ request: AzureSignableRequest) -> String {
        let query = request.query
            .map { (name: $0.name.lowercased(), value: $0.value ?? "") }
            .sorted { ($0.name, $0.value) < ($1.name, $1.value) }
            .map { "\n\($0.name):\($0.value)" }
        return "/\(account)\(request.path)" + query.joined()
    }
}
