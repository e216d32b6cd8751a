// From a bound expression to kernels. What does not depend on the input is computed here, once: a
// call whose arguments are constants becomes a constant, unless it fails, because a failure has to
// be counted for each row.
//
// The binder has checked names and types; a type that a kernel does not take is a defect of it and
// a precondition here. What only the value of a constant shows (a bad date pattern, say) is refused
// with a Failure that says which.

import WeirCore

/// Compiles expressions over one input.
struct ExpressionCompiler {
    /// The parts that the expressions have in common.
    var shared: SharedParts?

    func compile(_ expression: BoundExpression) throws(Failure) -> Kernel {
        guard let shared else { return try make(expression) }
        return try shared.kernel(expression) { () throws(Failure) in try make(expression) }
    }

    private func make(_ expression: BoundExpression) throws(Failure) -> Kernel {
        switch expression {
        case .column(let index, let type): return ColumnKernel(index: index, type: type)
        case .literal(let value, let type): return ConstantKernel(column(value, type), type: type)
        case .cast(let value, let type, let isTry):
            let argument = try compile(value)
            return fold(cast(argument, to: type, isTry: isTry), [argument])
        case .call(let function, let arguments, let type):
            if let problem = function.problem(withConstants: arguments) {
                throw Failure(.configuration, "compiling", function.planName, problem)
            }
            let kernels = try compile(arguments)
            return fold(call(function, kernels, type), kernels)
        case .conditional(let branches, let otherwise, let type):
            return try conditional(branches, otherwise, type)
        case .inList(let value, let list, let isNegated):
            return try inList(value, list, isNegated: isNegated)
        }
    }

    private func compile(_ expressions: [BoundExpression]) throws(Failure) -> [Kernel] {
        var kernels: [Kernel] = []
        for expression in expressions { kernels.append(try compile(expression)) }
        return kernels
    }

    /// A kernel over constants replaced by its value.
    private func fold(_ kernel: Kernel, _ arguments: [Kernel]) -> Kernel {
        guard arguments.allSatisfy({ $0.constant != nil }) else { return kernel }
        let errors = ErrorCounter()
        let input = KernelInput(columns: [], rowCount: 1, activeRows: nil, errors: errors)
        let value = kernel.evaluate(input)
        return errors.count == 0 ? ConstantKernel(value, type: kernel.type) : kernel
    }

    private func column(_ value: LiteralValue, _ type: DataType) -> Column {
        let column = Column(type, capacity: 1)
        switch value {
        case .null: column.appendNull()
        case .boolean(let value): column.append(value)
        case .integer(let value) where type.isApproximate: column.append(Double(value))
        case .integer(let value) where type.physical == .int128: column.append(Int128(value))
        case .wide(let value): column.append(value)
        case .bytes(let value): value.withUnsafeBufferPointer { column.append($0) }
        case .integer(let value): column.append(value)
        case .double(let value): column.append(value)
        case .string(let value): column.append(value)
        }
        return column
    }

    private func conditional(
        _ branches: [BoundExpression.ConditionalBranch], _ otherwise: BoundExpression?,
        _ type: DataType
    ) throws(Failure) -> Kernel {
        var compiled: [(condition: Kernel, result: Kernel)] = []
        for branch in branches {
            let condition = try compile(branch.condition)
            compiled.append((retyped(condition, .boolean), retyped(try compile(branch.result), type)))
        }
        var last: Kernel?
        if let otherwise { last = retyped(try compile(otherwise), type) }
        let all = compiled.flatMap { [$0.condition, $0.result] } + [last].compactMap { $0 }
        return fold(CaseKernel(compiled, otherwise: last, type: type), all)
    }

    /// A NULL without a type in the layout that its place wants.
    private func retyped(_ kernel: Kernel, _ type: DataType) -> Kernel {
        kernel.type == .null ? ConstantKernel(column(.null, type), type: type) : kernel
    }

