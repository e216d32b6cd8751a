// Functions of the library whose arguments SQL separates by words: they become calls whose further
// arguments are constants, or whose name says the unit ("TIMESTAMPDIFF DAY").

import WeirCore

extension Parser {
    private func text(_ value: String, at position: TextPosition) throws(Diagnostic) -> ExpressionSyntax {
        try ExpressionSyntax(.string(value), at: position)
    }

    private func null(at position: TextPosition) throws(Diagnostic) -> ExpressionSyntax {
        try ExpressionSyntax(.null, at: position)
    }

    /// `(text PLACING other FROM start [FOR length])`.
    mutating func parseOverlay(_ name: Identifier) throws(Diagnostic) -> ExpressionSyntax {
        var arguments = [try parseExpression()]
        try expectKeyword("PLACING")
        arguments.append(try parseExpression())
        try expectKeyword("FROM")
        arguments.append(try parseExpression())
        if takeKeyword("FOR") { arguments.append(try parseExpression()) }
        try expectSymbol(")")
        return try call(name, arguments)
    }

    /// `(unit, a, b)`.
    mutating func parseUnitCall(_ name: Identifier) throws(Diagnostic) -> ExpressionSyntax {
        let unit = try takeWord("a unit of time, such as DAY")
        guard let known = CalendarUnit(word: unit.name) else {
            let list = CalendarUnit.allCases.map(\.rawValue).joined(separator: ", ")
            throw Diagnostic(unit.position, "\(unit.name) is no unit of time; the units are \(list)")
        }
        try expectSymbol(",")
        let first = try parseExpression()
        try expectSymbol(",")
        let second = try parseExpression()
        try expectSymbol(")")
        let full = Identifier(name: "\(name.name.uppercased()) \(known.rawValue)", position: name.position)
        return try call(full, [first, second])
    }

    /// `text [NOT] SIMILAR TO pattern [ESCAPE character]`; SIMILAR is taken.
    mutating func parseSimilar(
        _ value: ExpressionSyntax, isNegated: Bool, at position: TextPosition
    ) throws(Diagnostic) -> ExpressionSyntax {
        try expectKeyword("TO")
        var arguments = [value, try parseExpression(7)]
        if takeKeyword("ESCAPE") { arguments.append(try parseExpression(7)) }
        return try call(
            Identifier(name: isNegated ? "NOT SIMILAR TO" : "SIMILAR TO", position: position), arguments)
    }

    /// `text IS [NOT] JSON [VALUE | SCALAR | ARRAY | OBJECT]`; JSON is next.
    mutating func parseIsJSON(
        _ value: ExpressionSyntax, isNegated: Bool, at position: TextPosition
    ) throws(Diagnostic) -> ExpressionSyntax {
        take()
        let isNamed = ["VALUE", "SCALAR", "ARRAY", "OBJECT"].contains(current.keyword)
        let kind = isNamed ? take().keyword : "VALUE"
        let test = try call(Identifier(name: "IS JSON \(kind)", position: position), [value])
        return isNegated ? try ExpressionSyntax(.not(test), at: position, over: [test]) : test
    }

    /// `(start, end) OVERLAPS (start, end)`; OVERLAPS is next. An end that is written as an interval is
    /// added to its start.
    mutating func parseOverlaps(_ left: ExpressionSyntax) throws(Diagnostic) -> ExpressionSyntax {
        let name = Identifier(name: "OVERLAPS", position: take().position)
        let right = try parsePrimary()
        var arguments: [ExpressionSyntax] = []
        for period in [left, right] {
            guard case .row(let parts) = period.kind, parts.count == 2 else {
                throw Diagnostic(period.position, "a period of OVERLAPS is (start, end)")
            }
            arguments.append(parts[0])
            arguments.append(
                Self.isInterval(parts[1])
                    ? try ExpressionSyntax(.binary(.add, parts[0], parts[1]), at: parts[1].position, over: parts)
                    : parts[1])
        }
        return try call(name, arguments)
    }

    private static func isInterval(_ expression: ExpressionSyntax) -> Bool {
        switch expression.kind {
        case .interval: true
        case .typed(_, let type): type.isInterval
        default: false
        }
    }

    // MARK: JSON

    /// What JSON_VALUE, JSON_QUERY or JSON_EXISTS do without a result.
    private mutating func parseBehavior() throws(Diagnostic) -> (mode: String, value: ExpressionSyntax?)? {
        switch current.keyword {
        case "NULL", "ERROR", "TRUE", "FALSE", "UNKNOWN": return (take().keyword, nil)
        case "DEFAULT":
            take()
            return ("DEFAULT", try parseExpression())
        case "EMPTY":
            take()
            let kind = try takeWord("ARRAY or OBJECT")
            guard ["ARRAY", "OBJECT"].contains(kind.name) else {
                throw Diagnostic(kind.position, "expected ARRAY or OBJECT after EMPTY")
            }
            return ("EMPTY \(kind.name)", nil)
        default: return nil
        }
    }

