// Comparisons of exact numbers of different scales, by value: 1.5 equals 1.50 and 2 is more than both.
// Nothing is rounded: a number that has too many digits at the other's scale is the larger one.

import WeirCore

/// = <> < <= over two decimals, or a decimal and a whole number.
final class DecimalComparisonKernel: Kernel {
    private let operation: ComparisonKernel.Operation
    private let nulls: ComparisonKernel.NullRule
    private let left: Kernel
    private let right: Kernel
    private let leftScale: Int
    private let rightScale: Int

    private init(
        _ operation: ComparisonKernel.Operation, _ left: Kernel, _ right: Kernel,
        nulls: ComparisonKernel.NullRule, scales: (Int, Int)
    ) {
        self.operation = operation
        self.nulls = nulls
        self.left = left
        self.right = right
        (leftScale, rightScale) = scales
        super.init(type: .boolean, canFail: left.canFail || right.canFail)
    }

    /// The fastest comparison of two values: that of one layout where scales are the same, or where a
    /// constant has a value at the other side's scale.
    static func make(
        _ operation: ComparisonKernel.Operation, _ left: Kernel, _ right: Kernel,
        nulls: ComparisonKernel.NullRule = .unknown
    ) -> Kernel {
        guard left.type != right.type, left.type.isDecimal || right.type.isDecimal,
            let a = DecimalShape(left.type), let b = DecimalShape(right.type)
        else { return ComparisonKernel(operation, left, right, nulls: nulls) }
        if a.scale == b.scale, left.type.physical == right.type.physical {
            return ComparisonKernel(operation, left, right, nulls: nulls)
        }
        if let constant = moved(right, from: b.scale, to: left.type, scale: a.scale) {
            return ComparisonKernel(operation, left, constant, nulls: nulls)
        }
        if let constant = moved(left, from: a.scale, to: right.type, scale: b.scale) {
            return ComparisonKernel(operation, constant, right, nulls: nulls)
        }
        return DecimalComparisonKernel(
            operation, left, right, nulls: nulls, scales: (a.scale, b.scale))
    }

    /// A constant at another scale and in another layout; nil where it would not be exact.
    private static func moved(
        _ kernel: Kernel, from: Int, to type: DataType, scale: Int
    ) -> Kernel? {
        guard let constant = kernel.constant, !constant.isNull(0) else { return nil }
        let value = DecimalRows(Operand(column: constant, step: 0))[0]
        guard let rescaled = Decimals.rescale(value, from: from, to: scale),
            Decimals.rescale(rescaled, from: scale, to: from) == value
        else { return nil }
        let column = Column(type, capacity: 1)
        if type.physical == .int64 {
            guard let short = Int64(exactly: rescaled) else { return nil }
            column.append(short)
        } else {
            column.append(rescaled)
        }
        return ConstantKernel(column, type: type)
    }

    override func evaluate(_ input: KernelInput) -> Column {
        let a = left.operand(input)
        let b = right.operand(input)
        let (x, y) = (DecimalRows(a), DecimalRows(b))
        let result = Column.filled(.boolean, input.rowCount)
        let out = result.bools
        for row in 0..<input.rowCount {
            let order = Self.order(x[row], leftScale, y[row], rightScale)
            switch operation {
            case .equal: out[row] = order == 0 ? 1 : 0
            case .notEqual: out[row] = order == 0 ? 0 : 1
            case .less: out[row] = order < 0 ? 1 : 0
            case .lessOrEqual: out[row] = order <= 0 ? 1 : 0
            }
        }
        ComparisonKernel.applyNulls(nulls, a, b, result)
        return result
    }

    /// Negative, zero or positive as a × 10^-aScale is less than, equal to or more than the other.
    static func order(_ a: Int128, _ aScale: Int, _ b: Int128, _ bScale: Int) -> Int {
        if (a < 0) != (b < 0) { return a < 0 ? -1 : 1 }
        let scale = max(aScale, bScale)
        guard let x = Decimals.rescale(a, from: aScale, to: scale) else { return a < 0 ? -1 : 1 }
        guard let y = Decimals.rescale(b, from: bScale, to: scale) else { return b < 0 ? 1 : -1 }
        return x < y ? -1 : x > y ? 1 : 0
    }
}
