// LIKE and NOT LIKE over columns: the compiled pattern's shape is chosen once a batch, outside of
// the row loop. A pattern that is itself a column is compiled row by row, with the last one kept.

import WeirCore

#if canImport(Glibc)
import Glibc
#endif

/// `value [NOT] LIKE pattern [ESCAPE escape]`.
final class LikeKernel: Kernel {
    private let value: Kernel
    private let pattern: Kernel
    private let escape: Kernel?
    private let isNegated: Bool
    /// The pattern if it and its escape character are constants and not NULL.
    private let compiled: LikePattern?

    init(_ value: Kernel, pattern: Kernel, escape: Kernel?, isNegated: Bool) {
        self.value = value
        self.pattern = pattern
        self.escape = escape
        self.isNegated = isNegated
        compiled = Self.constantPattern(pattern, escape)
        let others = [value, pattern] + [escape].compactMap { $0 }
        super.init(
            type: .boolean, canFail: compiled == nil || others.contains { $0.canFail })
    }

    /// The compiled constant; nil when it is not constant, NULL, or not a pattern.
    private static func constantPattern(_ pattern: Kernel, _ escape: Kernel?) -> LikePattern? {
        guard let text = pattern.constant, !text.isNull(0) else { return nil }
        guard let escape else { return LikePattern(text.text(0), escape: nil) }
        guard let character = escape.constant, !character.isNull(0) else { return nil }
        return LikePattern(text.text(0), escape: character.text(0))
    }

    override func evaluate(_ input: KernelInput) -> Column {
        let values = value.operand(input)
        guard let compiled else { return evaluateRowByRow(values, input) }
        let result = Column.strict(.boolean, [values], input.rowCount)
        let out = result.bools
        let rows = TextRows(values)
        let hit: UInt8 = isNegated ? 0 : 1
        compiled.text.withUnsafeBufferPointer { text in
            switch compiled.shape {
            case .exact:
                for row in 0..<input.rowCount { out[row] = textsEqual(rows[row], text) ? hit : hit ^ 1 }
            case .prefix:
                for row in 0..<input.rowCount {
                    out[row] = starts(rows[row], with: text) ? hit : hit ^ 1
                }
            case .suffix:
                for row in 0..<input.rowCount { out[row] = ends(rows[row], with: text) ? hit : hit ^ 1 }
            case .contains where values.step == 1:
                searchAll(values.column, for: text, pivot: compiled.pivot, out, input.rowCount, hit)
            case .contains, .general:
                for row in 0..<input.rowCount { out[row] = compiled.matches(rows[row]) ? hit : hit ^ 1 }
            }
        }
        result.clearNullSlots()
        return result
    }

    /// Searches the text of all rows in one go: most columns do not contain the word at all, and
    /// then the rows need not be looked at one by one. A hit that spans two rows is none.
    private func searchAll(
        _ column: Column, for word: UnsafeBufferPointer<UInt8>, pivot: Int,
        _ out: UnsafeMutablePointer<UInt8>, _ rowCount: Int, _ hit: UInt8
    ) {
        memset(out, Int32(word.isEmpty ? hit : hit ^ 1), rowCount)
        guard !word.isEmpty else { return }
        let offsets = column.offsets
        let all = UnsafeBufferPointer(start: column.bytes, count: Int(offsets[rowCount]))
        var row = 0
        var at = 0
        while true {
            let found = find(word, pivot: pivot, in: all, from: at)
            guard found >= 0 else { return }
            while Int(offsets[row + 1]) <= found { row += 1 }
            if found + word.count <= Int(offsets[row + 1]) {
                out[row] = hit
                at = Int(offsets[row + 1])
            } else {
                at = found + 1
            }
        }
    }

    private func evaluateRowByRow(_ values: Operand, _ input: KernelInput) -> Column {
        let patterns = pattern.operand(input)
        let escapes = escape?.operand(input)
        let operands = [values, patterns] + [escapes].compactMap { $0 }
        let result = Column.strict(.boolean, operands, input.rowCount)
        let (rows, patternRows) = (TextRows(values), TextRows(patterns))
        let escapeRows = escapes.map(TextRows.init)
        for row in 0..<input.rowCount {
            result.bools[row] = 0
            if result.isNull(row) { continue }
            if let compiled = LikePattern(patternRows[row], escape: escapeRows?[row]) {
                result.bools[row] = compiled.matches(rows[row]) != isNegated ? 1 : 0
            } else {
                result.materializeValidity()[row] = 0
                input.countError(row: row)
            }
        }
        return result
    }
}
