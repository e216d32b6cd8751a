// Functions that read JSON. What happens on an empty result and on an error is a constant argument that
// the binder puts behind the path: JSON_VALUE(json, path, on empty, its default, on error, its default).
//
// Where Flink ends the job (ERROR ON ERROR, ERROR ON EMPTY), the row is NULL and counted.

import WeirCore

/// What to do when there is no result.
enum JSONBehavior: String {
    case null = "NULL"
    case error = "ERROR"
    case `default` = "DEFAULT"
    case emptyArray = "EMPTY ARRAY"
    case emptyObject = "EMPTY OBJECT"
    case isTrue = "TRUE"
    case isFalse = "FALSE"
    case unknown = "UNKNOWN"
}

extension LibraryCall {
    /// The behaviour that the constant argument `index` names.
    fileprivate func behavior(_ index: Int) -> JSONBehavior {
        JSONBehavior(rawValue: word(index)) ?? .null
    }

    /// The text of the constant argument `index`; empty where there are no rows.
    func word(_ index: Int) -> String {
        index < count && operands[index].column.count > 0 ? operands[index].column.string(0) : ""
    }

    /// The same call with the first `count` operands deciding what is NULL.
    fileprivate func strict(_ count: Int) -> LibraryCall {
        LibraryCall(operands: Array(operands.prefix(count)), input: input, type: type)
    }
}

/// A constant path that is none.
@Sendable
private func pathProblem(_ arguments: [BoundExpression]) -> String? {
    let words = arguments.indices.filter { $0 > 1 && ($0 % 2 == 0 || arguments.count < 6) }
    for word in words where !arguments[word].isTextLiteral { return "what to do without a result is a constant" }
    guard arguments.count > 1, case .literal(.string(let path), _) = arguments[1], JSONPath(path) == nil
    else { return nil }
    return "'\(Token.clipped(path))' is not a path such as 'lax $.name[0]'; filters and functions in paths "
        + "are not supported"
}

private func pathFunction(
    _ form: String, _ further: [Parameter], _ result: ResultRule, _ note: String,
    _ compute: @escaping @Sendable (LibraryCall, JSONPathCache) -> Column
) -> LibraryFunction {
    LibraryFunction(
        form, .json, [.string, .string] + further.map { .optional($0) }, result, note,
        nulls: .own, problem: pathProblem,
        kernel: { arguments, type in
            let cache = JSONPathCache()
            return LibraryKernel(arguments, type: type, canFail: true) { compute($0, cache) }
        })
}

/// The functions that read JSON.
let jsonFunctions: [LibraryFunction] = [
    pathFunction(
        "JSON_EXISTS(json, path)", [.string], .boolean,
        "`JSON_EXISTS(json, path [{TRUE | FALSE | UNKNOWN | ERROR} ON ERROR])`: whether the path finds a value "
            + "that is not null; FALSE on an error by default."
    ) { call, cache in
        let onError = call.count > 2 ? call.behavior(2) : .isFalse
        let (texts, paths) = (call.text(0), call.text(1))
        return call.strict(2).buildBoolean { row, value in
            switch lookUp(texts[row], paths[row], cache) {
            case .found(let document, _): value = !document.isNull
            case .none: value = false
            case .error:
                if onError == .error { return .failed }
                if onError == .unknown { return .null }
                value = onError == .isTrue
            }
            return .value
        }
    },
    pathFunction(
        "JSON_VALUE(json, path)", [.string, .any, .string, .any], .string,
        "`JSON_VALUE(json, path [RETURNING type] [{NULL | ERROR | DEFAULT value} ON EMPTY] [… ON ERROR])`: a "
            + "scalar as STRING, BOOLEAN, INT or DOUBLE; NULL by default. A value of another type is an error; "
            + "in Flink it ends the job.", jsonValue),
    pathFunction(
        "JSON_QUERY(json, path)", [.string, .string, .string], .string,
        "`JSON_QUERY(json, path [RETURNING type] [{WITHOUT | WITH [CONDITIONAL | UNCONDITIONAL]} [ARRAY] "
            + "WRAPPER] [{NULL | EMPTY ARRAY | EMPTY OBJECT | ERROR} ON EMPTY] [… ON ERROR])`: an array or object "
            + "as STRING or ARRAY<STRING>, keys in order; NULL by default.", jsonQuery),
    isJSON("IS JSON VALUE", "any value") { _ in true },
    isJSON("IS JSON SCALAR", "a scalar") { $0.isScalar },
    isJSON("IS JSON ARRAY", "an array") { if case .array = $0 { true } else { false } },
    isJSON("IS JSON OBJECT", "an object") { if case .object = $0 { true } else { false } },
    LibraryFunction(
        "JSON_QUOTE(text)", .json, [.string], .string,
        "The text in quotes with JSON's escapes; everything that is not ASCII is escaped too."
    ) { call in
        let texts = call.text(0)
        return call.buildText { row, builder in
            quote(texts[row].string, &builder)
            return .value
        }
    },
    LibraryFunction(
        "JSON_UNQUOTE(text)", .json, [.string], .string,
        "What a JSON string in quotes stands for; any other text as it is."
    ) { call in
        let texts = call.text(0)
        return call.buildText { row, builder in
            let text = texts[row]
            var reader = JSONReader(text)
            if text.first == 0x22, let plain = reader.string(), reader.isAtEnd {
                builder.append(plain)
            } else {
                builder.append(text)
            }
            return .value
        }
    },
]

private func isJSON(
    _ name: String, _ what: String, _ test: @escaping @Sendable (JSONDocument) -> Bool
) -> LibraryFunction {
    LibraryFunction(
        name, .json, [.string], .boolean,
        "`text \(name)`: whether the text begins with \(what) in JSON; what follows is not looked at, as in Flink."
    ) { call in
        let texts = call.text(0)
        return call.buildBoolean { row, value in
            value = JSONDocument(texts[row]).map(test) ?? false
            return .value
        }
    }
}

