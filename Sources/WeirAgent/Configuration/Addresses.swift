// Hosts, ports and the URLs of brokers and object stores, taken apart without Foundation.
// Credentials in a URL are refused, because URLs are printed.

import WeirCore

/// A machine and a port of it.
public struct HostPort: Hashable, Sendable, CustomStringConvertible {
    /// A name or an address, without the brackets of IPv6.
    public let host: String
    /// 1 to 65,535.
    public let port: Int

    public init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    /// As it is written: `host:port`, an IPv6 address in brackets.
    public var description: String {
        host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]:\(port)" : "\(host):\(port)"
    }

    /// Whether only this machine reaches it.
    public var isLoopback: Bool {
        host == "localhost" || host == "::1" || host.hasPrefix("127.")
    }

    /// Parses `host:port` or, with a default, `host`.
    static func parse(_ text: String, defaultPort: Int? = nil, lowestPort: Int = 1) -> Result<
        HostPort, Complaint
    > {
        let host: Substring
        var rest: Substring
        if text.hasPrefix("[") {
            guard let close = text.firstIndex(of: "]") else {
                return .failure(Complaint("has a \"[\" without \"]\""))
            }
            host = text[text.index(after: text.startIndex)..<close]
            rest = text[text.index(after: close)...]
        } else {
            host = text.prefix { $0 != ":" }
            rest = text[host.endIndex...]
        }
        guard isHost(host) else {
            return .failure(Complaint("has no valid host in \(quoted(text))"))
        }
        if rest.isEmpty, let defaultPort {
            return .success(HostPort(host: String(host), port: defaultPort))
        }
        guard rest.popFirst() == ":" else {
            return .failure(Complaint("must be host:port, not \(quoted(text))"))
        }
        guard rest.utf8.allSatisfy({ UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 }),
            let port = Int(rest),
            (lowestPort...65_535).contains(port)
        else { return .failure(Complaint("has no valid port in \(quoted(text))")) }
        return .success(HostPort(host: String(host), port: port))
    }

    private static func isHost(_ host: Substring) -> Bool {
        !host.isEmpty && host.utf8.count <= 253
            && host.utf8.allSatisfy { byte in
                isIdentifierByte(byte) || "-.:%".utf8.contains(byte)
            }
    }
}

/// A URL: `scheme://authority/path`.
struct ResourceURL: Sendable {
    let scheme: String
    /// Between `//` and the next slash: a host and a port, several of them, a bucket.
    let authority: String
    /// Behind the authority, with its leading slash; empty when there is none.
    let path: String

    static func parse(_ text: String, schemes: [String]) -> Result<ResourceURL, Complaint> {
        guard let colon = text.utf8.firstIndex(of: UInt8(ascii: ":")),
            text[colon...].hasPrefix("://")
        else {
            return .failure(Complaint("must be a URL such as \(example(schemes))"))
        }
        let scheme = text[..<colon].lowercased()
        guard schemes.contains(scheme) else {
            let near =
                nearestSpelling(of: scheme, among: schemes).map { "; did you mean \($0)://?" } ?? ""
            return .failure(
                Complaint(
                    "must begin with \(alternatives(schemes.map { "\($0)://" })), not \(scheme)://\(near)"
                ))
        }
        let rest = text[text.index(colon, offsetBy: 3)...]
        let authority = rest.prefix { $0 != "/" }
        let path = rest[authority.endIndex...]
        guard !authority.contains("@") else {
            return .failure(
                Complaint(
                    "has credentials in the URL, which is printed; there are keys of their own for them"
                ))
        }
        guard
            !rest.utf8.contains(where: {
                $0 <= 32 || $0 == 127 || $0 == UInt8(ascii: "?") || $0 == UInt8(ascii: "#")
            })
        else {
            return .failure(
                Complaint("has a space, \"?\", \"#\" or a control character in the URL"))
        }
        return .success(
            ResourceURL(scheme: scheme, authority: String(authority), path: String(path)))
    }

    /// The path without slashes at its ends, as a prefix of object names.
    var prefix: String {
        path.split(separator: "/", omittingEmptySubsequences: true).joined(separator: "/")
    }

    private static func example(_ schemes: [String]) -> String {
        switch schemes.first {
        case "mqtt": "mqtt://127.0.0.1:1883"
        case "s3": "s3://bucket/prefix"
        case "gs": "gs://bucket/prefix"
        case "webhdfs": "webhdfs://namenode:9870/folder"
        case "file": "file:///srv/lake"
        default: "http://host:port"
        }
    }
}

/// Where a sink's objects go, from its `url`.
enum SinkLocation: Sendable {
    case file(directory: String)
    case webhdfs(nameNodes: [HostPort], usesTLS: Bool, directory: String)
    case s3(bucket: String, prefix: String)
    case azure(AzurePlace)
    case gcs(bucket: String, prefix: String)

    /// Parses the URL of a sink of this type.
    static func parse(_ text: String, type: SinkType) -> Result<SinkLocation, Complaint> {
        switch type {
        case .file: file(text)
        case .webhdfs: webhdfs(text)
        case .s3: s3(text)
        case .azure: azure(text)
        case .gcs: gcs(text)
        case .mqtt, .http, .influxdb:
            preconditionFailure("sinks that take rows have addresses of their own")
        }
    }

    private static func file(_ text: String) -> Result<SinkLocation, Complaint> {
        // A relative folder may be written file:lake or file://./lake; file:///srv/lake is
        // absolute.
        guard text.hasPrefix("file:") else {
            return .failure(
                Complaint(
                    "must be file:///absolute/folder or file:relative/folder for type = \"file\""))
        }
        let rest = text.dropFirst(5)
        let path = rest.hasPrefix("//") ? rest.dropFirst(2) : rest
        guard !path.isEmpty else { return .failure(Complaint("names no folder")) }
        if rest.hasPrefix("//"), let first = path.utf8.first, first != UInt8(ascii: "/"),
            first != UInt8(ascii: ".")
        {
            let host = path.prefix { $0 != "/" }
            return .failure(
                Complaint(
                    "has the host \(quoted(String(host))); write file:///… or, for a relative folder, file:\(path)"
                ))
        }
        return .success(.file(directory: String(path)))
    }

    private static func webhdfs(_ text: String) -> Result<SinkLocation, Complaint> {
        ResourceURL.parse(text, schemes: ["webhdfs", "swebhdfs"]).flatMap { url in
            let usesTLS = url.scheme == "swebhdfs"
            var nodes: [HostPort] = []
            for part in url.authority.split(separator: ",", omittingEmptySubsequences: false) {
                switch HostPort.parse(String(part), defaultPort: usesTLS ? 9871 : 9870) {
                case .success(let node): nodes.append(node)
                case .failure(let complaint): return .failure(complaint)
                }
            }
            guard !url.path.utf8.contains(UInt8(ascii: ":")) else {
                return .failure(Complaint("has a \":\" in its path, which HDFS does not allow"))
            }
            return .success(
                .webhdfs(nameNodes: nodes, usesTLS: usesTLS, directory: "/" + url.prefix))
        }
    }

    private static func s3(_ text: String) -> Result<SinkLocation, Complaint> {
        ResourceURL.parse(text, schemes: ["s3"]).flatMap { url in
            let isBucket =
                (3...63).contains(url.authority.utf8.count)
                && url.authority.utf8.allSatisfy {
                    isIdentifierByte($0) || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: ".")
                }
            guard isBucket else {
                return .failure(Complaint("has no valid bucket: \(quoted(url.authority))"))
            }
            return .success(.s3(bucket: url.authority, prefix: url.prefix))
        }
    }
}
