// What a function of the library takes at one place. Matching gives the type that the argument is cast
// to; only the casts that Flink implies are implied here: INT to BIGINT to DOUBLE and their like,
// whole numbers of any width where a count is wanted, DATE where a timestamp is, and texts where a
// moment is.

import WeirCore

/// What one argument must be.
indirect enum Parameter: Sendable {
    /// A value of that type, or of one that widens to it.
    case exact(DataType)
    /// A whole number, taken as INT.
    case count
    /// Any number, as it is.
    case number
    /// Any whole number, as it is.
    case integer
    /// DATE, TIMESTAMP or TIMESTAMP_LTZ as they are; a text as TIMESTAMP.
    case moment
    /// DATE, TIME, TIMESTAMP or TIMESTAMP_LTZ.
    case temporal
    /// STRING or BYTES.
    case textOrBytes
    /// Any single value.
    case scalar
    /// Anything.
    case any
    /// Anything, cast to text.
    case shown
    /// An array.
    case array
    /// An element of the array before it.
    case element
    /// An array of the same type as the first.
    case sameArray
    /// A map.
    case map
    /// A map of the same type as the first.
    case sameMap
    /// May be left out, and all behind it.
    case optional(Parameter)
    /// Any number more of them.
    case list(Parameter)

    static let string = Parameter.exact(.string)
    static let double = Parameter.exact(.double)
    static let bigint = Parameter.exact(.bigint)
    static let boolean = Parameter.exact(.boolean)

    /// For the documentation.
    var text: String {
        switch self {
        case .exact(let type): "\(type)"
        case .count: "INT"
        case .number: "number"
        case .integer: "whole number"
        case .moment: "DATE or timestamp"
        case .temporal: "DATE, TIME or timestamp"
        case .textOrBytes: "STRING or BYTES"
        case .scalar: "value"
        case .any: "anything"
        case .shown: "anything, as text"
        case .array: "ARRAY"
        case .element: "element"
        case .sameArray: "ARRAY of the same type"
        case .map: "MAP"
        case .sameMap: "MAP of the same type"
        case .optional(let inner): "[\(inner.text)]"
        case .list(let inner): "\(inner.text) …"
        }
    }

    /// The types that arguments of `types` are cast to, or nil.
    static func match(_ parameters: [Parameter], _ types: [DataType]) -> [DataType]? {
        var wanted: [DataType] = []
        var parameter = 0
        for type in types {
            guard parameter < parameters.count else { return nil }
            var place = parameters[parameter]
            if case .list(let inner) = place { place = inner } else { parameter += 1 }
            if case .optional(let inner) = place { place = inner }
            guard let target = place.target(type, before: wanted) else { return nil }
            wanted.append(target)
        }
        let isOpen = parameters.dropFirst(parameter).contains {
            switch $0 {
            case .optional, .list: false
            default: true
            }
        }
        if isOpen { return nil }
        return brought(wanted, parameters)
    }

    private func target(_ type: DataType, before: [DataType]) -> DataType? {
        switch self {
        case .exact(let want): DataType.leastRestrictive([want, type]) == want ? want : nil
        case .count: type.isInteger || type == .null ? .int : nil
        case .number: type.isNumeric ? type : type == .null ? .int : nil
        case .integer: type.isInteger ? type : type == .null ? .int : nil
        case .moment:
            type.isTimestamp || type == .date ? type : type == .null || type == .string ? .timestamp : nil
        case .temporal: type.isTemporal ? type : type == .null || type == .string ? .timestamp : nil
        case .textOrBytes: type == .bytes ? type : type == .string || type == .null ? .string : nil
        case .scalar: type == .null ? .int : type.isScalar ? type : nil
        case .any: type == .null ? .int : type
        case .shown: type.canCast(to: .string) ? .string : nil
        case .array: if case .array = type { type } else { nil }
        case .map: if case .map = type { type } else { nil }
        case .element:
            before.first?.elementType.flatMap { element in
                DataType.leastRestrictive([element, type]).map { _ in type == .null ? element : type }
            }
        case .sameArray, .sameMap:
            before.first.flatMap { first in
                DataType.leastRestrictive([first, type]).map { _ in type == .null ? first : type }
            }
        case .optional(let inner), .list(let inner): inner.target(type, before: before)
        }
    }

    /// Arrays and what must fit their elements brought to one type.
    private static func brought(_ wanted: [DataType], _ parameters: [Parameter]) -> [DataType]? {
        var common = wanted.first
        var places: [(Int, isElement: Bool)] = []
        for index in wanted.indices {
            var place = parameters[min(index, parameters.count - 1)]
            while true {
                if case .optional(let inner) = place { place = inner; continue }
                if case .list(let inner) = place { place = inner; continue }
                break
            }
            switch place {
            case .element:
                places.append((index, true))
                common = common.flatMap { DataType.leastRestrictive([$0, .array(wanted[index])]) }
            case .sameArray, .sameMap:
                places.append((index, false))
                common = common.flatMap { DataType.leastRestrictive([$0, wanted[index]]) }
            default: break
            }
        }
        if places.isEmpty { return wanted }
        guard let common, let element = common.elementType else { return nil }
        var result = wanted
        result[0] = common
        for (index, isElement) in places { result[index] = isElement ? element : common }
        return result
    }
}
