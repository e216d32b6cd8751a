// Type names as CAST writes them. A type that weir lacks is refused with the nearest one it has: a cast
// to a narrower type would silently keep values that Flink changes.

import WeirCore

/// What CAST names: a type, and for CHAR(n) and the like how long a value may be.
struct CastTarget: Sendable, Hashable {
    var type: DataType
    /// Characters or bytes that are kept.
    var length: Int?
    /// Whether a shorter value is filled up: CHAR(n) and BINARY(n).
    var pads = false
    /// What a value must be able to become without a CAST: the form of the macro and its parameter, for the
    /// complaint. Nil for a CAST that the text has.
    var parameter: String?
}

extension Parser {
    /// A type, with ARRAY suffixes; lengths have no place here.
    mutating func parseType() throws(Diagnostic) -> DataType {
        let position = current.position
        let target = try parseCastTarget()
        if let length = target.length {
            let name = target.type == .bytes ? "BYTES" : "STRING"
            throw unsupported("a length (\(length)) here", "use \(name)", at: position)
        }
        return target.type
    }

    /// A type, or a text or binary type with a length.
    mutating func parseCastTarget() throws(Diagnostic) -> CastTarget {
        try nested { (parser) throws(Diagnostic) in
            var target = try parser.parseTypePrimary()
            var levels = 0
            while parser.isKeyword("ARRAY") {
                if target.length != nil {
                    throw parser.unsupported("an ARRAY of texts with a length", "use STRING ARRAY")
                }
                parser.take()
                target = CastTarget(type: .array(target.type))
                levels += 1
                try parser.checkLevels(levels, "nested")
            }
            return target
        }
    }

    private mutating func parseTypePrimary() throws(Diagnostic) -> CastTarget {
        guard current.kind == .word else { throw unexpected("expected a type") }
        let token = take()
        if let plain = Self.plainTypes[token.keyword] {
            if token.keyword == "DOUBLE" { _ = takeKeyword("PRECISION") }
            return CastTarget(type: plain)
        }
        switch token.keyword {
        case "VARCHAR", "CHAR", "CHARACTER": return try parseText(token, .string)
        case "BINARY", "VARBINARY": return try parseText(token, .bytes)
        case "DECIMAL", "DEC", "NUMERIC": return CastTarget(type: try parseDecimal(token))
        case "TIME":
            if takeSymbol("(") {
                guard let digits = Int(take().text), digits <= 3 else {
                    throw unsupportedType(token, "with more than milliseconds; use TIME(3)")
                }
                try expectSymbol(")")
            }
            return CastTarget(type: .time)
        case "TIMESTAMP", "TIMESTAMP_LTZ": return CastTarget(type: try parseTimestampType(token))
        case "INTERVAL": return CastTarget(type: try parseIntervalType())
        case "ARRAY", "MAP", "ROW": return CastTarget(type: try parseNested(token))
        case "MULTISET", "RAW", "VARIANT": throw unsupportedType(token, "")
        default: throw unknownType(token)
        }
    }

    private static let plainTypes: [String: DataType] = [
        "BOOLEAN": .boolean, "TINYINT": .tinyint, "SMALLINT": .smallint, "INT": .int,
        "INTEGER": .int, "BIGINT": .bigint, "FLOAT": .float, "REAL": .float, "DOUBLE": .double,
        "STRING": .string, "BYTES": .bytes, "DATE": .date,
    ]

    private func unsupportedType(_ token: Token, _ advice: String) -> Diagnostic {
        unsupported("the type \(token.keyword)", advice, at: token.position)
    }

    private func unknownType(_ token: Token) -> Diagnostic {
        let known = [
            "BOOLEAN", "TINYINT", "SMALLINT", "INT", "BIGINT", "FLOAT", "DOUBLE", "DECIMAL", "STRING",
            "BYTES", "DATE", "TIME", "TIMESTAMP", "TIMESTAMP_LTZ", "ARRAY", "MAP", "ROW",
        ]
        let nearest = nearestSpelling(of: token.text, among: known).map { "did you mean \($0)?" }
        return Diagnostic(
            token.position,
            "no type is called \(token.text); "
                + (nearest
                    ?? "the types are BOOLEAN, TINYINT, SMALLINT, INT, BIGINT, FLOAT, DOUBLE, "
                    + "DECIMAL(p, s), STRING, BYTES, DATE, TIME, TIMESTAMP(3), TIMESTAMP_LTZ(3), "
                    + "ARRAY<…>, MAP<…> and ROW<…>")
        )
    }

