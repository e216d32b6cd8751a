// Type names as CAST writes them. A type that weir lacks is refused with the nearest one it has: a cast
// to a narrower type would silently keep values that Flink changes.

import WeirCore

extension Parser {
    /// A type, with ARRAY suffixes.
    mutating func parseType() throws(Diagnostic) -> DataType {
        try nested { (parser) throws(Diagnostic) in
            var type = try parser.parseTypePrimary()
            var levels = 0
            while parser.takeKeyword("ARRAY") {
                type = .array(type)
                levels += 1
                try parser.checkLevels(levels, "nested")
            }
            return type
        }
    }

    private mutating func parseTypePrimary() throws(Diagnostic) -> DataType {
        guard current.kind == .word else { throw unexpected("expected a type") }
        let token = take()
        switch token.keyword {
        case "BOOLEAN": return .boolean
        case "INT", "INTEGER": return .int
        case "BIGINT": return .bigint
        case "DOUBLE":
            _ = takeKeyword("PRECISION")
            return .double
        case "STRING": return .string
        case "VARCHAR", "CHAR", "CHARACTER": return try parseText(token)
        case "TIMESTAMP", "TIMESTAMP_LTZ": return try parseTimestampType(token)
        case "ARRAY":
            try expectSymbol("<")
            let element = try parseType()
            try expectSymbol(">")
            return .array(element)
        case "TINYINT", "SMALLINT": throw unsupportedType(token, "use INT")
        case "DECIMAL", "DEC", "NUMERIC", "FLOAT", "REAL":
            throw unsupportedType(token, "use DOUBLE")
        case "DATE", "TIME": throw unsupportedType(token, "use TIMESTAMP(3)")
        case "BYTES", "BINARY", "VARBINARY": throw unsupportedType(token, "use STRING")
        case "INTERVAL", "MAP", "MULTISET", "ROW", "RAW", "VARIANT":
            throw unsupportedType(token, "")
        default: throw unknownType(token)
        }
    }

    private func unsupportedType(_ token: Token, _ advice: String) -> Diagnostic {
        unsupported("the type \(token.keyword)", advice, at: token.position)
    }

    private func unknownType(_ token: Token) -> Diagnostic {
        let known = [
            "BOOLEAN", "INT", "BIGINT", "DOUBLE", "STRING", "TIMESTAMP", "TIMESTAMP_LTZ", "ARRAY",
        ]
        let nearest = nearestSpelling(of: token.text, among: known).map { "did you mean \($0)?" }
        return Diagnostic(
            token.position,
            "no type is called \(token.text); "
                + (nearest
                    ?? "the types are BOOLEAN, INT, BIGINT, DOUBLE, STRING, TIMESTAMP(3), TIMESTAMP_LTZ(3), ARRAY")
        )
    }

    /// VARCHAR without a length is STRING; a length would cut or pad.
    private mutating func parseText(_ token: Token) throws(Diagnostic) -> DataType {
        guard token.keyword == "VARCHAR" else { throw unsupportedType(token, "use STRING") }
        if takeSymbol("(") {
            let length = take()
            if length.text != "2147483647" {
                throw unsupported(
                    "VARCHAR with a length", "use STRING, and LEFT(text, n) to cut it",
                    at: token.position)
            }
            try expectSymbol(")")
        }
        return .string
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
