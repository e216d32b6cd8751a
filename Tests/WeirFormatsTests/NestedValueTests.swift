// Values with parts: what MAP, ROW and arrays of them take, what comes twice, what is wrong inside, and
// that batches and neighbours never show. A map is printed as its entries, rows of two.

import Testing
import WeirCore

@testable import WeirFormats

@Suite struct NestedValueTests {
    private static let row = DataType.row([
        Field("a", .int), Field("b", .array(.string)), Field("c", .row([Field("d", .double)])),
    ])

    @Test(arguments: [
        (#"{"a":1,"b":["x",null],"c":{"d":2}}"#, #"(1, ["x", NULL], (2.0))"#),
        (#"{}"#, "(NULL, NULL, NULL)"), ("null", "NULL"),
        (#"{"z":[{"a":3}],"a":1}"#, "(1, NULL, NULL)"),
        (#"{"a":1,"a":2,"c":{"d":1},"c":{}}"#, "(2, NULL, (NULL))"),
        (#"{"a":"x","a":2}"#, "(2, NULL, NULL)"), (#"{"\u0061":7}"#, "(7, NULL, NULL)"),
        (#"{"a":1.5}"#, "v: expected ROW<a INT, b ARRAY<STRING>, c ROW<d DOUBLE>>, found a fraction"),
        ("[1]", "v: expected ROW<a INT, b ARRAY<STRING>, c ROW<d DOUBLE>>, found an array"),
        (#"{"a":1,}"#, "invalid JSON"), (#"{"a" 1}"#, "invalid JSON"), (#"{"b":[1,]}"#, "invalid JSON"),
        (#"{"c":{"d":tru}}"#, "invalid JSON"), (#"{"\q":1}"#, "invalid JSON"),
    ])
    func rowsHaveTheirMembersByName(json: String, expected: String) {
        #expect(decodeValue("{\"v\":\(json)}", Self.row) == expected)
    }

    @Test(arguments: [
        (#"{"x":1,"y":null}"#, #"[("x", 1), ("y", NULL)]"#), ("{}", "[]"), ("null", "NULL"),
        (#"{"x":1,"y":2,"x":3}"#, #"[("y", 2), ("x", 3)]"#),
        (#"{"x":"wrong","x":3}"#, #"[("x", 3)]"#), (#"{"\u0078":1,"x":2}"#, #"[("x", 2)]"#),
        (#"{"":1}"#, #"[("", 1)]"#),
        (#"{"x":"wrong"}"#, "v: expected MAP<STRING, BIGINT>, found a string"),
        (#"{"x":1"#, "invalid JSON: it ends too early"), (#"{"x":1,}"#, "invalid JSON"),
    ])
    func mapsKeepTheLastOfAKey(json: String, expected: String) {
        #expect(decodeValue("{\"v\":\(json)}", .map(key: .string, value: .bigint)) == expected)
    }

    @Test func partsLieBehindThoseOfTheRowBefore() {
        let type = DataType.array(.map(key: .string, value: .array(.int)))
        let texts = [
            (#"[{"a":[1,2]},{},null]"#, #"[[("a", [1, 2])], [], NULL]"#), ("[]", "[]"), ("null", "NULL"),
            (#"[{"b":[3]},{"c":null,"d":[]}]"#, #"[[("b", [3])], [("c", NULL), ("d", [])]]"#),
        ]
        // Rows that are rejected between good ones leave nothing behind.
        let bad = [#"{"v":[{"a":[9,9]},{"a":["x"]}]}"#, #"{"v":[{"q":[8"#]
        var payloads: [[UInt8]] = []
        for (json, _) in texts {
            payloads.append(Array("{\"v\":\(json)}".utf8))
            payloads += bad.map { Array($0.utf8) }
        }
        for chunk in [1, 16, 64, 1 << 20] {
            let reader = JSONDeserializer(
                columns: [ColumnDeclaration(name: "v", type: type)], needed: ["v"],
                limits: DecodeLimits(), form: .recognized, chunkBytes: chunk)
            reader.begin(messages(payloads))
            var found: [String] = []
            var rejectedCount = 0
            while let rows = reader.next() {
                found += (0..<rows.batch.rowCount).map { text(rows.batch.columns[0], $0) }
                rejectedCount += rows.rejected?.rowCount ?? 0
            }
            #expect(found == texts.map(\.1))
            #expect(rejectedCount == 2 * texts.count)
        }
    }
}
