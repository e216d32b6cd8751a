// A small blocking HTTP client over one libcurl easy handle. Blocking, because each sink has a thread of
// its own and does one thing at a time; libcurl, because it brings proxies, client certificates, SPNEGO
// and rate limits, and its TLS is kept current by the distribution.
//
// Always true: certificates are verified; redirects are not followed (WebHDFS follows its own, and an
// S3 signature does not survive one); a failure names the host and never the URL, whose query may hold
// a token. The handle keeps connections and names from request to request.

import CCurl
import Glibc
import WeirCore

/// Sends requests one after the other; owned by one thread at a time.
public final class HTTPClient {
    private var handle: UnsafeMutableRawPointer
    private let options: HTTPClientOptions
    private let abort: AbortFlag
    private let meter: (any UploadMeter)?
    private let errorText: UnsafeMutablePointer<CChar>

    /// Starts libcurl once a process. TLS writes to a dead connection raise SIGPIPE, which would end the
    /// process, so the signal is ignored from here on (every write here is checked).
    private static let libraryStart: CURLcode = {
        signal(SIGPIPE, SIG_IGN)
        return weir_curl_global_init()
    }()

    /// - Parameters:
    ///   - abort: raised when weir stops; a request under way then ends within a second or so.
    ///   - meter: paces and counts what requests send; nil for nobody.
    public init(
        _ options: HTTPClientOptions = HTTPClientOptions(), abort: AbortFlag = AbortFlag(),
        meter: (any UploadMeter)? = nil
    ) throws(Failure) {
        guard Self.libraryStart == CURLE_OK, let handle = curl_easy_init() else {
            throw Failure(.internalError, "starting", "libcurl", "it could not be initialised")
        }
        self.handle = handle
        self.options = options
        self.abort = abort
        self.meter = meter
        errorText = .allocate(capacity: Int(CURL_ERROR_SIZE))
        errorText.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
    }

    deinit {
        curl_easy_cleanup(handle)
        errorText.deallocate()
    }

    /// Whether weir is stopping: whoever tries again in a loop has to leave it then.
    public var isAborted: Bool { abort.isRaised }

    /// Sends one request and waits for its answer. Any HTTP status is an answer.
    ///
    /// Throws a `Failure` (external, to be tried again) when there was no complete answer; whether the
    /// server has acted on the request is then unknown.
    public func perform(_ request: HTTPRequest) throws(Failure) -> HTTPResponse {
        guard !abort.isRaised else { throw stopping(request) }
        for header in request.headers where !isPlain(header.name) || !isPlain(header.value) {
            throw Failure(
                .external, request.action, request.subject,
                "the value for the header \(trimmed(header.name)) has control characters in it")
        }
        let transfer = try HTTPTransfer(request, abort: abort, meter: meter)
        curl_easy_reset(handle)
        let lines = headerLines(request)
        defer { curl_slist_free_all(lines) }
        require(weir_curl_set_headers(handle, lines))
        require(transfer.register(with: handle))
        configureConnection(request)
        configureSecurity(request)
        configureMethod(request)
        errorText.pointee = 0
        let code = withExtendedLifetime(transfer) { curl_easy_perform(handle) }
        countHead()
        guard code == CURLE_OK else {
            let failure = failure(request, transfer, code)
            if code == CURLE_PEER_FAILED_VERIFICATION { forgetSessions() }
            throw failure
        }
        return HTTPResponse(status: transfer.status, headers: transfer.headers, body: transfer.received)
    }

    /// libcurl may keep the TLS session of a connection whose certificate it refused. Resumed, that session
    /// shows the refused certificate again, even when the server has a better one by now.
    private func forgetSessions() {
        guard let fresh = curl_easy_init() else { return }
        curl_easy_cleanup(handle)
        handle = fresh
    }

    /// Heads of requests travel too; those of TLS and TCP are not seen here.
    private func countHead() {
        guard let meter else { return }
        var bytes = 0
        if weir_curl_get_long(handle, CURLINFO_REQUEST_SIZE, &bytes) == CURLE_OK { meter.count(bytes) }
    }

    private func headerLines(_ request: HTTPRequest) -> UnsafeMutablePointer<curl_slist>? {
        var lines: UnsafeMutablePointer<curl_slist>?
        for header in request.headers {
            // "Name;" is libcurl's way to send a header with an empty value.
            lines = curl_slist_append(
                lines, header.value.isEmpty ? "\(header.name);" : "\(header.name): \(header.value)")
        }
        return lines
    }

    private func configureConnection(_ request: HTTPRequest) {
        set(CURLOPT_URL, request.url)
        set(CURLOPT_PROTOCOLS_STR, "http,https")
        set(CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1)
        set(CURLOPT_NOSIGNAL, 1)
        set(CURLOPT_NOPROGRESS, 0)
        set(CURLOPT_FOLLOWLOCATION, 0)
        set(CURLOPT_PATH_AS_IS, 1)
        set(CURLOPT_TCP_KEEPALIVE, 1)
        set(CURLOPT_USERAGENT, options.userAgent)
        require(weir_curl_set_error_buffer(handle, errorText))
        set(
            CURLOPT_CONNECTTIMEOUT_MS,
            request.connectTimeoutMilliseconds ?? options.connectTimeoutMilliseconds)
        set(CURLOPT_TIMEOUT_MS, request.totalTimeoutMilliseconds ?? options.totalTimeoutMilliseconds)
        configurePace()
        if let interface = options.interface { set(CURLOPT_INTERFACE, interface) }
        switch options.proxy {
        case _ where request.bypassesProxy: set(CURLOPT_PROXY, "")
        case .none: set(CURLOPT_PROXY, "")
        case .environment: break
        case .url(let proxy): set(CURLOPT_PROXY, proxy)
        }
    }

