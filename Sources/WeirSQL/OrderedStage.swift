// What the operators do that take rows in the order of event time: OVER, ranking, joins, patterns.
//
// They share one way of dealing with time. Rows wait until the watermark has passed their event time,
// are then taken in the order of (event time, input, arrival), and those that come after the watermark
// has passed them are late. What such an operator makes of its rows is a function of this order, so
// neither batches nor the pace of two sources beside each other can show in a result (promise P1).
//
// Rows in windows (behind a window table function, or results of a window) have window_time as their
// event time: the rows of one window come one after another, when the window closes.

import WeirCore

/// An operator over rows in the order of event time, and its parameters.
public indirect enum OrderedStage: Hashable, Sendable {
    /// Rows as they are: what is left of an operator whose conditions are all constant, and for tests.
    case sort(time: Int)
    /// MATCH_RECOGNIZE: the PARTITION BY columns and the measures of each match.
    case match(PatternSpec)
    /// The rows of all inputs, which have columns of the same types and their event time in the same
    /// place, in one order: UNION ALL.
    case merge(times: [Int])
    /// A join that time bounds: of intervals or of windows.
    case join(JoinSpec)
    /// A join with the versions of a table.
    case temporalJoin(TemporalJoinSpec)
    /// SESSION as a table function: rows come when their session has ended, with window_start,
    /// window_end and window_time behind the input's columns.
    case sessions(WindowSpec)
    /// Values computed over the rows before each row.
    case over(OverSpec)
    /// The rows of windows, numbered.
    case rank(RankSpec)
    /// Rows in an order that begins with time.
    case orderBy(SortSpec)

    /// For each input the column that orders it, a timestamp.
    public var timeColumns: [Int] {
        switch self {
        case .sort(let time): [time]
        case .match(let pattern): [pattern.timeColumn]
        case .merge(let times): times
        case .join(let spec): [spec.leftTime, spec.rightTime]
        case .temporalJoin(let spec): [spec.leftTime, spec.rightTime]
        case .sessions(let window): [window.timeColumn]
        case .over(let spec): [spec.time]
        case .rank(let spec): [spec.time]
        case .orderBy(let spec): [spec.time]
        }
    }

    /// Whether the output begins with all columns of the one input.
    var keepsColumns: Bool {
        switch self {
        case .sort, .over, .rank, .orderBy: true
        case .match, .merge, .join, .temporalJoin, .sessions: false
        }
    }

    /// For each input the columns that the operator reads or hands on, if of its own output only
    /// `needed` are read.
    func columnsRead(of inputs: [LogicalPlan], needed: Set<Int>) -> [Set<Int>] {
        switch self {
        case .sort(let time): [needed.union([time])]
        case .match(let pattern): [pattern.columnsRead]
        case .merge(let times): times.map { _ in needed.union(times) }
        case .join(let spec): spec.columnsRead(needed: needed)
        case .temporalJoin(let spec): spec.columnsRead(needed: needed)
        case .sessions(let window):
            [needed.filter { $0 < inputs[0].schema.count }.union(window.columns)]
        case .over(let spec): [needed.filter { $0 < inputs[0].schema.count }.union(spec.columns)]
        case .rank(let spec): [needed.filter { $0 < inputs[0].schema.count }.union(spec.columns)]
        case .orderBy(let spec): [needed.union(spec.columns)]
        }
    }

    /// The operator over inputs with fewer columns: `places[i]` says where a column of input i is now.
    /// Also says where its own output columns are then (columns that are gone are left out).
    func pruned(
        inputs: [LogicalPlan], schema: Schema, places: [[Int: Int]], needed: Set<Int>
    ) -> (stage: OrderedStage, schema: Schema, place: [Int: Int]) {
        switch self {
        case .sort(let time):
            let kept = places[0].sorted { $0.value < $1.value }
            return (
                .sort(time: places[0][time] ?? time), Schema(kept.map { schema[$0.key] }), places[0]
            )
        case .match(let pattern):
            let moved = pattern.renumbered(places[0], width: inputs[0].schema.count)
            return (
                .match(moved), schema,
                Dictionary(uniqueKeysWithValues: schema.fields.indices.map { ($0, $0) })
            )
        case .merge: preconditionFailure("a merge is pruned as the union that it is")
        case .join(let spec): return spec.pruned(inputs: inputs, places: places)
        case .temporalJoin(let spec): return spec.pruned(inputs: inputs, places: places)
        case .sessions(let window):
            let width = schema.count - 3
            var place = places[0]
            for offset in 0..<3 { place[width + offset] = inputs[0].schema.count + offset }
            return (
                .sessions(window.onColumns { places[0][$0] ?? $0 }),
                Schema(inputs[0].schema.fields + schema.fields.suffix(3)), place
            )
        case .over(let spec):
            let width = schema.count - spec.calls.count
            let kept = spec.calls.indices.filter { needed.contains(width + $0) }
            let results = Self.results(kept.map { width + $0 }, of: schema, behind: inputs[0], places[0])
            // Nobody reads a value of it: what is left is the order, and which rows are late.
            if kept.isEmpty {
                let time = places[0][spec.time] ?? spec.time
                return (.sort(time: time), results.schema, results.place)
            }
            let mapped = spec.mapping(calls: kept) { places[0][$0] ?? $0 }
            return (.over(mapped), results.schema, results.place)
        case .rank(let spec):
            let width = schema.count - (spec.hasNumber ? 1 : 0)
            let hasNumber = spec.hasNumber && needed.contains(width)
            let results = Self.results(
                hasNumber ? [width] : [], of: schema, behind: inputs[0], places[0])
            let mapped = spec.mapping(hasNumber: hasNumber) { places[0][$0] ?? $0 }
            return (.rank(mapped), results.schema, results.place)
        case .orderBy(let spec):
            return (.orderBy(spec.mapping { places[0][$0] ?? $0 }), inputs[0].schema, places[0])
        }
    }

    /// The columns of `input` and behind them the columns `kept` of `schema`, and where all are then.
    private static func results(
        _ kept: [Int], of schema: Schema, behind input: LogicalPlan, _ place: [Int: Int]
    ) -> (schema: Schema, place: [Int: Int]) {
        var place = place
        for (offset, index) in kept.enumerated() { place[index] = input.schema.count + offset }
        return (Schema(input.schema.fields + kept.map { schema[$0] }), place)
    }

    /// The operator as one line of a plan's text. `column(i, c)` names column c of input i.
    func text(_ column: @escaping (Int, Int) -> String) -> String {
        switch self {
        case .sort(let time): "sort by \(column(0, time))"
        case .match(let pattern): pattern.text { column(0, $0) }
        case .merge(let times): "merge \(times.count) by \(column(0, times[0]))"
        case .join(let spec): spec.text(column)
        case .temporalJoin(let spec): spec.text(column)
        case .sessions(let window): "assign windows \(window.text { column(0, $0) })"
        case .over(let spec): spec.text { column(0, $0) }
        case .rank(let spec): spec.text { column(0, $0) }
        case .orderBy(let spec): spec.text { column(0, $0) }
        }
    }
}
