// What each operator keeps, for how long, and how many bytes that takes: what somebody asks who has to
// say how much memory a query needs. `weir explain` prints it.
//
// It is put together from the same numbers that the operators go by: the sizes of windows, the bounds of
// joins, what accumulators say of their groups. A new operator has its own lines in `ordered`.

import WeirCore
import WeirSQL

/// The state of one operator.
public struct StateDescription: Sendable {
    /// What is kept: "one entry a window and device".
    public let kept: String
    /// For how long, in event time.
    public let duration: String
    /// How large an entry is, in memory.
    public let size: String
}

/// What is known of the sources' time.
public struct SourceTimes: Sendable {
    private let delays: [String: Int64]

    /// - Parameter delays: the watermark's delay of each source with event time, ms.
    public init(delays: [String: Int64]) { self.delays = delays }

    /// How far the watermark of what comes out of `plan` may lie behind the newest event, ms.
    func delay(of plan: LogicalPlan) -> Int64 { plan.sources.compactMap { delays[$0] }.max() ?? 0 }
}

extension LogicalPlan {
    /// What this operator keeps; nil when it keeps nothing.
    public func stateDescription(_ times: SourceTimes) -> StateDescription? {
        switch self {
        case .scan, .filter, .project, .unnest, .expand, .windowAssign, .lookup, .union: nil
        case .windowAggregate(let input, let window, let keys, let aggregates, _):
            aggregateState(input, window, keys, aggregates, times)
        case .ordered(let stage, let inputs, _): orderedState(stage, inputs, times)
        }
    }

    private func aggregateState(
        _ input: LogicalPlan, _ window: WindowSpec, _ keys: [BoundExpression],
        _ aggregates: [AggregateCall], _ times: SourceTimes
    ) -> StateDescription {
        let what = entry(of: window)
        let names = zip(keys, schema.fields).map { $1.name }
        let kept =
            "one group a \(what)"
            + (names.isEmpty ? "" : " and (\(names.joined(separator: ", ")))")
        let delay = times.delay(of: input)
        var fixed = GroupStore.bytesPerGroup
        var varies: [String] = []
        for call in aggregates {
            guard let accumulator = try? makeAccumulator(call) else { continue }
            fixed += accumulator.bytesPerGroup
            if accumulator.hasVariableSize { varies.append(call.function.name) }
        }
        let key = RowWidth(keys.map(\.type))
        var parts = ["\(fixed + key.fixedBytes) bytes a group"]
        if key.hasTexts { parts.append("its key's texts") }
        if !varies.isEmpty { parts.append("what \(varies.joined(separator: ", ")) gather") }
        return StateDescription(
            kept: kept,
            duration: "until the watermark reaches the window's end: \(length(of: window))"
                + (delay == 0 ? "" : " and the watermark's delay of \(span(delay))")
                + (window.allowedLateness.map { ", and then allowed_lateness, \(span($0))" } ?? ""),
            size: parts.joined(separator: " and "))
    }

    /// What there is one group of for each key.
    private func entry(of window: WindowSpec) -> String {
        switch window.shape {
        case .sliding(let size, let slide):
            size == slide ? "window" : "pane of \(span(greatestCommonDivisor(size, slide)))"
        case .cumulating(_, let step): "pane of \(span(step))"
        case .months(let size, let slide):
            size == slide ? "window" : "pane of \(months(greatestCommonDivisor(size, slide)))"
        case .session: "session"
        case .attached: "window"
        }
    }

    private func greatestCommonDivisor(_ a: Int64, _ b: Int64) -> Int64 {
        b == 0 ? a : greatestCommonDivisor(b, a % b)
    }

    private func months(_ count: Int64) -> String { count == 1 ? "a month" : "\(count) months" }

    private func length(of window: WindowSpec) -> String {
        switch window.shape {
        case .sliding(let size, _), .cumulating(let size, _): span(size)
        case .months(let size, _): months(size)
        case .session(let gap, _): "\(span(gap)) after the session's last row"
        case .attached: "that of the windows below"
        }
    }

    private func orderedState(
        _ stage: OrderedStage, _ inputs: [LogicalPlan], _ times: SourceTimes
    ) -> StateDescription {
        let delay = inputs.map(times.delay).max() ?? 0
        let waiting = "rows that wait for the watermark"
        let wait = delay == 0 ? "until the watermark passes them" : "\(span(delay)) (the watermark's delay)"
        let width = inputs.map { RowWidth($0.schema.fields.map(\.type)).text }
        let rows = Set(width).count == 1 ? width[0] : width.joined(separator: " or ")
        switch stage {
        case .join(let join):
            // A left row waits for right rows up to `upper` later, a right row for left rows.
            let (left, right) = (max(0, join.upper), max(0, -join.lower))
            return StateDescription(
                kept: "the rows of both sides",
                duration: "left rows \(span(left)), right rows \(span(right))"
                    + (join.stateTTLMilliseconds.map { " (state_ttl is \(span($0)))" } ?? "")
                    + " behind the watermark, which waits for the slower side"
                    + (delay == 0 ? "" : ", after a delay of \(span(delay))"),
                size: rows)
        case .temporalJoin:
            return StateDescription(
                kept: "the newest version of each key, and \(waiting)",
                duration: "a version until the next one is valid; rows \(wait)", size: rows)
        case .match(let pattern):
            let within = pattern.within.map { "at most \(span($0)) (WITHIN)" }
            return StateDescription(
                kept: "the rows of matches under way, for each partition, and \(waiting)",
                duration: (within ?? "until the match is found or can no longer be") + "; rows \(wait)",
                size: rows)
        case .over(let spec):
            return overState(spec, waiting: waiting, wait: wait, rows: rows)
        case .rank(let spec):
            return rankState(spec, inputs[0], wait: wait, rows: rows)
        case .orderBy(let spec):
            return sortState(spec, waiting: waiting, wait: wait, rows: rows)
        case .sessions(let window):
            return StateDescription(
                kept: "the rows of open sessions", duration: "\(length(of: window)), and \(wait)",
                size: rows + " and 24 bytes; the rows also in RocksDB alone")
        case .sort, .merge:
            return StateDescription(kept: waiting, duration: wait, size: rows)
        }
    }

    /// A length of time for people.
    func span(_ milliseconds: Int64) -> String {
        let units: [(Int64, String)] = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1000, "s")]
        guard milliseconds > 0 else { return "0 s" }
        for (length, name) in units where milliseconds % length == 0 {
            return "\(milliseconds / length) \(name)"
        }
        return "\(milliseconds) ms"
    }
}

/// How many bytes a row of some types takes.
struct RowWidth {
    /// Without texts and arrays.
    private(set) var fixedBytes = 0
    private(set) var hasTexts = false

    init(_ types: [DataType]) { for type in types { add(type) } }

    private mutating func add(_ type: DataType) {
        switch type {
        case .row(let fields): for field in fields { add(field.type) }
        default:
            switch type.physical {
            case .bool: fixedBytes += 1
            case .int64, .double: fixedBytes += 8
            case .int128: fixedBytes += 16
            case .string, .array:
                fixedBytes += 4
                hasTexts = true
            case .row: break
            }
        }
    }

    /// The bytes in words.
    var text: String { "\(fixedBytes) bytes a row" + (hasTexts ? " and its texts and arrays" : "") }
}
