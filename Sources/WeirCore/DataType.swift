// The SQL types that weir computes with, and how each is laid out in a column.
//
// Names and precisions are Flink SQL's. A logical type maps to one of seven physical layouts, so that
// kernels are written once a layout: all integers, points in time, intervals and decimals of up to 18
// digits are Int64; longer decimals are Int128. A MAP is an ARRAY of (key, value) rows.

/// A SQL data type, named as Flink SQL names it.
public indirect enum DataType: Hashable, Sendable {
    case boolean
    /// 8-bit integer, held as Int64; arithmetic wraps at 8 bits as Flink's does.
    case tinyint
    /// 16-bit integer, held as Int64; arithmetic wraps at 16 bits.
    case smallint
    /// 32-bit integer, held as Int64; arithmetic wraps at 32 bits as Flink's does.
    case int
    /// 64-bit integer.
    case bigint
    /// IEEE 754 single precision, held as a Double that a Float can hold.
    case float
    /// IEEE 754 double precision.
    case double
    /// An exact number of up to `precision` digits (1 … 38), `scale` of them behind the point; held as
    /// the integer value × 10^scale.
    case decimal(precision: Int, scale: Int)
    /// UTF-8 text of any length.
    case string
    /// Bytes of any length.
    case bytes
    /// A day: days since 1970-01-01.
    case date
    /// A time of day: milliseconds since midnight.
    case time
    /// TIMESTAMP(3) without a zone: milliseconds of the wall clock since 1970-01-01T00:00:00.
    case timestamp
    /// TIMESTAMP_LTZ(3): an instant, milliseconds since the Unix epoch.
    case timestampLTZ
    /// INTERVAL DAY TO SECOND(3): milliseconds.
    case interval
    /// INTERVAL YEAR TO MONTH: months.
    case intervalYearMonth
    /// ARRAY of an element type.
    case array(DataType)
    /// MAP of keys to values; in the layout of an ARRAY of ROW(key, value), in the order of insertion.
    case map(key: DataType, value: DataType)
    /// ROW of named fields.
    case row([Field])
    /// The type of the literal NULL before a context gives it one.
    case null

    /// The most digits that a DECIMAL has.
    public static let decimalPrecisionMax = 38
    /// The most digits that a DECIMAL in eight bytes has.
    public static let compactPrecisionMax = 18

    /// How values of this type are laid out in a `Column`.
    public var physical: PhysicalType {
        switch self {
        case .boolean: .bool
        case .tinyint, .smallint, .int, .bigint, .date, .time, .timestamp, .timestampLTZ, .interval,
            .intervalYearMonth, .null:
            .int64
        case .float, .double: .double
        case .decimal(let precision, _): precision <= Self.compactPrecisionMax ? .int64 : .int128
        case .string, .bytes: .string
        case .array, .map: .array
        case .row: .row
        }
    }

    /// Whether arithmetic applies to it.
    public var isNumeric: Bool { isInteger || isApproximate || isDecimal }

    /// Whether it is a whole number of 8, 16, 32 or 64 bits.
    public var isInteger: Bool {
        self == .int || self == .bigint || self == .smallint || self == .tinyint
    }

    /// Whether it is a binary floating-point number.
    public var isApproximate: Bool { self == .double || self == .float }

    /// Whether it is a DECIMAL.
    public var isDecimal: Bool { if case .decimal = self { true } else { false } }

    /// Whether it is a point in time.
    public var isTimestamp: Bool { self == .timestamp || self == .timestampLTZ }

    /// Whether it is a length of time.
    public var isInterval: Bool { self == .interval || self == .intervalYearMonth }

    /// Whether it is a single value: no ARRAY, MAP or ROW.
    public var isScalar: Bool { physical != .array && physical != .row }

    /// Whether `condition` holds for the type or one inside of it.
    public func contains(where condition: (DataType) -> Bool) -> Bool {
        if condition(self) { return true }
        switch self {
        case .array(let element): return element.contains(where: condition)
        case .map(let key, let value):
            return key.contains(where: condition) || value.contains(where: condition)
        case .row(let fields): return fields.contains { $0.type.contains(where: condition) }
        default: return false
        }
    }

    /// What a column of this type has below it: an array's elements, or a map's entries.
    public var elementType: DataType? {
        switch self {
        case .array(let element): element
        case .map(let key, let value): .row([Field("key", key), Field("value", value)])
        default: nil
        }
    }

    /// Digits and digits behind the point of an exact number, as arithmetic with decimals takes it:
    /// BIGINT is DECIMAL(19, 0). Nil for other types.
    public var decimalShape: (precision: Int, scale: Int)? {
        switch self {
        case .decimal(let precision, let scale): (precision, scale)
        case .tinyint: (3, 0)
        case .smallint: (5, 0)
        case .int: (10, 0)
        case .bigint: (19, 0)
        default: nil
        }
    }

    /// The bits of an integer type; 64 for all others.
    public var integerBits: Int {
        switch self {
        case .tinyint: 8
        case .smallint: 16
        case .int: 32
        default: 64
        }
    }
}

extension DataType: CustomStringConvertible {
    /// The type as SQL writes it, such as `TIMESTAMP_LTZ(3)`.
    public var description: String {
        switch self {
        case .boolean: "BOOLEAN"
        case .tinyint: "TINYINT"
        case .smallint: "SMALLINT"
        case .int: "INT"
        case .bigint: "BIGINT"
        case .float: "FLOAT"
        case .double: "DOUBLE"
        case .decimal(let precision, let scale): "DECIMAL(\(precision), \(scale))"
        case .string: "STRING"
        case .bytes: "BYTES"
        case .date: "DATE"
        case .time: "TIME"
        case .timestamp: "TIMESTAMP(3)"
        case .timestampLTZ: "TIMESTAMP_LTZ(3)"
        case .interval: "INTERVAL DAY TO SECOND(3)"
        case .intervalYearMonth: "INTERVAL YEAR TO MONTH"
        case .array(let element): "ARRAY<\(element)>"
        case .map(let key, let value): "MAP<\(key), \(value)>"
        case .row(let fields):
            "ROW<\(fields.map { "\($0.name) \($0.type)" }.joined(separator: ", "))>"
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
    /// `count + 1` Int32 offsets into one run of bytes (UTF-8 for STRING).
    case string = 3
    /// `count + 1` Int32 offsets into a child column.
    case array = 4
    /// Sixteen bytes a value, aligned to sixteen.
    case int128 = 5
    /// No memory of its own: one child column a field, each with as many rows.
    case row = 6
}
