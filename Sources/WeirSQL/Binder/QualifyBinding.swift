// QUALIFY: which rows of a SELECT are kept, by values that OVER computed for them.
//
// It says what WHERE would say one level up, and gives the same plan: the condition is bound over the same
// rows as the SELECT list, may name the list's columns and have OVER calls of its own, and stands between
// the calls' operators and the projection. So the first rows of a window, or of a key, are recognised from
// it as from a WHERE, and what is refused there is refused here.
//
// As in Flink a name means a column of the SELECT list before one of FROM, and the condition must read a
// result of OVER.

import WeirCore

/// The condition of QUALIFY over the columns `output` of the SELECT list; nil if there is none, or after
/// its complaint was noted.
func bindQualify(
    _ select: SelectSyntax, _ output: [OutputColumn], _ binder: inout ExpressionBinder,
    _ session: BindingSession
) -> BoundExpression? {
    guard let condition = select.qualify else { return nil }
    binder.clause = .qualify
    binder.forgetUngrouped()
    binder.outputs = Dictionary(output.map { ($0.name, $0.expression) }) { first, _ in first }
    let bound = session.attempt { () throws(Diagnostic) in
        let bound = try binder.bindCondition(condition, "QUALIFY")
        guard OverCalls.isRead(by: bound) else {
            let place = select.groupBy == nil ? "WHERE" : "HAVING"
            throw Diagnostic(
                condition.start,
                "QUALIFY tests what OVER computes, and this has no OVER; put the condition into \(place)")
        }
        return bound
    }
    session.report(ungrouped: binder.ungrouped)
    return binder.ungrouped.isEmpty ? bound : nil
}

extension ExpressionBinder {
    /// The column of the SELECT list that QUALIFY names by `name`.
    func bindOutput(
        _ output: BoundExpression, _ name: Identifier
    ) throws(Diagnostic) -> BoundExpression {
        if enclosingAggregate != nil || pendingOvers != nil, OverCalls.isRead(by: output) {
            throw Diagnostic(
                name.position, "\(name.name) is a result of OVER and stands inside another call; use a subquery")
        }
        if let outer = enclosingAggregate, output.columns.contains(where: { $0 <= Grouping.setNumber }) {
            throw Diagnostic(
                name.position,
                "\(name.name) is an aggregate and stands inside \(outer); aggregates cannot be nested, use a "
                    + "subquery")
        }
        return output
    }
}
