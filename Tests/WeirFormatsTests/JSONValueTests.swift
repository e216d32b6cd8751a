// What values each type takes, what it makes of them, and how it rejects the others.

import Testing
import WeirCore

@testable import WeirFormats

@Suite struct JSONValueTests {
    @Test(arguments: [
        ("true", "true"), ("false", "false"), ("null", "NULL"),
        ("1", "v: expected BOOLEAN, found a number"),
        ("\"true\"", "v: expected BOOLEAN, found a string"),
        ("tru", "invalid JSON"), ("truex", "invalid JSON"), ("True", "invalid JSON"),
    ])
    func booleansAreTrueAndFalse(json: String, expected: String) {
        #expect(decodeValue("{\"v\":\(json)}", .boolean) == expected)
    }

    @Test(arguments: [
        ("0", "0"), ("-0", "0"), ("1.0", "1"), ("1e3", "1000"), ("1200e-2", "12"), ("-7.000", "-7"),
        ("9223372036854775807", "9223372036854775807"),
        ("-9223372036854775808", "-9223372036854775808"),
        ("9223372036854775808", "v: number out of range"),
        ("-9223372036854775809", "v: number out of range"),
        ("18446744073709551616", "v: number out of range"), ("1e19", "v: number out of range"),
        ("1e999", "v: number out of range"), ("1e99999999999999", "v: number out of range"),
        ("0e99999999999999", "0"), ("12345678", "12345678"),
        ("1234567890123456", "1234567890123456"),
        ("1.5", "v: expected BIGINT, found a fraction"),
        ("1e-1", "v: expected BIGINT, found a fraction"),
        ("1e-999999999999", "v: expected BIGINT, found a fraction"),
        ("1.00000000000000000000", "1"),
        ("1.00000000000000000001", "v: expected BIGINT, found a fraction"),
        ("100000000000000000000e-20", "1"),
        ("\"1\"", "v: expected BIGINT, found a string"),
        ("{}", "v: expected BIGINT, found an object"),
        ("01", "invalid JSON"), ("-", "invalid JSON"), ("+1", "invalid JSON"),
        ("1.", "invalid JSON"),
        (".5", "invalid JSON"), ("1e", "invalid JSON"), ("1e+", "invalid JSON"),
        ("0x1", "invalid JSON"),
        ("1 2", "invalid JSON"), ("1\"a\"", "invalid JSON"), ("--1", "invalid JSON"),
    ])
    func bigintsAreExactOrRejected(json: String, expected: String) {
        #expect(decodeValue("{\"v\":\(json)}", .bigint) == expected)
    }

    @Test(arguments: [
        ("2147483647", "2147483647"), ("-2147483648", "-2147483648"),
        ("2147483648", "v: number out of range"), ("-2147483649", "v: number out of range"),
        ("2.5", "v: expected INT, found a fraction"),
    ])
    func intsHave32Bits(json: String, expected: String) {
        #expect(decodeValue("{\"v\":\(json)}", .int) == expected)
    }

    @Test(arguments: [
        ("21.4", 21.4), ("-0.0", -0.0), ("7", 7.0), ("1e22", 1e22), ("1e23", 1e23), ("1e-400", 0.0),
        ("4.9e-324", .leastNonzeroMagnitude), ("1.7976931348623157e308", 1.7976931348623157e308),
        ("9007199254740993", 9007199254740992.0), ("0.1", 0.1),
        ("123456789012345678", 123456789012345678.0),
        ("0.30000000000000004", 0.30000000000000004),
        ("2.2250738585072011e-308", .leastNormalMagnitude.nextDown),
        ("3.14159265358979323846264338327950288419716939937510", 3.141592653589793),
        ("0.000000000000000000000000000000000000000000001", 1e-45),
    ])
    func doublesAreTheNearest(json: String, expected: Double) {
        #expect(decodeValue("{\"v\":\(json)}", .double) == "\(expected)")
    }

