// What the kernel tests stand on: values one by one, columns made of them, and one way of
// evaluating that takes every path at once. Each case is evaluated over columns, over the same
// columns cut into slices, and with every choice of arguments turned into constants; all must
// agree, and every result column must keep the promises that Column makes.

import Testing
import WeirCore

@testable import WeirSQL

/// One value of a row.
enum Value: Hashable, Sendable, CustomStringConvertible {
    case null
    /// NULL, and the row was counted as failed.
    case failed
    case bool(Bool)
    case int(Int64)
    case double(Double)
    case text(String)
    case array([Value])

    static func == (a: Value, b: Value) -> Bool {
        switch (a, b) {
        case (.null, .null), (.failed, .failed): true
        case (.bool(let x), .bool(let y)): x == y
        case (.int(let x), .int(let y)): x == y
        // NaN is itself here, and the two zeros are two.
        case (.double(let x), .double(let y)): x.isNaN ? y.isNaN : x.bitPattern == y.bitPattern
        case (.text(let x), .text(let y)): Array(x.utf8) == Array(y.utf8)
        case (.array(let x), .array(let y)): x == y
        default: false
        }
    }

    var isNull: Bool { self == .null || self == .failed }

    var description: String {
        switch self {
        case .null: "NULL"
        case .failed: "NULL (failed)"
        case .bool(let value): "\(value)"
        case .int(let value): "\(value)"
        case .double(let value): "\(value)"
        case .text(let value): "'\(value)'"
        case .array(let values): "\(values)"
        }
    }
}

extension Value: ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral, ExpressibleByStringLiteral,
    ExpressibleByBooleanLiteral
{
    init(integerLiteral value: Int64) { self = .int(value) }
    init(floatLiteral value: Double) { self = .double(value) }
    init(stringLiteral value: String) { self = .text(value) }
    init(booleanLiteral value: Bool) { self = .bool(value) }
}

/// A column of these values.
func makeColumn(_ type: DataType, _ values: [Value]) -> Column {
    let column = Column(type)
    for value in values { append(value, to: column) }
    return column
}

private func append(_ value: Value, to column: Column) {
    switch value {
    case .null, .failed: column.appendNull()
    case .bool(let value): column.append(value)
    case .int(let value) where column.physical == .double: column.append(Double(value))
    case .int(let value) where column.physical == .int128: column.append(Int128(value))
    case .int(let value): column.append(value)
    case .double(let value): column.append(value)
    case .text(let value): column.append(value)
    case .array(let values):
        if let child = column.child {
            for value in values { append(value, to: child) }
        }
        column.appendArray()
    }
}

/// The values of a column, having checked what must hold of every column.
func values(of column: Column, _ location: SourceLocation = #_sourceLocation) -> [Value] {
    if column.physical == .string || column.physical == .array {
        #expect(column.offsets[0] == 0, sourceLocation: location)
    }
    return (0..<column.count).map { row in
        let isNull = column.isNull(row)
        switch column.physical {
        case .bool:
            #expect(column.bools[row] <= (isNull ? 0 : 1), sourceLocation: location)
            return isNull ? .null : .bool(column.bools[row] != 0)
        case .int64:
            #expect(!isNull || column.ints[row] == 0, sourceLocation: location)
            return isNull ? .null : .int(column.ints[row])
        case .int128:
            #expect(!isNull || column.wides[row] == 0, sourceLocation: location)
            return isNull ? .null : .text("\(column.wides[row])")
        case .row:
            return isNull ? .null : .array(column.fields.map { values(of: $0, location)[row] })
        case .double:
            #expect(!isNull || column.doubles[row].bitPattern == 0, sourceLocation: location)
            return isNull ? .null : .double(column.doubles[row])
        case .string:
            #expect(column.offsets[row] <= column.offsets[row + 1], sourceLocation: location)
            #expect(!isNull || column.text(row).isEmpty, sourceLocation: location)
            return isNull ? .null : .text(column.string(row))
        case .array:
            let range = Int(column.offsets[row])..<Int(column.offsets[row + 1])
            #expect(!isNull || range.isEmpty, sourceLocation: location)
            guard !isNull, let child = column.child else { return .null }
            return .array(Array(values(of: child, location)[range]))
        }
    }
}