    private func inList(
        _ value: BoundExpression, _ list: [BoundExpression], isNegated: Bool
    ) throws(Failure) -> Kernel {
        let kernel = try compile(value)
        let elements = try compile(list).map { retyped($0, kernel.type) }
        let members = Column(kernel.type)
        var hasNull = false
        for element in elements {
            guard let constant = element.constant else {
                return equalities(kernel, elements, isNegated: isNegated)
            }
            if constant.isNull(0) { hasNull = true } else { members.append(from: constant, range: 0..<1) }
        }
        let result = InListKernel(kernel, members: members, hasNull: hasNull, isNegated: isNegated)
        return fold(result, [kernel])
    }

    /// IN over expressions: an OR of comparisons.
    private func equalities(_ value: Kernel, _ elements: [Kernel], isNegated: Bool) -> Kernel {
        var result: Kernel?
        for element in elements {
            let equal = DecimalComparisonKernel.make(.equal, value, element)
            result = result.map { JunctionKernel(isAnd: false, $0, equal) } ?? equal
        }
        guard let result else { preconditionFailure("an empty list") }
        return isNegated ? NotKernel(result) : result
    }

    // MARK: Casts

    private func cast(_ argument: Kernel, to type: DataType, isTry: Bool) -> Kernel {
        let from = argument.type
        if from == .null { return ConstantKernel(column(.null, type), type: type) }
        if from == type { return argument }
        precondition(from.canCast(to: type), "no cast from \(from) to \(type)")
        if !from.isScalar { return nestedCast(argument, to: type, isTry: isTry) }
        switch (from, type) {
        case (_, .string): return TextWritingKernel(argument)
        case (.string, .bytes), (.timestamp, .timestampLTZ), (.timestampLTZ, .timestamp),
            (.float, .double):
            return RelabelKernel(argument, type: type)
        case (_, .decimal): return DecimalCastKernel(argument, type: type, isTry: isTry)
        case (.decimal, _): return DecimalToNumberKernel(argument, type: type)
        case (.string, _): return TextParsingKernel(argument, type: type, isTry: isTry)
        default: break
        }
        if from.isTemporal { return TemporalCastKernel(argument, type: type) }
        if from.isInteger, type.isInteger, from.integerBits < type.integerBits {
            return RelabelKernel(argument, type: type)
        }
        return NumberCastKernel(argument, type: type)
    }

    private func nestedCast(_ argument: Kernel, to type: DataType, isTry: Bool) -> Kernel {
        let targets = type == .string ? argument.type.innerTypes.map { _ in .string } : type.innerTypes
        let casts = zip(argument.type.innerTypes, targets).map { from, to in
            cast(ColumnKernel(index: 0, type: from), to: to, isTry: isTry)
        }
        return type == .string
            ? NestedTextKernel(argument, casts: casts)
            : NestedCastKernel(argument, casts: casts, type: type)
    }

    // MARK: Calls

    private func call(_ function: ScalarFunction, _ k: [Kernel], _ type: DataType) -> Kernel {
        if let declaration = function.declaration { return declaration.kernel(k, type) }
        if let kernel = Self.comparison(function, k) ?? Self.logic(function, k)
            ?? Self.arithmetic(function, k, type) ?? conditionalFunction(function, k, type)
            ?? Self.math(function, k, type) ?? Self.text(function, k) ?? Self.time(function, k, type)
        {
            return kernel
        }
        switch function {
        case .cardinality: return CardinalityKernel(k[0])
        case .elementAt:
            if case .map = k[0].type { return MapValueKernel(k[0], key: k[1], type: type) }
            return ElementKernel(k[0], index: k[1], type: type)
        case .arrayOf: return ArrayOfKernel(k, type: type)
        case .mapOf: return MapOfKernel(k, type: type)
        case .rowOf: return RowOfKernel(k, type: type)
        case .rowField:
            let index = k[1].constant.map { Int($0.ints[0]) } ?? 0
            return RowFieldKernel(k[0], index: index, type: type)
        case .fitBytes: return FitBytesKernel(k[0], length: k[1], pads: k[2])
        case .arrayContains: return ArrayContainsKernel(k[0], element: k[1])
        default: preconditionFailure("\(function) has no kernel")
        }
    }

