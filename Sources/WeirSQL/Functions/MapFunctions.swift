// Functions of maps. A map is an array of (key, value) rows in the order of insertion.

import WeirCore

/// Keys and values of a map column's entries.
private struct EntryRows {
    let keys: Column
    let values: Column
    private let rows: ElementRows

    init(_ operand: Operand) {
        rows = ElementRows(operand)
        keys = rows.elements.fields[0]
        values = rows.elements.fields[1]
    }

    subscript(row: Int) -> Range<Int> { rows[row] }
}

/// Puts entries into a map that is being built; a key that is there keeps its place and gets the value.
private func put(_ entries: [(key: (Column, Int), value: (Column, Int))], into map: Column) {
    var kept: [(key: (Column, Int), value: (Column, Int))] = []
    for entry in entries {
        let place = kept.firstIndex {
            ValueOrder.compare($0.key.0, $0.key.1, entry.key.0, entry.key.1) == 0
        }
        if let place { kept[place].value = entry.value } else { kept.append(entry) }
    }
    for entry in kept {
        map.fields[0].append(row: entry.key.1, of: entry.key.0)
        map.fields[1].append(row: entry.value.1, of: entry.value.0)
        map.appendRow()
    }
}

private func mapPart(_ type: DataType?, isKey: Bool) -> DataType? {
    guard case .map(let key, let value) = type else { return nil }
    return .array(isKey ? key : value)
}

/// The functions of maps.
let mapFunctions: [LibraryFunction] = [
    mapParts("MAP_KEYS(map)", "The keys, in the order of insertion; Flink's order is its hash table's.", isKey: true),
    mapParts("MAP_VALUES(map)", "The values, in the order of their keys.", isKey: false),
    LibraryFunction(
        "MAP_ENTRIES(map)", .collection, [.map],
        .derived("ARRAY<ROW<key, value>>") { $0.first?.elementType.map { .array($0) } },
        "The entries as rows."
    ) { call in
        let maps = call.elements(0)
        return call.buildArrays { row, result in
            result.append(from: maps.elements, range: maps[row])
            return .value
        }
    },
    LibraryFunction(
        "MAP_FROM_ARRAYS(keys, values)", .collection, [.array, .array],
        .derived("MAP") { types in
            guard case .array(let key) = types[0], case .array(let value) = types[1], key.isScalar
            else { return nil }
            return .map(key: key, value: value)
        },
        "A map of as many keys as values; NULL and counted if they are not as many, where Flink ends the job.",
        canFail: true
    ) { call in
        let (keys, values) = (call.elements(0), call.elements(1))
        return call.buildArrays { row, result in
            let (k, v) = (keys[row], values[row])
            guard k.count == v.count else { return .failed }
            put(zip(k, v).map { ((keys.elements, $0), (values.elements, $1)) }, into: result)
            return .value
        }
    },
    LibraryFunction(
        "MAP_UNION(map, map, …)", .collection, [.map, .list(.sameMap)], .first,
        "The entries of all; of a key that is in several, the last value."
    ) { call in
        let maps = call.operands.map { EntryRows($0) }
        return call.buildArrays { row, result in
            put(maps.flatMap { map in map[row].map { ((map.keys, $0), (map.values, $0)) } }, into: result)
            return .value
        }
    },
    LibraryFunction(
        "STR_TO_MAP(text[, pairs[, keys]])", .collection, [.string, .optional(.string), .optional(.string)],
        .fixed(.map(key: .string, value: .string)),
        "Pairs separated by `,`, keys and values by `=`, or by the given regular expressions. A pair without "
            + "a separator is a key of NULL.",
        kernel: { arguments, type in
            let (pairs, keys) = (PatternCache(), PatternCache())
            return LibraryKernel(arguments, type: type, canFail: true) { stringToMap($0, pairs, keys) }
        }),
]

private func mapParts(_ form: String, _ note: String, isKey: Bool) -> LibraryFunction {
    let rule = ResultRule.derived(isKey ? "ARRAY of keys" : "ARRAY of values") {
        mapPart($0.first, isKey: isKey)
    }
    return LibraryFunction(form, .collection, [.map], rule, note) { call in
        let maps = EntryRows(call.operands[0])
        return call.buildArrays { row, result in
            result.append(from: isKey ? maps.keys : maps.values, range: maps[row])
            return .value
        }
    }
}

private func stringToMap(_ call: LibraryCall, _ pairs: PatternCache, _ keys: PatternCache) -> Column {
    let texts = call.text(0)
    let (pairTexts, keyTexts) = (call.text(ifGiven: 1), call.text(ifGiven: 2))
    return call.buildArrays { row, result in
        let text = texts[row].string
        let pair = pairTexts.map { pairs.pattern($0[row]) } ?? RegularExpression(",")
        let key = keyTexts.map { keys.pattern($0[row]) } ?? RegularExpression("=")
        guard let pair, let key else { return .failed }
        let column = Column(.string)
        for part in split(text, at: pair, limit: .max) {
            let halves = split(part, at: key, limit: 2)
            column.append(halves.count < 2 ? part : halves[0])
            if halves.count < 2 { column.appendNull() } else { column.append(halves[1]) }
        }
        let entries = stride(from: 0, to: column.count, by: 2).map { ((column, $0), (column, $0 + 1)) }
        put(entries.map { (key: $0.0, value: $0.1) }, into: result)
        return .value
    }
}

/// As Java's String.split: without empty parts at the end where there is no limit, and without an empty
/// first part that an empty match makes.
private func split(_ text: String, at pattern: RegularExpression, limit: Int) -> [String] {
    if text.isEmpty { return limit == .max ? [] : [text] }
    var parts: [String] = []
    var text = text
    text.withUTF8 { view in
        var at = 0
        _ = pattern.forEachMatch(view) { range in
            if parts.count == limit - 1 { return false }
            if range.upperBound == 0 || (range.isEmpty && range.lowerBound == view.count) { return true }
            parts.append(view.part(at..<range.lowerBound).string)
            at = range.upperBound
            return true
        }
        parts.append(view.part(at..<view.count).string)
    }
    if limit == .max { while parts.count > 1, parts.last == "" { parts.removeLast() } }
    return parts
}
