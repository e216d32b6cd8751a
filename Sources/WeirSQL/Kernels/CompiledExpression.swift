// The face of the kernels: an expression or a predicate compiled once, evaluated over batch after
// batch.
//
// The result is a function of each row alone, so it does not matter where a batch was cut. Rows
// that a value cannot be computed for (integer division by zero, CAST of bad text, a text that
// would explode) become NULL and are counted; Flink ends the job there. That is the one way in
// which results differ from Flink's by design, and the counter is how an operator shows it.

import WeirCore

/// A scalar expression, ready to run. Belongs to one thread.
public final class CompiledExpression {
    /// The type of the values.
    public let type: DataType
    private let all: CompiledExpressions

    /// Compiles an expression that the binder made. Throws only for constants that cannot work,
    /// such as a date pattern that is none.
    public init(_ expression: BoundExpression) throws(Failure) {
        type = expression.type
        all = try CompiledExpressions([expression])
    }

    /// Rows since the start whose value could not be computed and became NULL.
    public var evaluationErrors: UInt64 { all.evaluationErrors }

    /// The expression's values, one a row of `batch`. A bare column reference gives the batch's own
    /// column; nobody may write to the result.
    public func evaluate(_ batch: Batch) -> Column {
        evaluate(columns: batch.columns, rowCount: batch.rowCount)
    }

    /// As `evaluate(_:)`, for columns that are not in a batch.
    public func evaluate(columns: [Column], rowCount: Int) -> Column {
        all.evaluate(columns: columns, rowCount: rowCount)[0]
    }
}

/// Expressions over the same columns, ready to run; what they have in common is computed once. Belongs to
/// one thread.
public final class CompiledExpressions {
    private let kernels: [Kernel]
    private let errors = ErrorCounter()
    private let shared: SharedResults?

    /// Compiles expressions; throws as `CompiledExpression` does.
    public init(_ expressions: [BoundExpression]) throws(Failure) {
        let parts = SharedParts(expressions)
        let compiler = ExpressionCompiler(shared: parts)
        kernels = try expressions.map { (expression) throws(Failure) in
            try compiler.compile(expression)
        }
        shared = parts?.results
    }

    /// Values since the start that could not be computed and became NULL.
    public var evaluationErrors: UInt64 { errors.count }

    /// The values of each expression, as `CompiledExpression.evaluate(_:)` gives them.
    public func evaluate(_ batch: Batch) -> [Column] {
        evaluate(columns: batch.columns, rowCount: batch.rowCount)
    }

    /// As `evaluate(_:)`, for columns that are not in a batch.
    public func evaluate(columns: [Column], rowCount: Int) -> [Column] {
        let input = KernelInput(
            columns: columns, rowCount: rowCount, activeRows: nil, errors: errors, shared: shared)
        defer { shared?.clear() }
        return kernels.map { $0.evaluate(input) }
    }
}

/// A condition, ready to pick rows. Belongs to one thread.
public final class CompiledPredicate {
    private let expression: CompiledExpression

    /// Compiles a BOOLEAN expression.
    public init(_ expression: BoundExpression) throws(Failure) {
        precondition(expression.type.physical == .bool || expression.type == .null, "a condition")
        self.expression = try CompiledExpression(expression)
    }

    /// Rows since the start whose condition could not be computed; they are not selected.
    public var evaluationErrors: UInt64 { expression.evaluationErrors }

    /// Writes the indices of the rows for which the condition is TRUE, rising, to `rows`, which has
    /// room for all rows of the batch; returns how many they are.
    public func select(_ batch: Batch, into rows: UnsafeMutablePointer<Int32>) -> Int {
        if expression.type == .null { return 0 }
        // The value of NULL is 0, so the values alone say which rows are TRUE.
        let column = expression.evaluate(batch)
        let values = column.bools
        var count = 0
        for row in 0..<batch.rowCount {
            rows[count] = Int32(truncatingIfNeeded: row)
            count &+= Int(values[row])
        }
        return count
    }
}
