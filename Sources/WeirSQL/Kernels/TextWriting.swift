// Casts to text, which never fail, and between text and bytes. The forms are Flink's: TRUE, 1.0E10 for
// doubles, all places of a decimal, 2026-11-21 13:00:00.000, +1 02:03:04.005 for intervals.

import WeirCore

#if canImport(Glibc)
import Glibc
#endif

/// Casts from any scalar to text.
final class TextWritingKernel: Kernel {
    private let argument: Kernel

    init(_ argument: Kernel) {
        self.argument = argument
        super.init(type: .string, canFail: argument.canFail)
    }

    override func evaluate(_ input: KernelInput) -> Column {
        let a = argument.operand(input)
        switch argument.type {
        case .boolean:
            let (values, step) = (a.column.bools, a.step)
            return buildTexts([a], input) { row, text in
                let word: StaticString = values[row &* step] != 0 ? "TRUE" : "FALSE"
                text.append(UnsafeBufferPointer(start: word.utf8Start, count: word.utf8CodeUnitCount))
                return .value
            }
        case .double: return write(a, a.column.doubles, input) { NumberText.write($0, to: $1) }
        case .float: return write(a, a.column.doubles, input) { NumberText.write(float: $0, to: $1) }
        case .decimal(_, let scale):
            if a.column.physical == .int64 {
                return write(a, a.column.ints, input) { Decimals.write(Int128($0), scale: scale, to: $1) }
            }
            return write(a, a.column.wides, input) { Decimals.write($0, scale: scale, to: $1) }
        case .bytes: return repaired(a, input)
        case .timestamp, .timestampLTZ:
            var formatter = TimestampFormatter()
            return write(a, a.column.ints, input) { formatter.writeSQL($0, to: $1) }
        case .date:
            var formatter = TimestampFormatter()
            return write(a, a.column.ints, input) { formatter.writeDate($0, to: $1) }
        case .time: return write(a, a.column.ints, input) { TemporalText.writeTime($0, to: $1) }
        case .interval: return write(a, a.column.ints, input) { writeInterval($0, to: $1) }
        case .intervalYearMonth:
            return write(a, a.column.ints, input) { TemporalText.writeMonths($0, to: $1) }
        default: return write(a, a.column.ints, input) { NumberText.write($0, to: $1) }
        }
    }

    /// Texts of at most 48 bytes.
    @inline(__always)
    private func write<Value>(
        _ a: Operand, _ values: UnsafeMutablePointer<Value>, _ input: KernelInput,
        _ body: (Value, UnsafeMutablePointer<UInt8>) -> Int
    ) -> Column {
        let step = a.step
        return buildTexts([a], input) { row, text in
            text.advance(body(values[row &* step], text.room(Decimals.lengthMax)))
            return .value
        }
    }

    /// Bytes as text: what is no UTF-8 becomes U+FFFD, as in Java.
    private func repaired(_ a: Operand, _ input: KernelInput) -> Column {
        let bytes = TextRows(a)
        return buildTexts([a], input) { row, text in
            var repaired = String(decoding: bytes[row], as: UTF8.self)
            repaired.withUTF8 { text.append($0) }
            return .value
        }
    }
}

/// Bytes cut to a length and, where wanted, filled up with zeros: CAST(x AS BINARY(n)).
final class FitBytesKernel: Kernel {
    private let argument: Kernel
    private let length: Kernel
    private let pads: Kernel
    /// Bytes that a value keeps at most, so that no query can fill the memory with zeros.
    private static let lengthMax = 1 << 20

    init(_ argument: Kernel, length: Kernel, pads: Kernel) {
        self.argument = argument
        self.length = length
        self.pads = pads
        super.init(type: .bytes, canFail: argument.canFail)
    }

    override func evaluate(_ input: KernelInput) -> Column {
        let a = argument.evaluate(input)
        let (n, p) = (length.operand(input), pads.operand(input))
        let lengths = IntegerRows(n)
        let result = Column(.bytes, capacity: input.rowCount)
        for row in 0..<input.rowCount {
            if a.isNull(row) {
                result.appendNull()
                continue
            }
            let wanted = min(max(lengths[row], 0), Self.lengthMax)
            var bytes = Array(a.text(row).prefix(wanted))
            if p.column.bools[row * p.step] != 0 {
                bytes += [UInt8](repeating: 0, count: wanted - bytes.count)
            }
            bytes.withUnsafeBufferPointer { result.append($0) }
        }
        return result
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
