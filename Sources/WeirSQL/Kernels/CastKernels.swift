// CAST and TRY_CAST. A value that the target type has no place for becomes NULL; CAST counts it (a
// Flink job ends there), TRY_CAST does not. What never fails: numbers to numbers (INT is the low 32
// bits of a BIGINT; doubles are cut toward zero and saturate, NaN is 0, as in Java), anything to
// text (TextWritingKernel), timestamps to days and times. Decimals are in DecimalCasts.
//
// TIMESTAMP and TIMESTAMP_LTZ have one layout, and the session's zone is UTC: casts between them,
// and from INT to BIGINT, only change the label.

import WeirCore

#if canImport(Glibc)
import Glibc
#endif

/// The same values under another type of the same layout.
final class RelabelKernel: UnaryKernel {
    override init(_ argument: Kernel, type: DataType) {
        precondition(argument.type.physical == type.physical, "one layout")
        super.init(argument, type: type)
    }

    /// Other kernels go by the layout and read the argument's own column.
    override func operand(_ input: KernelInput) -> Operand { argument.operand(input) }

    override func evaluate(_ input: KernelInput) -> Column {
        let column = argument.evaluate(input)
        let result = Column(type, capacity: input.rowCount)
        result.append(from: column, range: 0..<input.rowCount)
        return result
    }
}

/// Casts among BOOLEAN, whole numbers, FLOAT and DOUBLE.
final class NumberCastKernel: UnaryKernel {
    override func evaluate(_ input: KernelInput) -> Column {
        let a = argument.operand(input)
        let result = Column.strict(type, [a], input.rowCount)
        let rows = input.rowCount
        let from = a.column
        switch (argument.type.physical, type) {
        case (.bool, _) where type.isApproximate:
            mapRows(from.bools, a.step, result.doubles, rows) { Double($0) }
        case (.bool, _): mapRows(from.bools, a.step, result.ints, rows) { Int64($0) }
        case (.int64, .boolean): mapRows(from.ints, a.step, result.bools, rows) { $0 == 0 ? 0 : 1 }
        case (.int64, .double): mapRows(from.ints, a.step, result.doubles, rows) { Double($0) }
        case (.int64, .float): mapRows(from.ints, a.step, result.doubles, rows) { Double(Float($0)) }
        case (.int64, .int): mapRows(from.ints, a.step, result.ints, rows) { wrapped32($0) }
        case (.int64, _):
            let bits = type.integerBits
            mapRows(from.ints, a.step, result.ints, rows) { wrapped($0, bits: bits) }
        case (.double, .boolean): mapRows(from.doubles, a.step, result.bools, rows) { $0 == 0 ? 0 : 1 }
        case (.double, .float):
            mapRows(from.doubles, a.step, result.doubles, rows) { Double(Float($0)) }
        case (.double, .bigint):
            mapRows(from.doubles, a.step, result.ints, rows) { saturated($0, min: .min, max: .max) }
        case (.double, _):
            // Java narrows a double to 32 bits first, and that to what is wanted.
            let bits = type.integerBits
            mapRows(from.doubles, a.step, result.ints, rows) {
                wrapped(saturated($0, min: Int64(Int32.min), max: Int64(Int32.max)), bits: bits)
            }
        default: preconditionFailure("no cast from \(argument.type) to \(type)")
        }
        result.clearNullSlots()
        return result
    }
}

/// A double cut toward zero, the nearest bound where it lies outside, 0 for NaN.
@inline(__always)
private func saturated(_ value: Double, min: Int64, max: Int64) -> Int64 {
    // Double(Int64.max) is 2^63, one more than fits, hence >=.
    if value >= Double(max) { return max }
    if value <= Double(min) { return min }
    return value.isNaN ? 0 : Int64(value)
}

/// Casts from text to whole and binary numbers, BOOLEAN, days, times and timestamps.
final class TextParsingKernel: Kernel {
    private let argument: Kernel
    private let isTry: Bool

    init(_ argument: Kernel, type: DataType, isTry: Bool) {
        self.argument = argument
        self.isTry = isTry
        super.init(type: type, canFail: !isTry || argument.canFail)
    }

    override func evaluate(_ input: KernelInput) -> Column {
        let a = argument.operand(input)
        let texts = TextRows(a)
        switch type {
        case .boolean:
            let result = Column.strict(.boolean, [a], input.rowCount)
            parse(result, result.bools, input) { NumberText.boolean(texts[$0]).map { $0 ? 1 : 0 } }
            return result
        case .double:
            let result = Column.strict(.double, [a], input.rowCount)
            parse(result, result.doubles, input) { NumberText.double(texts[$0]) }
            return result
        case .float:
            let result = Column.strict(.float, [a], input.rowCount)
            parse(result, result.doubles, input) {
                NumberText.double(texts[$0]).map { Double(Float($0)) }
            }
            return result
        case .date, .time:
            let isDate = type == .date
            let result = Column.strict(type, [a], input.rowCount)
            parse(result, result.ints, input) {
                isDate ? TemporalText.date(texts[$0]) : TemporalText.time(texts[$0])
            }
            return result
        case .timestamp, .timestampLTZ:
            let result = Column.strict(type, [a], input.rowCount)
            parse(result, result.ints, input) { TimestampCast.parse(texts[$0]) }
            return result
        default:
            let bits = type.integerBits
            let range = (Int64.min >> (64 - bits))...(Int64.max >> (64 - bits))
            let result = Column.strict(type, [a], input.rowCount)
            parse(result, result.ints, input) { NumberText.integer(texts[$0], in: range) }
            return result
        }
    }

    @inline(__always)
    private func parse<Value: ExpressibleByIntegerLiteral>(
        _ result: Column, _ out: UnsafeMutablePointer<Value>, _ input: KernelInput,
        _ body: (Int) -> Value?
    ) {
        for row in 0..<input.rowCount {
            out[row] = 0
            if result.isNull(row) { continue }
            if let value = body(row) {
                out[row] = value
            } else {
                result.materializeValidity()[row] = 0
                if !isTry { input.countError(row: row) }
            }
        }
    }
}
