// The keys of [[sink]] that say how weir gets to a server, whichever it is: bandwidth, patience, proxies,
// retries, TLS.

/// How a sink is reached.
extension SinkFields {
    private static let remote = ["s3", "webhdfs", "azure", "gcs", "http", "influxdb"]

    static let uploadRate = Setting.rate(
        "max_upload_rate", .optional, from: "1KB/s", to: "100GB/s", for: remote,
        "Bandwidth cap. Default: none.")
    static let connectTimeout = Setting.duration(
        "connect_timeout", .default("10s"), from: "100ms", to: "10m", for: remote + ["mqtt"],
        "Longest wait for a connection.")
    static let stallTimeout = Setting.duration(
        "stall_timeout", .default("60s"), from: "1s", to: "1h", for: remote + ["mqtt"],
        "A request in which nothing moves for so long is given up and repeated; a broker that acknowledges nothing "
            + "for so long is left.")
    static let timeout = Setting.duration(
        "timeout", .optional, from: "1s", to: "1d", for: remote,
        "Longest time for a whole request; an upload over a slow line needs its time. Default: no bound.")
    static let interface = Setting.text(
        "interface", .any, .optional, for: remote,
        "Network interface or source address to send from, where there are several uplinks.")
    static let proxy = Setting.text(
        "proxy", .proxyURL, .optional, for: remote,
        "`http://`, `https://`, `socks5://` or `socks5h://` proxy. Default: what the environment says."
    )
    static let proxyUsername = Setting.text(
        "proxy_username", .any, .optional, for: remote, "User at the proxy.")
    static let proxyPassword = Setting.secret(
        "proxy_password", for: remote, "Password at the proxy.")
    static let retryMin = Setting.duration(
        "retry_min", .default("1s"), from: "10ms", to: "1h",
        "Pause after the first failure; it doubles, with jitter, up to `retry_max`.")
    static let retryMax = Setting.duration(
        "retry_max", .default("5m"), from: "10ms", to: "1d",
        "Longest pause between two attempts; of sinks that take rows 30s, unless it is given.")

    static let caFile = Setting.text(
        "tls.ca_file", .path, .optional, for: remote + ["mqtt"], "CAs to trust (PEM). Default: the system's.")
    static let certificateFile = Setting.text(
        "tls.cert_file", .path, .optional, for: remote + ["mqtt"],
        "Client certificate (PEM).")
    static let keyFile = Setting.text(
        "tls.key_file", .path, .optional, for: remote + ["mqtt"],
        "Key of the client certificate (PEM), unless `tls.cert_file` holds it too.")

    /// In the order of the reference.
    static let transferDeclarations = [
        uploadRate.declaration, connectTimeout.declaration, stallTimeout.declaration,
        timeout.declaration, interface.declaration, proxy.declaration, proxyUsername.declaration,
        proxyPassword.declaration, retryMin.declaration, retryMax.declaration, caFile.declaration,
        certificateFile.declaration, keyFile.declaration,
    ]
}
