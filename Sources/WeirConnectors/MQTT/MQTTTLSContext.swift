// TLS for one connection: certificates loaded anew each time, so that renewed files are taken up by the
// next reconnect, and the cause of a failed handshake as a sentence.

import CMosquitto
import WeirCore

/// Owner of a weir_tls.
final class MQTTTLSContext {
    private let tls: UnsafeMutablePointer<weir_tls>
    private let options: MQTTOptions

    /// Loads the files that `options` names. Throws `Failure(.configuration, …)` that names the file.
    init(_ options: MQTTOptions) throws(Failure) {
        self.options = options
        var step = WEIR_TLS_OK
        guard
            let tls = weir_tls_new(
                options.address.host, options.caFile, options.certFile, options.keyFile, &step)
        else {
            let reason = weir_tls_reason().map { String(cString: $0) } ?? "OpenSSL gives no reason"
            let keyFile = options.keyFile ?? options.certFile ?? ""
            switch step {
            case WEIR_TLS_CA_FILE:
                throw Self.unusable("tls.ca_file", options.caFile ?? "", reason)
            case WEIR_TLS_CERT_FILE:
                throw Self.unusable("tls.cert_file", options.certFile ?? "", reason)
            case WEIR_TLS_KEY_FILE:
                throw Self.unusable("tls.key_file", keyFile, reason)
            case WEIR_TLS_KEY_MATCH:
                throw Self.unusable("tls.key_file", keyFile, "it is not the key of \(options.certFile ?? "")")
            default:
                throw Failure(.internalError, "preparing TLS for", options.address.description, reason)
            }
        }
        self.tls = tls
    }

    deinit { weir_tls_free(tls) }

    private static func unusable(_ key: String, _ file: String, _ reason: String) -> Failure {
        Failure(
            .configuration, "loading", "\(key) \(file)", reason,
            advice: "it has to be a readable PEM file without a passphrase")
    }

    /// Makes a client of the library use this context.
    func attach(to client: OpaquePointer) -> Int32 { weir_tls_attach(client, tls) }

    /// Why the handshake failed, as far as it is known. The alert that says it is lost when the broker
    /// closes before it has read our CONNECT, so a wish for a certificate counts too.
    var cause: String? {
        let code = tls.pointee.verify_error
        if code != X509_V_OK { return Self.certificateProblem(code, tls.pointee, options) }
        let alert = tls.pointee.alert
        switch alert {
        case -1 where tls.pointee.certificate_wanted == 0: return nil
        case -1, 40, 42, 43, 46, 48, 49, 116:
            if tls.pointee.certificate_wanted != 0 {
                return options.certFile == nil
                    ? "the broker asks for a client certificate; set tls.cert_file and tls.key_file"
                    : "the broker does not accept tls.cert_file (\(Self.alertText(alert)))"
            }
            return "the broker broke off the TLS handshake (\(Self.alertText(alert)))"
        case 44: return "the broker says that tls.cert_file was revoked"
        case 45: return "the broker says that tls.cert_file has expired"
        default: return "the broker broke off the TLS handshake (\(Self.alertText(alert)))"
        }
    }

    private static func alertText(_ alert: Int32) -> String {
        switch alert {
        case -1: "it closed the connection"
        case 40: "no way to encrypt that both know"
        case 42: "bad certificate"
        case 46: "certificate unknown"
        case 48: "unknown authority"
        case 70: "TLS version not supported"
        case 112: "name not known there"
        default: "alert \(alert)"
        }
    }

    private static func certificateProblem(
        _ code: Int32, _ tls: weir_tls, _ options: MQTTOptions
    ) -> String {
        let subject = text(of: tls.subject)
        switch code {
        case X509_V_ERR_CERT_HAS_EXPIRED:
            let day = day(text(of: tls.not_after))
            return "the broker's certificate (\(subject)) expired on \(day); renew it"
        case X509_V_ERR_CERT_NOT_YET_VALID:
            return "the broker's certificate (\(subject)) is valid from \(day(text(of: tls.not_before))) on; "
                + "is this machine's clock right?"
        case X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH:
            return "the broker's certificate (\(subject)) is not for \(options.address.host); "
                + "use the name that it is for in url"
        case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN,
            X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT,
            X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
            let trusted = options.caFile.map { "tls.ca_file \($0)" } ?? "this machine's authorities"
            return "the broker's certificate (\(subject)) is not signed by \(trusted); "
                + "set tls.ca_file to its authority"
        default:
            let reason = String(cString: X509_verify_cert_error_string(Int(code)))
            return "the broker's certificate (\(subject)) was not accepted: \(reason)"
        }
    }

    /// "20260102" as "2026-01-02".
    private static func day(_ digits: String) -> String {
        guard digits.utf8.count == 8 else { return digits }
        return "\(digits.prefix(4))-\(digits.dropFirst(4).prefix(2))-\(digits.suffix(2))"
    }
}

/// The text of a C array of characters, up to its NUL.
private func text<Characters>(of characters: Characters) -> String {
    withUnsafeBytes(of: characters) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
}
