// How the functions of the library compute: whole columns in, a column out. A function asks its call
// for typed views of the operands and for a column built row by row; the loop is inlined into the
// function, so there is one indirect call a batch, not one a row.

import WeirCore

#if canImport(Glibc)
import Glibc
#endif

/// Text of a row, not copied.
typealias TextView = UnsafeBufferPointer<UInt8>

/// One evaluation of a function of the library.
struct LibraryCall {
    let operands: [Operand]
    let input: KernelInput
    /// The result's type.
    let type: DataType

    /// How many arguments were given.
    var count: Int { operands.count }

    func text(_ index: Int) -> TextRows { TextRows(operands[index]) }
    func text(ifGiven index: Int) -> TextRows? { index < count ? TextRows(operands[index]) : nil }
    func integers(_ index: Int) -> IntegerRows { IntegerRows(operands[index]) }
    func integers(ifGiven index: Int) -> IntegerRows? {
        index < count ? IntegerRows(operands[index]) : nil
    }
    func doubles(_ index: Int) -> DoubleRows { DoubleRows(operands[index]) }
    func booleans(_ index: Int) -> BooleanRows { BooleanRows(operands[index]) }
    func booleans(ifGiven index: Int) -> BooleanRows? {
        index < count ? BooleanRows(operands[index]) : nil
    }

    // MARK: Results that are NULL where an operand is

    @inline(__always)
    func buildText(_ body: (Int, inout TextBuilder) -> RowOutcome) -> Column {
        buildTexts(operands, input, type: type, body)
    }

    @inline(__always)
    func buildInteger(_ body: (Int, inout Int64) -> RowOutcome) -> Column {
        buildIntegers(type, operands, input, body)
    }

    @inline(__always)
    func buildDouble(_ body: (Int, inout Double) -> RowOutcome) -> Column {
        let result = Column.strict(type, operands, input.rowCount)
        for row in 0..<input.rowCount {
            var value = 0.0
            if !result.isNull(row) { settle(body(row, &value), result, row, &value, none: 0.0) }
            result.doubles[row] = value
        }
        return result
    }

    @inline(__always)
    func buildBoolean(_ body: (Int, inout Bool) -> RowOutcome) -> Column {
        let result = Column.strict(.boolean, operands, input.rowCount)
        for row in 0..<input.rowCount {
            var value = false
            if !result.isNull(row) { settle(body(row, &value), result, row, &value, none: false) }
            result.bools[row] = value ? 1 : 0
        }
        return result
    }

    @inline(__always)
    private func settle<Value>(
        _ outcome: RowOutcome, _ result: Column, _ row: Int, _ value: inout Value, none: Value
    ) {
        if outcome == .value { return }
        value = none
        result.materializeValidity()[row] = 0
        if outcome == .failed { input.countError(row: row) }
    }

    // MARK: Results of any type

    /// A column that `body` appends exactly one value to for each row in which no operand is NULL, or
    /// none if it says so.
    @inline(__always)
    func buildRows(_ body: (Int, Column) -> RowOutcome) -> Column {
        let result = Column(type, capacity: input.rowCount)
        for row in 0..<input.rowCount {
            if operands.contains(where: { $0.isNull(row) }) {
                result.appendNull()
                continue
            }
            let outcome = body(row, result)
            if outcome != .value { result.appendNull() }
            if outcome == .failed { input.countError(row: row) }
            precondition(result.count == row + 1, "one value a row")
        }
        return result
    }
}

/// A kernel of a function of the library.
final class LibraryKernel: Kernel {
    private let arguments: [Kernel]
    private let compute: (LibraryCall) -> Column

    init(
        _ arguments: [Kernel], type: DataType, canFail: Bool = false,
        _ compute: @escaping (LibraryCall) -> Column
    ) {
        self.arguments = arguments
        self.compute = compute
        super.init(type: type, canFail: canFail || arguments.contains { $0.canFail })
    }

    override func evaluate(_ input: KernelInput) -> Column {
        let operands = arguments.map { $0.operand(input) }
        // Rows are read through base pointers, which do not keep their columns alive.
        defer { withExtendedLifetime(operands) {} }
        return compute(LibraryCall(operands: operands, input: input, type: type))
    }
}

/// The rows of a double operand.
struct DoubleRows {
    private let values: UnsafeMutablePointer<Double>
    private let step: Int

    init(_ operand: Operand) {
        values = operand.column.doubles
        step = operand.step
    }

    @inline(__always)
    subscript(row: Int) -> Double { values[row &* step] }
}

/// The rows of a boolean operand.
struct BooleanRows {
    private let values: UnsafeMutablePointer<UInt8>
    private let step: Int

    init(_ operand: Operand) {
        values = operand.column.bools
        step = operand.step
    }

    @inline(__always)
    subscript(row: Int) -> Bool { values[row &* step] != 0 }
}

extension TextBuilder {
    @inline(__always)
    mutating func append(_ text: String) {
        var text = text
        text.withUTF8 { append($0) }
    }

    mutating func append(contentsOf bytes: [UInt8]) { bytes.withUnsafeBufferPointer { append($0) } }

    /// A Unicode scalar in UTF-8.
    mutating func append(_ scalar: Unicode.Scalar) {
        for byte in UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter { append(byte) }
    }
}

extension TextView {
    /// A copy as a String; broken UTF-8 is mended.
    var string: String { String(decoding: self, as: UTF8.self) }
}
