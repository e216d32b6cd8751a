// Which argument types each scalar function takes, and what it returns: the one table that the
// binder resolves overloads by and that the kernels are written to. A function that has no row here
// has no kernel for these types.
//
// The answer names the types that the kernel wants; where an argument's type differs from the
// wanted one the binder puts a CAST around the argument (a literal NULL, of type `.null`, is cast
// too). Only the widenings of Flink SQL are implied: INT → BIGINT → DOUBLE, BIGINT → INT for counts
// and positions, STRING ↔ timestamps in comparisons, TIMESTAMP → TIMESTAMP_LTZ, and any scalar →
// STRING in concatenations.
//
//   add subtract          numbers; timestamp ± interval, interval + timestamp; interval ± interval
//   multiply divide       numbers; multiply also interval × BIGINT
//   modulo mod            numbers; the type of the second argument, as in Flink
//   comparisons           two values of one type, in three-valued logic
//   and or                two or more BOOLEAN
//   like notLike          text, pattern [, escape]
//   position              needle, text [, start, from 1]
//   trim ltrim rtrim      text [, set of characters]
//   substring             text, start from 1 [, length]
//   lpad rpad             text, length, padding
//   splitIndex            text, separator, index from 0
//   left right repeat     text, count
//   concatWs              separator, texts…
//   round truncate        number [, digits]
//   dateFormat            timestamp, pattern
//   toTimestamp           text [, pattern]
//   toTimestampLtz        number [, precision 0 or 3]; or text [, pattern]
//   nullif                two comparable values, each of its own type; the result has the first's
//   elementAt             array, index from 1
//   arrayContains         array, element
//
// A comparison of text with a timestamp casts the text; Flink takes text that is no timestamp as
// NULL there, so the binder should use TRY_CAST.

import WeirCore

extension ScalarFunction {
    /// The argument types of an overload and its result type.
    public typealias Signature = (arguments: [DataType], result: DataType)

    /// The overload for arguments of these types: what to cast them to and what comes out; nil when
    /// the function does not take such arguments.
    public func signature(for types: [DataType]) -> Signature? {
        switch self {
        case .named: declaration?.signature(for: types)
        case .add, .subtract, .multiply, .divide, .modulo, .mod, .negate: arithmetic(types)
        case .equal, .notEqual, .less, .lessOrEqual, .greater, .greaterOrEqual, .isDistinctFrom,
            .isNotDistinctFrom:
            comparison(types)
        case .and, .or: types.count >= 2 ? every(types, .boolean, result: .boolean) : nil
        case .not, .isTrue, .isNotTrue, .isFalse, .isNotFalse:
            types.count == 1 ? every(types, .boolean, result: .boolean) : nil
        case .isNull, .isNotNull: types.count == 1 ? (types, .boolean) : nil
        case .coalesce, .greatest, .least, .nullif: conditional(types)
        case .abs, .floor, .ceil, .sign, .round, .truncate: rounding(types)
        case .power: fixed(types, [.double, .double], result: .double)
        case .sqrt, .exp, .ln, .log10, .log2: fixed(types, [.double], result: .double)
        case .concat: texts(types, countMin: 2)
        case .concatFunction: texts(types, countMin: 1)
        case .concatWs: texts(types, countMin: 2)
        case .like, .notLike, .upper, .lower, .trim, .ltrim, .rtrim, .charLength, .substring, .replace,
            .position, .startsWith, .endsWith, .reverse, .lpad, .rpad, .splitIndex, .left, .right, .repeat:
            text(types)
        case .extractYear, .extractMonth, .extractDay, .extractHour, .extractMinute, .extractSecond,
            .extractDayOfWeek, .extractDayOfYear, .extractEpoch, .extractMillisecond, .extractQuarter,
            .extractWeek:
            pointInTime(types).map { ([$0], .bigint) }
        case .floorTimeSecond, .floorTimeMinute, .floorTimeHour, .floorTimeDay, .floorTimeWeek,
            .floorTimeMonth, .floorTimeQuarter, .floorTimeYear:
            pointInTime(types).map { ([$0], $0) }
        case .dateFormat, .toTimestamp, .toTimestampLtz: time(types)
        case .cardinality, .elementAt, .arrayContains: array(types)
        case .arrayOf, .mapOf, .rowOf, .rowField: constructor(types)
        case .fitBytes: fixed(types, [.bytes, .int, .boolean], result: .bytes)
        }
    }

