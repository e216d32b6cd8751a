// How documents are found in payloads, and what the rejected ones leave behind.

import Testing
import WeirCore

@testable import WeirFormats

@Suite struct PayloadFormTests {
    private let column = ColumnDeclaration(name: "v", type: .bigint)

    /// Values and reasons of one payload, in the two orders that a deserializer keeps.
    private func decode(_ payload: String, form: PayloadForm = .recognized) -> String {
        let decoded = JSONDeserializer(columns: [column], needed: ["v"], form: form)
            .decode(messages(payload))
        return (rows(decoded.batch) + reasons(decoded)).joined(separator: "; ")
    }

    @Test(arguments: [
        (#"{"v":1}"#, "1"), (" {\"v\":1}\r\n", "1"), (#"[{"v":1},{"v":2}]"#, "1; 2"), ("[]", ""),
        ("{\"v\":1}\n{\"v\":2}\n", "1; 2"), ("{\"v\":1}\r\n\r\n{\"v\":2}", "1; 2"),
        ("[{\"v\":1}]\n[{\"v\":2},{\"v\":3}]", "1; 2; 3"),
        ("{\n  \"v\": 1,\n  \"l\": [\n    1\n  ]\n}\n", "1"),
        ("[\n{\"v\":1},\n{\"v\":2}\n]", "1; 2"),
        ("[{\"v\":1},\n{\"v\":2}]", "1; 2"), ("\u{FEFF}{\"v\":1}", "1"),
        ("\u{FEFF}{\"v\":1}\n{\"v\":2}", "1; 2"),
        (
            #"[{"v":1},2,[{"v":3}],{"v":"x"},{"v":4}]"#,
            "1; 4; an element of the array is not an object; "
                + "an element of the array is not an object; "
                + "v: expected BIGINT, found a string"
        ),
        (#"[{"v":1},{"v":2}"#, "invalid JSON: it ends too early"),
        (#"[{"v":1},{"v":tru}]"#, "invalid JSON"),
        (#"{"v":1}{"v":2}"#, "invalid JSON: something follows the object"),
        ("{\"v\":1}\ngarbage\n{\"v\":3}", "1; 3; neither an object nor an array of objects"),
        ("{\"v\":1\n{\"v\":2}\n{\"v\":3}", "2; 3; invalid JSON: it ends too early"),
        ("{\"v\":1,\"s\":\"a\n{\"v\":2}\n", "2; invalid JSON: a string is not closed"),
        ("{\n \"v\": 1,\n \"w\": \n}", "invalid JSON"),
        ("{\n \"v\": 1,\n", "invalid JSON: it ends too early"),
        ("{\"v\":1}\n\"v\"", "1; neither an object nor an array of objects"),
    ])
    func formsAreRecognized(payload: String, expected: String) {
        #expect(decode(payload) == expected)
    }

    @Test(arguments: [
        ("{\"v\":1}\n\n \n{\"v\":2}\n", "1; 2"), ("\n", ""), ("", ""),
        (
            "{\n\"v\":1}\n",
            "invalid JSON: it ends too early; neither an object nor an array of objects"
        ),
        ("[{\"v\":1},{\"v\":2}]\n", "1; 2"),
        ("{\"v\":1}{\"v\":2}", "invalid JSON: something follows the object"),
        (
            "{\"v\":1,\n\"v\":2}",
            "invalid JSON: it ends too early; neither an object nor an array of objects"
        ),
    ])
    func linesAreLinesWhereDeclared(payload: String, expected: String) {
        #expect(decode(payload, form: .lines) == expected)
    }

    @Test func rejectedRowsTellWhyWhenWhereAndWhat() {
        let deserializer = JSONDeserializer(columns: [column], needed: ["v"])
        let long = "{\"v\":\"" + String(repeating: "é", count: 300) + "\"}"
        let decoded = deserializer.decode(
            messages([Array("{".utf8), Array(long.utf8), [0x7B, 0xFF, 0x7D]], topic: "plant/7"))
        let rejected = decoded.rejected ?? .empty(DecodedRows.rejectedSchema)
        #expect(rejected.schema == DecodedRows.rejectedSchema)
        #expect(
            rows(rejected) == [
                #""invalid JSON: it ends too early"|"plant/7"|1000|"{""#,
                #""v: expected BIGINT, found a string"|"plant/7"|1001|"{"v":""#
                    + String(repeating: "é", count: 125) + "\"",
                "\"invalid UTF-8\"|\"plant/7\"|1002|\"{\u{FFFD}}\"",
            ])
        #expect(decoded.receivedRows == 3)
    }

    @Test func rowsThatOthersRefuseAreRejectedInTheirPlaceAmongTheReaders() {
        let deserializer = JSONDeserializer(columns: [column], needed: ["v"])
        let input = messages(" {\"v\":1}\n", #"[{"v":"x"}, {"v":2} ,{"v":3}]"#, topic: "a")
        deserializer.begin(input)
        #expect(deserializer.next()?.batch.rowCount == 3)
        let refused = deserializer.rejectedRows(
            with: [(0, "too far ahead"), (2, "no time")], in: input)
        #expect(
            rows(refused) == [
                #""too far ahead"|"a"|1000|"{"v":1}""#,
                #""v: expected BIGINT, found a string"|"a"|1001|"{"v":"x"}""#,
                #""no time"|"a"|1001|"{"v":3}""#,
            ])
        #expect(deserializer.next()?.receivedRows == nil)
    }

    @Test func reasonsNeverHoldThePayload() {
        let secret = "hunter2"
        let columns = [column, ColumnDeclaration(name: "t", type: .timestampLTZ)]
        let deserializer = JSONDeserializer(columns: columns, needed: ["v", "t"])
        let payloads = [
            "{\"v\":\"\(secret)\"}", "{\"t\":\"\(secret)\"}", "{\"\(secret)\":}", secret,
            "[\"\(secret)\"]",
            "{\"v\":1}\(secret)", "{\"a\":\"\(secret)", "{\"a\":\"\(secret)\u{1}\"}",
        ]
        let decoded = deserializer.decode(messages(payloads.map { Array($0.utf8) }))
        #expect(decoded.rejected?.rowCount == payloads.count)
        for reason in reasons(decoded) { #expect(!reason.contains(secret)) }
    }

    @Test func rowsComeInTheOrderOfMessagesHoweverManyABatchHolds() {
        var limits = DecodeLimits()
        let payloads = (0..<50).map { i in
            Array("[".utf8)
                + Array((0..<7).map { "{\"v\":\(i * 7 + $0)}" }.joined(separator: ",").utf8)
                + Array("]".utf8)
        }
        for rowsMax in [1, 2, 3, 5, 64, 1000] {
            limits.batchRowsMax = rowsMax
            let deserializer = JSONDeserializer(columns: [column], needed: ["v"], limits: limits)
            deserializer.begin(messages(payloads))
            var values: [String] = []
            while let decoded = deserializer.next() {
                #expect(decoded.receivedRows <= rowsMax)
                values += rows(decoded.batch)
            }
            #expect(values == (0..<350).map { "\($0)" })
        }
    }
}
