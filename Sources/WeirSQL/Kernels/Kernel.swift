// What an expression is compiled into: a tree of kernels, each of which turns whole columns into a
// column. There is one virtual call a kernel and batch; everything that happens once a row is a
// loop over base pointers inside a kernel.
//
// Constants are columns of one row that are read with step 0, so no constant is spread over rows
// unless it is itself the result. A kernel that cannot do what is asked with one row's values (1 /
// 0, CAST('x' AS INT)) makes that row NULL and counts it, unless the row is inactive: in a CASE
// branch not taken, or behind the FALSE of an AND. Hence the mask in `KernelInput`.
//
// Always true of a kernel's result, as of every Column: a NULL row's slot holds 0 or an empty text.

import WeirCore

#if canImport(Glibc)
import Glibc
#endif

/// What one evaluation works on.
struct KernelInput {
    /// The columns that column references mean.
    let columns: [Column]
    let rowCount: Int
    /// Rows of which failures count (BOOLEAN, without NULLs); nil: all.
    var activeRows: Column?
    let errors: ErrorCounter
    /// Results that kernels for the same columns share; nil where each computes its own.
    var shared: SharedResults?

    /// The same for those rows only that are active already and set in `mask`.
    func restricted(to mask: Column) -> KernelInput {
        var input = self
        if let activeRows {
            let both = Column.filled(.boolean, rowCount)
            zipRows(activeRows.bools, 1, mask.bools, 1, both.bools, rowCount) { $0 & $1 }
            input.activeRows = both
        } else {
            input.activeRows = mask
        }
        return input
    }

    /// Counts a row whose values could not be computed with.
    func countError(row: Int) {
        if let activeRows, activeRows.bools[row] == 0 { return }
        errors.count += 1
    }
}

/// Rows that failed so far.
final class ErrorCounter {
    var count: UInt64 = 0
}

/// One node of a compiled expression.
class Kernel {
    /// The type of the result.
    let type: DataType
    /// Whether a row can fail here or further down; only then a mask need be made.
    let canFail: Bool

    init(type: DataType, canFail: Bool) {
        self.type = type
        self.canFail = canFail
    }

    /// The values of all rows, as a column that nobody writes to any more.
    func evaluate(_ input: KernelInput) -> Column {
        preconditionFailure("a kernel without evaluation")
    }

    /// The values as another kernel reads them: constants stay one row.
    func operand(_ input: KernelInput) -> Operand { Operand(column: evaluate(input), step: 1) }

    /// The value if it does not depend on the input: a column of one row.
    var constant: Column? { nil }
}

/// A kernel of one argument that fails in no row but those where the argument does.
class UnaryKernel: Kernel {
    let argument: Kernel

    init(_ argument: Kernel, type: DataType) {
        self.argument = argument
        super.init(type: type, canFail: argument.canFail)
    }
}

/// A kernel's input: a column, or a constant in row 0.
struct Operand {
    let column: Column
    /// 1, or 0 for a constant.
    let step: Int

    /// Whether row `row` is NULL.
    @inline(__always)
    func isNull(_ row: Int) -> Bool { column.isNull(row &* step) }
}

/// A column of the input; not copied.
final class ColumnKernel: Kernel {
    private let index: Int

    init(index: Int, type: DataType) {
        self.index = index
        super.init(type: type, canFail: false)
    }

    override func evaluate(_ input: KernelInput) -> Column {
        let column = input.columns[index]
        precondition(column.physical == type.physical, "a column of another type than was bound")
        return column
    }
}

/// A value known when the query was planned.
final class ConstantKernel: Kernel {
    private let value: Column

    /// `value` is a column of one row.
    init(_ value: Column, type: DataType) {
        self.value = value
        super.init(type: type, canFail: false)
    }

    override var constant: Column? { value }

    override func operand(_ input: KernelInput) -> Operand { Operand(column: value, step: 0) }