    private static func comparison(_ function: ScalarFunction, _ k: [Kernel]) -> Kernel? {
        switch function {
        case .equal: DecimalComparisonKernel.make(.equal, k[0], k[1])
        case .notEqual: DecimalComparisonKernel.make(.notEqual, k[0], k[1])
        case .less: DecimalComparisonKernel.make(.less, k[0], k[1])
        case .lessOrEqual: DecimalComparisonKernel.make(.lessOrEqual, k[0], k[1])
        case .greater: DecimalComparisonKernel.make(.less, k[1], k[0])
        case .greaterOrEqual: DecimalComparisonKernel.make(.lessOrEqual, k[1], k[0])
        case .isDistinctFrom:
            DecimalComparisonKernel.make(.notEqual, k[0], k[1], nulls: .distinct)
        case .isNotDistinctFrom:
            DecimalComparisonKernel.make(.equal, k[0], k[1], nulls: .notDistinct)
        case .like, .notLike:
            LikeKernel(
                k[0], pattern: k[1], escape: k.count > 2 ? k[2] : nil, isNegated: function == .notLike)
        default: nil
        }
    }

    private static func logic(_ function: ScalarFunction, _ k: [Kernel]) -> Kernel? {
        switch function {
        case .and, .or:
            k.dropFirst().reduce(k[0]) { JunctionKernel(isAnd: function == .and, $0, $1) }
        case .not: NotKernel(k[0])
        case .isNull: TruthTestKernel(k[0], .null, isNegated: false)
        case .isNotNull: TruthTestKernel(k[0], .null, isNegated: true)
        case .isTrue: TruthTestKernel(k[0], .true, isNegated: false)
        case .isNotTrue: TruthTestKernel(k[0], .true, isNegated: true)
        case .isFalse: TruthTestKernel(k[0], .false, isNegated: false)
        case .isNotFalse: TruthTestKernel(k[0], .false, isNegated: true)
        default: nil
        }
    }

    private static func arithmetic(
        _ function: ScalarFunction, _ k: [Kernel], _ type: DataType
    ) -> Kernel? {
        if function == .negate { return NegationKernel(k[0], type: type) }
        if type.isApproximate, let operation = Self.doubleOperations[function] {
            return DoubleArithmeticKernel(operation, k[0], k[1], type: type)
        }
        if type.isDecimal, let operation = Self.decimalOperations[function] {
            return DecimalArithmeticKernel(operation, k[0], k[1], type: type)
        }
        if type.isTemporal, function == .add || function == .subtract {
            return k[0].type.isTemporal
                ? TemporalArithmeticKernel(k[0], k[1], isSubtraction: function == .subtract)
                : TemporalArithmeticKernel(k[1], k[0], isSubtraction: false)
        }
        switch function {
        case .add: return IntegerArithmeticKernel(.add, k[0], k[1], type: type)
        case .subtract: return IntegerArithmeticKernel(.subtract, k[0], k[1], type: type)
        case .multiply: return IntegerArithmeticKernel(.multiply, k[0], k[1], type: type)
        case .divide: return IntegerDivisionKernel(k[0], k[1], wantsRemainder: false, type: type)
        case .modulo, .mod:
            return IntegerDivisionKernel(k[0], k[1], wantsRemainder: true, type: type)
        default: return nil
        }
    }

    private func conditionalFunction(
        _ function: ScalarFunction, _ k: [Kernel], _ type: DataType
    ) -> Kernel? {
        switch function {
        case .coalesce: return CoalesceKernel(k, type: type)
        case .greatest: return ExtremeKernel(k, isGreatest: true, type: type)
        case .least: return ExtremeKernel(k, isGreatest: false, type: type)
        case .nullif:
            guard let common = DataType.comparisonType(k[0].type, k[1].type) else {
                preconditionFailure("NULLIF of types that do not compare")
            }
            let sides = k.enumerated().map { index, side in
                cast(ColumnKernel(index: index, type: side.type), to: common, isTry: true)
            }
            return NullifKernel(
                k[0], k[1], comparison: ComparisonKernel(.equal, sides[0], sides[1]), type: type)
        default: return nil
        }
    }

