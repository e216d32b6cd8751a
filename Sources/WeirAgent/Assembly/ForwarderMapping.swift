// A sink's configuration as its forwarder's settings.

import WeirCore
import WeirFormats
import WeirSQL

extension SinkConfiguration {
    /// The settings of the sink's forwarder, which works in `stateDirectory`; `queries` are those of the
    /// configuration.
    func forwarderSettings(
        _ agent: AgentSettings, stateDirectory: String, queries: [QueryConfiguration],
        environment: [String: String]
    ) -> ForwarderSettings {
        ForwarderSettings(
            sinkName: name, agentID: agent.id, store: storeOptions(environment: environment),
            rows: rowOptions,
            naming: ObjectNaming(
                agentID: agent.id, fileExtension: fileFormat.fileExtension),
            format: fileFormat, seal: sealPolicy, partitionBy: partitionBy,
            retryMilliseconds: retryMilliseconds, outbox: outbox,
            coarsening: coarseningSettings(queries),
            stagingDirectory: "\(stateDirectory)/staging/\(name)",
            // Intake stops at the whole of it, and RocksDB needs less than half.
            stagingReserveBytes: agent.freeSpaceReserveBytes / 2,
            table: format == .delta
                ? TableSettings(
                    checkpointInterval: delta.checkpointInterval, upkeep: delta.upkeepSettings) : nil,
            uploads: uploadRules,
            marker: uploads.marker.map { HourMarker($0, agentID: agent.id) })
    }

    /// When, how much and in what order the sink's segments leave.
    var uploadRules: UploadRules {
        UploadRules(
            planner: UploadPlanner(
                windows: uploads.windows, deadlineMilliseconds: uploads.deadlineMilliseconds,
                priority: uploads.priority),
            condition: uploads.condition, targetBytes: uploads.targetBytes,
            usesUplink: type != .file,
            // Rows of the outbox are packed columns; as plain text they are several times as long.
            expectedRatio: format.isText && compression == .none ? 4 : 1)
    }

    /// How hours of a query's rows become complete here; nil when this is told to nobody.
    func partitionRule(of plan: QueryPlan) -> PartitionRule? {
        guard uploads.marker != nil, let name = partitionBy, let column = plan.schema.index(of: name),
            let reach = plan.root.reach(ofColumn: column)
        else { return nil }
        return PartitionRule(column: column, reach: reach)
    }

    /// The options of a sink that takes rows; nil for one that takes files.
    var rowOptions: RowSinkOptions? {
        if case .rows(let rows) = destination { rows.options(name: name) } else { nil }
    }

    private func coarseningSettings(_ queries: [QueryConfiguration]) -> CoarseningSettings? {
        guard let widths = outbox.coarsening?.widthsMilliseconds else { return nil }
        var plans: [String: CoarsenablePlan] = [:]
        for query in queries where query.sinks.contains(name) {
            if case .success(let plan) = query.plan.coarsening() { plans[query.name] = plan }
        }
        return CoarseningSettings(widths: widths, plans: plans)
    }

    private var fileFormat: FileFormat {
        switch format {
        case .ndjson: .rows(.ndjson, compression.algorithm)
        case .csv: .rows(.csv, compression.algorithm)
        case .parquet: .parquet(parquetOptions)
        case .delta:
            .parquet(
                {
                    var options = parquetOptions
                    options.isForTables = true
                    return options
                }())
        }
    }

    private var parquetOptions: ParquetOptions {
        ParquetOptions(
            compression: compression.algorithm,
            usesDeltas: parquet.encodings == .delta,
            bloomFilterColumns: Set(parquet.bloomFilterColumns),
            rowGroupBytesMax: Int(clamping: parquet.rowGroupBytesMax), version: version)
    }

    /// When the sink's rows become segments.
    var sealPolicy: SealPolicy {
        let schedule = schedule
        return SealPolicy(
            nextTick: { schedule?.nextAfter($0) ?? .max }, rowsMax: Int(clamping: rowsMax),
            bytesMax: Int(clamping: bytesMax), ageMaxMilliseconds: ageMaxMilliseconds ?? .max)
    }
}

extension OutputFormat {
    /// Whether rows go out as they are read by people, one after another.
    fileprivate var isText: Bool { self == .ndjson || self == .csv }
}

extension OutputCompression {
    /// The compressor's name for it.
    fileprivate var algorithm: Compression {
        switch self {
        case .none: .none
        case .gzip: .gzip
        case .zstd: .zstd
        case .snappy: .snappy
        }
    }
}
