// Conditions asked for one row at a time, as MATCH_RECOGNIZE asks: whether a row goes on with a match
// depends on the row before it, so there is no batch to compute over, and a column made for one value
// costs more than the value.
//
// This is a second way to compute what kernels compute, for what such conditions mostly are: comparisons
// and tests for NULL of whole numbers, times and doubles, with + - *, joined by AND and OR. Only whether the
// outcome is TRUE is asked, so that FALSE and NULL need not be told apart. Nothing here can fail.

import WeirCore

/// A condition over single values.
public struct ScalarCondition {
    /// A place in a column; NULL if `row` is below 0.
    public struct Cell {
        let column: Column
        let row: Int

        public init(_ column: Column, row: Int) { (self.column, self.row) = (column, row) }

        fileprivate var isNull: Bool { row < 0 || column.isNull(row) }
    }

    private enum Comparison { case equal, notEqual, less, lessOrEqual }
    private enum Arithmetic { case add, subtract, multiply }

    private indirect enum Term<Value> {
        case column(Int)
        /// A column of whole numbers, in a place for doubles.
        case convertedColumn(Int)
        case constant(Value?)
        case arithmetic(Arithmetic, Term, Term)
    }

    private indirect enum Test {
        case whole(Comparison, Term<Int64>, Term<Int64>)
        case double(Comparison, Term<Double>, Term<Double>)
        case null(column: Int, isNegated: Bool)
        case all([Test])
        case any([Test])
    }

    private let test: Test

    /// nil for an expression that only kernels compute.
    public init?(_ expression: BoundExpression) {
        guard let test = Self.test(expression) else { return nil }
        self.test = test
    }

    // MARK: Making

    private static func test(_ expression: BoundExpression) -> Test? {
        guard case .call(let function, let arguments, _) = expression else { return nil }
        switch function {
        case .and: return tests(arguments).map { .all($0) }
        case .or: return tests(arguments).map { .any($0) }
        case .isNull, .isNotNull:
            guard case .column(let index, _) = arguments[0] else { return nil }
            return .null(column: index, isNegated: function == .isNotNull)
        case .equal: return comparison(.equal, arguments[0], arguments[1])
        case .notEqual: return comparison(.notEqual, arguments[0], arguments[1])
        case .less: return comparison(.less, arguments[0], arguments[1])
        case .lessOrEqual: return comparison(.lessOrEqual, arguments[0], arguments[1])
        case .greater: return comparison(.less, arguments[1], arguments[0])
        case .greaterOrEqual: return comparison(.lessOrEqual, arguments[1], arguments[0])
        default: return nil
        }
    }

    private static func tests(_ expressions: [BoundExpression]) -> [Test]? {
        var tests: [Test] = []
        for expression in expressions {
            guard let test = test(expression) else { return nil }
            tests.append(test)
        }
        return tests
    }

    private static func comparison(
        _ comparison: Comparison, _ a: BoundExpression, _ b: BoundExpression
    ) -> Test? {
        // Decimals of two scales are compared by value, which is more than their layout says.
        guard a.type == b.type || !(a.type.isDecimal || b.type.isDecimal) else { return nil }
        if a.type.physical == .int64, b.type.physical == .int64 {
            guard let a = whole(a), let b = whole(b) else { return nil }
            return .whole(comparison, a, b)
        }
        guard a.type.physical == .double, b.type.physical == .double, let a = double(a),
            let b = double(b)
        else { return nil }
        return .double(comparison, a, b)
    }

    private static func whole(_ expression: BoundExpression) -> Term<Int64>? {
        if let constant = constant(expression) {
            return .constant(constant.isNull(0) ? nil : constant.ints[0])
        }
        switch expression {
        case .column(let index, _): return .column(index)
        case .cast(let value, .bigint, _) where value.type.isInteger: return whole(value)
        case .call(let function, let arguments, .bigint):
            guard let operation = arithmetic(function), arguments.count == 2,
                arguments.allSatisfy({ $0.type == .bigint }), let a = whole(arguments[0]),
                let b = whole(arguments[1])
            else { return nil }
            return .arithmetic(operation, a, b)
        default: return nil
        }
    }

