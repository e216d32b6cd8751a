// The keys of the group `delta` of a sink, and what tables ask of the queries that feed them: names of
// columns that readers of tables take, and none that a partition column has.

import WeirCore
import WeirFormats
import WeirSQL

/// The group `delta` of a sink.
public struct DeltaConfiguration: Sendable, Hashable {
    /// Commits from one checkpoint of a table to the next.
    public let checkpointInterval: Int64
}

/// The keys of the group `delta`.
enum DeltaFields {
    static let checkpointInterval = Setting.integer(
        "delta.checkpoint_every", .default("50"), in: 1...100_000, for: SinkFields.files,
        "Commits after which a checkpoint gathers what a table's log says, so that readers need not read all of "
            + "it. The table's own `delta.checkpointInterval`, where it has one, goes first.")
}

extension SinkBuilder {
    /// The group `delta`; warns of it where no tables are kept.
    func delta(_ values: SectionValues) -> DeltaConfiguration {
        let interval = DeltaFields.checkpointInterval
        if let format = values[SinkFields.format], format != .delta, values.isGiven(interval) {
            log.warning(
                values.position(of: interval),
                "\(interval.declaration.key) has no effect without format = \"delta\"")
        }
        return DeltaConfiguration(checkpointInterval: values[interval] ?? 50)
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
