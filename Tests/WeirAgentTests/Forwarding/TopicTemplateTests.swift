// What a row's values become in a topic: never levels or wildcards of their own, never nothing, and never
// what MQTT forbids.

import Testing
import WeirCore

@testable import WeirAgent

@Suite struct TopicTemplateTests {
    @Test(arguments: [
        ("plain", "plain"), ("a/b", "a%2Fb"), ("+", "%2B"), ("#", "%23"), ("50%", "50%25"), ("", "_"),
        ("$x", "$x"), ("grün", "grün"), ("a\u{0}b", "a%00b"), ("\u{85}", "%C2%85"),
        ("\u{FFFE}", "%EF%BF%BE"), ("👍🏽", "👍🏽"),
    ])
    func aValueBecomesPartOfALevel(value: String, level: String) {
        #expect(TopicTemplate.level(Array(value.utf8), isFirst: false) == level)
    }

    @Test func aTopicDoesNotBeginWithADollarOfARow() {
        #expect(TopicTemplate.level(Array("$SYS".utf8), isFirst: true) == "%24SYS")
    }

    @Test func longValuesAreCutBetweenCharacters() {
        let level = TopicTemplate.level(Array(String(repeating: "ü", count: 300).utf8), isFirst: false)
        #expect(level == String(repeating: "ü", count: 127))
        let marks = TopicTemplate.level(Array(String(repeating: "/", count: 300).utf8), isFirst: false)
        #expect(marks == String(repeating: "%2F", count: 85))
    }

    @Test func bytesThatAreNoTextDoNoHarm() {
        #expect(TopicTemplate.level([0xFF, 0x41], isFirst: false) == "\u{FFFD}A")
    }

    @Test(arguments: ["", "a/{b", "a}b", "a/{b c}", "a/+", "#", "a\u{1}b", "{}", "{9}"])
    func wrongTemplatesAreRefused(text: String) {
        guard case .failure = TopicTemplate.parse(text) else {
            Issue.record("\(text) is no template")
            return
        }
    }

    @Test func rowsFillTheColumns() throws {
        let template = try TopicTemplate.parse("{line}/x{n}/{ok}/{stream}/{agent}").get()
        #expect(template.columns == ["line", "n", "ok", "stream", "agent"])
        let schema = Schema([
            Field("line", .string), Field("n", .bigint), Field("ok", .boolean), Field("agent", .string),
        ])
        let columns = schema.fields.map { Column($0.type) }
        columns[0].append("l/1")
        columns[1].append(Int64(-7))
        columns[2].append(true)
        columns[3].append("edge-1")
        columns[0].appendNull()
        columns[1].appendNull()
        columns[2].append(false)
        columns[3].append("edge-1")
        let batch = Batch(schema: schema, columns: columns, rowCount: 2)
        #expect(template.topic(batch, 0, stream: "hot") == "l%2F1/x-7/true/hot/edge-1")
        #expect(template.topic(batch, 1, stream: "hot") == "_/x_/false/hot/edge-1")
    }

    @Test(arguments: ["X-Plant: 7", "X-Empty:", "x_y: a: b"])
    func headersAreLines(text: String) {
        guard case .success = HeaderLine.parse(text) else {
            Issue.record("\(text) is a header")
            return
        }
    }

    @Test(arguments: ["", ":", "no colon", "a b: c", "Host: x", "Idempotency-Key: y", "X: a\nY: b"])
    func otherTextsAreNot(text: String) {
        guard case .failure = HeaderLine.parse(text) else {
            Issue.record("\(text) is no header")
            return
        }
    }
}
