// What can be set about the way a sink's HTTP requests travel: times, rate, TLS, proxy. Plain values
// that a sink's configuration fills in; verification of the server's certificate is not among them,
// since it is always on.

/// Settings of one HTTP client.
public struct HTTPClientOptions: Sendable {
    /// Which proxy requests go through.
    public enum Proxy: Sendable, Equatable {
        /// As http_proxy, https_proxy and no_proxy in the environment say.
        case environment
        /// None, whatever the environment says.
        case none
        /// This one: `http://user:password@host:port`, `socks5h://host:port`.
        case url(String)
    }

    /// The longest wait for a connection, name resolution and TLS included.
    public var connectTimeoutMilliseconds = 10_000
    /// The longest time a whole request may take; 0 = no limit (a rate-limited upload takes its time).
    public var totalTimeoutMilliseconds = 0
    /// Give up when nothing at all has moved for so long, while sending or while waiting for an answer.
    public var stallTimeoutSeconds = 60
    /// The most bytes a second that one request sends, on average; 0 = no limit. The first 16 KiB of a
    /// body leave at once.
    public var uploadBytesPerSecondMax = 0
    /// Certificates in PEM of the authorities to trust, instead of the system's.
    public var caFile: String?
    /// The client's certificate in PEM, where the server asks for one.
    public var certificateFile: String?
    /// The private key of the client's certificate in PEM.
    public var keyFile: String?
    /// `.environment` unless a proxy is configured.
    public var proxy = Proxy.environment
    /// The network interface (or source address) to send from, where there are several uplinks.
    public var interface: String?
    /// What the header User-Agent says.
    public var userAgent = "weir"

    public init() {}
}
