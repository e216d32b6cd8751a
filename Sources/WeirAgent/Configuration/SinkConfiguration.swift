// `[[sink]]` after checking: where results go, as which files, and when.

import WeirCore

/// The kinds of sinks.
public enum SinkType: String, Sendable, CaseIterable {
    case file, webhdfs, s3, azure, gcs
    case mqtt, http, influxdb

    /// Whether rows go there as they come, rather than files.
    public var takesRows: Bool {
        switch self {
        case .mqtt, .http, .influxdb: true
        case .file, .webhdfs, .s3, .azure, .gcs: false
        }
    }
}

/// `[[sink]]`.
public struct SinkConfiguration: Sendable {
    /// The store behind the sink.
    public enum Destination: Sendable {
        /// A folder, relative to the working directory unless absolute.
        case file(directory: String)
        case webhdfs(WebHDFSConfiguration)
        case s3(S3Configuration)
        case azure(AzureConfiguration)
        case gcs(GCSConfiguration)
        /// A broker, a webhook or InfluxDB.
        case rows(RowSinkConfiguration)
    }

    /// The name that queries send their results to.
    public let name: String
    /// The store or receiver, with its own keys.
    public let destination: Destination
    /// How rows are written to files; `.ndjson` by default. Sinks that take rows have formats of
    /// their own.
    public let format: OutputFormat
    /// How objects are compressed, of Parquet each page; `.zstd` by default for Parquet and Delta,
    /// else `.none`.
    public let compression: OutputCompression
    /// How Parquet is written; without effect on other formats.
    public let parquet: ParquetConfiguration
    /// How tables are kept; without effect on other formats than `.delta`.
    public let delta: DeltaConfiguration
    /// nil when the bounds alone seal.
    public let schedule: Schedule?
    /// Rows of a stream that are sealed at once; 1 to 10⁹, 1,000,000 by default.
    public let rowsMax: Int64
    /// Bytes, as the outbox holds them, that are sealed at once; 1 KB to 5 GB, 64 MB by default.
    public let bytesMax: Int64
    /// Age of the oldest row at which what waits is sealed; 1 s to 7 days, nil (the default) for no
    /// bound.
    public let ageMaxMilliseconds: Int64?
    /// The timestamp column by whose date and hour objects are laid out; nil for the time of the
    /// seal.
    public let partitionBy: String?
    /// Pause between attempts, from the first to the longest.
    public let retryMilliseconds: ClosedRange<Int64>
    /// How much may wait, for how long, and what happens then.
    public let outbox: OutboxConfiguration
    let uploads: UploadConfiguration

    /// The kind of `destination`.
    public var type: SinkType {
        switch destination {
        case .file: .file
        case .webhdfs: .webhdfs
        case .s3: .s3
        case .azure: .azure
        case .gcs: .gcs
        case .rows(let rows): rows.type
        }
    }
}

/// How rows are written.
public enum OutputFormat: String, Sendable, CaseIterable {
    case ndjson, csv, parquet
    /// Parquet files of a Delta Lake table.
    case delta

    /// Whether the files are Parquet.
    var isParquet: Bool { self == .parquet || self == .delta }
}

/// How objects are compressed.
public enum OutputCompression: String, Sendable, CaseIterable {
    case none, gzip, zstd, snappy
}

/// The group `parquet` of a sink.
public struct ParquetConfiguration: Sendable, Hashable {
    /// What whole numbers and times are written as where no dictionary holds them.
    public enum Encodings: String, Sendable, CaseIterable {
        /// DELTA_BINARY_PACKED.
        case delta
        /// PLAIN.
        case plain
    }

    /// `.delta` by default.
    public let encodings: Encodings
    /// Columns with a Bloom filter in each row group; none by default.
    public let bloomFilterColumns: [String]
    /// Memory that the row groups under way may take before they are written; 1 MB to 1 GB, 16 MB
    /// by default.
    public let rowGroupBytesMax: Int64
}

/// The group `outbox` of a sink.
public struct OutboxConfiguration: Sendable, Hashable {
    /// What happens when `bytesMax` is reached.
    public enum FullPolicy: String, Sendable, CaseIterable {
        /// The intake waits.
        case pause
        /// The oldest rows are dropped, counted and logged.
        case dropOldest = "drop_oldest"
        /// Rows of neighbouring windows are merged into rows of wider ones.
        case coarsen
    }

