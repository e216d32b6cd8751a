// What an entry of a Delta table's log may say, as the Delta transaction log protocol defines it. An entry
// is a line of JSON for each action; a checkpoint is the same actions as rows of a Parquet file.
//
// Only what weir writes or needs to know is held. Fields that other writers add are kept out; features of
// a table that would make such a loss a damage are refused before anything is written (DeltaProtocol).

/// One action of a table's log.
public enum DeltaAction: Hashable, Sendable {
    case versions(DeltaProtocol)
    case metadata(DeltaMetadata)
    case add(DeltaAdd)
    case remove(DeltaRemove)
    case transaction(DeltaTransaction)
}

/// What readers and writers must know to use the table (`protocol`).
public struct DeltaProtocol: Hashable, Sendable {
    /// The least version of the protocol that a reader must know.
    public var minReaderVersion: Int
    /// The least that a writer must know.
    public var minWriterVersion: Int
    /// Named features; there is a list from reader version 3 on.
    public var readerFeatures: [String]?
    /// The same of writers, from writer version 7 on.
    public var writerFeatures: [String]?

    public init(
        minReaderVersion: Int, minWriterVersion: Int, readerFeatures: [String]? = nil,
        writerFeatures: [String]? = nil
    ) {
        self.minReaderVersion = minReaderVersion
        self.minWriterVersion = minWriterVersion
        self.readerFeatures = readerFeatures
        self.writerFeatures = writerFeatures
    }
}

/// The table's name, columns and settings (`metaData`).
public struct DeltaMetadata: Hashable, Sendable {
    /// A UUID that the table keeps for ever.
    public var id: String
    /// For people; weir gives none.
    public var name: String?
    public var description: String?
    /// `parquet`.
    public var formatProvider: String
    /// The format's options; Parquet has none.
    public var formatOptions: [String: String]
    /// The columns, as JSON (DeltaSchema).
    public var schemaString: String
    /// Their names, in order; empty for a table without partitions.
    public var partitionColumns: [String]
    /// When the table was made, ms since the epoch.
    public var createdTime: Int64?
    /// The table's properties, such as `delta.appendOnly`.
    public var configuration: [String: String]

    public init(
        id: String, name: String? = nil, description: String? = nil,
        formatProvider: String = "parquet", formatOptions: [String: String] = [:],
        schemaString: String, partitionColumns: [String], createdTime: Int64? = nil,
        configuration: [String: String] = [:]
    ) {
        self.id = id
        self.name = name
        self.description = description
        self.formatProvider = formatProvider
        self.formatOptions = formatOptions
        self.schemaString = schemaString
        self.partitionColumns = partitionColumns
        self.createdTime = createdTime
        self.configuration = configuration
    }
}

/// A file becomes part of the table (`add`).
public struct DeltaAdd: Hashable, Sendable {
    /// From the table's folder on, percent-encoded as a URI is; the key of the table's set of files.
    public var path: String
    /// By partition column; nil for NULL.
    public var partitionValues: [String: String?]
    /// Bytes.
    public var size: Int64
    /// When it was written, ms since the epoch.
    public var modificationTime: Int64
    /// False where rows are only moved between files.
    public var dataChange: Bool
    /// Statistics, as JSON (DeltaStatistics).
    public var stats: String?
    /// Whatever other writers note of the file; weir gives none.
    public var tags: [String: String?]?

    public init(
        path: String, partitionValues: [String: String?], size: Int64, modificationTime: Int64,
        dataChange: Bool = true, stats: String? = nil, tags: [String: String?]? = nil
    ) {
        self.path = path
        self.partitionValues = partitionValues
        self.size = size
        self.modificationTime = modificationTime
        self.dataChange = dataChange
        self.stats = stats
        self.tags = tags
    }
}

/// A file is no longer part of the table (`remove`); a checkpoint keeps it as a tombstone for a while.
public struct DeltaRemove: Hashable, Sendable {
    /// As in the file's `add`.
    public var path: String
    /// When it was removed, ms since the epoch.
    public var deletionTimestamp: Int64?
    /// As of `DeltaAdd`.
    public var dataChange: Bool
    /// Whether the next two are given.
    public var extendedFileMetadata: Bool
    /// As in the file's `add`, where `extendedFileMetadata` says that they are given.
    public var partitionValues: [String: String?]?
    /// Bytes.
    public var size: Int64?

    public init(
        path: String, deletionTimestamp: Int64?, dataChange: Bool,
        extendedFileMetadata: Bool = false, partitionValues: [String: String?]? = nil,
        size: Int64? = nil
    ) {
        self.path = path
        self.deletionTimestamp = deletionTimestamp
        self.dataChange = dataChange
        self.extendedFileMetadata = extendedFileMetadata
        self.partitionValues = partitionValues
        self.size = size
    }
}

/// How far an application has come with what it writes to the table (`txn`).
public struct DeltaTransaction: Hashable, Sendable {
    /// Names the application; weir's is of agent, state, sink and stream.
    public var appId: String
    /// Never falls; weir's is the number of the last row.
    public var version: Int64
    /// When it was written, ms since the epoch.
    public var lastUpdated: Int64?

    public init(appId: String, version: Int64, lastUpdated: Int64? = nil) {
        self.appId = appId
        self.version = version
        self.lastUpdated = lastUpdated
    }
}