    /// `(json, path [RETURNING type] [wrapper] [… ON EMPTY] [… ON ERROR])`. RETURNING becomes a cast of
    /// NULL, whose type the binder takes, as the last argument.
    mutating func parseJSONRead(_ name: Identifier) throws(Diagnostic) -> ExpressionSyntax {
        let place = name.position
        let json = try parseExpression()
        try expectSymbol(",")
        let path = try parseExpression()
        var returning: DataType?
        if takeKeyword("RETURNING") { returning = try parseType() }
        let wrapper = try parseWrapper()
        let isExists = name.name.uppercased() == "JSON_EXISTS"
        var onEmpty: (mode: String, value: ExpressionSyntax?) = ("NULL", nil)
        var onError: (mode: String, value: ExpressionSyntax?) = (isExists ? "FALSE" : "NULL", nil)
        while let behavior = try parseBehavior() {
            try expectKeyword("ON")
            let event = try takeWord("EMPTY or ERROR")
            switch event.name {
            case "EMPTY" where !isExists: onEmpty = behavior
            case "ERROR": onError = behavior
            default: throw Diagnostic(event.position, "expected \(isExists ? "ERROR" : "EMPTY or ERROR") after ON")
            }
        }
        try expectSymbol(")")
        var arguments = [json, path]
        let none = try null(at: place)
        switch name.name.uppercased() {
        case "JSON_EXISTS": arguments += [try text(onError.mode, at: place)]
        case "JSON_QUERY":
            arguments += [
                try text(wrapper, at: place), try text(onEmpty.mode, at: place), try text(onError.mode, at: place),
            ]
        default:
            arguments += [
                try text(onEmpty.mode, at: place), onEmpty.value ?? none,
                try text(onError.mode, at: place), onError.value ?? none,
            ]
        }
        let nothing = try null(at: place)
        let target = CastTarget(type: returning ?? .string)
        arguments.append(
            try ExpressionSyntax(.cast(nothing, to: target, isTry: false), at: place, over: [nothing]))
        return try call(name, arguments)
    }

    private mutating func parseWrapper() throws(Diagnostic) -> String {
        guard isKeyword("WITH") || isKeyword("WITHOUT") else { return "WITHOUT" }
        var kind = take().keyword == "WITH" ? "UNCONDITIONAL" : "WITHOUT"
        if kind != "WITHOUT", ["CONDITIONAL", "UNCONDITIONAL"].contains(current.keyword) {
            kind = take().keyword
        }
        _ = takeKeyword("ARRAY")
        try expectKeyword("WRAPPER")
        return kind
    }

    /// JSON_OBJECT and JSON_ARRAY: the first argument says what becomes of NULLs and which values are JSON.
    mutating func parseJSONBuild(_ name: Identifier) throws(Diagnostic) -> ExpressionSyntax {
        let isObject = name.name.uppercased() == "JSON_OBJECT"
        var mode = isObject ? "N" : "A"
        var flags = ""
        var arguments: [ExpressionSyntax] = []
        while !isSymbol(")"), !startsNullRule {
            if !arguments.isEmpty { try expectSymbol(",") }
            if isObject {
                if isKeyword("KEY"), !isSymbol(",", at: 1), !isSymbol("(", at: 1) { take() }
                arguments.append(try parseExpression())
                if !takeSymbol(":") { try expectKeyword("VALUE") }
            }
            let value = try parseExpression()
            let (plain, isJSON) = Self.jsonArgument(value)
            flags += isJSON ? "J" : "V"
            arguments.append(plain)
        }
        if startsNullRule {
            mode = take().keyword == "NULL" ? "N" : "A"
            take()
            take()
        }
        try expectSymbol(")")
        return try call(name, [try text(mode + flags, at: name.position)] + arguments)
    }

    /// JSON_OBJECTAGG and JSON_ARRAYAGG: the first argument is the mode of the JSON_ARRAY around a value.
    mutating func parseJSONAggregate(_ name: Identifier) throws(Diagnostic) -> ExpressionSyntax {
        let isObject = name.name.uppercased() == "JSON_OBJECTAGG"
        var arguments: [ExpressionSyntax] = []
        if isObject {
            if isKeyword("KEY"), !isSymbol(",", at: 1), !isSymbol("(", at: 1) { take() }
            arguments.append(try parseExpression())
            if !takeSymbol(":") { try expectKeyword("VALUE") }
        }
        let (value, isJSON) = Self.jsonArgument(try parseExpression())
        arguments.append(value)
        var mode = isObject ? "N" : "A"
        if startsNullRule {
            mode = take().keyword == "NULL" ? "N" : "A"
            take()
            take()
        }
        try expectSymbol(")")
        if isKeyword("FILTER"), isSymbol("(", at: 1) {
            throw unsupported(
                "FILTER of \(name.name.uppercased())", "write CASE WHEN … END with ABSENT ON NULL")
        }
        return try call(name, [try text(mode + (isJSON ? "J" : "V"), at: name.position)] + arguments)
    }

    private var startsNullRule: Bool {
        ["NULL", "ABSENT"].contains(current.keyword) && ahead(1).keyword == "ON" && ahead(2).keyword == "NULL"
    }

    /// A value without JSON(…) around it, and whether it is JSON already.
    private static func jsonArgument(_ value: ExpressionSyntax) -> (ExpressionSyntax, isJSON: Bool) {
        guard case .call(let inner) = value.kind else { return (value, false) }
        switch inner.name.name.uppercased() {
        case "JSON" where inner.arguments.count == 1: return (inner.arguments[0], true)
        case "JSON_OBJECT", "JSON_ARRAY": return (value, true)
        default: return (value, false)
        }
    }
}