func literal(_ value: Value, _ type: DataType) -> BoundExpression {
    switch value {
    case .null, .failed, .array: .literal(.null, type: type)
    case .bool(let value): .literal(.boolean(value), type: type)
    case .int(let value): .literal(.integer(value), type: type)
    case .double(let value): .literal(.double(value), type: type)
    case .text(let value): .literal(.string(value), type: type)
    }
}

func call(_ function: ScalarFunction, _ arguments: BoundExpression...) -> BoundExpression {
    call(function, arguments)
}

/// A call as the binder makes it: the result's type comes from the signature.
func call(_ function: ScalarFunction, _ arguments: [BoundExpression]) -> BoundExpression {
    let types = arguments.map(\.type)
    guard let signature = function.signature(for: types), signature.arguments == types else {
        Issue.record("\(function) does not take \(types)")
        return .literal(.null, type: .null)
    }
    return .call(function, arguments: arguments, type: signature.result)
}

/// Evaluates over whole columns and over slices of them, which must give the same; returns the
/// values and how many rows failed.
func evaluate(
    _ expression: BoundExpression, _ columns: [Column], rowCount: Int? = nil,
    _ location: SourceLocation = #_sourceLocation
) throws -> (values: [Value], errors: UInt64) {
    let rows = rowCount ?? columns.first?.count ?? 1
    let whole = try CompiledExpression(expression)
    let result = whole.evaluate(columns: columns, rowCount: rows)
    #expect(result.count == rows, sourceLocation: location)
    #expect(result.type == expression.type, sourceLocation: location)
    let all = values(of: result, location)
    let sliced = try CompiledExpression(expression)
    var pieces: [Value] = []
    var start = 0
    var length = 1
    while start < rows {
        let end = min(rows, start + length)
        let slices = columns.map { $0.slice(start..<end) }
        pieces += values(of: sliced.evaluate(columns: slices, rowCount: end - start), location)
        start = end
        length = length % 7 + 2
    }
    #expect(pieces == all, "cut into slices", sourceLocation: location)
    #expect(sliced.evaluationErrors == whole.evaluationErrors, sourceLocation: location)
    return (all, whole.evaluationErrors)
}

/// Checks a function row by row: over columns, and for each row with every choice of its arguments
/// as constants (arrays stay columns).
func expect(
    _ function: ScalarFunction, _ types: [DataType], _ cases: [([Value], Value)],
    _ location: SourceLocation = #_sourceLocation
) throws {
    try expect(types, cases, location) { call(function, $0) }
}

/// As above for any expression over arguments of these types.
func expect(
    _ types: [DataType], _ cases: [([Value], Value)], _ location: SourceLocation = #_sourceLocation,
    _ make: ([BoundExpression]) -> BoundExpression
) throws {
    let references = types.enumerated().map { BoundExpression.column(index: $0, type: $1) }
    let columns = types.indices.map { index in
        makeColumn(types[index], cases.map { $0.0[index] })
    }
    let (found, errors) = try evaluate(make(references), columns, location)
    for (value, (arguments, wanted)) in zip(found, cases) {
        let shown = wanted == .failed ? .null : wanted
        #expect(value == shown, "over columns: \(arguments)", sourceLocation: location)
    }
    let failures = cases.filter { $0.1 == .failed }.count
    #expect(errors == UInt64(failures), "failed rows", sourceLocation: location)
    for (arguments, wanted) in cases {
        let repeated = types.indices.map { index in
            makeColumn(types[index], [arguments[index], arguments[index], arguments[index]])
        }
        for mask in 1..<(1 << types.count) {
            let mixed = types.indices.map { index in
                var isConstant = mask >> index & 1 == 1
                if case .array = types[index] { isConstant = false }
                return isConstant ? literal(arguments[index], types[index]) : references[index]
            }
            guard let expression = try? CompiledExpression(make(mixed)) else { continue }
            let result = expression.evaluate(columns: repeated, rowCount: 3)
            let value: Value = wanted == .failed ? .null : wanted
            #expect(
                values(of: result, location) == [value, value, value],
                "constants \(mask): \(arguments)", sourceLocation: location)
            #expect(
                expression.evaluationErrors == (wanted == .failed ? 3 : 0),
                "failures with constants \(mask): \(arguments)", sourceLocation: location)
        }
    }
}

/// Random numbers that a seed repeats (SplitMix64).
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
