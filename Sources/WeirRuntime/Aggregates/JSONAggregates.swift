// JSON_ARRAYAGG and JSON_OBJECTAGG: the values of a group as JSON text. A value comes as the text of a JSON
// array around it, made by the same function as JSON_ARRAY; an empty array is a value that is left out
// (ABSENT ON NULL). So what is kept is JSON already and is put together at the end.

import WeirCore
import WeirSQL

/// The JSON in an array of at most one value; nil if there is none.
private func value(inArrayAt row: Int, of column: Column) -> UnsafeRawBufferPointer? {
    let text = column.text(row)
    precondition(text.count >= 2, "a JSON array has brackets")
    if text.count == 2 { return nil }
    return UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(text)[1..<text.count - 1])
}

/// JSON_ARRAYAGG: values in order of arrival; an empty array for a group without any.
struct JSONArrayOfValues: ObjectAggregate {
    typealias State = ValueList

    func add(_ row: Int, of input: AggregateInput, to state: ValueList) -> Bool {
        guard let json = value(inArrayAt: row, of: input.arguments[0]) else { return true }
        return state.append(json)
    }

    func emit(_ state: ValueList?, into column: Column) {
        var text: [UInt8] = [UInt8(ascii: "[")]
        for index in 0..<(state?.count ?? 0) {
            if index > 0 { text.append(UInt8(ascii: ",")) }
            if let json = state?[index] { text.append(contentsOf: json) }
        }
        text.append(UInt8(ascii: "]"))
        text.withUnsafeBufferPointer { column.append($0) }
    }
}

/// JSON_OBJECTAGG: members in the order of their keys, of equal keys the last. A member is kept as the
/// length of its key in four bytes, its key and its value.
struct JSONObjectOfMembers: ObjectAggregate {
    typealias State = ValueList

    func takes(_ row: Int, of input: AggregateInput) -> Bool { !input.arguments[1].isNull(row) }

    /// A member without a key is left out and counted.
    func add(_ row: Int, of input: AggregateInput, to state: ValueList) -> Bool {
        let keys = input.arguments[0]
        if keys.isNull(row) { return false }
        guard let json = value(inArrayAt: row, of: input.arguments[1]) else { return true }
        let key = keys.text(row)
        var member: [UInt8] = []
        member.reserveCapacity(4 + key.count + json.count)
        withUnsafeBytes(of: UInt32(key.count).littleEndian) { member.append(contentsOf: $0) }
        member.append(contentsOf: key)
        member.append(contentsOf: json)
        return member.withUnsafeBytes { state.append($0) }
    }

    func emit(_ state: ValueList?, into column: Column) {
        var members: [String: UnsafeRawBufferPointer] = [:]
        for index in 0..<(state?.count ?? 0) {
            guard let member = state?[index] else { continue }
            let length = Int(UInt32(littleEndian: member.loadUnaligned(as: UInt32.self)))
            let key = String(decoding: member[4..<4 + length], as: UTF8.self)
            members[key] = UnsafeRawBufferPointer(rebasing: member[(4 + length)...])
        }
        let sorted = members.sorted { $0.key.utf16.lexicographicallyPrecedes($1.key.utf16) }
        var text: [UInt8] = [UInt8(ascii: "{")]
        for (index, member) in sorted.enumerated() {
            if index > 0 { text.append(UInt8(ascii: ",")) }
            text.append(contentsOf: JSONStrings.quoted(member.key).utf8)
            text.append(UInt8(ascii: ":"))
            text.append(contentsOf: member.value)
        }
        text.append(UInt8(ascii: "}"))
        text.withUnsafeBufferPointer { column.append($0) }
    }
}
