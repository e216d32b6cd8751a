// What sinks that take rows expect of the queries that feed them: columns of topics, tags and times. Such
// sinks get results alone: late and rejected rows go to a query's other sinks, and it is said when there is
// none.

import WeirCore
import WeirSQL

/// Checks queries against the sinks that take rows.
struct RowSinkLinks {
    let log: ProblemLog
    let sinks: [BuiltSink]

    func check(_ queries: [BoundQuery]) {
        for sink in sinks {
            guard let name = sink.name, sink.values[SinkFields.type]?.takesRows == true else { continue }
            for query in queries where query.sinks.contains(name) {
                guard let schema = query.plan?.schema, let queryName = query.name else { continue }
                check(sink.values, schema, queryName)
            }
        }
    }

    private func check(_ values: SectionValues, _ schema: Schema, _ query: String) {
        switch values[SinkFields.type] {
        case .mqtt: checkTopic(values, schema, query)
        case .influxdb: checkPoints(values, schema, query)
        default: break
        }
        let takesIDs = values[SinkFields.type] != .influxdb
        if takesIDs, let id = values[RowSinkFields.idColumn], schema.index(of: id) != nil {
            log.error(
                values.position(of: RowSinkFields.idColumn),
                "id_column: query \(quoted(query)) has a column \(quoted(id)) itself; name another, or \"off\"")
        }
    }

    private func checkTopic(_ values: SectionValues, _ schema: Schema, _ query: String) {
        guard let text = values[RowSinkFields.topic], let topic = try? TopicTemplate.parse(text).get()
        else { return }
        for column in topic.columns where !["agent", "stream"].contains(column) {
            guard let type = type(of: column, "topic", RowSinkFields.topic, values, schema, query) else {
                continue
            }
            if !TopicTemplate.canHold(type) {
                log.error(
                    values.position(of: RowSinkFields.topic),
                    "topic: column \(quoted(column)) of query \(quoted(query)) is of type \(type); a topic can hold "
                        + "STRING, BOOLEAN and whole numbers: CAST it to STRING in the query")
            }
        }
    }

    private func checkPoints(_ values: SectionValues, _ schema: Schema, _ query: String) {
        for column in values[RowSinkFields.tags] ?? [] {
            _ = type(of: column, "tags", RowSinkFields.tags, values, schema, query)
        }
        guard let time = values[RowSinkFields.timeColumn],
            let type = type(of: time, "time_column", RowSinkFields.timeColumn, values, schema, query)
        else { return }
        if !type.isTimestamp {
            log.error(
                values.position(of: RowSinkFields.timeColumn),
                "time_column must be a timestamp, and column \(quoted(time)) of query \(quoted(query)) is of type "
                    + "\(type)")
        }
        if time != "time", schema.index(of: "time") != nil {
            log.error(
                values.position(of: RowSinkFields.timeColumn),
                "query \(quoted(query)) has a column \"time\", a name that InfluxDB keeps for itself; rename it in "
                    + "the query (AS …)")
        }
    }

    /// The type of a column that a key names; complains of one that is missing.
    private func type<Value>(
        of column: String, _ key: String, _ setting: Setting<Value>, _ values: SectionValues,
        _ schema: Schema, _ query: String
    ) -> DataType? {
        if let index = schema.index(of: column) { return schema[index].type }
        let names = schema.fields.map(\.name)
        let hint =
            nearestSpelling(of: column, among: names).map { "; did you mean \(quoted($0))?" }
            ?? "; it has \(alternatives(names.map { quoted($0) }, "and"))"
        log.error(
            values.position(of: setting),
            "\(key): query \(quoted(query)) has no column \(quoted(column))\(hint)")
        return nil
    }

    /// Warns of queries whose late rows would go nowhere.
    func warnOfLateRows(_ queries: [BoundQuery]) {
        let rowSinks = sinks.filter { $0.values[SinkFields.type]?.takesRows == true }.compactMap(\.name)
        for query in queries where query.plan?.root.hasWindows == true && !query.sinks.isEmpty {
            guard query.sinks.allSatisfy(rowSinks.contains) else { continue }
            log.warning(
                query.values.position(of: QueryFields.sinks),
                "sinks that take rows get results alone: late rows of this query are counted and kept nowhere; "
                    + "name a sink for files as well")
        }
    }
}
