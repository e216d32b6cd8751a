// What can be set about a sink in Azure storage. Secrets stay out of descriptions and reflections of
// these values, so that logging one by accident shows nothing.

import Glibc
import WeirCore

/// How weir proves who it is.
public enum AzureCredentials: Sendable, CustomStringConvertible, CustomReflectable {
    /// The account's key, base64: every request is signed with it (SharedKey).
    case accountKey(String)
    /// A shared access signature: the query string that the portal and `az` make, with or without "?".
    case sharedAccessSignature(String)
    /// An application of Entra ID and its secret.
    case clientSecret(tenant: String, client: String, secret: String)
    /// The identity that Azure gave the machine; `client` names one of several.
    case managedIdentity(client: String?)

    /// The key of the configuration that holds the secret.
    var settingName: String {
        switch self {
        case .accountKey: "account_key"
        case .sharedAccessSignature: "sas_token"
        case .clientSecret: "client_secret"
        case .managedIdentity: "the managed identity"
        }
    }

    /// The kind of the credentials, without any of them.
    public var description: String { "AzureCredentials(\(settingName))" }
    /// Empty.
    public var customMirror: Mirror { Mirror(self, children: []) }
}

/// Settings of an AzureBlobStore or an AzureFileSystemStore.
public struct AzureOptions: Sendable {
    /// Which of the two protocols of a storage account is spoken.
    public enum Interface: String, Sendable {
        /// Block blobs; works with every account.
        case blob
        /// Files in folders (ADLS Gen2), with renames in one step; wants a hierarchical namespace.
        case fileSystem
    }

    /// `account.blob.core.windows.net` or `account.dfs.core.windows.net`.
    public var host: String
    /// The container; with `.fileSystem` the file system.
    public var container: String
    /// What all keys begin with, without slashes at the ends; empty = nothing.
    public var prefix: String
    /// Follows from the host: `.fileSystem` for `dfs`.
    public var interface: Interface
    /// `http(s)://host:port` to ask instead of `https://host`. Where its host is a numeric address or
    /// localhost, the account is the first segment of each path, as emulators want it.
    public var endpoint: String?
    /// The machine's identity unless others are given.
    public var credentials = AzureCredentials.managedIdentity(client: nil)
    /// Where applications get their tokens.
    public var authority = "https://login.microsoftonline.com"
    /// Objects longer than this go up in blocks.
    public var multipartAboveBytes = 16 << 20
    /// The length of a block, and of what one request appends to a file.
    public var partBytes = 8 << 20
    /// How requests travel.
    public var http = HTTPClientOptions()
    /// The variables that the managed identity looks at.
    public var environment = AzureOptions.processEnvironment()

    public init(host: String, container: String, prefix: String = "", interface: Interface) {
        self.host = host
        self.container = container
        self.prefix = prefix
        self.interface = interface
    }

    /// The storage account's name.
    public var account: String { String(host.prefix { $0 != "." && $0 != ":" }) }

    /// The variables of this process that matter here.
    public static func processEnvironment() -> [String: String] {
        ["AZURE_POD_IDENTITY_AUTHORITY_HOST"].reduce(into: [:]) { variables, name in
            if let value = getenv(name) { variables[name] = String(cString: value) }
        }
    }
}
