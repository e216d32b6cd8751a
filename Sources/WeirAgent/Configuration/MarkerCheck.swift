// Whether a sink with a marker can know of each of its queries when an hour is complete: by a column that
// is bound to the watermark, over sources that have one watermark for all.

import WeirCore
import WeirSQL

/// Checks markers against the queries whose rows they tell of.
struct MarkerCheck {
    let log: ProblemLog
    let sinks: [BuiltSink]
    let sources: [BuiltSource]

    func check(queries: [BoundQuery]) {
        for sink in sinks {
            guard let name = sink.name, sink.values.isGiven(PlannerFields.marker),
                let column = sink.values[SinkFields.partitionBy]
            else { continue }
            for query in queries where query.sinks.contains(name) {
                guard let plan = query.plan, let index = plan.schema.index(of: column) else { continue }
                check(sink, query.name ?? "", plan, column: index)
            }
        }
    }

    private func check(_ sink: BuiltSink, _ query: String, _ plan: QueryPlan, column: Int) {
        let place = sink.values.position(of: PlannerFields.marker)
        let name = plan.schema[column].name
        if plan.root.reach(ofColumn: column) == nil {
            log.error(
                place,
                "marker: of column \(quoted(name)) of query \(quoted(query)) nothing can be told from the "
                    + "watermark; partition_by must be the source's time column, window_start, window_end or "
                    + "window_time as it is (of a session its end)")
        }
        for source in sources {
            guard let sourceName = source.name, plan.sources.contains(sourceName),
                let key = source.configuration?.time?.watermarkBy
            else { continue }
            log.error(
                place,
                "marker: source \(quoted(sourceName)) has watermark_by = \(quoted(key)), and a key that was away "
                    + "may bring rows of any hour")
        }
    }
}
