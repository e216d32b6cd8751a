// Expressions after binding: every name resolved to a column index, every type known, every implicit
// cast explicit. The binder makes them; the kernels (Kernels/) evaluate them over batches; the plan's
// fingerprint is made from their text.

import WeirCore

/// A typed scalar expression over the columns of one input batch.
public indirect enum BoundExpression: Hashable, Sendable {
    /// Column `index` of the input.
    case column(index: Int, type: DataType)
    /// A constant.
    case literal(LiteralValue, type: DataType)
    /// `arguments` have exactly the types that the function's kernel takes.
    case call(ScalarFunction, arguments: [BoundExpression], type: DataType)
    /// CAST, or TRY_CAST (NULL instead of a rejected value).
    case cast(BoundExpression, to: DataType, isTry: Bool)
    /// Searched CASE; a simple CASE is bound to this form. All results have type `type`.
    case conditional(branches: [ConditionalBranch], otherwise: BoundExpression?, type: DataType)
    /// `value IN (list)` over constants or expressions of the value's type, three-valued.
    case inList(BoundExpression, list: [BoundExpression], isNegated: Bool)

    /// WHEN condition THEN result.
    public struct ConditionalBranch: Hashable, Sendable {
        /// A BOOLEAN; NULL is as FALSE.
        public let condition: BoundExpression
        /// Computed for the rows whose first true condition this is.
        public let result: BoundExpression
        public init(condition: BoundExpression, result: BoundExpression) {
            self.condition = condition
            self.result = result
        }
    }

    /// The type of the value.
    public var type: DataType {
        switch self {
        case .column(_, let type), .literal(_, let type), .call(_, _, let type), .conditional(_, _, let type): type
        case .cast(_, let type, _): type
        case .inList: .boolean
        }
    }
}

/// A constant's value, in the layout of its type.
public enum LiteralValue: Hashable, Sendable {
    case null
    case boolean(Bool)
    /// Whole numbers, dates (days), times, timestamps and intervals (ms or months), and decimals of up
    /// to 18 digits (units of their scale).
    case integer(Int64)
    /// Decimals of more digits.
    case wide(Int128)
    case double(Double)
    case string(String)
    case bytes([UInt8])

    /// A decimal's value in the layout of its type.
    static func decimal(_ value: Int128, _ type: DataType) -> LiteralValue {
        type.physical == .int64 ? .integer(Int64(truncatingIfNeeded: value)) : .wide(value)
    }
}

/// A scalar function or operator that a kernel exists for.
public enum ScalarFunction: Hashable, Sendable {
    /// A function that one declaration says everything about (Functions/LibraryFunction.swift).
    case named(String)
    // Operators
    case add, subtract, multiply, divide, modulo, negate
    case equal, notEqual, less, lessOrEqual, greater, greaterOrEqual
    case isDistinctFrom, isNotDistinctFrom
    case and, or, not
    case isNull, isNotNull, isTrue, isNotTrue, isFalse, isNotFalse
    case like, notLike, concat
    // Conditionals
    case coalesce, nullif, greatest, least
    // Numbers
    case abs, floor, ceil, round, power, sqrt, exp, ln, log10, mod, sign, truncate, log2
    // Text
    case upper, lower, trim, ltrim, rtrim, charLength, substring, replace, position, concatFunction
    case concatWs, startsWith, endsWith, reverse, lpad, rpad, splitIndex, left, right, `repeat`
    // Time
    case extractYear, extractMonth, extractDay, extractHour, extractMinute, extractSecond
    case extractDayOfWeek, extractDayOfYear, extractEpoch, extractMillisecond
    case floorTimeSecond, floorTimeMinute, floorTimeHour, floorTimeDay
    case dateFormat, toTimestampLtz, toTimestamp, extractQuarter, extractWeek
    case floorTimeWeek, floorTimeMonth, floorTimeQuarter, floorTimeYear
    // Arrays, maps and rows
    case cardinality, elementAt, arrayContains, arrayOf, mapOf, rowOf, rowField
    // Bytes
    case fitBytes
}
