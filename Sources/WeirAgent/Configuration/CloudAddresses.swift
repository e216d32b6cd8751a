// The URLs of Azure containers and Google buckets. Azure's come in two forms, of which one has the container
// before an "@" and the other as the first segment of the path.

import WeirCore

extension SinkLocation {
    /// `abfss://CONTAINER@ACCOUNT.dfs.core.windows.net/PREFIX`,
    /// `https://ACCOUNT.blob.core.windows.net/CONTAINER/PREFIX` or the same with `dfs`.
    static func azure(_ text: String) -> Result<SinkLocation, Complaint> {
        let parts = text.split(separator: "://", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, let scheme = parts.first?.lowercased(),
            ["abfs", "abfss", "https"].contains(scheme)
        else {
            return .failure(
                Complaint(
                    "must be abfss://CONTAINER@ACCOUNT.dfs.core.windows.net/PREFIX or "
                        + "https://ACCOUNT.blob.core.windows.net/CONTAINER/PREFIX"))
        }
        let authority = parts[1].prefix { $0 != "/" }
        let path = String(parts[1].dropFirst(authority.count))
        let names = authority.split(separator: "@", omittingEmptySubsequences: false).map(String.init)
        if scheme == "https" {
            // No "@" is let through here: what stands before it would be a password.
            return ResourceURL.parse(text, schemes: ["https"]).flatMap { url in
                let segments = url.prefix.split(separator: "/", maxSplits: 1).map(String.init)
                return azure(host: url.authority, segments.first ?? "", segments.dropFirst().first ?? "")
            }
        }
        guard names.count == 2 else {
            return .failure(
                Complaint("names no container: write \(scheme)://CONTAINER@ACCOUNT.dfs.core.windows.net/…"))
        }
        return ResourceURL.parse("\(scheme)://\(names[1])\(path)", schemes: [scheme]).flatMap { url in
            azure(host: url.authority, names[0], url.prefix)
        }
    }

    private static func azure(
        host: String, _ container: String, _ prefix: String
    ) -> Result<SinkLocation, Complaint> {
        let labels = host.split(separator: ".", omittingEmptySubsequences: false)
        guard labels.count >= 3, labels.allSatisfy({ !$0.isEmpty }), ["blob", "dfs"].contains(labels[1]),
            case .success = HostPort.parse(host, defaultPort: 443)
        else {
            return .failure(
                Complaint(
                    "must name a host like ACCOUNT.blob.core.windows.net or ACCOUNT.dfs.core.windows.net, "
                        + "not \(quoted(host))"))
        }
        let isContainer =
            (3...63).contains(container.utf8.count)
            && container.utf8.allSatisfy { byte in
                (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
                    || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || byte == UInt8(ascii: "-")
                    || byte == UInt8(ascii: "$")
            }
        guard isContainer else {
            return .failure(
                Complaint(
                    "has no valid container: \(quoted(container)); containers have 3 to 63 of a–z, 0–9 and \"-\""))
        }
        return .success(
            .azure(
                AzurePlace(
                    host: host, container: container, prefix: prefix, isFileSystem: labels[1] == "dfs")))
    }

    /// `gs://BUCKET/PREFIX`.
    static func gcs(_ text: String) -> Result<SinkLocation, Complaint> {
        ResourceURL.parse(text, schemes: ["gs"]).flatMap { url in
            let isBucket =
                (3...222).contains(url.authority.utf8.count)
                && url.authority.utf8.allSatisfy {
                    isIdentifierByte($0) || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: ".")
                }
            guard isBucket else {
                return .failure(Complaint("has no valid bucket: \(quoted(url.authority))"))
            }
            return .success(.gcs(bucket: url.authority, prefix: url.prefix))
        }
    }
}
