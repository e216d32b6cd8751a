// Functions of texts that TextKernels.swift does not have. Characters are code points; where Flink counts
// UTF-16 units instead, the note says so.

import WeirCore

/// The functions of texts.
let textFunctions: [LibraryFunction] = [
    LibraryFunction(
        "ASCII(text)", .text, [.string], .int,
        "The first byte in UTF-8 as a signed number, 0 of an empty text."
    ) { call in
        let texts = call.text(0)
        return call.buildInteger { row, value in
            value = texts[row].first.map { Int64(Int8(bitPattern: $0)) } ?? 0
            return .value
        }
    },
    LibraryFunction(
        "CHR(number)", .text, [.bigint], .string,
        "The character with that number modulo 256; an empty text of a negative number."
    ) { call in
        let numbers = call.integers(0)
        return call.buildText { row, builder in
            let number = numbers[row]
            if number >= 0 { builder.append(Unicode.Scalar(UInt8(number & 0xFF))) }
            return .value
        }
    },
    LibraryFunction(
        "INITCAP(text)", .text, [.string], .string,
        "The first letter of each word in capitals, the others small. Words are runs of ASCII letters and digits."
    ) { call in
        let texts = call.text(0)
        return call.buildText { row, builder in
            var isInWord = false
            for byte in texts[row] {
                let isLetter = (0x61...0x7A).contains(byte | 0x20)
                let isSmall = isLetter && byte & 0x20 != 0
                builder.append(isLetter && isSmall != isInWord ? byte ^ 0x20 : byte)
                isInWord = isLetter || (0x30...0x39).contains(byte)
            }
            return .value
        }
    },
    LibraryFunction(
        "OVERLAY(text, other, start[, length])", .text,
        [.string, .string, .bigint, .optional(.bigint)], .string,
        "`OVERLAY(text PLACING other FROM start [FOR length])`: the characters from start on replaced; "
            + "the length is that of the other text by default. Unchanged if start is outside of the text."
    ) { call in
        let (texts, others, starts) = (call.text(0), call.text(1), call.integers(2))
        let lengths = call.integers(ifGiven: 3)
        return call.buildText { row, builder in
            overlay(texts[row], others[row], starts[row], lengths?[row], &builder)
            return .value
        }
    },
    LibraryFunction(
        "TRANSLATE(text, from, to)", .text, [.string, .string, .string], .string,
        "Each character that occurs in `from` replaced by the one at that place in `to`, or left out."
    ) { call in
        let (texts, sources, targets) = (call.text(0), call.text(1), call.text(2))
        return call.buildText { row, builder in
            let from = Array(sources[row].string.unicodeScalars)
            let to = Array(targets[row].string.unicodeScalars)
            for scalar in texts[row].string.unicodeScalars {
                guard let place = from.firstIndex(of: scalar) else {
                    builder.append(scalar)
                    continue
                }
                if place < to.count { builder.append(to[place]) }
            }
            return .value
        }
    },
    LibraryFunction(
        "ELT(index, text, …)", .text, [.bigint, .string, .list(.string)], .string,
        "The text with that number, from 1; NULL if there is none, or if it is NULL.", nulls: .own
    ) { call in
        let indexes = call.integers(0)
        let texts = (1..<call.count).map { call.text($0) }
        return buildTexts([call.operands[0]], call.input) { row, builder in
            let index = indexes[row]
            guard index >= 1, index <= texts.count, !call.operands[index].isNull(row) else { return .null }
            builder.append(texts[index - 1][row])
            return .value
        }
    },
    LibraryFunction(
        "SPLIT(text, separator)", .text, [.string, .string], .fixed(.array(.string)),
        "The parts between separators, empty ones too; each character if the separator is empty; no part "
            + "of an empty text."
    ) { call in
        let (texts, separators) = (call.text(0), call.text(1))
        return call.buildRows { row, result in
            guard let parts = result.child else { return .null }
            split(texts[row], separators[row]) { parts.append($0) }
            result.appendArray()
            return .value
        }
    },
    LibraryFunction(
        "PRINTF(format, value, …)", .text, [.string, .list(.scalar)], .string,
        "The values written by a format of Java's Formatter: %s %d %x %X %o %f %e %E %b %c %n %% with "
            + "flags, width and precision. NULL if a value does not fit its place; a NULL value is `null`.",
        nulls: .own, compute: printf),
    characterTest("IS_ALPHA(text)", "Whether it has letters only, and one at least.") {
        $0.properties.isAlphabetic
    },
    characterTest("IS_DIGIT(text)", "Whether it has digits only, and one at least.") {
        $0.properties.generalCategory == .decimalNumber
    },
    LibraryFunction(
        "IS_DECIMAL(text)", .text, [.shown], .boolean,
        "Whether it reads as a number, as CAST to DOUBLE does. FALSE if it is NULL.", nulls: .never
    ) { call in
        let texts = call.text(0)
        let result = Column.filled(.boolean, call.input.rowCount)
        for row in 0..<call.input.rowCount {
            let isNumber = !call.operands[0].isNull(row) && NumberText.double(texts[row]) != nil
            result.bools[row] = isNumber ? 1 : 0
        }
        return result
    },
]

private func characterTest(
    _ form: String, _ note: String, _ test: @escaping @Sendable (Unicode.Scalar) -> Bool
) -> LibraryFunction {
    LibraryFunction(form, .text, [.shown], .boolean, note + " FALSE if it is NULL.", nulls: .never) { call in
        let texts = call.text(0)
        let result = Column.filled(.boolean, call.input.rowCount)
        for row in 0..<call.input.rowCount {
            let text = texts[row]
            let isFine = !call.operands[0].isNull(row) && !text.isEmpty
            result.bools[row] = isFine && text.string.unicodeScalars.allSatisfy(test) ? 1 : 0
        }
        return result
    }
}

/// OVERLAY as Flink computes it, with lengths in characters.
private func overlay(
    _ text: TextView, _ other: TextView, _ start: Int, _ given: Int?, _ builder: inout TextBuilder
) {
    let count = codePointCount(text)
    guard start > 0, start <= count else { return builder.append(text) }
    let length = given ?? codePointCount(other)
    builder.append(text.part(0..<byteOffset(ofCodePoint: start - 1, in: text)))
    builder.append(other)
    let (end, overflow) = start.addingReportingOverflow(length)
    if !overflow, end <= count, length > 0 {
        builder.append(text.part(byteOffset(ofCodePoint: end - 1, in: text)..<text.count))
    }
}

/// Gives the parts of `text` to `body`, from left to right.
func split(_ text: TextView, _ separator: TextView, _ body: (TextView) -> Void) {
    if text.isEmpty { return }
    var at = 0
    if separator.isEmpty {
        while at < text.count {
            let length = codePointLength(text, at: at)
            body(text.part(at..<(at + length)))
            at += length
        }
        return
    }
    while case let found = find(separator, in: text, from: at), found >= 0 {
        body(text.part(at..<found))
        at = found + separator.count
    }
    body(text.part(at..<text.count))
}
