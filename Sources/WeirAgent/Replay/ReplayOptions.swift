// What `weir replay` can be told beside the configuration.

/// Options of a replay.
public struct ReplayOptions: Sendable {
    /// Where results go instead of to the configured sinks.
    public enum Output: Sendable, Equatable {
        /// NDJSON on standard output, nothing else there.
        case standardOutput
        /// A folder: QUERY.ndjson, _late/QUERY.ndjson, _rejected/SOURCE.ndjson.
        case folder(String)
    }

    /// Files (or "-") by source name.
    public var inputs: [String: [String]] = [:]
    /// nil: the configured sinks.
    public var output: Output?
    /// Only this query; nil: all.
    public var query: String?
    /// Durable state; nil: a temporary folder that is removed.
    public var stateDirectory: String?
    /// Rows a batch at most; nil: as they come.
    public var batchRowsMax: Int?
    /// Commit after so many batches; nil: by the commit interval.
    public var commitBatches: Int?
    /// Told how far it is, a few times a second.
    public var progress: (@Sendable (String) -> Void)?

    public init() {}
}
