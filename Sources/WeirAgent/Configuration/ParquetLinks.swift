// What Parquet files are asked to hold, against the queries that fill them: a Bloom filter of a column that no
// query has would be missed only by the reader who waits for it.

import WeirCore
import WeirSQL

/// Checks of the group `parquet`.
extension SinkLinks {
    /// Refuses Bloom filters of columns that no query of the sink has.
    func checkBloomFilters(of sink: BuiltSink, _ queries: [BoundQuery]) {
        guard sink.values[SinkFields.format]?.isParquet == true, let name = sink.name,
            let columns = sink.values[SinkFields.bloomFilter]
        else { return }
        let plans = queries.filter { $0.sinks.contains(name) }.map(\.plan)
        // Queries with mistakes of their own may have any column.
        guard !plans.isEmpty, !plans.contains(where: { $0 == nil }) else { return }
        var names = ["agent"]
        for field in plans.flatMap({ $0?.schema.fields ?? [] }) where !names.contains(field.name) {
            names.append(field.name)
        }
        for (index, column) in columns.enumerated() where !names.contains(column) {
            let hint =
                nearestSpelling(of: column, among: names).map { "; did you mean \(quoted($0))?" }
                ?? "; there are \(alternatives(names.map { quoted($0) }, "and"))"
            log.error(
                sink.values.position(of: SinkFields.bloomFilter, element: index),
                "no query of the sink has a column \(quoted(column))\(hint)")
        }
    }
}