    private static func double(_ expression: BoundExpression) -> Term<Double>? {
        if let constant = constant(expression) {
            return .constant(constant.isNull(0) ? nil : constant.doubles[0])
        }
        switch expression {
        case .column(let index, _): return .column(index)
        case .cast(.column(let index, let type), .double, _) where type.isInteger:
            return .convertedColumn(index)
        case .cast(let value, .double, _) where value.type.isApproximate: return double(value)
        case .call(let function, let arguments, .double):
            guard let operation = arithmetic(function), arguments.count == 2,
                arguments.allSatisfy({ $0.type == .double }), let a = double(arguments[0]),
                let b = double(arguments[1])
            else { return nil }
            return .arithmetic(operation, a, b)
        default: return nil
        }
    }

    private static func arithmetic(_ function: ScalarFunction) -> Arithmetic? {
        switch function {
        case .add: .add
        case .subtract: .subtract
        case .multiply: .multiply
        default: nil
        }
    }

    /// The value of what depends on no column.
    private static func constant(_ expression: BoundExpression) -> Column? {
        guard expression.columns.isEmpty else { return nil }
        return (try? ExpressionCompiler().compile(expression))?.constant
    }

    // MARK: Asking

    /// Whether the condition is TRUE where `cell` says in which place the value of each column is.
    public func isTrue(_ cell: (Int) -> Cell) -> Bool { Self.isTrue(test, cell) }

    private static func isTrue(_ test: Test, _ cell: (Int) -> Cell) -> Bool {
        switch test {
        case .whole(let comparison, let a, let b):
            guard let a = value(a, cell), let b = value(b, cell) else { return false }
            return compare(comparison, a, b)
        case .double(let comparison, let a, let b):
            guard let a = value(a, cell), let b = value(b, cell) else { return false }
            return compare(comparison, a, b)
        case .null(let column, let isNegated): return cell(column).isNull != isNegated
        case .all(let tests): return tests.allSatisfy { isTrue($0, cell) }
        case .any(let tests): return tests.contains { isTrue($0, cell) }
        }
    }

    @inline(__always)
    private static func compare<Value: Comparable>(
        _ comparison: Comparison, _ a: Value, _ b: Value
    ) -> Bool {
        switch comparison {
        case .equal: a == b
        case .notEqual: !(a == b)
        case .less: a < b
        case .lessOrEqual: a <= b
        }
    }

    private static func value(_ term: Term<Int64>, _ cell: (Int) -> Cell) -> Int64? {
        switch term {
        case .column(let index), .convertedColumn(let index):
            let cell = cell(index)
            return cell.isNull ? nil : cell.column.ints[cell.row]
        case .constant(let value): return value
        case .arithmetic(let operation, let a, let b):
            guard let a = value(a, cell), let b = value(b, cell) else { return nil }
            switch operation {
            case .add: return a &+ b
            case .subtract: return a &- b
            case .multiply: return a &* b
            }
        }
    }

    private static func value(_ term: Term<Double>, _ cell: (Int) -> Cell) -> Double? {
        switch term {
        case .column(let index):
            let cell = cell(index)
            return cell.isNull ? nil : cell.column.doubles[cell.row]
        case .convertedColumn(let index):
            let cell = cell(index)
            return cell.isNull ? nil : Double(cell.column.ints[cell.row])
        case .constant(let value): return value
        case .arithmetic(let operation, let a, let b):
            guard let a = value(a, cell), let b = value(b, cell) else { return nil }
            switch operation {
            case .add: return a + b
            case .subtract: return a - b
            case .multiply: return a * b
            }
        }
    }
}
