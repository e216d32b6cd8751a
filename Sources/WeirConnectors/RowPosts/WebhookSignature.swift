// How a webhook's receiver can tell that a body is weir's and is not old: an HMAC-SHA256 over the time and
// the body, with a secret that both know. docs/row-sinks.md shows how to verify it.

import Crypto

/// The header Weir-Signature.
public enum WebhookSignature {
    /// The header's name.
    public static let header = "Weir-Signature"

    /// `t=1764157980,v1=…`: the time of the attempt in Unix seconds, and the hexadecimal HMAC-SHA256 of
    /// that number, a point and the body as it is sent.
    public static func value(_ body: [UInt8], secret: String, unixSeconds: Int64) -> String {
        var hash = HMAC<SHA256>(key: SymmetricKey(data: Array(secret.utf8)))
        hash.update(data: Array("\(unixSeconds).".utf8))
        hash.update(data: body)
        return "t=\(unixSeconds),v1=\(hexadecimal(hash.finalize()))"
    }
}
