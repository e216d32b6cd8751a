// Queries and sinks name each other: the sinks of a query, and the partition column that a sink
// expects of all its queries.

import WeirCore
import WeirSQL

/// Checks the links between queries and sinks.
struct SinkLinks {
    let log: ProblemLog
    let sinks: [BuiltSink]
    let sources: [BuiltSource]

    func check(queries: [BoundQuery]) {
        for query in queries { checkSinks(of: query) }
        let merging = CoarsenLinks(log: log, sources: sources)
        for sink in sinks {
            checkPartition(of: sink, queries)
            checkTables(of: sink, queries)
            merging.check(sink, queries)
            checkBloomFilters(of: sink, queries)
        }
    }

    /// Warns of sinks that get nothing and of queries that go nowhere.
    func warnOfUnused(queries: [BoundQuery]) {
        for query in queries where query.sinks.isEmpty {
            log.warning(
                query.values.position(of: QueryFields.name),
                "the query has no sinks: only weir replay --output shows its result")
        }
        for sink in sinks {
            guard let name = sink.name, !queries.contains(where: { $0.sinks.contains(name) }) else {
                continue
            }
            log.warning(
                sink.values.position(of: SinkFields.name),
                "no query sends anything to sink \(quoted(name))")
        }
    }

    private func checkSinks(of query: BoundQuery) {
        let names = sinks.compactMap(\.name)
        for (index, name) in query.sinks.enumerated() where !names.contains(name) {
            let hint =
                nearestSpelling(of: name, among: names).map { "; did you mean \(quoted($0))?" }
                ?? (names.isEmpty
                    ? "" : "; there are \(alternatives(names.map { quoted($0) }, "and"))")
            log.error(
                query.values.position(of: QueryFields.sinks, element: index),
                "there is no sink \(quoted(name))\(hint)")
        }
    }

    private func checkPartition(of sink: BuiltSink, _ queries: [BoundQuery]) {
        guard let column = sink.values[SinkFields.partitionBy], let name = sink.name else { return }
        let place = sink.values.position(of: SinkFields.partitionBy)
        for query in queries where query.sinks.contains(name) {
            guard let plan = query.plan, let queryName = query.name else { continue }
            guard let index = plan.schema.index(of: column) else {
                let candidates = plan.schema.fields.filter(\.type.isTimestamp).map(\.name)
                let hint =
                    nearestSpelling(of: column, among: candidates).map {
                        "; did you mean \(quoted($0))?"
                    }
                    ?? (candidates.isEmpty
                        ? "; it has no timestamp column"
                        : "; its timestamp columns are \(alternatives(candidates.map { quoted($0) }, "and"))")
                log.error(
                    place,
                    "partition_by: query \(quoted(queryName)) has no column \(quoted(column))\(hint)"
                )
                continue
            }
            if !plan.schema[index].type.isTimestamp {
                log.error(
                    place,
                    "partition_by must be a timestamp, and column \(quoted(column)) of query \(quoted(queryName)) "
                        + "is of type \(plan.schema[index].type)")
            }
        }
    }
}
