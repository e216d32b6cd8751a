// The SQL types that weir computes with, and how each is laid out in a column.
//
// Names and precisions are Flink SQL's. A logical type maps to one of five physical layouts, so that
// kernels are written once a layout: all integers, timestamps and intervals are Int64.

/// A SQL data type, named as Flink SQL names it.
public indirect enum DataType: Hashable, Sendable {
    case boolean
    /// 32-bit integer, held as Int64; arithmetic wraps at 32 bits as Flink's does.
    case int
    /// 64-bit integer.
    case bigint
    /// IEEE 754 double precision.
    case double
    /// UTF-8 text of any length.
    case string
    /// TIMESTAMP(3) without a zone: milliseconds of the wall clock since 1970-01-01T00:00:00.
    case timestamp
    /// TIMESTAMP_LTZ(3): an instant, milliseconds since the Unix epoch.
    case timestampLTZ
    /// INTERVAL DAY TO SECOND(3): milliseconds.
    case interval
    /// ARRAY of an element type.
    case array(DataType)
    /// The type of the literal NULL before a context gives it one.
    case null

    /// How values of this type are laid out in a `Column`.
    public var physical: PhysicalType {
        switch self {
        case .boolean: .bool
        case .int, .bigint, .timestamp, .timestampLTZ, .interval, .null: .int64
        case .double: .double
        case .string: .string
        case .array: .array
        }
    }

    /// Whether arithmetic applies to it.
    public var isNumeric: Bool { self == .int || self == .bigint || self == .double }

    /// Whether it is a point in time.
    public var isTimestamp: Bool { self == .timestamp || self == .timestampLTZ }
}

extension DataType: CustomStringConvertible {
    /// The type as SQL writes it, such as `TIMESTAMP_LTZ(3)`.
    public var description: String {
        switch self {
        case .boolean: "BOOLEAN"
        case .int: "INT"
        case .bigint: "BIGINT"
        case .double: "DOUBLE"
        case .string: "STRING"
        case .timestamp: "TIMESTAMP(3)"
        case .timestampLTZ: "TIMESTAMP_LTZ(3)"
        case .interval: "INTERVAL DAY TO SECOND(3)"
        case .array(let element): "ARRAY<\(element)>"
        case .null: "NULL"
        }
    }
}

/// The memory layout of a column's values.
public enum PhysicalType: UInt8, Sendable {
    /// One byte a value, 0 or 1.
    case bool = 0
    /// Eight bytes a value.
    case int64 = 1
    /// Eight bytes a value.
    case double = 2
    /// `count + 1` Int32 offsets into one run of UTF-8 bytes.
    case string = 3
    /// `count + 1` Int32 offsets into a child column.
    case array = 4
}
