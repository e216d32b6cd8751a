// How types meet: the type that several values are brought to, the one that two are compared in, and
// which casts there are. The rules are Flink's (Calcite's least restrictive type): whole numbers give the
// wider one; with a decimal all are decimals; a float keeps company with whole numbers and gives way to
// DOUBLE beside a decimal; a day becomes a timestamp beside one.

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

    static func merge(_ a: DataType, _ b: DataType) -> DataType? {
        if a == b || b == .null { return a }
        if a == .null { return b }
        if a.isNumeric && b.isNumeric { return mergeNumbers(a, b) }
        if a.isTimestamp && b.isTimestamp { return .timestampLTZ }
        if a == .date && b.isTimestamp { return b }
        if b == .date && a.isTimestamp { return a }
        switch (a, b) {
        case (.array(let x), .array(let y)): return merge(x, y).map(DataType.array)
        case (.map(let aKey, let aValue), .map(let bKey, let bValue)):
            guard let key = merge(aKey, bKey), let value = merge(aValue, bValue) else { return nil }
            return .map(key: key, value: value)
        case (.row(let x), .row(let y)): return mergeRows(x, y)
        default: return nil
        }
    }

    private static func mergeNumbers(_ a: DataType, _ b: DataType) -> DataType {
        if a.isApproximate || b.isApproximate {
            // Of FLOAT and DOUBLE the first decides: Calcite gives both the same precision.
            if a.isApproximate && b.isApproximate { return a }
            let isDouble = a == .double || b == .double || a.isDecimal || b.isDecimal
            return isDouble ? .double : .float
        }
        if a.isInteger && b.isInteger { return a.integerBits > b.integerBits ? a : b }
        guard let x = DecimalShape(a), let y = DecimalShape(b) else { return .double }
        return DecimalShape.common(x, y).type
    }

    private static func mergeRows(_ a: [Field], _ b: [Field]) -> DataType? {
        guard a.count == b.count else { return nil }
        var fields: [Field] = []
        for (x, y) in zip(a, b) {
            guard let type = merge(x.type, y.type) else { return nil }
            fields.append(Field(x.name, type))
        }
        return .row(fields)
    }

    /// The type in which `a` and `b` are compared, or nil where they cannot be.
    public static func comparisonType(_ a: DataType, _ b: DataType) -> DataType? {
        if a == .string && b.isTemporal { return b }
        if b == .string && a.isTemporal { return a }
        guard let merged = merge(a, b), merged.isScalar else { return nil }
        return merged == .null ? .int : merged
    }

    /// Whether it is a day, a time of day or a timestamp.
    var isTemporal: Bool { isTimestamp || self == .date || self == .time }

    /// Whether CAST and TRY_CAST turn values of this type into `target`.
    public func canCast(to target: DataType) -> Bool {
        if self == target || self == .null { return true }
        switch (self, target) {
        case (.array(let from), .array(let to)): return from.canCast(to: to)
        case (.map(let fromKey, let fromValue), .map(let toKey, let toValue)):
            return fromKey.canCast(to: toKey) && fromValue.canCast(to: toValue)
        case (.row(let from), .row(let to)):
            return from.count == to.count && zip(from, to).allSatisfy { $0.type.canCast(to: $1.type) }
        case (.array(let from), .string): return from.canCast(to: .string)
        case (.map(let key, let value), .string):
            return key.canCast(to: .string) && value.canCast(to: .string)
        case (.row(let fields), .string): return fields.allSatisfy { $0.type.canCast(to: .string) }
        default: return canCastScalar(to: target)
        }
    }

    private func canCastScalar(to target: DataType) -> Bool {
        guard isScalar, target.isScalar else { return false }
        switch (self, target) {
        case (_, .string), (.string, .bytes): return true
        case (.string, _): return target.isNumeric || target.isTemporal || target == .boolean
        case (.boolean, _): return target.isNumeric
        case (_, .boolean): return isNumeric
        case (.date, _), (.time, _): return target.isTimestamp
        case (.timestamp, _), (.timestampLTZ, _): return target.isTemporal
        default: return isNumeric && target.isNumeric
        }
    }
}
