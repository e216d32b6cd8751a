// Literals that begin with a word: TIMESTAMP, DATE, TIME, INTERVAL and x'…'.

import WeirCore

extension Parser {
    mutating func parseTimestamp() throws(Diagnostic) -> ExpressionSyntax {
        let position = take().position
        let literal = take()
        guard let milliseconds = millisecondsOfTimestamp(literal.text) else {
            let isFiner = TimestampText.parse(literal.text) != nil
            let addition = isFiner ? " in milliseconds without a zone" : ""
            throw Diagnostic(
                literal.position,
                "'\(Token.clipped(literal.text))' is not a timestamp\(addition); "
                    + "one looks like '2026-11-21 13:45:00.250'")
        }
        return try ExpressionSyntax(.timestamp(milliseconds), at: position)
    }

    mutating func parseInterval() throws(Diagnostic) -> ExpressionSyntax {
        let position = take().position
        let isNegative = takeSymbol("-")
        if current.kind == .number {
            throw Diagnostic(
                current.position,
                "an interval's value is written in quotes: INTERVAL '\(current.text)' \(ahead(1).keyword)"
            )
        }
        guard current.kind == .string else {
            throw unexpected("expected the interval's value in quotes")
        }
        let literal = take()
        if let months = try parseMonths(literal, isNegative: isNegative, at: position) {
            return months
        }
        let first = try parseIntervalUnit()
        let last = takeKeyword("TO") ? try parseIntervalUnit() : first
        if last.rawValue < first.rawValue {
            throw Diagnostic(
                position, "\(first) TO \(last)".uppercased() + ": the longer unit stands first")
        }
        let milliseconds = try millisecondsOfInterval(
            literal.text, from: first, to: last, at: literal.position)
        return try ExpressionSyntax(
            .interval(isNegative ? -milliseconds : milliseconds), at: position)
    }

    private mutating func parseIntervalUnit() throws(Diagnostic) -> IntervalUnit {
        if let unit = IntervalUnit(keyword: current.keyword) {
            take()
            try skipPrecision()
            return unit
        }
        throw unexpected(
            "expected DAY, HOUR, MINUTE or SECOND", instead: ["DAY", "HOUR", "MINUTE", "SECOND"])
    }

    /// INTERVAL '…' YEAR, MONTH, QUARTER or YEAR TO MONTH, or WEEK; nil where another unit stands.
    private mutating func parseMonths(
        _ literal: Token, isNegative: Bool, at position: TextPosition
    ) throws(Diagnostic) -> ExpressionSyntax? {
        let unit = current.keyword
        let isWeek = unit == "WEEK" || unit == "WEEKS"
        let scale: Int64
        switch unit {
        case "YEAR", "YEARS": scale = 12
        case "QUARTER", "QUARTERS": scale = 3
        case "MONTH", "MONTHS": scale = 1
        case "WEEK", "WEEKS": scale = 7 * CivilCalendar.millisecondsPerDay
        default: return nil
        }
        take()
        try skipPrecision()
        let toMonth = scale == 12 && takeKeyword("TO")
        if toMonth, !takeKeyword("MONTH"), !takeKeyword("MONTHS") {
            throw unexpected("expected MONTH")
        }
        guard let value = monthsOfInterval(literal.text, unit: scale, toMonth: toMonth) else {
            let example = toMonth ? "1-6" : "2"
            throw Diagnostic(
                literal.position,
                "'\(Token.clipped(literal.text))' is not an interval in \(unit)"
                    + "\(toMonth ? " TO MONTH" : ""); one looks like '\(example)'")
        }
        let signed = isNegative ? -value : value
        return try ExpressionSyntax(
            isWeek ? .interval(signed) : .typed(.integer(signed), .intervalYearMonth), at: position)
    }

    /// Skips one unit of an interval's type.
    mutating func skipIntervalUnit() throws(Diagnostic) {
        guard current.kind == .word else { throw unexpected("expected a unit of time") }
        take()
        try skipPrecision()
    }

    /// DATE '…' or TIME '…'.
    mutating func parseDayOrTime() throws(Diagnostic) -> ExpressionSyntax {
        let keyword = take()
        let literal = take()
        let isDate = keyword.keyword == "DATE"
        var text = literal.text
        let value = text.withUTF8 { bytes -> Int64? in
            let form = bytes.count == 10 || !isDate
            return form ? (isDate ? TemporalText.date(bytes) : TemporalText.time(bytes)) : nil
        }
        guard let value else {
            throw Diagnostic(
                literal.position,
                "'\(Token.clipped(literal.text))' is not a \(isDate ? "date" : "time"); one looks like "
                    + (isDate ? "'2026-11-21'" : "'13:45:00' or '13:45:00.250'"))
        }
        return try ExpressionSyntax(
            .typed(.integer(value), isDate ? .date : .time), at: keyword.position)
    }

    /// x'…'.
    mutating func parseBinary() throws(Diagnostic) -> ExpressionSyntax {
        let position = take().position
        let literal = take()
        let digits = literal.text.utf8.map { Character(Unicode.Scalar($0)).hexDigitValue }
        guard digits.count % 2 == 0, !digits.contains(nil) else {
            throw Diagnostic(
                literal.position, "x'…' takes pairs of hexadecimal digits, such as x'0aff'")
        }
        let values = digits.compactMap { $0 }
        let bytes = stride(from: 0, to: values.count, by: 2).map {
            UInt8(truncatingIfNeeded: values[$0] * 16 + values[$0 + 1])
        }
        return try ExpressionSyntax(.typed(.bytes(bytes), .bytes), at: position)
    }

    /// `(3)` or `(3, 3)`: how many digits the value may have, which nothing here depends on.
    mutating func skipPrecision() throws(Diagnostic) {
        guard isSymbol("("), ahead(1).kind == .number else { return }
        take()
        take()
        if takeSymbol(",") {
            guard current.kind == .number else { throw unexpected("expected a number of digits") }
            take()
        }
        try expectSymbol(")")
    }
}
