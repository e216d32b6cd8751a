// CAST and TRY_CAST. A value that the target type has no place for becomes NULL; CAST counts it (a
// Flink job ends there), TRY_CAST does not. What never fails: numbers to numbers (INT is the low 32
// bits of a BIGINT; doubles are cut toward zero and saturate, NaN is 0, as in Java), anything to
// text.
//
// TIMESTAMP and TIMESTAMP_LTZ have one layout, and the session's zone is UTC: casts between them,
// and from INT to BIGINT, only change the label.

import WeirCore

#if canImport(Glibc)
import Glibc
#endif

/// The same values under another type of the same layout.
final class RelabelKernel: Kernel {
    private let argument: Kernel

    init(_ argument: Kernel, type: DataType) {
        precondition(argument.type.physical == type.physical, "one layout")
        self.argument = argument
        super.init(type: type, canFail: argument.canFail)
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

/// Casts among BOOLEAN, INT, BIGINT and DOUBLE.
final class NumberCastKernel: Kernel {
    private let argument: Kernel

    init(_ argument: Kernel, type: DataType) {
        self.argument = argument
        super.init(type: type, canFail: argument.canFail)
    }

    override func evaluate(_ input: KernelInput) -> Column {
        let a = argument.operand(input)
        let result = Column.strict(type, [a], input.rowCount)
        let rows = input.rowCount
        let from = a.column
        switch (argument.type.physical, type) {
        case (.bool, .double): mapRows(from.bools, a.step, result.doubles, rows) { Double($0) }
        case (.bool, _): mapRows(from.bools, a.step, result.ints, rows) { Int64($0) }
        case (.int64, .boolean): mapRows(from.ints, a.step, result.bools, rows) { $0 == 0 ? 0 : 1 }
        case (.int64, .double): mapRows(from.ints, a.step, result.doubles, rows) { Double($0) }
        case (.int64, _): mapRows(from.ints, a.step, result.ints, rows) { wrapped32($0) }
        case (.double, .boolean): mapRows(from.doubles, a.step, result.bools, rows) { $0 == 0 ? 0 : 1 }
        case (.double, .int):
            mapRows(from.doubles, a.step, result.ints, rows) {
                saturated($0, min: Int64(Int32.min), max: Int64(Int32.max))
            }
        case (.double, _):
            mapRows(from.doubles, a.step, result.ints, rows) { saturated($0, min: .min, max: .max) }
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

/// Casts from text to numbers, BOOLEAN and timestamps.
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
        case .timestamp, .timestampLTZ:
            let result = Column.strict(type, [a], input.rowCount)
            parse(result, result.ints, input) { TimestampCast.parse(texts[$0]) }
            return result
        default:
            let range =
                type == .int ? Int64(Int32.min)...Int64(Int32.max) : Int64.min...Int64.max
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

/// Casts from anything that is not an array to text.
final class TextWritingKernel: Kernel {
    private let argument: Kernel

    init(_ argument: Kernel) {
        self.argument = argument
        super.init(type: .string, canFail: argument.canFail)
    }

    override func evaluate(_ input: KernelInput) -> Column {
        let a = argument.operand(input)
        let step = a.step
        switch argument.type {
        case .boolean:
            let values = a.column.bools
            return buildTexts([a], input) { row, text in
                let word: StaticString = values[row &* step] != 0 ? "TRUE" : "FALSE"
                text.append(UnsafeBufferPointer(start: word.utf8Start, count: word.utf8CodeUnitCount))
                return .value
            }
        case .double:
            let values = a.column.doubles
            return buildTexts([a], input) { row, text in
                text.advance(NumberText.write(values[row &* step], to: text.room(NumberText.lengthMax)))
                return .value
            }
        case .timestamp, .timestampLTZ:
            let values = a.column.ints
            var formatter = TimestampFormatter()
            return buildTexts([a], input) { row, text in
                let room = text.room(TimestampFormatter.lengthMax)
                text.advance(formatter.writeSQL(values[row &* step], to: room))
                return .value
            }
        case .interval:
            let values = a.column.ints
            return buildTexts([a], input) { row, text in
                text.advance(writeInterval(values[row &* step], to: text.room(40)))
                return .value
            }
        default:
            let values = a.column.ints
            return buildTexts([a], input) { row, text in
                text.advance(NumberText.write(values[row &* step], to: text.room(NumberText.lengthMax)))
                return .value
            }
        }
    }
}

/// Writes an interval as `+d hh:mm:ss.SSS` and returns its length.
private func writeInterval(_ value: Int64, to buffer: UnsafeMutablePointer<UInt8>) -> Int {
    var rest = value.magnitude
    buffer[0] = value < 0 ? UInt8(ascii: "-") : UInt8(ascii: "+")
    let milliseconds = rest % 1000
    rest /= 1000
    let parts = [rest / 3600 % 24, rest / 60 % 60, rest % 60]
    var at = 1 + NumberText.write(Int64(rest / 86_400), to: buffer + 1)
    for (index, part) in parts.enumerated() {
        buffer[at] = index == 0 ? UInt8(ascii: " ") : UInt8(ascii: ":")
        buffer[at + 1] = UInt8(truncatingIfNeeded: 48 + part / 10)
        buffer[at + 2] = UInt8(truncatingIfNeeded: 48 + part % 10)
        at += 3
    }
    buffer[at] = UInt8(ascii: ".")
    buffer[at + 1] = UInt8(truncatingIfNeeded: 48 + milliseconds / 100)
    buffer[at + 2] = UInt8(truncatingIfNeeded: 48 + milliseconds / 10 % 10)
    buffer[at + 3] = UInt8(truncatingIfNeeded: 48 + milliseconds % 10)
    return at + 4
}
