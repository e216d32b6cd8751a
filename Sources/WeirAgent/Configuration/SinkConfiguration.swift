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

    public let name: String
    public let destination: Destination
    public let format: OutputFormat
    public let compression: OutputCompression
    public let parquet: ParquetConfiguration
    public let delta: DeltaConfiguration
    /// nil when the bounds alone seal.
    public let schedule: Schedule?
    public let rowsMax: Int64
    public let bytesMax: Int64
    public let ageMaxMilliseconds: Int64?
    /// The timestamp column by whose date and hour objects are laid out; nil for the time of the
    /// seal.
    public let partitionBy: String?
    /// Pause between attempts, from the first to the longest.
    public let retryMilliseconds: ClosedRange<Int64>
    public let outbox: OutboxConfiguration
    let uploads: UploadConfiguration

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

    public let encodings: Encodings
    public let bloomFilterColumns: [String]
    public let rowGroupBytesMax: Int64
}

/// The group `outbox` of a sink.
public struct OutboxConfiguration: Sendable, Hashable {
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

    public let bytesMax: Int64
    /// Rows that have waited longer are dropped and counted; nil for never.
    public let ageMaxMilliseconds: Int64?
    public let onFull: FullPolicy
    public let files: FilesPolicy
    /// How rows are merged; nil unless `onFull` is `.coarsen`.
    public var coarsening: CoarseningConfiguration?
}

/// What the HTTP stores share.
public struct TransferConfiguration: Sendable {
    /// Bytes a second at most; nil for no bound.
    public let uploadBytesPerSecondMax: Int64?
    public let connectTimeoutMilliseconds: Int64
    /// A request in which nothing moves for so long is given up and repeated.
    public let stallTimeoutMilliseconds: Int64
    /// A request that takes longer as a whole is given up and repeated; 0 for no bound.
    public let timeoutMilliseconds: Int64
    /// The network interface or source address to send from; nil for the system's choice.
    public let interface: String?
    /// A URL; nil for what the environment says.
    public let proxy: String?
    public let proxyUsername: String?
    public let proxyPassword: Secret?
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
    public let usesTLS: Bool
    /// The folder, absolute.
    public let directory: String
    public let authentication: Authentication
    public let user: String?
    public let delegationToken: Secret?
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

    public let bucket: String
    /// Of object names, without slashes at its ends; may be empty.
    public let prefix: String
    /// `http://host:port`; nil for Amazon's own of the region.
    public let endpoint: String?
    public let region: String
    public let credentials: CredentialSource
    public let accessKey: Secret?
    public let secretKey: Secret?
    public let sessionToken: Secret?
    /// `endpoint/bucket/key` rather than `bucket.endpoint/key`.
    public let usesPathStyle: Bool
    public let multipartAboveBytes: Int64
    public let transfer: TransferConfiguration
}
