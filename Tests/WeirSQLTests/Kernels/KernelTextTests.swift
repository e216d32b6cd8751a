// Text functions: code points, edges of positions and lengths, NULLs, and limits.

import Testing
import WeirCore

@testable import WeirSQL

@Suite struct KernelTextTests {
    @Test func caseChangesReachBeyondASCII() throws {
        try expect(
            .upper, [.string],
            [(["string"], "STRING"), (["äß-ñ z{`"], "ÄSS-Ñ Z{`"), ([""], ""), ([.null], .null)])
        try expect(
            .lower, [.string],
            [
                (["STRING @[Z"], "string @[z"), (["ÄÉΑ"], "äéα"), ([.null], .null),
            ])
    }

    @Test func lengthsAndReversalCountCodePoints() throws {
        try expect(
            .charLength, [.string],
            [
                (["string"], 6), (["é😀"], 2), ([""], 0), ([.null], .null),
            ])
        try expect(
            .reverse, [.string],
            [
                (["abc"], "cba"), (["aé😀"], "😀éa"), ([""], ""), ([.null], .null),
            ])
    }

    @Test func trimmingTakesBlanksOrASetOfCharacters() throws {
        try expect(
            .trim, [.string],
            [
                (["  a b  "], "a b"), (["   "], ""), (["\ta"], "\ta"), ([.null], .null),
            ])
        try expect(
            .trim, [.string, .string],
            [
                (["abcddcba", "abc"], "dd"), (["心情开开心心", "开心"], "情"),
                (["  😀www  ", " 😀"], "www"),
                (["x", ""], "x"), (["aaa", "a"], ""), ([.null, "a"], .null), (["a", .null], .null),
            ])
        try expect(.ltrim, [.string], [(["  a "], "a "), ([""], "")])
        try expect(.rtrim, [.string], [(["  a "], "  a"), ([.null], .null)])
        try expect(.ltrim, [.string, .string], [(["xxSTxx", "x"], "STxx")])
        try expect(.rtrim, [.string, .string], [(["xxSTxx", "x"], "xxST"), (["éé", "é"], "")])
    }

    @Test func substringsCountFromOneOrFromTheEnd() throws {
        try expect(
            .substring, [.string, .int],
            [
                (["hello world", 2], "ello world"), (["hello", 0], "hello"), (["hello", -3], "llo"),
                (["hello", -6], ""), (["hello", 6], ""), (["", 1], ""), (["hé😀lo", 3], "😀lo"),
                ([.null, 1], .null), (["hello", .null], .null),
            ])
        try expect(
            .substring, [.string, .int, .int],
            [
                (["hello world", 2, 3], "ell"), (["hello", 2, 300], "ello"),
                (["hello", 0, 3], "hel"),
                (["hello", -3, 2], "ll"), (["hello", 2, -1], .null), (["hello", 2, 0], ""),
                (["hé😀lo", 2, 2], "é😀"), (["hello", 2, .null], .null),
                (["hello", .int(Int64(Int32.max)), 5], ""),
                (["hello", .int(Int64(Int32.min)), 5], ""),
            ])
        try expect(
            .left, [.string, .int],
            [
                (["This", 2], "Th"), (["This", 100], "This"), (["This", -2], ""),
                (["é😀a", 2], "é😀"), ([.null, 2], .null),
            ])
        try expect(
            .right, [.string, .int],
            [
                (["This", 2], "is"), (["This", 100], "This"), (["This", 0], ""), (["é😀a", 2], "😀a"),
                (["a", .null], .null),
            ])
    }

    @Test func searchingAndReplacing() throws {
        try expect(
            .position, [.string, .string],
            [
                (["STR", "STRING"], 1), (["x", "STRING"], 0), (["", "abc"], 1), (["a", ""], 0),
                (["😀", "é😀"], 2), ([.null, "a"], .null),
            ])
        try expect(
            .position, [.string, .string, .int],
            [
                (["aa", "aaads", 2], 2), (["aa", "aaads", 3], 0), (["a", "aéa", 2], 3),
                (["a", "aaa", -5], 1), (["a", "a", 99], 0),
            ])
        try expect(
            .replace, [.string, .string, .string],
            [
                (["hello world", " ", "_"], "hello_world"), (["aaa", "aa", "b"], "ba"),
                (["abc", "", "-"], "-a-b-c-"),
                (["", "", "x"], "x"), (["abc", "b", ""], "ac"), (["éé", "é", "😀"], "😀😀"),
                ([.null, "a", "b"], .null),
                (["a", "a", .null], .null),
            ])
        try expect(
            .startsWith, [.string, .string],
            [
                (["abc", "ab"], true), (["abc", ""], true), (["a", "ab"], false),
                (["a", .null], .null),
            ])
        try expect(
            .endsWith, [.string, .string],
            [
                (["abc", "bc"], true), (["abc", "ab"], false), ([.null, "a"], .null),
            ])
    }

    @Test func concatenationAndItsNullRules() throws {
        try expect(
            .concat, [.string, .string],
            [
                (["test", "string"], "teststring"), (["a", .null], .null), (["", ""], ""),
            ])
        try expect(
            .concatFunction, [.string, .string, .string],
            [
                (["a", "é", "c"], "aéc"), ([.null, "b", "c"], .null),
            ])
        try expect(
            .concatWs, [.string, .string, .string, .string],
            [
                (["~", "a", .null, "c"], "a~c"), (["~", .null, .null, .null], ""),
                ([.null, "a", "b", "c"], .null),
                (["", "a", "b", "c"], "abc"), (["-", "", "b", ""], "-b-"),
            ])
    }

