// AND, OR, NOT and the tests that turn three truth values into two, as arithmetic on bytes: a row's
// value is 0 or 1, its validity 0 or 1, and the value of NULL is 0.
//
// AND and OR do not evaluate their right side any less for rows that the left side has decided, but
// they mask those rows, so that nothing that goes wrong there counts.

import WeirCore

#if canImport(Glibc)
import Glibc
#endif

/// AND or OR of two conditions.
final class JunctionKernel: Kernel {
    private let isAnd: Bool
    private let left: Kernel
    private let right: Kernel

    init(isAnd: Bool, _ left: Kernel, _ right: Kernel) {
        self.isAnd = isAnd
        self.left = left
        self.right = right
        super.init(type: .boolean, canFail: left.canFail || right.canFail)
    }

    override func evaluate(_ input: KernelInput) -> Column {
        let a = left.evaluate(input)
        let b = right.evaluate(right.canFail ? input.restricted(to: undecided(a)) : input)
        let result = Column.filled(.boolean, input.rowCount)
        let (x, y, out) = (a.bools, b.bools, result.bools)
        let rows = input.rowCount
        if isAnd {
            zipRows(x, 1, y, 1, out, rows) { $0 & $1 }
        } else {
            zipRows(x, 1, y, 1, out, rows) { $0 | $1 }
        }
        guard a.validity != nil || b.validity != nil else { return result }
        let validity = result.materializeValidity()
        let aValid = a.validity
        let bValid = b.validity
        for row in 0..<rows {
            let xValid = aValid?[row] ?? 1
            let yValid = bValid?[row] ?? 1
            // Known if both sides are, or if one side decides alone: FALSE for AND, TRUE for OR.
            let xDecides = xValid & (isAnd ? x[row] ^ 1 : x[row])
            let yDecides = yValid & (isAnd ? y[row] ^ 1 : y[row])
            validity[row] = (xValid & yValid) | xDecides | yDecides
        }
        return result
    }

    /// The rows for which the left side leaves the answer open.
    private func undecided(_ a: Column) -> Column {
        let mask = Column.filled(.boolean, a.count)
        if isAnd {
            // Not FALSE: TRUE or NULL.
            mapRows(a.bools, 1, mask.bools, a.count) { $0 }
            if let validity = a.validity {
                for row in 0..<a.count { mask.bools[row] |= validity[row] ^ 1 }
            }
        } else {
            mapRows(a.bools, 1, mask.bools, a.count) { $0 ^ 1 }
        }
        return mask
    }
}

/// NOT; NULL stays NULL.
final class NotKernel: Kernel {
    private let argument: Kernel

    init(_ argument: Kernel) {
        self.argument = argument
        super.init(type: .boolean, canFail: argument.canFail)
    }

    override func evaluate(_ input: KernelInput) -> Column {
        let a = argument.operand(input)
        let result = Column.strict(.boolean, [a], input.rowCount)
        mapRows(a.column.bools, a.step, result.bools, input.rowCount) { $0 ^ 1 }
        result.clearNullSlots()
        return result
    }
}

/// IS [NOT] NULL, IS [NOT] TRUE, IS [NOT] FALSE; never NULL.
final class TruthTestKernel: Kernel {
    enum Test { case null, `true`, `false` }

    private let argument: Kernel
    private let test: Test
    private let isNegated: Bool

    init(_ argument: Kernel, _ test: Test, isNegated: Bool) {
        self.argument = argument
        self.test = test
        self.isNegated = isNegated
        super.init(type: .boolean, canFail: argument.canFail)
    }

    override func evaluate(_ input: KernelInput) -> Column {
        let a = argument.evaluate(input)
        let result = Column.filled(.boolean, input.rowCount)
        let out = result.bools
        let rows = input.rowCount
        let flip: UInt8 = isNegated ? 1 : 0
        switch test {
        case .null:
            if let validity = a.validity {
                mapRows(validity, 1, out, rows) { $0 ^ 1 ^ flip }
            } else {
                memset(out, Int32(flip), rows)
            }
        case .true: mapRows(a.bools, 1, out, rows) { $0 ^ flip }
        case .false:
            if let validity = a.validity {
                zipRows(a.bools, 1, validity, 1, out, rows) { (($0 ^ 1) & $1) ^ flip }
            } else {
                mapRows(a.bools, 1, out, rows) { $0 ^ 1 ^ flip }
            }
        }
        return result
    }
}
