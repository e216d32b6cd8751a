// `weir explain`: a query's operators as a tree, the result at the top, and below each operator what it
// keeps, for how long, and how large that is.

import WeirCore
import WeirRuntime
import WeirSQL

/// Explains the queries of a configuration.
public enum Explanation {
    /// The plans as text, one paragraph a query; of `query` alone if that is given.
    ///
    /// Throws `.configuration` when there is no such query.
    public static func text(_ configuration: AgentConfiguration, query: String? = nil) throws(Failure) -> String {
        let chosen = configuration.queries.filter { query == nil || $0.name == query }
        if chosen.isEmpty, let query {
            let near = nearestSpelling(of: query, among: configuration.queries.map(\.name))
            throw Failure(
                .configuration, "explaining", "query \(query)", "there is no such query",
                advice: near.map { "did you mean \($0)?" } ?? "")
        }
        var delays: [String: Int64] = [:]
        for source in configuration.sources {
            delays[source.name] = source.time?.watermarkDelayMilliseconds
        }
        let times = SourceTimes(delays: delays)
        return chosen.map { query in
            let columns = query.plan.schema.fields.map { "\($0.name) \($0.type)" }
            let head = [
                "query \(query.name)", "  result: \(columns.joined(separator: ", "))",
            ]
            let merging = mergingLine(query, configuration)
            let clocks = clockLine(query.plan.root, configuration).map { ["  clocks: \($0)"] } ?? []
            return (head + clocks + merging + lines(query.plan.root, configuration, times, depth: 1))
                .joined(separator: "\n") + "\n"
        }.joined(separator: "\n")
    }

    private static func lines(
        _ plan: LogicalPlan, _ configuration: AgentConfiguration, _ times: SourceTimes, depth: Int
    ) -> [String] {
        let margin = String(repeating: "  ", count: depth)
        var lines = ["\(margin)\(clipped(plan.headline))"]
        if case .lookup(_, let spec, _) = plan,
            let table = configuration.tables.first(where: { $0.name == spec.table })
        {
            let bounds = "\(table.rowsMax) rows and \(Quantity.text(bytes: Int64(table.bytesMax)))"
            lines.append("\(margin)  reads: \(table.path), at the start and when it has changed")
            lines.append("\(margin)  keeps: the rows of the table, in memory; at most \(bounds) of file")
        }
        if case .scan(let source, _, _) = plan {
            let time = configuration.sources.first { $0.name == source }?.time
            lines += timeLines(time).map { "\(margin)  \($0)" }
        }
        if let state = plan.stateDescription(times) {
            lines.append("\(margin)  keeps: \(state.kept)")
            lines.append("\(margin)  for:   \(state.duration)")
            lines.append("\(margin)  size:  \(state.size)")
        }
        return lines + plan.inputs.flatMap { Self.lines($0, configuration, times, depth: depth + 1) }
    }

    /// By whose clock a query goes whose source has one for each key.
    private static func clockLine(_ plan: LogicalPlan, _ configuration: AgentConfiguration) -> String? {
        let keys = plan.sources.compactMap { name in
            configuration.sources.first { $0.name == name }?.time?.watermarkBy
        }
        guard let key = keys.first, plan.contains(where: { $0.stateDescription(SourceTimes(delays: [:])) != nil })
        else { return nil }
        if plan.clockRule(watermarkBy: key) != .combined { return "each \(key)'s own" }
        let slowest = "that of the slowest \(key), since "
        if plan.sources.count > 1 { return slowest + "the query reads several sources" }
        guard let meeting = plan.operatorAcrossKeys(of: key) else { return slowest + "branches meet" }
        return slowest + "rows of several meet in: \(clipped(meeting.headline))"
    }

    /// Whether waiting rows of a query with windows can be merged into rows of wider ones.
    private static func mergingLine(
        _ query: QueryConfiguration, _ configuration: AgentConfiguration
    ) -> [String] {
        guard query.plan.root.hasWindows else { return [] }
        let isKeyed = configuration.sources.contains {
            $0.time?.watermarkBy != nil && query.plan.sources.contains($0.name)
        }
        if isKeyed { return ["  merged when the outbox is full: never; its source has watermark_by"] }
        switch query.plan.coarsening() {
        case .failure(let refusal): return ["  merged when the outbox is full: never; \(refusal.reason)"]
        case .success(let merging):
            let widths = configuration.sinks.filter { query.sinks.contains($0.name) }.compactMap { sink in
                sink.outbox.coarsening.map { coarsening in
                    let widths = coarsening.widthsMilliseconds.map { Quantity.text(milliseconds: $0) }
                    return "\(widths.joined(separator: ", ")) (sink \(sink.name))"
                }
            }
            let window = Quantity.text(milliseconds: merging.windowMilliseconds)
            let wanted =
                widths.isEmpty
                ? "not wanted; outbox.on_full = \"coarsen\" could, into multiples of \(window)"
                : widths.joined(separator: "; ")
            return ["  merged when the outbox is full: \(wanted)"]
        }
    }

    /// A line without the middle of a very long one, such as a word list written into it.
    private static func clipped(_ line: String) -> String {
        line.count <= 2000 ? line : "\(line.prefix(1000)) … \(line.suffix(200))"
    }

    private static func timeLines(_ time: TimeConfiguration?) -> [String] {
        guard let time else { return ["time:  of arrival"] }
        var parts = ["\(time.column), watermark \(Quantity.text(milliseconds: time.watermarkDelayMilliseconds)) behind"]
        if let key = time.watermarkBy { parts.append("one watermark a \(key)") }
        if let idle = time.idleTimeoutMilliseconds {
            parts.append("idle after \(Quantity.text(milliseconds: idle))")
        }
        return ["time:  \(parts.joined(separator: ", "))"]
    }
}