    /// A limited rate means waiting between pieces, so they are small, and the time without movement
    /// that is taken for a stall leaves room for them.
    private func configurePace() {
        let rate = options.uploadBytesPerSecondMax
        var stallSeconds = options.stallTimeoutSeconds
        if rate > 0 {
            let pieceBytes = 16 << 10
            set(CURLOPT_UPLOAD_BUFFERSIZE, pieceBytes)
            require(weir_curl_set_offset(handle, CURLOPT_MAX_SEND_SPEED_LARGE, curl_off_t(rate)))
            if stallSeconds > 0 { stallSeconds += 2 * pieceBytes / rate }
        }
        if stallSeconds > 0 {
            set(CURLOPT_LOW_SPEED_LIMIT, 1)
            set(CURLOPT_LOW_SPEED_TIME, stallSeconds)
        }
    }

    private func configureSecurity(_ request: HTTPRequest) {
        set(CURLOPT_SSL_VERIFYPEER, 1)
        set(CURLOPT_SSL_VERIFYHOST, 2)
        set(CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2)
        if let file = options.caFile { set(CURLOPT_CAINFO, file) }
        if let file = options.certificateFile { set(CURLOPT_SSLCERT, file) }
        if let file = options.keyFile { set(CURLOPT_SSLKEY, file) }
        if request.negotiates {
            set(CURLOPT_HTTPAUTH, weir_curl_auth_negotiate())
            // An empty user makes libcurl take the name out of the Kerberos ticket.
            set(CURLOPT_USERPWD, ":")
        }
    }

    private func configureMethod(_ request: HTTPRequest) {
        switch request.method {
        case "GET":
            set(CURLOPT_HTTPGET, 1)
        case "HEAD":
            set(CURLOPT_NOBODY, 1)
        case "PUT", "POST", "PATCH":
            set(CURLOPT_UPLOAD, 1)
            require(
                weir_curl_set_offset(handle, CURLOPT_INFILESIZE_LARGE, curl_off_t(request.body.length)))
            set(CURLOPT_CUSTOMREQUEST, request.method)
        default:
            precondition(request.body.length == 0, "only PUT, POST and PATCH have a body here")
            set(CURLOPT_CUSTOMREQUEST, request.method)
        }
    }

    private func set(_ option: CURLoption, _ value: Int) {
        require(weir_curl_set_long(handle, option, value))
    }

    private func set(_ option: CURLoption, _ value: String) {
        require(weir_curl_set_string(handle, option, value))
    }

    private func require(_ code: CURLcode) {
        precondition(code == CURLE_OK, "libcurl lacks an option that weir is built on")
    }

    private func isPlain(_ text: String) -> Bool {
        text.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F }
    }

    private func stopping(_ request: HTTPRequest) -> Failure {
        Failure(.external, request.action, request.subject, "weir is stopping", retry: .backoff)
    }

    private func failure(_ request: HTTPRequest, _ transfer: HTTPTransfer, _ code: CURLcode) -> Failure
    {
        let host = ServerAddress(request.url)?.authority ?? "the server"
        var (reason, advice) = words(for: code)
        switch transfer.interruption {
        case .aborted:
            return stopping(request)
        case .bodyUnreadable(let what):
            return Failure(.storage, "reading", "the body to send", what, retry: .backoff)
        case .answerTooLarge:
            reason = "its answer is longer than \(request.responseBytesMax) bytes"
            advice = ""
        case nil:
            break
        }
        return Failure(
            .external, request.action, request.subject, "\(host): \(reason)", advice: advice,
            retry: .backoff)
    }

    /// libcurl's reason in words, and what to do about it where that is known.
    private func words(for code: CURLcode) -> (reason: String, advice: String) {
        let detail = trimmed(String(cString: errorText))
        let reason = detail.isEmpty ? String(cString: curl_easy_strerror(code)) : detail
        switch code {
        case CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CACERT_BADFILE:
            return (reason, "renew the server's certificate, or name its authority in tls.ca_file")
        case CURLE_SSL_CERTPROBLEM:
            return (reason, "look at tls.cert_file and tls.key_file")
        case CURLE_COULDNT_RESOLVE_PROXY:
            return (reason, "look at `proxy` or https_proxy in the environment")
        case CURLE_SSL_CONNECT_ERROR where reason.contains("wrong version number"):
            return ("it does not speak TLS on this port", "look at the port, or write http:// for https://")
        case CURLE_UNSUPPORTED_PROTOCOL, CURLE_WEIRD_SERVER_REPLY:
            return ("what answers there does not speak HTTP (\(reason))", "look at the port")
        case CURLE_INTERFACE_FAILED:
            return (reason, "look at `interface`")
        case CURLE_COULDNT_CONNECT:
            // libcurl says only that it could not; the system's word is what tells an operator why.
            var number = 0
            guard weir_curl_get_long(handle, CURLINFO_OS_ERRNO, &number) == CURLE_OK, number != 0 else {
                return (reason, "")
            }
            return ("cannot connect: \(systemErrorText(Int32(number)))", "")
        default:
            return (reason, "")
        }
    }
}