    override func evaluate(_ input: KernelInput) -> Column {
        if input.rowCount == 1 { return value }
        let result = Column(type, capacity: input.rowCount)
        for _ in 0..<input.rowCount { result.append(from: value, range: 0..<1) }
        return result
    }
}

// MARK: Columns that kernels fill

extension Column {
    /// A column of `rowCount` rows of fixed width with undefined values.
    static func filled(_ type: DataType, _ rowCount: Int) -> Column {
        let column = Column(type, capacity: rowCount)
        column.setCount(rowCount)
        return column
    }

    /// As `filled`, with NULL in each row in which one of `operands` is NULL.
    static func strict(_ type: DataType, _ operands: [Operand], _ rowCount: Int) -> Column {
        let column = filled(type, rowCount)
        column.makeNull(where: operands)
        return column
    }

    /// Makes each row NULL in which one of `operands` is; slots are not touched.
    func makeNull(where operands: [Operand]) {
        for operand in operands {
            guard let flags = operand.column.validity else { continue }
            if operand.step == 0 {
                if flags[0] == 0 { memset(materializeValidity(), 0, count) }
            } else if let validity {
                for row in 0..<count { validity[row] &= flags[row] }
            } else {
                memcpy(materializeValidity(), flags, count)
            }
        }
    }

    /// Sets the slots of NULL rows to 0 (fixed widths only).
    func clearNullSlots() {
        guard let validity else { return }
        switch physical {
        case .bool:
            let values = bools
            for row in 0..<count { values[row] &= validity[row] }
        case .int64:
            let values = ints
            for row in 0..<count { values[row] = validity[row] != 0 ? values[row] : 0 }
        case .double:
            let values = doubles
            for row in 0..<count { values[row] = validity[row] != 0 ? values[row] : 0 }
        case .int128:
            let values = wides
            for row in 0..<count { values[row] = validity[row] != 0 ? values[row] : 0 }
        case .string, .array, .row: break
        }
    }
}

// MARK: Loops

/// `out[i] = body(a[i * aStep])` for all rows; steps are 0 or 1.
@inline(__always)
func mapRows<A, R>(
    _ a: UnsafeMutablePointer<A>, _ aStep: Int, _ out: UnsafeMutablePointer<R>, _ rowCount: Int,
    _ body: (A) -> R
) {
    if aStep == 1 {
        for row in 0..<rowCount { out[row] = body(a[row]) }
    } else if rowCount > 0 {
        out.update(repeating: body(a[0]), count: rowCount)
    }
}

/// `out[i] = body(a[i * aStep], b[i * bStep])` for all rows; steps are 0 or 1. A loop of its own
/// for each case, so that the compiler can use vector instructions.
@inline(__always)
func zipRows<A, B, R>(
    _ a: UnsafeMutablePointer<A>, _ aStep: Int, _ b: UnsafeMutablePointer<B>, _ bStep: Int,
    _ out: UnsafeMutablePointer<R>, _ rowCount: Int, _ body: (A, B) -> R
) {
    if aStep == 1 && bStep == 1 {
        for row in 0..<rowCount { out[row] = body(a[row], b[row]) }
    } else if aStep == 1 && rowCount > 0 {
        let constant = b[0]
        for row in 0..<rowCount { out[row] = body(a[row], constant) }
    } else if bStep == 1 && rowCount > 0 {
        let constant = a[0]
        for row in 0..<rowCount { out[row] = body(constant, b[row]) }
    } else if rowCount > 0 {
        out.update(repeating: body(a[0], b[0]), count: rowCount)
    }
}

/// `value` cut to the low `bits` bits, as Java's narrowing casts do it.
@inline(__always)
func wrapped(_ value: Int64, bits: Int) -> Int64 {
    let shift = Int64(64 - bits)
    return (value &<< shift) &>> shift
}

/// `value` cut to INT's 32 bits, as Java's arithmetic does it.
@inline(__always)
func wrapped32(_ value: Int64) -> Int64 { Int64(Int32(truncatingIfNeeded: value)) }
