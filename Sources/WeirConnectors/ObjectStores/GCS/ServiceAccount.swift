// A service account of Google: the key file that the console hands out, and the signed assertion (a JWT of
// RFC 7523) that is exchanged for tokens.
//
// Source: "Using OAuth 2.0 for Server to Server Applications" of Google Identity.

import WeirCore

/// Who signs, and with what.
final class ServiceAccount {
    let email: String
    /// Where assertions are exchanged for tokens.
    let tokenURL: String
    private let keyID: String
    private let signer: RSASigner

    private static let scope = "https://www.googleapis.com/auth/devstorage.read_write"
    private static let lifetimeSeconds: Int64 = 3600

    /// Reads a key file's text. Throws `Failure(.configuration, …)`, which never quotes the text.
    init(keyFile text: String) throws(Failure) {
        func refusal(_ reason: String) -> Failure {
            Failure(
                .configuration, "reading", "service_account_key", reason,
                advice: "make a key of the service account in JSON, and name its file: \"file:/path\"")
        }
        guard let document = JSONValue(parsing: Array(text.utf8)) else {
            throw refusal("it is not JSON")
        }
        guard document["type"]?.string == "service_account", let email = document["client_email"]?.string,
            let key = document["private_key"]?.string
        else { throw refusal("it is not the key of a service account") }
        guard let signer = RSASigner(pem: key) else {
            throw refusal("its private_key is no RSA key in PEM")
        }
        self.email = email
        self.signer = signer
        keyID = document["private_key_id"]?.string ?? ""
        tokenURL = document["token_uri"]?.string ?? "https://oauth2.googleapis.com/token"
        guard let address = ServerAddress(tokenURL), ["http", "https"].contains(address.scheme) else {
            throw refusal("its token_uri is no URL")
        }
    }

    /// The assertion for an hour from now on. Throws when the key cannot sign.
    func assertion(nowMilliseconds: Int64) throws(Failure) -> String {
        let issued = nowMilliseconds / 1000
        let header = #"{"alg":"RS256","typ":"JWT","kid":\#(jsonQuoted(keyID))}"#
        let claims =
            #"{"iss":\#(jsonQuoted(email)),"scope":"\#(Self.scope)","aud":\#(jsonQuoted(tokenURL)),"#
            + #""iat":\#(issued),"exp":\#(issued + Self.lifetimeSeconds)}"#
        let text = Base64.encodedForURL(header.utf8) + "." + Base64.encodedForURL(claims.utf8)
        guard let signature = signer.signature(of: Array(text.utf8)) else {
            throw Failure(
                .configuration, "signing with", "service_account_key", "OpenSSL refuses the key",
                advice: "make a new key of the service account")
        }
        return text + "." + Base64.encodedForURL(signature)
    }
}

/// A JSON string.
func jsonQuoted(_ text: String) -> String {
    var quoted = "\""
    for scalar in text.unicodeScalars {
        switch scalar {
        case "\"", "\\": quoted += "\\\(scalar)"
        case _ where scalar.value < 0x20:
            quoted += "\\u00" + hexadecimal(CollectionOfOne(UInt8(scalar.value)))
        default: quoted.unicodeScalars.append(scalar)
        }
    }
    return quoted + "\""
}
