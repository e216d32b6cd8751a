// The lexer: what a token is, and where it stands.

import Testing
import WeirCore

@testable import WeirSQL

private func texts(_ sql: String) throws -> [String] {
    try Lexer.tokens(of: sql).dropLast().map(\.text)
}

private func message(_ sql: String) -> String? {
    do {
        _ = try Lexer.tokens(of: sql)
        return nil
    } catch {
        return "\(error.position.line):\(error.position.column): \(error.message)"
    }
}

@Suite struct LexerTests {
    @Test func wordsNumbersAndSymbolsAreSeparated() throws {
        #expect(
            try texts("a1>=.5 and b<>1.e3||x_y$z;1e-3 2.5E+7")
                == [
                    "a1", ">=", ".5", "and", "b", "<>", "1.e3", "||", "x_y$z", ";", "1e-3",
                    "2.5E+7",
                ])
    }

    @Test func keywordsAreCaseInsensitiveAndNamesKeepTheirCase() throws {
        let tokens = try Lexer.tokens(of: "sElEcT Device")
        #expect(tokens.map(\.keyword) == ["SELECT", "DEVICE", ""])
        #expect(tokens[1].text == "Device")
    }

    @Test func charactersStandByNumberBehindU() throws {
        #expect(
            try texts(#"U&'a\263A\\' u&'#D834#DD1E##' UESCAPE '#' AS U"#)
                == ["a☺\\", "𝄞#", "AS", "U"])
    }

    @Test func doubledQuotesStandForOne() throws {
        #expect(try texts("'it''s' '' `a``b`") == ["it's", "", "a`b"])
        #expect(try Lexer.tokens(of: "`select`")[0].kind == .quotedName)
    }

    @Test func commentsAreBlanks() throws {
        #expect(try texts("a -- b\n/* c\n ** / d */ e--") == ["a", "e"])
    }

    @Test func positionsCountLinesAndBytesFromOne() throws {
        let tokens = try Lexer.tokens(of: "é x\n  'a\nb' y\r\n\tz")
        let places = tokens.map { "\($0.text)@\($0.position.line):\($0.position.column)" }
        #expect(places == ["é@1:1", "x@1:4", "a\nb@2:3", "y@3:4", "z@4:2", "@4:3"])
    }

    @Test func lettersBeyondASCIIAreNames() throws {
        #expect(try texts("größe 温度 🌡") == ["größe", "温度", "🌡"])
    }

    @Test func invisibleAndTypographicMarksAreNamedByNumber() {
        #expect(message("a\u{00a0}b") == "1:2: the character U+00A0 has no meaning in SQL")
        #expect(message("’a’") == "1:1: the character U+2019 has no meaning in SQL")
        #expect(message("\u{feff}SELECT") == "1:1: the character U+FEFF has no meaning in SQL")
        #expect(message("a \u{0} b") == "1:3: the character U+0000 has no meaning in SQL")
        #expect(
            message(#"U&'\26'"#)
                == #"1:1: behind the \ of a U&'…' stand four hexadecimal digits, or another \"#)
        #expect(message("a ~ b") == "1:3: the character \"~\" has no meaning in SQL")
    }

    @Test func whatIsNotClosedIsReportedWhereItStarts() {
        #expect(message("a\n 'bc\nd") == "2:2: the string that starts here is not closed by '")
        #expect(message("a /* * /") == "1:3: the comment that starts here is not closed by */")
        #expect(message("``") == "1:1: a name in backquotes is empty")
    }

    @Test func aTextBeyondTheLimitIsRefusedUnread() {
        let limit = SQLLimits.textBytesMax
        #expect(message(String(repeating: " ", count: limit)) == nil)
        #expect(
            message(String(repeating: "'", count: limit + 1))
                == "1:1: the text has \(limit + 1) bytes; a query has at most \(limit)")
    }
}
