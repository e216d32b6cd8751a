// The keys of `[[sink]]` that say what becomes of rows when the outbox is full and coarser rows will do:
// `outbox.coarsen` and `outbox.then`, and what they must agree on with the queries of the sink.

import WeirCore
import WeirSQL

/// What `outbox.on_full = "coarsen"` does.
public struct CoarseningConfiguration: Sendable, Hashable {
    /// What happens when no rows are left that could be merged.
    public enum Remainder: String, Sendable, CaseIterable {
        /// The oldest rows are dropped, counted and logged.
        case dropOldest = "drop_oldest"
        /// The intake waits.
        case pause
    }

    /// The widths of windows that rows are merged into, from the narrowest, ms; each is a multiple of the
    /// one before.
    public let widthsMilliseconds: [Int64]
    /// What happens when rows are as coarse as they can be; `.dropOldest` by default.
    public let then: Remainder
}

extension OutboxConfiguration {
    /// Whether the oldest rows are dropped when there is no other way left.
    var dropsOldest: Bool { onFull == .dropOldest || coarsening?.then == .dropOldest }
    /// Whether the intake pauses when there is no other way left.
    var pausesIntake: Bool { onFull == .pause || coarsening?.then == .pause }
}

/// The keys of `[[sink]]` about coarser rows.
enum CoarsenFields {
    static let widths = Setting.texts(
        "outbox.coarsen", .duration, .optional,
        "With `outbox.on_full = \"coarsen\"`: the widths of windows that waiting rows are merged into, such as "
            + "`[\"10m\", \"1h\"]`; the first is a multiple of the windows of every query of this sink, each other "
            + "one of the one before it, and at most \(CoarsenLinks.stepMax) times as wide.")
    static let then: Setting<CoarseningConfiguration.Remainder> = .choice(
        "outbox.then", .default("drop_oldest"),
        "With `outbox.on_full = \"coarsen\"`: when all rows are as coarse as they can be, `drop_oldest` rows, or "
            + "`pause` the intake.")
}

extension TextFormat {
    /// A duration among others.
    static let duration = TextFormat("duration") { text in
        guard let milliseconds = Quantity.milliseconds(of: text) else {
            return Complaint("must be \(FieldKind.duration(0...0).withArticle)")
        }
        let longest = Quantity.milliseconds(of: "365d") ?? .max
        return 1...longest ~= milliseconds ? nil : Complaint("must be above 0 and at most 365d")
    }
}

extension SinkBuilder {
    /// What the keys about coarser rows say; nil when the sink does not merge rows, or they are wrong.
    func coarsening(
        _ values: SectionValues, _ policy: OutboxConfiguration.FullPolicy
    ) -> CoarseningConfiguration? {
        guard policy == .coarsen else {
            if values.isGiven(CoarsenFields.widths) {
                warn(values, CoarsenFields.widths)
            } else if values.isGiven(CoarsenFields.then) {
                warn(values, CoarsenFields.then)
            }
            return nil
        }
        guard let texts = values[CoarsenFields.widths], !texts.isEmpty else {
            if values[CoarsenFields.widths] != nil || !values.isGiven(CoarsenFields.widths) {
                log.error(
                    values.position(of: SinkFields.onFull),
                    "outbox.on_full = \"coarsen\" needs outbox.coarsen, the widths of windows to merge rows "
                        + "into, such as [\"10m\", \"1h\"]")
            }
            return nil
        }
        let widths = texts.compactMap(Quantity.milliseconds)
        for index in widths.indices.dropFirst() {
            let (width, before) = (widths[index], widths[index - 1])
            guard width <= before || width % before != 0 || width / before > CoarsenLinks.stepMax else {
                continue
            }
            log.error(
                values.position(of: CoarsenFields.widths, element: index),
                "outbox.coarsen: \(quoted(texts[index])) must be a multiple of \(quoted(texts[index - 1])), from 2 "
                    + "to \(CoarsenLinks.stepMax) times as wide")
        }
        return CoarseningConfiguration(
            widthsMilliseconds: widths, then: values[CoarsenFields.then] ?? .dropOldest)
    }

    private func warn<Value>(_ values: SectionValues, _ setting: Setting<Value>) {
        log.warning(
            values.position(of: setting),
            "\(setting.declaration.key) has no effect without outbox.on_full = \"coarsen\"")
    }
}

/// Checks that the rows of every query of a sink can be merged as the sink wants.
struct CoarsenLinks {
    let log: ProblemLog
    let sources: [BuiltSource]
    /// How many times as wide windows are at most than those that they are merged from.
    static let stepMax: Int64 = 100

    func check(_ sink: BuiltSink, _ queries: [BoundQuery]) {
        guard let name = sink.name, sink.values[SinkFields.onFull] == .coarsen else { return }
        for query in queries where query.sinks.contains(name) {
            guard let plan = query.plan, let queryName = query.name else { continue }
            let place = sink.values.position(of: SinkFields.onFull)
            if let reason = refusal(of: plan) {
                log.error(
                    place,
                    "outbox.on_full = \"coarsen\": rows of query \(quoted(queryName)) cannot be merged: \(reason); "
                        + "use \"drop_oldest\" or \"pause\", or send the query to a sink of its own")
                continue
            }
            guard case .success(let merging) = plan.coarsening(),
                let text = sink.values[CoarsenFields.widths]?.first,
                let width = Quantity.milliseconds(of: text)
            else { continue }
            let window = merging.windowMilliseconds
            if width <= window || width % window != 0 || width / window > Self.stepMax {
                log.error(
                    sink.values.position(of: CoarsenFields.widths, element: 0),
                    "outbox.coarsen: \(quoted(text)) must be a multiple of the windows of query "
                        + "\(quoted(queryName)), \(Quantity.text(milliseconds: window)), from 2 to \(Self.stepMax) "
                        + "times as wide")
            }
        }
    }

    private func refusal(of plan: QueryPlan) -> String? {
        if case .failure(let refusal) = plan.coarsening() { return refusal.reason }
        let keyed = sources.first { source in
            source.values.isGiven(SourceFields.watermarkBy)
                && plan.sources.contains(source.name ?? "")
        }
        return keyed.map { source in
            "with watermark_by (source \(quoted(source.name ?? ""))) each key closes its windows by itself, so that no "
                + "wider window is ever known to be whole"
        }
    }
}
