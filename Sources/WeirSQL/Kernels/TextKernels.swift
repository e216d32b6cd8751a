// Text functions whose result is text cut out of an argument or put together from arguments.
// Positions and lengths count code points; where every byte is ASCII they are byte positions, which
// is checked row by row and is nearly always so.
//
// Edge cases are Flink's: SUBSTRING counts from 1, from the end when negative, and 0 is 1; a
// negative length gives NULL. TRIM's second argument is a set of characters. LPAD, RPAD and REPEAT
// may blow a row up: results beyond `textBytesMax` are NULL and counted, where Flink would run out
// of memory.

import WeirCore

#if canImport(Glibc)
import Glibc
#endif

/// A text function; which one is decided once a batch.
final class TextKernel: Kernel {
    /// Bytes that REPEAT, LPAD and RPAD may make of one row.
    static let textBytesMax = 65_536

    private let function: ScalarFunction
    private let arguments: [Kernel]

    init(_ function: ScalarFunction, _ arguments: [Kernel]) {
        self.function = function
        self.arguments = arguments
        let canExplode = [.repeat, .lpad, .rpad].contains(function)
        super.init(type: .string, canFail: canExplode || arguments.contains { $0.canFail })
    }

    override func evaluate(_ input: KernelInput) -> Column {
        let operands = arguments.map { $0.operand(input) }
        // Rows are read through base pointers, which do not keep their columns alive.
        defer { withExtendedLifetime(operands) {} }
        switch function {
        case .upper, .lower: return changeCase(operands, input)
        case .trim: return trim(operands, input, leading: true, trailing: true)
        case .ltrim: return trim(operands, input, leading: true, trailing: false)
        case .rtrim: return trim(operands, input, leading: false, trailing: true)
        case .substring: return substring(operands, input)
        case .left, .right: return end(operands, input)
        case .replace: return replace(operands, input)
        case .concat, .concatFunction: return concatenate(operands, input)
        case .concatWs: return join(operands, input)
        case .reverse: return reverse(operands, input)
        case .lpad, .rpad: return pad(operands, input)
        case .repeat: return repeated(operands, input)
        case .splitIndex: return part(operands, input)
        default: preconditionFailure("\(function) gives no text")
        }
    }

    private func changeCase(_ operands: [Operand], _ input: KernelInput) -> Column {
        let texts = TextRows(operands[0])
        let isUpper = function == .upper
        let first = isUpper ? UInt8(ascii: "a") : UInt8(ascii: "A")
        return buildTexts(operands, input) { row, builder in
            let text = texts[row]
            var bits: UInt8 = 0
            for byte in text { bits |= byte }
            if bits < 0x80 {
                let room = builder.room(text.count)
                for i in 0..<text.count {
                    let isLetter = text[i] &- first < 26
                    room[i] = isLetter ? text[i] ^ 0x20 : text[i]
                }
                builder.advance(text.count)
            } else {
                let string = String(decoding: text, as: UTF8.self)
                var changed = isUpper ? string.uppercased() : string.lowercased()
                changed.withUTF8 { builder.append($0) }
            }
            return .value
        }
    }

    private func trim(
        _ operands: [Operand], _ input: KernelInput, leading: Bool, trailing: Bool
    ) -> Column {
        let texts = TextRows(operands[0])
        let sets = operands.count > 1 ? TextRows(operands[1]) : nil
        return buildTexts(operands, input) { row, builder in
            let text = texts[row]
            var low = 0
            var high = text.count
            if let sets {
                let set = sets[row]
                while leading, low < high {
                    let length = codePointLength(text, at: low)
                    guard find(text.part(low..<(low + length)), in: set) >= 0 else { break }
                    low += length
                }
                while trailing, high > low {
                    var start = high - 1
                    while start > low, text[start] & 0xC0 == 0x80 { start -= 1 }
                    guard find(text.part(start..<high), in: set) >= 0 else { break }
                    high = start
                }
            } else {
                while leading, low < high, text[low] == 0x20 { low += 1 }
                while trailing, high > low, text[high - 1] == 0x20 { high -= 1 }
            }
            builder.append(text.part(low..<high))
            return .value
        }
    }

    private func substring(_ operands: [Operand], _ input: KernelInput) -> Column {
        let texts = TextRows(operands[0])
        let starts = IntegerRows(operands[1])
        let lengths = operands.count > 2 ? IntegerRows(operands[2]) : nil
        return buildTexts(operands, input) { row, builder in
            let length = lengths?[row] ?? Int(Int32.max)
            if length < 0 { return .null }
            let text = texts[row]
            let count = codePointCount(text)
            let position = starts[row]
            let start = position > 0 ? position - 1 : position < 0 ? count + position : 0
            if start < 0 || start >= count { return .value }
            builder.append(codePoints(start, min(length, count - start), of: text, count: count))
            return .value
        }
    }

    private func end(_ operands: [Operand], _ input: KernelInput) -> Column {
        let texts = TextRows(operands[0])
        let lengths = IntegerRows(operands[1])
        let isLeft = function == .left
        return buildTexts(operands, input) { row, builder in
            let text = texts[row]
            let count = codePointCount(text)
            let length = min(max(lengths[row], 0), count)
            let start = isLeft ? 0 : count - length
            builder.append(codePoints(start, length, of: text, count: count))
            return .value
        }
    }

