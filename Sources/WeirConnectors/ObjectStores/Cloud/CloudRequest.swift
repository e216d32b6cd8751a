// What is asked of a bucket or container, in the words that S3, Azure storage and Google Cloud Storage
// share. The store says what it wants; the connection of its cloud adds address and authorisation.

import WeirCore

/// A request to a bucket or container, before it has an address and a signature or token.
struct CloudRequest {
    var method: String
    /// The object's whole key, the sink's prefix included; empty = the bucket or container itself.
    var key = ""
    /// Plain names and values.
    var query: [(name: String, value: String?)] = []
    /// Names in lower case; where requests are signed, these are too.
    var headers: [(name: String, value: String)] = []
    var body = HTTPBody.none
    /// By what the server checks that the body came whole: its SHA-256 for S3, its MD5 for Azure. nil where
    /// there is no body, and for Google, where the MD5 is in the object's description.
    var bodyDigest: [UInt8]?
    /// Whether it goes to where Google takes uploads; `key` is for failures alone then.
    var isUpload = false
    /// An answer's body longer than this is a failure.
    var responseBytesMax = 1 << 20
    /// What is being done, for failures: "uploading".
    var action: String

    /// The request as it is sent to `url`, with `headers` in place of its own.
    func http(
        _ url: String, subject: String, headers: [(name: String, value: String)]
    ) -> HTTPRequest {
        var http = HTTPRequest(method, url, action: action, subject: subject)
        http.headers = headers
        http.body = body
        http.responseBytesMax = responseBytesMax
        return http
    }
}

/// What all keys of a sink begin with in its bucket or container.
struct BucketPrefix {
    /// As configured, without slashes at the ends.
    let folder: String
    /// Empty, or `folder` with a slash at its end.
    let text: String

    init(_ configured: String) {
        folder = configured.split(separator: "/").joined(separator: "/")
        text = folder.isEmpty ? "" : folder + "/"
    }

    /// The whole key in the bucket.
    func whole(_ key: ObjectKey) -> String { text + key.text }

    /// The key that has this whole key; nil for what weir cannot have written.
    func key(whole: String) -> ObjectKey? {
        guard whole.hasPrefix(text) else { return nil }
        return ObjectKey(encoded: whole.dropFirst(text.count))
    }
}

extension ServerAddress {
    /// The address of a cloud's endpoint. Throws `Failure(.configuration, …)` for anything but http and
    /// https.
    ///
    /// - Parameter example: what is right, for the failure.
    init(endpoint: String, example: String) throws(Failure) {
        guard let address = ServerAddress(endpoint), ["http", "https"].contains(address.scheme) else {
            throw Failure(
                .configuration, "reading", "the endpoint \(endpoint)",
                "it is not http(s)://host:port", advice: "write \(example)")
        }
        self = address
    }
}
