// `allowed_lateness`, put into a plan: the window takes late rows for so long after its end, and a column
// `revision` behind all others counts how often a row has been corrected. The text of a query says nothing
// of it, so this comes when the plan is whole.

import WeirCore

extension QueryPlan {
    /// Why a query cannot correct its results.
    public struct LatenessRefusal: Error, Hashable, Sendable {
        /// Part of a sentence, without a full stop.
        public let reason: String
    }

    /// The same query, whose windows take late rows for `milliseconds` after their end.
    public func allowingLateness(_ milliseconds: Int64) -> Result<QueryPlan, LatenessRefusal> {
        if schema.index(of: LogicalPlan.revisionColumn) != nil {
            return .failure(
                LatenessRefusal(
                    reason: "the result has a column \(LogicalPlan.revisionColumn) already; call it otherwise"))
        }
        guard let revising = root.allowingLateness(milliseconds) else {
            return .failure(
                LatenessRefusal(
                    reason: "only a query that groups once by TUMBLE, HOP or CUMULATE, and has no other "
                        + "operator that keeps rows, can correct its results"))
        }
        return .success(QueryPlan(root: revising))
    }
}

extension LogicalPlan {
    /// What the column is called that counts corrections.
    public static let revisionColumn = "revision"

    /// nil when there is a place from which a correction would not come through.
    fileprivate func allowingLateness(_ milliseconds: Int64) -> LogicalPlan? {
        let revision = Field(Self.revisionColumn, .int)
        switch self {
        case .project(let input, let expressions, let schema):
            guard let below = input.allowingLateness(milliseconds) else { return nil }
            let last = BoundExpression.column(index: below.schema.count - 1, type: revision.type)
            return .project(
                below, expressions: expressions + [last], schema: Schema(schema.fields + [revision]))
        case .filter(let input, let predicate):
            guard let below = input.allowingLateness(milliseconds) else { return nil }
            return .filter(below, predicate: predicate)
        case .windowAggregate(let input, var window, let keys, let aggregates, let schema):
            let keepsRows = input.contains { node in
                switch node {
                case .windowAggregate, .ordered: true
                default: false
                }
            }
            switch window.shape {
            case .sliding, .cumulating, .months: break
            case .session, .attached: return nil
            }
            if keepsRows { return nil }
            window.allowedLateness = milliseconds
            return .windowAggregate(
                input, window: window, keys: keys, aggregates: aggregates,
                schema: Schema(schema.fields + [revision]))
        case .scan, .unnest, .expand, .lookup, .windowAssign, .union, .ordered: return nil
        }
    }
}
