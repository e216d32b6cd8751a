// Casts to and from DECIMAL, as Flink does them: numbers are rounded half away from zero to the scale
// and are NULL where they have too many digits before the point; a double is taken by the decimal digits
// that it is printed with; text that is no number, or too long a one, is a failure. Whole numbers come
// from the part before the point, wrapped to their size as Java does it.

import WeirCore

/// Casts to DECIMAL.
final class DecimalCastKernel: Kernel {
    private let argument: Kernel
    private let isTry: Bool
    private let precision: Int
    private let scale: Int

    init(_ argument: Kernel, type: DataType, isTry: Bool) {
        guard case .decimal(let precision, let scale) = type else { preconditionFailure("a decimal") }
        self.argument = argument
        self.isTry = isTry
        (self.precision, self.scale) = (precision, scale)
        let isRisky = argument.type == .string || argument.type.isApproximate
        super.init(type: type, canFail: (isRisky && !isTry) || argument.canFail)
    }

    override func evaluate(_ input: KernelInput) -> Column {
        let a = argument.operand(input)
        let failed: RowOutcome = isTry ? .null : .failed
        switch argument.type.physical {
        case .string:
            let texts = TextRows(a)
            return buildDecimals(type, [a], input) { row, value in
                let text = texts[row].withoutBlanks
                switch Decimals.parse(text, precision: precision, scale: scale) {
                case .value(let parsed):
                    value = parsed
                    return .value
                case .outOfRange, .notANumber: return failed
                }
            }
        case .double: return fromDoubles(a, input, failed)
        case .bool:
            let (flags, one) = (a.column.bools, Decimals.power(scale))
            return buildDecimals(type, [a], input) { row, value in
                value = flags[row &* a.step] != 0 ? one : 0
                return .value
            }
        default: return fromExact(a, input)
        }
    }

    private func fromExact(_ a: Operand, _ input: KernelInput) -> Column {
        guard let shape = DecimalShape(argument.type) else { preconditionFailure("an exact number") }
        let isRoomy = precision - scale >= shape.whole && scale >= shape.scale
        if isRoomy, type.physical == .int64, a.column.physical == .int64 {
            let result = Column.strict(type, [a], input.rowCount)
            let unit = Int64(Decimals.power(scale - shape.scale))
            mapRows(a.column.ints, a.step, result.ints, input.rowCount) { $0 &* unit }
            return result
        }
        let values = DecimalRows(a)
        return buildDecimals(type, [a], input) { row, value in
            guard let moved = Decimals.rescale(values[row], from: shape.scale, to: scale)
            else { return .null }
            value = moved
            return .value
        }
    }

    private func fromDoubles(_ a: Operand, _ input: KernelInput, _ failed: RowOutcome) -> Column {
        let doubles = a.column.doubles
        return withUnsafeTemporaryAllocation(of: UInt8.self, capacity: NumberText.lengthMax) { room in
            guard let text = room.baseAddress else { preconditionFailure("no stack") }
            return buildDecimals(type, [a], input) { row, value in
                let double = doubles[row &* a.step]
                guard double.isFinite else { return failed }
                let length = NumberText.write(double, to: text)
                let digits = UnsafeBufferPointer(start: UnsafePointer(text), count: length)
                guard case .value(let parsed) = Decimals.parse(digits, precision: precision, scale: scale)
                else { return .null }
                value = parsed
                return .value
            }
        }
    }
}

/// Casts from DECIMAL to whole numbers, BOOLEAN, FLOAT and DOUBLE.
final class DecimalToNumberKernel: UnaryKernel {
    override func evaluate(_ input: KernelInput) -> Column {
        let a = argument.operand(input)
        let values = DecimalRows(a)
        let scale = DecimalShape(argument.type)?.scale ?? 0
        let result = Column.strict(type, [a], input.rowCount)
        let unit = Decimals.power(scale)
        let rows = input.rowCount
        switch type {
        case .boolean: for row in 0..<rows { result.bools[row] = values[row] == 0 ? 0 : 1 }
        case .double:
            for row in 0..<rows { result.doubles[row] = Decimals.double(values[row], scale: scale) }
        case .float:
            for row in 0..<rows {
                result.doubles[row] = Double(Float(Decimals.double(values[row], scale: scale)))
            }
        default:
            let bits = type.integerBits
            for row in 0..<rows {
                result.ints[row] = wrapped(Int64(truncatingIfNeeded: values[row] / unit), bits: bits)
            }
        }
        result.clearNullSlots()
        return result
    }
}