    private func replace(_ operands: [Operand], _ input: KernelInput) -> Column {
        let texts = TextRows(operands[0])
        let searched = TextRows(operands[1])
        let replacements = TextRows(operands[2])
        return buildTexts(operands, input) { row, builder in
            let text = texts[row]
            let word = searched[row]
            let replacement = replacements[row]
            var at = 0
            if word.isEmpty {
                // An empty text is found before each character and at the end, as in Java.
                while at < text.count {
                    let length = codePointLength(text, at: at)
                    builder.append(replacement)
                    builder.append(text.part(at..<(at + length)))
                    at += length
                }
                builder.append(replacement)
                return .value
            }
            while case let found = find(word, in: text, from: at), found >= 0 {
                builder.append(text.part(at..<found))
                builder.append(replacement)
                at = found + word.count
            }
            builder.append(text.part(at..<text.count))
            return .value
        }
    }

    private func concatenate(_ operands: [Operand], _ input: KernelInput) -> Column {
        let texts = operands.map(TextRows.init)
        return texts.withUnsafeBufferPointer { texts in
            buildTexts(operands, input) { row, builder in
                for text in texts { builder.append(text[row]) }
                return .value
            }
        }
    }

    /// CONCAT_WS: NULL if the separator is, else everything that is not NULL.
    private func join(_ operands: [Operand], _ input: KernelInput) -> Column {
        let separators = TextRows(operands[0])
        let texts = operands.dropFirst().map { (operand: $0, rows: TextRows($0)) }
        return buildTexts([operands[0]], input) { row, builder in
            var isFirst = true
            for text in texts where !text.operand.isNull(row) {
                if !isFirst { builder.append(separators[row]) }
                builder.append(text.rows[row])
                isFirst = false
            }
            return .value
        }
    }

    private func reverse(_ operands: [Operand], _ input: KernelInput) -> Column {
        let texts = TextRows(operands[0])
        return buildTexts(operands, input) { row, builder in
            let text = texts[row]
            let room = builder.room(text.count)
            var at = 0
            while at < text.count {
                let length = codePointLength(text, at: at)
                for i in 0..<length { room[text.count - at - length + i] = text[at + i] }
                at += length
            }
            builder.advance(text.count)
            return .value
        }
    }

    private func pad(_ operands: [Operand], _ input: KernelInput) -> Column {
        let texts = TextRows(operands[0])
        let lengths = IntegerRows(operands[1])
        let paddings = TextRows(operands[2])
        let isLeft = function == .lpad
        return buildTexts(operands, input) { row, builder in
            let text = texts[row]
            let padding = paddings[row]
            let length = lengths[row]
            if length < 0 || padding.isEmpty { return .null }
            let count = codePointCount(text)
            if length <= count {
                builder.append(codePoints(0, length, of: text, count: count))
                return .value
            }
            let paddingCount = codePointCount(padding)
            let missing = length - count
            // A code point has at most four bytes, so this bounds the bytes as well.
            if missing > TextKernel.textBytesMax / 4 { return .failed }
            if !isLeft { builder.append(text) }
            for _ in 0..<(missing / paddingCount) { builder.append(padding) }
            builder.append(codePoints(0, missing % paddingCount, of: padding, count: paddingCount))
            if isLeft { builder.append(text) }
            return .value
        }
    }

    private func repeated(_ operands: [Operand], _ input: KernelInput) -> Column {
        let texts = TextRows(operands[0])
        let counts = IntegerRows(operands[1])
        return buildTexts(operands, input) { row, builder in
            let text = texts[row]
            let count = max(counts[row], 0)
            let (bytes, overflow) = text.count.multipliedReportingOverflow(by: count)
            if overflow || bytes > TextKernel.textBytesMax, count > 1 { return .failed }
            if text.isEmpty { return .value }
            for _ in 0..<count { builder.append(text) }
            return .value
        }
    }

    /// SPLIT_INDEX: the part with that number, from 0, between separators.
    private func part(_ operands: [Operand], _ input: KernelInput) -> Column {
        let texts = TextRows(operands[0])
        let separators = TextRows(operands[1])
        let numbers = IntegerRows(operands[2])
        let blank: StaticString = " "
        let blanks = UnsafeBufferPointer(start: blank.utf8Start, count: 1)
        return buildTexts(operands, input) { row, builder in
            let text = texts[row]
            let number = numbers[row]
            if number < 0 || text.isEmpty { return .null }
            // Without a separator Flink splits at blanks.
            let separator = separators[row].isEmpty ? blanks : separators[row]
            var at = 0
            for _ in 0..<number {
                let found = find(separator, in: text, from: at)
                if found < 0 { return .null }
                at = found + separator.count
            }
            let found = find(separator, in: text, from: at)
            builder.append(text.part(at..<(found < 0 ? text.count : found)))
            return .value
        }
    }
}

/// `length` code points from code point `start` on; both lie within the text's `count`.
@inline(__always)
private func codePoints(
    _ start: Int, _ length: Int, of text: UnsafeBufferPointer<UInt8>, count: Int
) -> UnsafeBufferPointer<UInt8> {
    if count == text.count { return text.part(start..<(start + length)) }
    let low = byteOffset(ofCodePoint: start, in: text)
    let rest = text.part(low..<text.count)
    return rest.part(0..<byteOffset(ofCodePoint: length, in: rest))
}
