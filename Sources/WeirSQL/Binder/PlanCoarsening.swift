// Which queries give rows that can be merged into rows of wider windows while they wait for a sink
// (`outbox.on_full = "coarsen"`), and the plan that makes such rows.
//
// Two columns come behind all others. `window_width` says how wide a row's window is, in ms. The other
// one is hidden: it holds the group as the window had it (its bounds, its key, the state of each
// aggregate), from which rows of one key can be merged and the columns be computed once more. Its name
// is made of the query's fingerprint, so that rows of a query that has changed meanwhile are no match.

import WeirCore

/// A query whose waiting rows can be merged into rows of wider windows.
public struct CoarsenablePlan: Hashable, Sendable {
    /// The query with the columns `window_width` and the hidden state.
    public let plan: QueryPlan
    /// The width of the query's windows, ms.
    public let windowMilliseconds: Int64
    /// Start of a window modulo its width, ms; also that of wider ones.
    public let offsetMilliseconds: Int64

    /// The name of the hidden column.
    public var stateColumn: String { plan.schema.fields.last?.name ?? "" }

    /// What the column is called that says how wide a row's window is.
    public static let widthColumn = "window_width"
}

/// Why a query's rows cannot be merged.
public struct CoarseningRefusal: Error, Hashable, Sendable {
    /// Part of a sentence, without a full stop.
    public let reason: String
}

extension QueryPlan {
    /// The query as one whose rows can be merged, or why there is none.
    public func coarsening() -> Result<CoarsenablePlan, CoarseningRefusal> {
        if schema.index(of: CoarsenablePlan.widthColumn) != nil {
            return .failure(
                CoarseningRefusal(
                    reason: "the result has a column \(CoarsenablePlan.widthColumn) already; call it otherwise"))
        }
        let state = Field(Field.hiddenName("state 1 \(Self.hash(of: fingerprint))"), .bytes)
        return root.coarsening([Field(CoarsenablePlan.widthColumn, .bigint), state])
    }

    /// FNV-1a (Fowler, Noll, Vo) of a text.
    private static func hash(of text: String) -> String {
        let hash = text.utf8.reduce(0xCBF2_9CE4_8422_2325 as UInt64) {
            ($0 ^ UInt64($1)) &* 0x100_0000_01B3
        }
        return String(hash, radix: 16)
    }
}

extension LogicalPlan {
    /// The node with the columns `added` behind its own.
    fileprivate func coarsening(_ added: [Field]) -> Result<CoarsenablePlan, CoarseningRefusal> {
        switch self {
        case .project(let input, let expressions, let schema):
            return input.coarsening(added).map { below in
                let width = below.plan.schema.count - added.count
                let passed = added.enumerated().map {
                    BoundExpression.column(index: width + $0, type: $1.type)
                }
                return below.with(
                    .project(
                        below.plan.root, expressions: expressions + passed,
                        schema: Schema(schema.fields + added)))
            }
        case .filter(let input, let predicate):
            guard predicate.columns.allSatisfy(input.isGroupKey) else {
                return refusal(
                    "groups that HAVING leaves out would be missing in wider windows; "
                        + "leave the condition to whoever reads the rows")
            }
            return input.coarsening(added).map { below in
                below.with(.filter(below.plan.root, predicate: predicate))
            }
        case .windowAggregate(let input, let window, let keys, let aggregates, let schema):
            guard window.allowedLateness == nil else {
                return refusal("with allowed_lateness a row can be replaced by a later one")
            }
            guard case .sliding(let size, let slide) = window.shape, size == slide else {
                return refusal(window.shape.whyNotMergeable)
            }
            let root = LogicalPlan.windowAggregate(
                input, window: window, keys: keys, aggregates: aggregates,
                schema: Schema(schema.fields + added))
            return .success(
                CoarsenablePlan(
                    plan: QueryPlan(root: root), windowMilliseconds: size,
                    offsetMilliseconds: window.offset))
        case .scan, .unnest, .expand, .lookup, .windowAssign, .union, .ordered:
            return refusal("only rows of a query that ends in a grouping by TUMBLE can be merged")
        }
    }

    /// Whether column `index` of the node is a key of the grouping that it comes from, unchanged.
    private func isGroupKey(_ index: Int) -> Bool {
        switch self {
        case .project(let input, let expressions, _):
            if case .column(let below, _) = expressions[index] { input.isGroupKey(below) } else { false }
        case .filter(let input, _): input.isGroupKey(index)
        case .windowAggregate(_, _, let keys, _, _): index < keys.count
        case .scan, .unnest, .expand, .lookup, .windowAssign, .union, .ordered: false
        }
    }

    private func refusal(_ reason: String) -> Result<CoarsenablePlan, CoarseningRefusal> {
        .failure(CoarseningRefusal(reason: reason))
    }
}

extension CoarsenablePlan {
    /// The same with another node on top.
    fileprivate func with(_ root: LogicalPlan) -> CoarsenablePlan {
        CoarsenablePlan(
            plan: QueryPlan(root: root), windowMilliseconds: windowMilliseconds,
            offsetMilliseconds: offsetMilliseconds)
    }
}

extension WindowSpec.Shape {
    /// Why rows of windows that do not tumble are not merged.
    fileprivate var whyNotMergeable: String {
        switch self {
        case .sliding, .cumulating:
            "windows of HOP and CUMULATE overlap: merged, they would count an event several times"
        case .months: "windows of months have no fixed width"
        case .session: "sessions have no fixed width"
        case .attached: "its windows are those of the grouping below it"
        }
    }
}