// MARK: Looking up

/// What a path found in a text.
private enum LookUp {
    case found(JSONDocument, isStrict: Bool)
    case none
    case error
}

private func lookUp(_ text: TextView, _ path: TextView, _ cache: JSONPathCache) -> LookUp {
    guard let document = JSONDocument(text), let path = cache.path(path) else { return .error }
    switch path.find(in: document) {
    case .value(let value): return .found(value, isStrict: path.isStrict)
    case .missing: return path.isStrict ? .error : .none
    }
}

@Sendable
private func jsonValue(_ call: LibraryCall, _ cache: JSONPathCache) -> Column {
    let (onEmpty, onError): (JSONBehavior, JSONBehavior) =
        call.count > 5 ? (call.behavior(2), call.behavior(4)) : (.null, .null)
    let (texts, paths) = (call.text(0), call.text(1))
    return call.strict(2).buildRows { row, result in
        func settle(_ behavior: JSONBehavior, _ place: Int) -> RowOutcome {
                guard behavior == .default, call.operands[place].column.type == result.type else {
                return behavior == .error ? .failed : .null
            }
            let value = call.operands[place]
            result.append(row: row * value.step, of: value.column)
            return .value
        }
        switch lookUp(texts[row], paths[row], cache) {
        case .error: return settle(onError, 5)
        case .none: return settle(onEmpty, 3)
        case .found(let document, let isStrict):
            if document.isNull || (!document.isScalar && !isStrict) { return settle(onEmpty, 3) }
            if !document.isScalar || !append(document, to: result) { return settle(onError, 5) }
            return .value
        }
    }
}

/// Whether a scalar has the type of the column.
private func append(_ scalar: JSONDocument, to column: Column) -> Bool {
    switch (column.type, scalar) {
    case (.string, _): column.append(scalar.scalarText)
    case (.boolean, .boolean(let value)): column.append(value)
    case (.int, .number(let text)):
        guard let value = Int32(text) else { return false }
        column.append(Int64(value))
    case (.bigint, .number(let text)):
        guard let value = Int64(text) else { return false }
        column.append(value)
    case (.double, .number(let text)):
        guard let value = Double(text) else { return false }
        column.append(value)
    default: return false
    }
    return true
}

@Sendable
private func jsonQuery(_ call: LibraryCall, _ cache: JSONPathCache) -> Column {
    let wrapper = call.count > 2 ? call.word(2) : "WITHOUT"
    let (onEmpty, onError): (JSONBehavior, JSONBehavior) =
        call.count > 4 ? (call.behavior(3), call.behavior(4)) : (.null, .null)
    let (texts, paths) = (call.text(0), call.text(1))
    return call.strict(2).buildRows { row, result in
        func settle(_ behavior: JSONBehavior) -> RowOutcome {
            switch behavior {
            case .emptyArray: append(query: .array([]), to: result)
            case .emptyObject: append(query: .object([]), to: result)
            case .error: return .failed
            default: return .null
            }
            return .value
        }
        guard case .found(var document, let isStrict) = lookUp(texts[row], paths[row], cache) else {
            if case .none = lookUp(texts[row], paths[row], cache) { return settle(onEmpty) }
            return settle(onError)
        }
        if document.isNull { return settle(onEmpty) }
        var isArray = false
        if case .array = document { isArray = true }
        if wrapper == "UNCONDITIONAL" || (wrapper == "CONDITIONAL" && !isArray) { document = .array([document]) }
        if document.isScalar { return settle(isStrict ? onError : onEmpty) }
        if result.type != .string, case .object = document { return settle(onError) }
        append(query: document, to: result)
        return .value
    }
}

/// As text, or as an array of the elements' texts.
private func append(query document: JSONDocument, to column: Column) {
    func text(_ document: JSONDocument) -> String {
        var text = ""
        document.write(to: &text)
        return text
    }
    guard let child = column.child else { return column.append(text(document)) }
    if case .array(let elements) = document {
        for element in elements {
            if element.isNull {
                child.appendNull()
            } else {
                child.append(element.isScalar ? element.scalarText : text(element))
            }
        }
    }
    column.appendArray()
}

/// JSON_QUOTE, with Flink's way of escaping characters beyond 16 bits.
private func quote(_ text: String, _ builder: inout TextBuilder) {
    let short: [Unicode.Scalar: StaticString] = [
        "\"": "\\\"", "\\": "\\\\", "/": "\\/", "\u{8}": "\\b", "\u{C}": "\\f", "\n": "\\n", "\r": "\\r",
        "\t": "\\t",
    ]
    func escaped(_ value: UInt32) -> String {
        let digits = String(value, radix: 16)
        return "\\u" + String(repeating: "0", count: max(0, 4 - digits.count)) + digits
    }
    builder.append(0x22)
    for scalar in text.unicodeScalars {
        if let escape = short[scalar] {
            builder.append(TextView(start: escape.utf8Start, count: escape.utf8CodeUnitCount))
        } else if scalar.value >= 0x20, scalar.value < 0x7F {
            builder.append(scalar)
        } else {
            builder.append(escaped(scalar.value))
            // Flink goes on with the second half of the pair.
            if scalar.value > 0xFFFF { builder.append(escaped(UInt32(UTF16.trailSurrogate(scalar)))) }
        }
    }
    builder.append(0x22)
}

extension BoundExpression {
    /// Whether it is a text known when the query is planned.
    var isTextLiteral: Bool { if case .literal(.string, _) = self { true } else { false } }
}
