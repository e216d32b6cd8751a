// `[[sink]]` of the types azure and gcs after checking: which container or bucket, and who asks.

import WeirCore

/// The keys of a sink of `type = "azure"`.
public struct AzureConfiguration: Sendable {
    /// How weir proves who it is.
    public enum Credentials: Sendable {
        case accountKey(Secret)
        case sharedAccessSignature(Secret)
        case clientSecret(tenant: String, client: String, secret: Secret)
        /// `client` names one of several identities of the machine.
        case managedIdentity(client: String?)
    }

    /// Where the container is, from the URL.
    public let place: AzurePlace
    /// `http(s)://host:port`; nil for the host of the URL.
    public let endpoint: String?
    /// The account's key, a signature or an application's secret if given, else the machine's
    /// identity.
    public let credentials: Credentials
    /// Where applications get their tokens; nil for the public cloud's.
    public let authority: String?
    /// Objects that are longer go up in blocks; 5 MiB to 5 GB, 16 MB by default.
    public let multipartAboveBytes: Int64
    /// Times, rate, proxy and TLS.
    public let transfer: TransferConfiguration
}

/// A container of a storage account, and a prefix in it.
public struct AzurePlace: Sendable, Hashable {
    /// `account.blob.core.windows.net`; its first label is the account.
    public let host: String
    /// The container (of a file system, its name), from the URL.
    public let container: String
    /// Of object names, without slashes at its ends; may be empty.
    public let prefix: String
    /// Whether objects are files in folders (`dfs`) rather than blobs.
    public let isFileSystem: Bool
}

/// The keys of a sink of `type = "gcs"`.
public struct GCSConfiguration: Sendable {
    /// How weir proves who it is.
    public enum Credentials: Sendable {
        /// The text of a service account's key file.
        case serviceAccount(Secret)
        /// An HMAC key.
        case hmac(accessKey: Secret, secretKey: Secret)
        case metadataServer
    }

    /// The bucket, from the URL.
    public let bucket: String
    /// Of object names, without slashes at its ends; may be empty.
    public let prefix: String
    /// `http(s)://host:port`; nil for Google's own.
    public let endpoint: String?
    /// An HMAC key or a service account's if given, else the machine's service account.
    public let credentials: Credentials
    /// Objects that are longer go up by resumable uploads; 5 MiB to 5 GB, 16 MB by default.
    public let multipartAboveBytes: Int64
    /// Times, rate, proxy and TLS.
    public let transfer: TransferConfiguration
}