    private func arithmetic(_ types: [DataType]) -> Signature? {
        if self == .negate {
            guard types.count == 1 else { return nil }
            if types[0] == .null { return ([.int], .int) }
            return types[0].isNumeric || types[0].isInterval ? (types, types[0]) : nil
        }
        guard types.count == 2 else { return nil }
        let (a, b) = (types[0], types[1])
        if a.isInterval || b.isInterval { return intervalArithmetic(a, b) }
        if a.isDecimal || b.isDecimal, let result = decimalArithmetic(a, b) { return result }
        if a.isTimestamp && b == .null && self != .multiply { return intervalArithmetic(a, .interval) }
        guard let merged = DataType.leastRestrictive(types) else { return nil }
        let common = merged == .null ? .int : merged
        guard common.isNumeric else { return nil }
        if self == .modulo || self == .mod {
            let result = b == .null ? common : b
            return ([common, common], common.isApproximate ? common : result)
        }
        return ([common, common], common)
    }

    /// Exact numbers, one of them a decimal, are taken as they are: the kernel knows scales.
    private func decimalArithmetic(_ a: DataType, _ b: DataType) -> Signature? {
        let (left, right) = (a == .null ? b : a, b == .null ? a : b)
        guard let x = DecimalShape(left), let y = DecimalShape(right) else { return nil }
        let shape: DecimalShape =
            switch self {
            case .add, .subtract: .sum(x, y)
            case .multiply: .product(x, y)
            case .divide: .quotient(x, y)
            default: .remainder(x, y)
            }
        return ([left, right], shape.type)
    }

    private func intervalArithmetic(_ a: DataType, _ b: DataType) -> Signature? {
        let isSum = self == .add || self == .subtract
        if isSum, a.isInterval, b == a || b == .null { return ([a, a], a) }
        if isSum, b.isInterval, a == .null { return ([b, b], b) }
        if isSum, a.isTemporal, b.isInterval { return ([a, b], a) }
        if self == .add, a.isInterval, b.isTemporal { return ([a, b], b) }
        return switch (self, a, b) {
        case (.multiply, _, _) where a.isInterval && b.isInteger: ([a, .bigint], a)
        case (.multiply, _, _) where b.isInterval && a.isInteger: ([.bigint, b], b)
        default: nil
        }
    }

    private func comparison(_ types: [DataType]) -> Signature? {
        guard types.count == 2, let common = DataType.comparisonType(types[0], types[1])
        else { return nil }
        // Decimals are compared exactly, without being brought to one scale.
        if common.isDecimal, types[0] != .null, types[1] != .null { return (types, .boolean) }
        return ([common, common], .boolean)
    }

    private func conditional(_ types: [DataType]) -> Signature? {
        if self == .nullif {
            guard types.count == 2, DataType.comparisonType(types[0], types[1]) != nil
            else { return nil }
            return (types, types[0])
        }
        guard !types.isEmpty, let common = DataType.leastRestrictive(types) else { return nil }
        if self != .coalesce, !common.isScalar { return nil }
        return every(types, common, result: common)
    }

    private func rounding(_ types: [DataType]) -> Signature? {
        guard let first = types.first, first.isNumeric || first == .null else { return nil }
        let type = first == .null ? .int : first
        switch (self, types.count) {
        case (.floor, 1), (.ceil, 1):
            if case .decimal(let precision, _) = type {
                return ([type], .decimal(precision: precision, scale: 0))
            }
            return ([type], type)
        case (.round, 1), (.truncate, 1):
            return ([type], DecimalShape(type).map { type.isDecimal ? $0.rounded(places: 0).type : type } ?? type)
        case (_, 1): return ([type], type)
        case (.round, 2), (.truncate, 2): return types[1].isCount ? ([type, .int], type) : nil
        default: return nil
        }
    }

    private func text(_ types: [DataType]) -> Signature? {
        switch self {
        case .like, .notLike:
            optional(types, [.string, .string, .string], required: 2, result: .boolean)
        case .startsWith, .endsWith: fixed(types, [.string, .string], result: .boolean)
        case .upper, .lower, .reverse: fixed(types, [.string], result: .string)
        case .trim, .ltrim, .rtrim: optional(types, [.string, .string], required: 1, result: .string)
        case .charLength: fixed(types, [.string], result: .int)
        case .substring: optional(types, [.string, .int, .int], required: 2, result: .string)
        case .replace: fixed(types, [.string, .string, .string], result: .string)
        case .position: optional(types, [.string, .string, .int], required: 2, result: .int)
        case .lpad, .rpad: fixed(types, [.string, .int, .string], result: .string)
        case .splitIndex: fixed(types, [.string, .string, .int], result: .string)
        case .left, .right, .repeat: fixed(types, [.string, .int], result: .string)
        default: nil
        }
    }

