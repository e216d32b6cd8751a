// Text functions whose result is a number or a truth value: CHAR_LENGTH, POSITION, STARTSWITH,
// ENDSWITH.

import WeirCore

/// CHAR_LENGTH: code points.
final class CharLengthKernel: Kernel {
    private let argument: Kernel

    init(_ argument: Kernel) {
        self.argument = argument
        super.init(type: .int, canFail: argument.canFail)
    }

    override func evaluate(_ input: KernelInput) -> Column {
        let a = argument.operand(input)
        let texts = TextRows(a)
        let result = Column.strict(.int, [a], input.rowCount)
        let out = result.ints
        for row in 0..<input.rowCount { out[row] = Int64(codePointCount(texts[row])) }
        result.clearNullSlots()
        return result
    }
}

/// POSITION and LOCATE: where the needle first occurs, from 1, at or behind a start; 0 if nowhere.
/// An empty needle is found at 1, whatever the start, as in Flink.
final class PositionKernel: Kernel {
    private let needle: Kernel
    private let text: Kernel
    private let start: Kernel?

    init(needle: Kernel, text: Kernel, start: Kernel?) {
        self.needle = needle
        self.text = text
        self.start = start
        super.init(
            type: .int, canFail: needle.canFail || text.canFail || start?.canFail == true)
    }

    override func evaluate(_ input: KernelInput) -> Column {
        let needles = needle.operand(input)
        let texts = text.operand(input)
        let starts = start?.operand(input)
        let operands = [needles, texts] + [starts].compactMap { $0 }
        let (needleRows, textRows) = (TextRows(needles), TextRows(texts))
        let startRows = starts.map(IntegerRows.init)
        return buildIntegers(.int, operands, input) { row, value in
            let text = textRows[row]
            if needleRows[row].isEmpty {
                value = 1
                return .value
            }
            let first = max((startRows?[row] ?? 1) - 1, 0)
            let from = first == 0 ? 0 : byteOffset(ofCodePoint: first, in: text)
            let found = find(needleRows[row], in: text, from: from)
            value = found < 0 ? 0 : Int64(codePointCount(text.part(0..<found)) + 1)
            return .value
        }
    }
}

/// STARTSWITH and ENDSWITH.
final class AffixKernel: Kernel {
    private let text: Kernel
    private let affix: Kernel
    private let isPrefix: Bool

    init(_ text: Kernel, _ affix: Kernel, isPrefix: Bool) {
        self.text = text
        self.affix = affix
        self.isPrefix = isPrefix
        super.init(type: .boolean, canFail: text.canFail || affix.canFail)
    }

    override func evaluate(_ input: KernelInput) -> Column {
        let a = text.operand(input)
        let b = affix.operand(input)
        let (texts, affixes) = (TextRows(a), TextRows(b))
        let result = Column.strict(.boolean, [a, b], input.rowCount)
        let out = result.bools
        for row in 0..<input.rowCount {
            let isMatch =
                isPrefix
                ? starts(texts[row], with: affixes[row]) : ends(texts[row], with: affixes[row])
            out[row] = isMatch ? 1 : 0
        }
        result.clearNullSlots()
        return result
    }
}
