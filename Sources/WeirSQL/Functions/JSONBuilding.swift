// Functions that make JSON. The first argument of JSON_OBJECT and JSON_ARRAY is a constant that the binder
// puts there: N or A for NULL or ABSENT ON NULL, and behind it a letter for each value, J for one that is
// JSON already (another JSON_OBJECT, JSON_ARRAY, or JSON(text)) and V for all others.

import WeirCore

#if canImport(Glibc)
import Glibc
#endif

/// The functions that make JSON.
let jsonBuildingFunctions: [LibraryFunction] = [
    LibraryFunction(
        "JSON_OBJECT", .json, [.string, .list(.any)], .derived("STRING") { writable($0.dropFirst()) ? .string : nil },
        "`JSON_OBJECT([[KEY] key VALUE value, …] [{NULL | ABSENT} ON NULL])`: an object, keys in order; NULLs "
            + "are written by default. DATE and TIME values are refused, as in Flink: CAST them to STRING.",
        nulls: .never, problem: modeProblem, canFail: true
    ) { call in
        let mode = Array(call.word(0).utf8)
        return buildTexts([], call.input) { row, builder in
            var members: [(key: String, value: JSONDocument)] = []
            for (number, flag) in mode.dropFirst().enumerated() {
                guard 2 + 2 * number < call.count else { return .failed }
                let (key, value) = (call.operands[1 + 2 * number], call.operands[2 + 2 * number])
                if key.isNull(row) || key.column.type != .string { return .failed }
                guard let document = JSONWriting.member(value, row, isJSON: flag == UInt8(ascii: "J"))
                else { return .failed }
                if document.isNull, mode.first == UInt8(ascii: "A") { continue }
                let name = key.column.string(row * key.step)
                members.removeAll { $0.key == name }
                members.append((name, document))
            }
            JSONWriting.append(.object(members), &builder)
            return .value
        }
    },
    LibraryFunction(
        "JSON_ARRAY", .json, [.string, .list(.any)], .derived("STRING") { writable($0.dropFirst()) ? .string : nil },
        "`JSON_ARRAY([value, …] [{NULL | ABSENT} ON NULL])`: an array; NULLs are left out by default.",
        nulls: .never, problem: modeProblem, canFail: true
    ) { call in
        let mode = Array(call.word(0).utf8)
        return buildTexts([], call.input) { row, builder in
            var elements: [JSONDocument] = []
            for (number, flag) in mode.dropFirst().enumerated() {
                guard 1 + number < call.count,
                    let document = JSONWriting.member(
                        call.operands[1 + number], row, isJSON: flag == UInt8(ascii: "J"))
                else { return .failed }
                if document.isNull, mode.first == UInt8(ascii: "A") { continue }
                elements.append(document)
            }
            JSONWriting.append(.array(elements), &builder)
            return .value
        }
    },
    LibraryFunction(
        "JSON_STRING(value)", .json, [.any], .derived("STRING") { writable($0) ? .string : nil },
        "The value in JSON: arrays, maps and rows too, keys in order."
    ) { call in
        let value = call.operands[0]
        return call.buildText { row, builder in
            JSONWriting.append(JSONWriting.document(value.column, row * value.step), &builder)
            return .value
        }
    },
]

@Sendable
private func modeProblem(_ arguments: [BoundExpression]) -> String? {
    arguments.first?.isTextLiteral == true ? nil : "it is written without quotes around its name"
}

/// Whether JSON can hold values of all these types.
private func writable(_ types: some Sequence<DataType>) -> Bool {
    types.allSatisfy { type in
        switch type {
        case .date, .time, .interval, .intervalYearMonth: false
        case .array(let element): writable([element])
        case .map(let key, let value): key == .string && writable([value])
        case .row(let fields): writable(fields.map(\.type))
        default: true
        }
    }
}

/// SQL's values as JSON.
private enum JSONWriting {
    static func append(_ document: JSONDocument, _ builder: inout TextBuilder) {
        var text = ""
        document.write(to: &text)
        builder.append(text)
    }

    /// A value of an object or array; nil if a text that should be JSON is none. An empty one is null.
    static func member(_ operand: Operand, _ row: Int, isJSON: Bool) -> JSONDocument? {
        let place = row * operand.step
        guard isJSON, operand.column.type == .string, !operand.column.isNull(place) else {
            return document(operand.column, place)
        }
        let text = operand.column.text(place)
        if text.allSatisfy({ [0x20, 0x09, 0x0A, 0x0D].contains($0) }) { return .null }
        return JSONDocument(text)
    }

    static func document(_ column: Column, _ row: Int) -> JSONDocument {
        if column.isNull(row) { return .null }
        switch column.type {
        case .boolean: return .boolean(column.bools[row] != 0)
        case .string: return .string(column.string(row))
        case .float, .double: return number(column.doubles[row])
        case .decimal(_, let scale):
            let value = column.physical == .int64 ? Int128(column.ints[row]) : column.wides[row]
            return .number(Decimals.string(value, scale: scale))
        case .timestamp, .timestampLTZ:
            return .string(moment(column.ints[row], isInstant: column.type == .timestampLTZ))
        case .bytes: return .string(base64(column.text(row)))
        case .array:
            guard let child = column.child else { return .null }
            return .array((Int(column.offsets[row])..<Int(column.offsets[row + 1])).map { document(child, $0) })
        case .map:
            guard let child = column.child else { return .null }
            return .object(
                (Int(column.offsets[row])..<Int(column.offsets[row + 1])).map {
                    (child.fields[0].string($0), document(child.fields[1], $0))
                })
        case .row(let fields):
            return .object(zip(fields, column.fields).map { ($0.name, document($1, row)) })
        default: return .number("\(column.ints[row])")
        }
    }

    /// As BigDecimal.valueOf writes it; what is no number is a string.
    private static func number(_ value: Double) -> JSONDocument {
        guard value.isFinite else { return .string(value.isNaN ? "NaN" : value < 0 ? "-Infinity" : "Infinity") }
        var text = ""
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 64) { buffer in
            guard let base = buffer.baseAddress else { return }
            let count = NumberText.write(value, to: base)
            text = TextView(start: base, count: count).string
        }
        return .number(bigDecimalText(text) ?? text)
    }

    /// 2026-01-02T03:04:05[.678][Z].
    private static func moment(_ value: Int64, isInstant: Bool) -> String {
        var text = TimestampFormatter.isoString(value)
        if text.hasSuffix("Z") { text.removeLast() }
        if let point = text.firstIndex(of: ".") {
            var digits = text[point...]
            while digits.last == "0" { digits.removeLast() }
            text = String(text[..<point]) + (digits == "." ? "" : digits)
        }
        return isInstant ? text + "Z" : text
    }

    private static func base64(_ bytes: TextView) -> String {
        let letters = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
        var text = ""
        var at = 0
        while at < bytes.count {
            let left = bytes.count - at
            let word = Int(bytes[at]) << 16 | (left > 1 ? Int(bytes[at + 1]) << 8 : 0)
                | (left > 2 ? Int(bytes[at + 2]) : 0)
            for place in 0..<4 { text.append(place > left ? "=" : letters[word >> (18 - 6 * place) & 63]) }
            at += 3
        }
        return text
    }
}