    private func texts(_ types: [DataType], countMin: Int) -> Signature? {
        guard types.count >= countMin else { return nil }
        if types.contains(where: { !$0.isScalar }) { return nil }
        return (types.map { _ in .string }, .string)
    }

    private func time(_ types: [DataType]) -> Signature? {
        guard let first = types.first else { return nil }
        switch self {
        case .dateFormat:
            guard types.count == 2 else { return nil }
            let moment: DataType = first.isTimestamp ? first : .timestamp
            return fixed(types, [moment, .string], result: .string, fromText: true)
        case .toTimestamp: return optional(types, [.string, .string], required: 1, result: .timestamp)
        default:
            if first == .string {
                return optional(types, [.string, .string], required: 1, result: .timestampLTZ)
            }
            let number: DataType = first.isApproximate || first.isDecimal ? .double : .bigint
            return optional(types, [number, .int], required: 1, result: .timestampLTZ)
        }
    }

    private func array(_ types: [DataType]) -> Signature? {
        guard let first = types.first else { return nil }
        if case .map(let key, let value) = first {
            switch (self, types.count) {
            case (.cardinality, 1): return ([first], .int)
            case (.elementAt, 2):
                let isFine = DataType.leastRestrictive([key, types[1]]) == key
                return isFine ? ([first, key], value) : nil
            default: return nil
            }
        }
        guard case .array(let element) = first else { return nil }
        switch (self, types.count) {
        case (.cardinality, 1): return ([first], .int)
        case (.elementAt, 2): return types[1].isCount ? ([first, .int], element) : nil
        case (.arrayContains, 2):
            if !element.isScalar { return nil }
            let isFine = DataType.leastRestrictive([element, types[1]]) == element
            return isFine ? ([first, element], .boolean) : nil
        default: return nil
        }
    }

    /// ARRAY[…], MAP[…] and ROW(…); elements, keys and values are each brought to one type.
    private func constructor(_ types: [DataType]) -> Signature? {
        switch self {
        case .arrayOf:
            guard let element = DataType.leastRestrictive(types), element != .null else { return nil }
            return (types.map { _ in element }, .array(element))
        case .mapOf:
            let keys = stride(from: 0, to: types.count, by: 2).map { types[$0] }
            let values = stride(from: 1, to: types.count, by: 2).map { types[$0] }
            guard keys.count == values.count, let key = DataType.leastRestrictive(keys),
                let value = DataType.leastRestrictive(values), key.isScalar, key != .null,
                value != .null
            else { return nil }
            return (types.indices.map { $0 % 2 == 0 ? key : value }, .map(key: key, value: value))
        case .rowOf:
            if types.isEmpty || types.contains(.null) { return nil }
            return (types, .row(types.enumerated().map { Field("EXPR$\($0)", $1) }))
        default: return nil
        }
    }

    private func pointInTime(_ types: [DataType]) -> DataType? {
        guard types.count == 1 else { return nil }
        if types[0] == .null || types[0] == .date || types[0] == .time { return .timestamp }
        return types[0].isTimestamp ? types[0] : nil
    }

    private func every(_ types: [DataType], _ wanted: DataType, result: DataType) -> Signature? {
        for type in types where DataType.leastRestrictive([wanted, type]) != wanted { return nil }
        return (types.map { _ in wanted }, result)
    }

    private func fixed(
        _ types: [DataType], _ wanted: [DataType], result: DataType, fromText: Bool = false
    ) -> Signature? {
        optional(types, wanted, required: wanted.count, result: result, fromText: fromText)
    }

    private func optional(
        _ types: [DataType], _ wanted: [DataType], required: Int, result: DataType,
        fromText: Bool = false
    ) -> Signature? {
        guard (required...wanted.count).contains(types.count) else { return nil }
        for (type, want) in zip(types, wanted) {
            let isFine =
                DataType.leastRestrictive([want, type]) == want || (want == .int && type.isCount)
                || (fromText && type == .string && want.isTimestamp)
            guard isFine else { return nil }
        }
        return (Array(wanted.prefix(types.count)), result)
    }
}

extension DataType {
    /// Whether it can give a position or a count (cast to INT).
    fileprivate var isCount: Bool { isInteger || self == .null }
}