    /// Which segments are written to files.
    public enum FilesPolicy: String, Sendable, CaseIterable {
        /// Those that have to wait, and large ones.
        case waiting
        /// All.
        case always
    }

    /// Bytes of rows that may wait, in blocks and in files; 1 MB to 10 TB, 1 GB by default.
    public let bytesMax: Int64
    /// Rows that have waited longer are dropped and counted; nil for never.
    public let ageMaxMilliseconds: Int64?
    /// `.pause` by default.
    public let onFull: FullPolicy
    /// `.waiting` by default.
    public let files: FilesPolicy
    /// How rows are merged; nil unless `onFull` is `.coarsen`.
    public var coarsening: CoarseningConfiguration?
}

/// What the HTTP stores share.
public struct TransferConfiguration: Sendable {
    /// Bytes a second at most; nil for no bound.
    public let uploadBytesPerSecondMax: Int64?
    /// The longest wait for a connection; 100 ms to 10 min, 10 s by default.
    public let connectTimeoutMilliseconds: Int64
    /// A request in which nothing moves for so long is given up and repeated.
    public let stallTimeoutMilliseconds: Int64
    /// A request that takes longer as a whole is given up and repeated; 0 for no bound.
    public let timeoutMilliseconds: Int64
    /// The network interface or source address to send from; nil for the system's choice.
    public let interface: String?
    /// A URL; nil for what the environment says.
    public let proxy: String?
    /// The user at the proxy; nil for none.
    public let proxyUsername: String?
    /// The password at the proxy; nil for none.
    public let proxyPassword: Secret?
    /// Which authorities are trusted, and the client's own certificate.
    public let tls: TLSConfiguration
}

/// The keys of a sink of `type = "webhdfs"`.
public struct WebHDFSConfiguration: Sendable {
    /// How weir says who it is.
    public enum Authentication: String, Sendable, CaseIterable {
        /// `user.name=`, which a cluster without Kerberos believes.
        case simple
        /// Kerberos, by the ticket cache of the process.
        case spnego
        /// A delegation token.
        case token
    }

    /// The NameNodes; the active one is found by asking.
    public let nameNodes: [HostPort]
    /// Whether the URL is `swebhdfs://`.
    public let usesTLS: Bool
    /// The folder, absolute.
    public let directory: String
    /// `.token` by default when there is a `delegationToken`, else `.simple`.
    public let authentication: Authentication
    /// The user of `.simple`, who owns the files; `weir` by default.
    public let user: String?
    /// The token of `.token`; nil for the others.
    public let delegationToken: Secret?
    /// Times, rate, proxy and TLS.
    public let transfer: TransferConfiguration
}

/// The keys of a sink of `type = "s3"`.
public struct S3Configuration: Sendable {
    /// Where credentials come from.
    public enum CredentialSource: String, Sendable, CaseIterable {
        /// `access_key` and `secret_key` if given, else the environment, else the instance.
        case auto
        /// `access_key` and `secret_key`.
        case `static`
        /// AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN.
        case environment
        /// The instance's or the container's metadata service.
        case instance
    }

    /// The bucket, from the URL.
    public let bucket: String
    /// Of object names, without slashes at its ends; may be empty.
    public let prefix: String
    /// `http://host:port`; nil for Amazon's own of the region.
    public let endpoint: String?
    /// The region that requests are signed for; `us-east-1` by default.
    public let region: String
    /// `.auto` by default.
    public let credentials: CredentialSource
    /// The access key id; nil when the credentials come from elsewhere.
    public let accessKey: Secret?
    /// The secret access key, given with `accessKey` or not at all.
    public let secretKey: Secret?
    /// The token of temporary credentials; nil for lasting ones.
    public let sessionToken: Secret?
    /// `endpoint/bucket/key` rather than `bucket.endpoint/key`.
    public let usesPathStyle: Bool
    /// Objects that are longer go up in parts; 5 MiB to 5 GB, 16 MB by default.
    public let multipartAboveBytes: Int64
    /// Times, rate, proxy and TLS.
    public let transfer: TransferConfiguration
}
