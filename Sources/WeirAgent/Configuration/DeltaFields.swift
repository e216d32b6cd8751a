// The keys of the group `delta` of a sink, and what tables ask of the queries that feed them: names of
// columns that readers of tables take, and none that a partition column has.

import WeirCore
import WeirFormats
import WeirSQL

/// The group `delta` of a sink.
public struct DeltaConfiguration: Sendable {
    /// Commits from one checkpoint of a table to the next; 1 to 100,000, 50 by default.
    public let checkpointInterval: Int64
    /// When small files are compacted; nil (the default) for never.
    public let optimize: Schedule?
    /// When files that are no longer part of a table are deleted; nil (the default) for never.
    public let vacuum: Schedule?
    /// The length of a compacted file that is aimed at; 64 KB to 1 GB, 64 MB by default.
    public let targetFileBytes: Int64
    /// How long files stay that are no longer part of a table; 1 s to 3,650 days, 7 days by default.
    public let vacuumAfterMilliseconds: Int64
}

/// The keys of the group `delta`.
enum DeltaFields {
    static let checkpointInterval = Setting.integer(
        "delta.checkpoint_every", .default("50"), in: 1...100_000, for: SinkFields.files,
        "Commits after which a checkpoint gathers what a table's log says, so that readers need not read all of "
            + "it. The table's own `delta.checkpointInterval`, where it has one, goes first.")
    static let optimize = Setting.text(
        "delta.optimize", .schedule, .default("off"), for: SinkFields.files,
        "When small files that this agent wrote into one partition are brought together into larger ones, such as "
            + "`every 1h`; they are read back for it. `off`: never.")
    static let targetFileSize = Setting.size(
        "delta.target_file_size", .default("64MB"), from: "64KB", to: "1GB", for: SinkFields.files,
        "The length that compacted files should have. Files of half of it, and files of 16 MB, stay as they are.")
    static let vacuum = Setting.text(
        "delta.vacuum", .schedule, .default("off"), for: SinkFields.files,
        "When files of this agent are deleted that are no longer part of a table, such as `0 3 * * *`. `off`: never.")
    static let vacuumAfter = Setting.duration(
        "delta.vacuum_after", .default("7d"), from: "1s", to: "3650d", for: SinkFields.files,
        "How long such files stay for readers of older versions of the table.")

    /// All of them, in the order of the documentation.
    static let declarations = [
        checkpointInterval.declaration, optimize.declaration, targetFileSize.declaration,
        vacuum.declaration, vacuumAfter.declaration,
    ]
}

extension SinkBuilder {
    /// The group `delta`; warns of it where no tables are kept.
    func delta(_ values: SectionValues) -> DeltaConfiguration {
        warnOfDelta(values, DeltaFields.checkpointInterval)
        warnOfDelta(values, DeltaFields.optimize)
        warnOfDelta(values, DeltaFields.targetFileSize)
        warnOfDelta(values, DeltaFields.vacuum)
        warnOfDelta(values, DeltaFields.vacuumAfter)
        return DeltaConfiguration(
            checkpointInterval: values[DeltaFields.checkpointInterval] ?? 50,
            optimize: schedule(values, DeltaFields.optimize),
            vacuum: schedule(values, DeltaFields.vacuum),
            targetFileBytes: values[DeltaFields.targetFileSize] ?? 64 << 20,
            vacuumAfterMilliseconds: values[DeltaFields.vacuumAfter] ?? 7 * 86_400_000)
    }

    private func warnOfDelta<Value>(_ values: SectionValues, _ setting: Setting<Value>) {
        guard let format = values[SinkFields.format], format != .delta, values.isGiven(setting) else { return }
        log.warning(
            values.position(of: setting),
            "\(setting.declaration.key) has no effect without format = \"delta\"")
    }

    /// A schedule of the upkeep, in the sink's time zone; nil when it is off.
    private func schedule(_ values: SectionValues, _ setting: Setting<String>) -> Schedule? {
        guard let text = values[setting], text != "off" else { return nil }
        let zone = values[SinkFields.timeZone].flatMap { try? TimeZoneRules(identifier: $0) }
        return try? Schedule.parse(text, timeZone: zone ?? timeZone).get()
    }
}

extension DeltaConfiguration {
    /// What looks after the sink's tables.
    var upkeepSettings: UpkeepSettings {
        UpkeepSettings(
            optimize: optimize, vacuum: vacuum,
            targetBytes: targetFileBytes, vacuumAfterMilliseconds: vacuumAfterMilliseconds)
    }
}

extension SinkLinks {
    /// Refuses results that no table can hold.
    func checkTables(of sink: BuiltSink, _ queries: [BoundQuery]) {
        guard sink.values[SinkFields.format] == .delta, let name = sink.name else { return }
        let isPartitioned = sink.values.isGiven(SinkFields.partitionBy)
        for query in queries where query.sinks.contains(name) {
            guard let plan = query.plan, let queryName = query.name,
                let problem = DeltaSchema(plan.schema).nameProblem(isPartitioned: isPartitioned)
            else { continue }
            log.error(
                sink.values.position(of: SinkFields.format),
                "format = \"delta\": query \(quoted(queryName)): \(problem)")
        }
    }
}
