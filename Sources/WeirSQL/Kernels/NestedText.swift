// ARRAY, MAP and ROW as text, in Flink's forms: `[1, 2, NULL]`, `{k1=v1, k2=v2}` and `(a, 1)`.

import WeirCore

/// Casts a nested value to text.
final class NestedTextKernel: Kernel {
    private let argument: Kernel
    /// Casts of the children's columns to text, each over column 0 of its input.
    private let casts: [Kernel]

    init(_ argument: Kernel, casts: [Kernel]) {
        self.argument = argument
        self.casts = casts
        super.init(type: .string, canFail: argument.canFail)
    }

    override func evaluate(_ input: KernelInput) -> Column {
        let a = argument.evaluate(input)
        let texts = zip(a.innerColumns, casts).map { column, cast in
            cast.evaluate(
                KernelInput(
                    columns: [column], rowCount: column.count, activeRows: nil, errors: input.errors))
        }
        let isRow = a.physical == .row
        let isMap = if case .map = argument.type { true } else { false }
        let marks: [UInt8] = isRow ? Array("()".utf8) : Array(isMap ? "{}".utf8 : "[]".utf8)
        return buildTexts([Operand(column: a, step: 1)], input) { row, text in
            text.append(marks[0])
            if isRow {
                for (index, column) in texts.enumerated() {
                    if index > 0 { text.append(", ") }
                    text.append(column, row)
                }
            } else {
                let elements = Int(a.offsets[row])..<Int(a.offsets[row + 1])
                for element in elements {
                    if element > elements.lowerBound { text.append(", ") }
                    text.append(texts[0], element)
                    if isMap {
                        text.append("=")
                        text.append(texts[1], element)
                    }
                }
            }
            text.append(marks[1])
            return .value
        }
    }
}

extension TextBuilder {
    fileprivate mutating func append(_ word: StaticString) {
        append(UnsafeBufferPointer(start: word.utf8Start, count: word.utf8CodeUnitCount))
    }

    fileprivate mutating func append(_ column: Column, _ row: Int) {
        if column.isNull(row) { append("NULL") } else { append(column.text(row)) }
    }
}