    @Test(arguments: [
        ("1e999", "v: number out of range"), ("-1e309", "v: number out of range"),
        (String(repeating: "9", count: 400), "v: number out of range"),
        ("\"NaN\"", "v: expected DOUBLE, found a string"), ("NaN", "neither"),
        ("Infinity", "neither"),
        ("true", "v: expected DOUBLE, found a boolean"),
        ("[1]", "v: expected DOUBLE, found an array"),
        ("null", "NULL"),
    ])
    func doublesThatAreNoneAreRejected(json: String, expected: String) {
        let expected = expected == "neither" ? "invalid JSON" : expected
        #expect(decodeValue("{\"v\":\(json)}", .double) == expected)
    }

    @Test(arguments: [
        (#""plain""#, "plain"), (#""""#, ""), (#""caf\u00e9 ☕""#, "café ☕"),
        (#""\ud83d\ude00""#, "😀"),
        (#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{8}\u{C}\n\r\t"), (#""\u0000""#, "\0"),
        (#""\ud800""#, "\u{FFFD}"), (#""\udc00x""#, "\u{FFFD}x"), (#""\ud800\u0041""#, "\u{FFFD}A"),
        (#""\ud800\ud83d\ude00""#, "\u{FFFD}😀"),
        (
            #""a long text without any escape, 40 bytes""#,
            "a long text without any escape, 40 bytes"
        ),
    ])
    func stringsAreUnescaped(json: String, expected: String) {
        #expect(decodeValue("{\"v\":\(json)}", .string) == "\"\(expected)\"")
    }

    @Test(arguments: [
        (#""\x""#, "invalid JSON"), (#""\u12""#, "invalid JSON"), (#""\u12g4""#, "invalid JSON"),
        (#""\uD83D\u12""#, "invalid JSON"), ("12", "v: expected STRING, found a number"),
        ("false", "v: expected STRING, found a boolean"),
        ("{}", "v: expected STRING, found an object"),
        ("\"a\nb\"", "invalid JSON: a control character in a string"),
        ("\"a\u{0}b\"", "invalid JSON: a control character in a string"),
    ])
    func otherThingsAreNoStrings(json: String, expected: String) {
        #expect(decodeValue("{\"v\":\(json)}", .string) == expected)
    }

    @Test func wrongTypesBecomeNullAndAreCountedWhereDeclared() {
        let columns = [
            ColumnDeclaration(name: "a", type: .double, onTypeError: .null),
            ColumnDeclaration(name: "b", type: .array(.bigint), onTypeError: .null),
        ]
        let decoded = JSONDeserializer(columns: columns, needed: ["a", "b"]).decode(
            messages(
                #"{"a":"x","b":[1,"y",2.5]}"#, #"{"a":1e999,"b":7}"#, #"{"a":1,"b":[1]}"#,
                #"{"a":"x","a":2,"b":["y"],"b":[3]}"#))
        #expect(rows(decoded.batch) == ["NULL|[1, NULL, NULL]", "NULL|NULL", "1.0|[1]", "2.0|[3]"])
        #expect(decoded.nulledValues == 5)
        #expect(decoded.rejected == nil)
    }

    @Test func missingAndNullAreNull() {
        let columns = ["a", "b", "c"].map { ColumnDeclaration(name: $0, type: .bigint) }
        let decoded = JSONDeserializer(columns: columns, needed: ["c", "a"]).decode(
            messages(#"{"a":1,"c":2}"#, #"{"a":null}"#, "{}", #"{"c":3,"b":"x"}"#))
        #expect(rows(decoded.batch) == ["2|1", "NULL|NULL", "NULL|NULL", "3|NULL"])
    }

    @Test func aRowWithSeveralFaultsNamesTheFirstDeclared() {
        let columns = ["a", "b"].map { ColumnDeclaration(name: $0, type: .bigint) }
        let decoded = JSONDeserializer(columns: columns, needed: ["a", "b"]).decode(
            messages(#"{"b":"x","a":"y"}"#, #"{"b":2,"a":1}"#))
        #expect(reasons(decoded) == ["a: expected BIGINT, found a string"])
        #expect(rows(decoded.batch) == ["1|2"])
    }
}