    /// VARCHAR without a length is STRING here, CHAR without one has one character, as in SQL.
    private mutating func parseText(_ token: Token, _ type: DataType) throws(Diagnostic)
        -> CastTarget
    {
        var pads = !token.keyword.hasPrefix("VAR")
        if token.keyword == "CHARACTER", takeKeyword("VARYING") { pads = false }
        guard takeSymbol("(") else {
            return CastTarget(type: type, length: pads ? 1 : nil, pads: pads)
        }
        let number = take()
        guard let length = Int(number.text), (1...2_147_483_647).contains(length) else {
            throw Diagnostic(number.position, "expected a length from 1 to 2147483647")
        }
        try expectSymbol(")")
        return CastTarget(type: type, length: length == 2_147_483_647 ? nil : length, pads: pads)
    }

    /// DECIMAL is DECIMAL(10, 0), DECIMAL(p) is DECIMAL(p, 0).
    private mutating func parseDecimal(_ token: Token) throws(Diagnostic) -> DataType {
        guard takeSymbol("(") else { return .decimal(precision: 10, scale: 0) }
        let precision = try parseDigits(1...DataType.decimalPrecisionMax, "a DECIMAL has 1 to 38 digits")
        var scale = 0
        if takeSymbol(",") {
            scale = try parseDigits(0...precision, "the scale of a DECIMAL is 0 to its precision")
        }
        try expectSymbol(")")
        return .decimal(precision: precision, scale: scale)
    }

    private mutating func parseDigits(_ range: ClosedRange<Int>, _ rule: String) throws(Diagnostic)
        -> Int
    {
        let token = take()
        guard let number = Int(token.text), range.contains(number) else {
            throw Diagnostic(token.position, rule)
        }
        return number
    }

    private mutating func parseNested(_ token: Token) throws(Diagnostic) -> DataType {
        if token.keyword == "ROW" { return try parseRow() }
        try expectSymbol("<")
        let first = try parseType()
        guard token.keyword == "MAP" else {
            try expectSymbol(">")
            return .array(first)
        }
        try expectSymbol(",")
        let value = try parseType()
        try expectSymbol(">")
        guard first.isScalar else {
            throw Diagnostic(token.position, "the keys of a MAP are no \(first)")
        }
        return .map(key: first, value: value)
    }

    /// ROW<name type, …> or ROW(name type, …).
    private mutating func parseRow() throws(Diagnostic) -> DataType {
        let close = isSymbol("(") ? ")" : ">"
        if !takeSymbol("(") { try expectSymbol("<") }
        let fields = try list { (parser) throws(Diagnostic) in
            let name = try parser.expectName("the name of a field")
            return Field(name.name, try parser.parseType())
        }
        try expectSymbol(close)
        return .row(fields)
    }

    private mutating func parseIntervalType() throws(Diagnostic) -> DataType {
        let months = ["YEAR", "YEARS", "MONTH", "MONTHS", "QUARTER", "QUARTERS"]
        let isMonths = months.contains(current.keyword)
        try skipIntervalUnit()
        if takeKeyword("TO") { try skipIntervalUnit() }
        return isMonths ? .intervalYearMonth : .interval
    }

    /// Without a precision, milliseconds are meant here; Flink's default of microseconds holds no more
    /// than what a millisecond source gave.
    private mutating func parseTimestampType(_ token: Token) throws(Diagnostic) -> DataType {
        if takeSymbol("(") {
            let precision = take()
            if precision.text != "3" {
                throw Diagnostic(
                    precision.position,
                    "\(token.keyword)(\(precision.text)) is not supported; "
                        + "times have milliseconds: \(token.keyword)(3)"
                )
            }
            try expectSymbol(")")
        }
        if token.keyword == "TIMESTAMP_LTZ" { return .timestampLTZ }
        if takeKeyword("WITHOUT") {
            try expectKeyword("TIME")
            try expectKeyword("ZONE")
        } else if takeKeyword("WITH") {
            if isKeyword("TIME") {
                throw unsupported(
                    "TIMESTAMP WITH TIME ZONE", "use TIMESTAMP_LTZ(3)", at: token.position)
            }
            try expectKeyword("LOCAL")
            try expectKeyword("TIME")
            try expectKeyword("ZONE")
            return .timestampLTZ
        }
        return .timestamp
    }
}
