// The operators that keep nothing: conditions, projections and the way out.
//
// What they do is a function of each row alone. An operator of this kind can therefore be given the
// same rows again after a stop, and does the same again.

import WeirCore
import WeirSQL
import WeirStore

/// WHERE and HAVING: rows for which a condition is true.
final class FilterOperator: Operator {
    let next: any Operator
    private let predicate: CompiledPredicate

    private let selected = Buffer<Int32>()

    init(_ predicate: BoundExpression, next: any Operator) throws(Failure) {
        self.predicate = try CompiledPredicate(predicate)
        self.next = next
    }

    var evaluationErrors: UInt64 { predicate.evaluationErrors + next.evaluationErrors }

    func process(_ run: RowRun) throws(Failure) -> Step {
        selected.reserve(run.batch.rowCount)
        let count = predicate.select(run.batch, into: selected.base)
        if count == run.batch.rowCount { return try next.process(run) }
        // An empty run goes on, too: the rows left out still move clocks further down.
        let rows = UnsafeBufferPointer(start: selected.base, count: count)
        return try next.process(run.replacing(run.batch.gather(rows), rows: rows))
    }
}

/// SELECT: one column an expression.
final class ProjectOperator: Operator {
    let next: any Operator
    private let schema: Schema
    private let expressions: CompiledExpressions

    init(_ expressions: [BoundExpression], schema: Schema, next: any Operator) throws(Failure) {
        self.expressions = try CompiledExpressions(expressions)
        self.schema = schema
        self.next = next
    }

    var evaluationErrors: UInt64 { expressions.evaluationErrors + next.evaluationErrors }

    func process(_ run: RowRun) throws(Failure) -> Step {
        let columns = expressions.evaluate(run.batch)
        return try next.process(
            run.replacing(Batch(schema: schema, columns: columns, rowCount: run.batch.rowCount)))
    }
}

/// The end of the chain: hands results to the query's output.
final class OutputOperator: LastOperator {
    private let output: any QueryOutput
    private var emittedCount: UInt64 = 0

    init(_ output: any QueryOutput) { self.output = output }

    func process(_ run: RowRun) throws(Failure) -> Step {
        guard run.batch.rowCount > 0 else { return .done }
        run.outcomes?.markUsed(run)
        emittedCount += UInt64(run.batch.rowCount)
        output.emit(run.batch)
        return .done
    }

    /// Rows handed over since the last call.
    func takeEmittedCount() -> UInt64 {
        defer { emittedCount = 0 }
        return emittedCount
    }
}