    @Test func paddingAndRepetitionAreBounded() throws {
        try expect(
            .lpad, [.string, .int, .string],
            [
                (["Hello", 7, "hello world"], "heHello"), (["Hello", 3, "x"], "Hel"),
                (["Hello", -1, "x"], .null),
                (["Hello", 9, ""], .null), (["é", 4, "😀-"], "😀-😀é"), (["a", 0, "x"], ""),
                ([.null, 1, "x"], .null),
                (["a", 1_000_000_000, "x"], .failed),
            ])
        try expect(
            .rpad, [.string, .int, .string],
            [
                (["Hello", 7, "hello world"], "Hellohe"), (["Hello", 8, "ab"], "Helloaba"),
                (["a", 1_000_000_000, "x"], .failed),
            ])
        try expect(
            .repeat, [.string, .int],
            [
                (["ab", 2], "abab"), (["ab", 0], ""), (["ab", -1], ""), (["", 2_000_000_000], ""),
                (["ab", 2_000_000_000], .failed), ([.null, 2], .null),
            ])
    }

    @Test func splitIndexCountsFromZero() throws {
        try expect(
            .splitIndex, [.string, .string, .int],
            [
                (["a,b,,c", ",", 0], "a"), (["a,b,,c", ",", 2], ""), (["a,b,,c", ",", 3], "c"),
                (["a,b", ",", 2], .null),
                (["a,b", ",", -1], .null), (["", ",", 0], .null), (["a--b", "--", 1], "b"),
                (["a b", "", 1], "b"),
                (["a,", ",", 1], ""), ([.null, ",", 0], .null),
            ])
    }

    @Test func likePatternsOfEveryShape() throws {
        func check(_ pattern: String, _ cases: [(Value, Value)]) throws {
            try expect(.like, [.string, .string], cases.map { ([$0.0, .text(pattern)], $0.1) })
            let negated = cases.map { ([$0.0, .text(pattern)], $0.1.isNull ? Value.null : .bool($0.1 == false)) }
            try expect(.notLike, [.string, .string], negated)
        }
        try check("test", [("test", true), ("test ", false), ("", false), (.null, .null)])
        try check("", [("", true), ("a", false)])
        try check("%", [("", true), ("anything\nat all", true), (.null, .null)])
        try check("%%", [("", true), ("a", true)])
        try check("te%", [("test", true), ("te", true), ("ate", false)])
        try check("%st", [("test", true), ("st", true), ("sta", false)])
        try check(
            "%es%",
            [
                ("test", true), ("es", true), ("e", false), ("s", false), ("tesétes", true),
                (.null, .null),
            ])
        try check("t%es%t", [("test", true), ("t es t", true), ("tes", false)])
        try check(
            "te_t",
            [
                ("test", true), ("teét", true), ("te😀t", true), ("tet", false), ("te\nt", true),
            ])
        try check("_", [("😀", true), ("", false), ("ab", false)])
        try check("%_b%", [("ab", true), ("b", false), ("😀b", true)])
        try check("a%b%c", [("abc", true), ("aXbYbZc", true), ("abcX", false), ("acb", false)])
        try check("%aab", [("aaab", true), ("aab", true), ("aabx", false)])
    }

    @Test func likeEscapesItsWildcards() throws {
        try expect(
            .like, [.string, .string, .string],
            [
                (["te_st", "te!_%", "!"], true), (["test", "te!_%", "!"], false),
                (["test%", "test✅%", "✅"], true),
                (["te_st", "te__st", "_"], true), (["test%", "test%%", "%"], true),
                (["test\\", "test\\", "!"], true),
                (["test", "test", ""], true), (["TE_ST", "%E\\_S%", "\\"], true),
                (["TE-ST", "%E\\_S%", "\\"], false),
                (["a!b", "a!!b", "!"], true), (["a", .null, "!"], .null),
                (["a", "a", .null], .null),
            ])
    }

    @Test func wrongEscapesAreRefusedOrFail() throws {
        let text = BoundExpression.column(index: 0, type: .string)
        let pattern = BoundExpression.column(index: 1, type: .string)
        let wrong = call(.like, text, literal("a!b", .string), literal("!", .string))
        #expect(throws: Failure.self) { try CompiledExpression(wrong) }
        #expect(ScalarFunction.like.problem(withConstants: [text, literal("a%", .string)]) == nil)
        let columns = [makeColumn(.string, ["a", "b"]), makeColumn(.string, ["a!", "b"])]
        let (found, errors) = try evaluate(call(.like, text, pattern, literal("!", .string)), columns)
        #expect(found == [.null, true])
        #expect(errors == 1)
    }

    @Test func searchingAllRowsAtOnceNeverMatchesAcrossRows() throws {
        let words: [Value] = ["ab", "c", "abc", .null, "", "bca", "xxabcxx", "ab", "c"]
        let (found, _) = try evaluate(
            call(.like, .column(index: 0, type: .string), literal("%abc%", .string)),
            [makeColumn(.string, words)])
        #expect(found == [false, false, true, .null, false, false, true, false, false])
    }
}
