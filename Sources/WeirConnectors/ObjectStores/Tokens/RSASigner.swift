// Signs with an RSA key (RS256 of RFC 7518), as Google wants the assertions of service accounts. By
// OpenSSL, which libcurl has in the process anyway: swift-crypto's RSA is in a module that would add
// more to the program than all of this folder.

import COpenSSL
import WeirCore

/// Owner of a private RSA key.
final class RSASigner {
    private let key: OpaquePointer

    /// Reads a key in PEM (PKCS #8 or PKCS #1); nil when the text is none, or has a passphrase.
    init?(pem: String) {
        let text = Array(pem.utf8)
        guard let key = weir_rsa_key(text, text.count) else { return nil }
        self.key = key
    }

    deinit { EVP_PKEY_free(key) }

    /// RSASSA-PKCS1-v1_5 with SHA-256; nil when OpenSSL cannot (a key that is too short).
    func signature(of message: [UInt8]) -> [UInt8]? {
        var signature = [UInt8](repeating: 0, count: weir_rsa_signature_bytes(key))
        guard weir_rsa_sign_sha256(key, message, message.count, &signature) == 1 else { return nil }
        return signature
    }
}
