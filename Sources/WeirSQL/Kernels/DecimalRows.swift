// How kernels read and write decimals, whichever of the two layouts they have, and whole numbers, which
// are decimals without places. Whether a column is compact is asked once a row; a branch that always
// goes the same way.

import WeirCore

/// The rows of an exact number's operand.
struct DecimalRows {
    private let compact: UnsafeMutablePointer<Int64>?
    private let wide: UnsafeMutablePointer<Int128>
    private let step: Int

    init(_ operand: Operand) {
        let column = operand.column
        precondition(column.physical == .int64 || column.physical == .int128, "an exact number")
        compact = column.physical == .int64 ? column.ints : nil
        wide = column.wides
        step = operand.step
    }

    @inline(__always)
    subscript(row: Int) -> Int128 {
        if let compact { return Int128(compact[row &* step]) }
        return wide[row &* step]
    }
}

/// A decimal column made row by row: NULL where an operand is NULL or `body` says so. A value of more
/// digits than `type` has becomes NULL, as in Flink, which does not call it an error.
@inline(__always)
func buildDecimals(
    _ type: DataType, _ operands: [Operand], _ input: KernelInput,
    _ body: (Int, inout Int128) -> RowOutcome
) -> Column {
    defer { withExtendedLifetime(operands) {} }
    guard case .decimal(let precision, _) = type else { preconditionFailure("a decimal") }
    let result = Column.strict(type, operands, input.rowCount)
    let compact = type.physical == .int64 ? result.ints : nil
    for row in 0..<input.rowCount {
        var value: Int128 = 0
        if !result.isNull(row) {
            var outcome = body(row, &value)
            if outcome == .value, !Decimals.fits(value, precision) { outcome = .null }
            if outcome != .value {
                value = 0
                result.materializeValidity()[row] = 0
                if outcome == .failed { input.countError(row: row) }
            }
        }
        if let compact { compact[row] = Int64(truncatingIfNeeded: value) } else { result.wides[row] = value }
    }
    return result
}