    private static let doubleOperations: [ScalarFunction: DoubleArithmeticKernel.Operation] = [
        .add: .add, .subtract: .subtract, .multiply: .multiply, .divide: .divide,
        .modulo: .remainder, .mod: .remainder,
    ]

    private static let decimalOperations: [ScalarFunction: DecimalArithmeticKernel.Operation] = [
        .add: .add, .subtract: .subtract, .multiply: .multiply, .divide: .divide,
        .modulo: .remainder, .mod: .remainder,
    ]

    private static let decimalFunctions: [ScalarFunction: DecimalFunctionKernel.Function] = [
        .abs: .abs, .floor: .floor, .ceil: .ceil, .sign: .sign, .round: .round,
        .truncate: .truncate,
    ]

    private static func math(
        _ function: ScalarFunction, _ k: [Kernel], _ type: DataType
    ) -> Kernel? {
        if type.isDecimal, let function = decimalFunctions[function] {
            return DecimalFunctionKernel(
                function, k[0], places: k.count > 1 ? k[1] : nil, type: type)
        }
        return switch function {
        case .abs: MathKernel(.abs, k[0])
        case .floor: MathKernel(.floor, k[0])
        case .ceil: MathKernel(.ceil, k[0])
        case .sign: MathKernel(.sign, k[0])
        case .sqrt: MathKernel(.sqrt, k[0])
        case .exp: MathKernel(.exp, k[0])
        case .ln: MathKernel(.ln, k[0])
        case .log10: MathKernel(.log10, k[0])
        case .log2: MathKernel(.log2, k[0])
        case .power: PowerKernel(k[0], k[1])
        case .round, .truncate:
            RoundKernel(
                k[0], digits: k.count > 1 ? k[1] : integer(0), isTruncation: function == .truncate)
        default: nil
        }
    }

    private static func text(_ function: ScalarFunction, _ k: [Kernel]) -> Kernel? {
        switch function {
        case .upper, .lower, .trim, .ltrim, .rtrim, .substring, .left, .right, .replace, .concat,
            .concatFunction, .concatWs, .reverse, .lpad, .rpad, .repeat, .splitIndex:
            TextKernel(function, k)
        case .charLength: CharLengthKernel(k[0])
        case .position: PositionKernel(needle: k[0], text: k[1], start: k.count > 2 ? k[2] : nil)
        case .startsWith: AffixKernel(k[0], k[1], isPrefix: true)
        case .endsWith: AffixKernel(k[0], k[1], isPrefix: false)
        default: nil
        }
    }

    private static func time(
        _ function: ScalarFunction, _ k: [Kernel], _ type: DataType
    ) -> Kernel? {
        switch function {
        case .extractYear, .extractMonth, .extractDay, .extractHour, .extractMinute, .extractSecond,
            .extractDayOfWeek, .extractDayOfYear, .extractEpoch, .extractMillisecond,
            .extractQuarter, .extractWeek:
            ExtractKernel(function, k[0])
        case .floorTimeSecond, .floorTimeMinute, .floorTimeHour, .floorTimeDay, .floorTimeWeek,
            .floorTimeMonth, .floorTimeQuarter, .floorTimeYear:
            FloorTimeKernel(function, k[0])
        case .dateFormat: DateFormatKernel(k[0], pattern: k[1])
        case .toTimestampLtz where k[0].type != .string:
            EpochTimestampKernel(k[0], precision: k.count > 1 ? k[1] : integer(3))
        case .toTimestamp, .toTimestampLtz:
            ParseTimestampKernel(k[0], pattern: k.count > 1 ? k[1] : nil, type: type)
        default: nil
        }
    }

    private static func integer(_ value: Int64) -> Kernel {
        let column = Column(.int, capacity: 1)
        column.append(value)
        return ConstantKernel(column, type: .int)
    }
}
