// What can be set about an HDFS sink.

import WeirCore

/// Settings of a WebHDFSStore.
public struct WebHDFSOptions: Sendable {
    /// How weir says who it is.
    public enum Authentication: Sendable {
        /// user.name in every request: clusters without security.
        case userName(String)
        /// A delegation token that somebody fetched (`hdfs fetchdt`).
        case delegationToken(String)
        /// Kerberos by SPNEGO, with the ticket in the process's credential cache.
        case kerberos
    }

    /// `host:port` of each NameNode; more than one where they are a high-availability pair.
    public var nameNodes: [String]
    /// Whether to speak https (swebhdfs).
    public var usesTLS: Bool
    /// The folder that holds the objects; absolute.
    public var basePath: String
    /// The user `weir` by default.
    public var authentication = Authentication.userName("weir")
    /// How requests travel.
    public var http = HTTPClientOptions()

    public init(nameNodes: [String], basePath: String, usesTLS: Bool = false) {
        self.nameNodes = nameNodes
        self.basePath = basePath
        self.usesTLS = usesTLS
    }

    /// From `webhdfs://namenode:9870/base` or `swebhdfs://nn1:9871,nn2:9871/base`. Without a port it is
    /// 9870, or 9871 with TLS. Throws `Failure(.configuration, …)` for anything else.
    public init(url: String) throws(Failure) {
        let scheme = ServerAddress.scheme(of: url) ?? ""
        let rest = url.dropFirst(scheme.count + 3)
        let authority = rest.prefix { $0 != "/" }
        let usesTLS = scheme == "swebhdfs"
        let nameNodes = authority.split(separator: ",", omittingEmptySubsequences: false).map { name in
            ServerAddress("http://\(name)")?.port == nil
                ? "\(name):\(usesTLS ? 9871 : 9870)" : String(name)
        }
        guard scheme == "webhdfs" || usesTLS,
            nameNodes.allSatisfy({ ServerAddress("http://\($0)")?.path == "" })
        else {
            throw Failure(
                .configuration, "reading", "the url \(url)",
                "it is not webhdfs:// or swebhdfs:// with NameNodes and a path",
                advice: "write webhdfs://namenode:9870/lake, or webhdfs://nn1:9870,nn2:9870/lake")
        }
        self.init(
            nameNodes: nameNodes, basePath: String(rest.dropFirst(authority.count)), usesTLS: usesTLS)
    }
}
