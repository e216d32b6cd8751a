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

extension DataType {
    /// The type that values of all of `types` can be brought to (for CASE, COALESCE, IN, GREATEST
    /// …), or nil where there is none. Of nothing but NULLs it is `.null`.
    public static func leastRestrictive(_ types: [DataType]) -> DataType? {
        var merged = DataType.null
        for type in types {
            guard let next = merge(merged, type) else { return nil }
            merged = next
        }
        return merged
    }

    private static func merge(_ a: DataType, _ b: DataType) -> DataType? {
        if a == b || b == .null { return a }
        if a == .null { return b }
        if a.isNumeric && b.isNumeric {
            if a == .double || b == .double { return .double }
            return .bigint
        }
        if a.isTimestamp && b.isTimestamp { return .timestampLTZ }
        if case .array(let x) = a, case .array(let y) = b { return merge(x, y).map(DataType.array) }
        return nil
    }

    /// Whether CAST and TRY_CAST turn values of this type into `target`.
    public func canCast(to target: DataType) -> Bool {
        if self == target || self == .null { return true }
        switch (self, target) {
        case (.array(let from), .array(let to)): return from.canCast(to: to)
        case (.array(let from), .string): return from.canCast(to: .string)
        case (.string, .boolean), (.boolean, .string), (.interval, .string): return true
        case (.string, _): return target.isNumeric || target.isTimestamp
        case (_, .string): return isNumeric || isTimestamp
        default:
            let isNumberLike = isNumeric || self == .boolean
            return (isNumberLike && (target.isNumeric || target == .boolean))
                || (isTimestamp && target.isTimestamp)
        }
    }

    /// The type in which `a` and `b` are compared, or nil where they cannot be.
    public static func comparisonType(_ a: DataType, _ b: DataType) -> DataType? {
        if a == .string && b.isTimestamp { return b }
        if b == .string && a.isTimestamp { return a }
        guard let merged = merge(a, b) else { return nil }
        if case .array = merged { return nil }
        return merged == .null ? .int : merged
    }
}

extension ScalarFunction {
    /// The argument types of an overload and its result type.
    public typealias Signature = (arguments: [DataType], result: DataType)

    /// The overload for arguments of these types: what to cast them to and what comes out; nil when
    /// the function does not take such arguments.
    public func signature(for types: [DataType]) -> Signature? {
        switch self {
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
        }
    }

    private func arithmetic(_ types: [DataType]) -> Signature? {
        if self == .negate {
            guard types.count == 1 else { return nil }
            if types[0] == .null { return ([.int], .int) }
            return types[0].isNumeric || types[0] == .interval ? (types, types[0]) : nil
        }
        guard types.count == 2 else { return nil }
        let (a, b) = (types[0], types[1])
        if a == .interval || b == .interval { return intervalArithmetic(a, b) }
        if a.isTimestamp && b == .null && self != .multiply { return intervalArithmetic(a, .interval) }
        guard let merged = DataType.leastRestrictive(types) else { return nil }
        let common = merged == .null ? .int : merged
        guard common.isNumeric else { return nil }
        if self == .modulo || self == .mod {
            let result = b == .null ? common : b
            return ([common, common], common == .double ? .double : result)
        }
        return ([common, common], common)
    }

    private func intervalArithmetic(_ a: DataType, _ b: DataType) -> Signature? {
        switch (self, a, b) {
        case (.add, .timestamp, .interval), (.add, .timestampLTZ, .interval),
            (.subtract, .timestamp, .interval), (.subtract, .timestampLTZ, .interval):
            ([a, .interval], a)
        case (.add, .interval, .timestamp), (.add, .interval, .timestampLTZ): ([.interval, b], b)
        case (.add, .interval, .interval), (.subtract, .interval, .interval),
            (.add, .interval, .null), (.subtract, .interval, .null),
            (.add, .null, .interval), (.subtract, .null, .interval):
            ([.interval, .interval], .interval)
        case (.multiply, .interval, .int), (.multiply, .interval, .bigint):
            ([.interval, .bigint], .interval)
        case (.multiply, .int, .interval), (.multiply, .bigint, .interval):
            ([.bigint, .interval], .interval)
        default: nil
        }
    }

    private func comparison(_ types: [DataType]) -> Signature? {
        guard types.count == 2, let common = DataType.comparisonType(types[0], types[1])
        else { return nil }
        return ([common, common], .boolean)
    }

    private func conditional(_ types: [DataType]) -> Signature? {
        if self == .nullif {
            guard types.count == 2, DataType.comparisonType(types[0], types[1]) != nil
            else { return nil }
            return (types, types[0])
        }
        guard !types.isEmpty, let common = DataType.leastRestrictive(types) else { return nil }
        if self != .coalesce, case .array = common { return nil }
        return every(types, common, result: common)
    }

    private func rounding(_ types: [DataType]) -> Signature? {
        guard let first = types.first, first.isNumeric || first == .null else { return nil }
        let type = first == .null ? .int : first
        switch (self, types.count) {
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
        for case .array in types { return nil }
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
            let number: DataType = first == .double ? .double : .bigint
            return optional(types, [number, .int], required: 1, result: .timestampLTZ)
        }
    }

    private func array(_ types: [DataType]) -> Signature? {
        guard let first = types.first, case .array(let element) = first else { return nil }
        switch (self, types.count) {
        case (.cardinality, 1): return ([first], .int)
        case (.elementAt, 2): return types[1].isCount ? ([first, .int], element) : nil
        case (.arrayContains, 2):
            if case .array = element { return nil }
            let isFine = DataType.leastRestrictive([element, types[1]]) == element
            return isFine ? ([first, element], .boolean) : nil
        default: return nil
        }
    }

    private func pointInTime(_ types: [DataType]) -> DataType? {
        guard types.count == 1 else { return nil }
        if types[0] == .null { return .timestamp }
        return types[0].isTimestamp ? types[0] : nil
    }

    private func every(_ types: [DataType], _ wanted: DataType, result: DataType) -> Signature? {
        for type in types where DataType.leastRestrictive([type, wanted]) != wanted { return nil }
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
                DataType.leastRestrictive([type, want]) == want || (want == .int && type.isCount)
                || (fromText && type == .string && want.isTimestamp)
            guard isFine else { return nil }
        }
        return (Array(wanted.prefix(types.count)), result)
    }
}

extension DataType {
    /// Whether it can give a position or a count (cast to INT).
    fileprivate var isCount: Bool { self == .int || self == .bigint || self == .null }
}
