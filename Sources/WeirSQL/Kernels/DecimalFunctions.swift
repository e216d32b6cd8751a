// ABS, SIGN, FLOOR, CEIL, ROUND and TRUNCATE of decimals. They work on the units themselves, so nothing
// is lost; a result of more digits than its type has is NULL.

import WeirCore

/// A function of one decimal, and of a number of places for ROUND and TRUNCATE.
final class DecimalFunctionKernel: Kernel {
    enum Function { case abs, sign, floor, ceil, round, truncate }

    private let function: Function
    private let argument: Kernel
    private let places: Kernel?
    private let argumentScale: Int
    private let scale: Int

    init(_ function: Function, _ argument: Kernel, places: Kernel? = nil, type: DataType) {
        self.function = function
        self.argument = argument
        self.places = places
        argumentScale = DecimalShape(argument.type)?.scale ?? 0
        scale = DecimalShape(type)?.scale ?? 0
        super.init(type: type, canFail: argument.canFail || places?.canFail == true)
    }

    override func evaluate(_ input: KernelInput) -> Column {
        let a = argument.operand(input)
        let values = DecimalRows(a)
        let one = Decimals.power(argumentScale)
        if function == .round || function == .truncate { return round(values, a, input) }
        return buildDecimals(type, [a], input) { row, value in
            let units = values[row]
            switch function {
            case .abs: value = units < 0 ? -units : units
            case .sign: value = units < 0 ? -one : units > 0 ? one : 0
            case .floor: value = units / one - (units % one < 0 ? 1 : 0)
            case .ceil: value = units / one + (units % one > 0 ? 1 : 0)
            case .round, .truncate: break
            }
            return .value
        }
    }

    private func round(_ values: DecimalRows, _ a: Operand, _ input: KernelInput) -> Column {
        let p = places.map { $0.operand(input) }
        let digits = p.map { IntegerRows($0) }
        let most = DataType.decimalPrecisionMax
        return buildDecimals(type, [a] + (p.map { [$0] } ?? []), input) { row, value in
            let wanted = min(max(digits.map { $0[row] } ?? 0, -most), most)
            // Places to give up; what is left is moved to the result's scale.
            let drop = argumentScale - wanted
            if drop <= 0 {
                value = Decimals.rescale(values[row], from: argumentScale, to: scale) ?? 0
                return .value
            }
            if drop > most { return .value }
            let unit = Decimals.power(drop)
            let kept =
                function == .truncate
                ? values[row] / unit : Decimals.divideRounding(values[row], by: unit)
            let (units, overflow) = kept.multipliedReportingOverflow(by: unit)
            if overflow { return .null }
            value = Decimals.rescale(units, from: argumentScale, to: scale) ?? 0
            return .value
        }
    }
}
