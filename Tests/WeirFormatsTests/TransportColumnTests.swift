// Columns from topics, times of receipt, flags and user properties.

import Testing
import WeirCore

@testable import WeirFormats

@Suite struct TransportColumnTests {
    private let columns = [
        ColumnDeclaration(name: "v", type: .bigint),
        ColumnDeclaration(name: "line", type: .string, origin: .topicLevel(1)),
        ColumnDeclaration(name: "topic", type: .string, origin: .topic),
        ColumnDeclaration(name: "at", type: .timestampLTZ, origin: .receivedAt),
        ColumnDeclaration(name: "kept", type: .boolean, origin: .retained),
        ColumnDeclaration(name: "site", type: .string, origin: .userProperty("site")),
    ]

    @Test func transportColumnsAreRepeatedInEveryRow() {
        let input = MessageBatch()
        add(
            Array(#"[{"v":1},{"v":2}]"#.utf8), to: input, topic: "plant/7/telemetry", receivedAt: 5,
            retained: true, userProperties: [("other", "x"), ("site", "north"), ("site", "south")])
        add(Array(#"{"v":3}"#.utf8), to: input, topic: "plant", receivedAt: 6)
        add(Array(#"{"v":4}"#.utf8), to: input, topic: "/a//b", receivedAt: 7)
        let decoded = JSONDeserializer(columns: columns, needed: columns.map(\.name)).decode(input)
        #expect(
            rows(decoded.batch) == [
                #"1|"7"|"plant/7/telemetry"|5|true|"north""#,
                #"2|"7"|"plant/7/telemetry"|5|true|"north""#,
                #"3|NULL|"plant"|6|false|NULL"#, #"4|"a"|"/a//b"|7|false|NULL"#,
            ])
    }

    @Test(arguments: [
        (0, "a/b", "a"), (1, "a/b", "b"), (2, "a/b", nil), (0, "", ""), (1, "/", ""),
        (0, "/x", ""), (2, "a//c", "c"),
        (1, "a//c", ""),
    ])
    func levelsCountFromZero(level: Int, topic: String, expected: String?) {
        let column = Column(.string)
        column.append(topic)
        let found = topicLevel(level, of: column.text(0)).map {
            String(decoding: $0, as: UTF8.self)
        }
        #expect(found == expected)
    }

    @Test func topicsThatAreNotUTF8StayValidText() {
        let input = MessageBatch()
        let bytes: [UInt8] = [0x61, 0xFF, 0x2F, 0xC3, 0xA9]
        Array("{}".utf8).withUnsafeBytes { payload in
            bytes.withUnsafeBufferPointer {
                input.append(payload: payload, topic: $0, receivedAt: 0)
            }
        }
        let decoded = JSONDeserializer(columns: columns, needed: ["topic", "line"]).decode(input)
        #expect(rows(decoded.batch) == ["\"a\u{FFFD}/é\"|\"é\""])
    }

    @Test func longTopicsAndPropertiesAreRejectedAndKept() {
        let input = MessageBatch()
        let long = "a/" + String(repeating: "%2f..", count: 13_106)
        add(Array(#"{"v":1}"#.utf8), to: input, topic: long, receivedAt: 5)
        add(Array(#"{"v":2}"#.utf8), to: input, topic: "../%2f", receivedAt: 6)
        add(
            Array(#"{"v":3}"#.utf8), to: input, topic: "t", receivedAt: 7,
            userProperties: [("site", String(repeating: "x", count: 1025))])
        let decoded = JSONDeserializer(columns: columns, needed: ["v", "topic"]).decode(input)
        #expect(rows(decoded.batch) == [#"2|"../%2f""#])
        #expect(
            reasons(decoded)
                == Array(repeating: "topic or user property of more than 1024 bytes", count: 2))
        #expect(decoded.rejected?.columns[1].text(0).count == 1024)
    }

    @Test func transportColumnsHaveTheirTypes() {
        #expect(
            ColumnDeclaration(name: "x", type: .bigint, origin: .topic).problem
                == "the topic is a STRING")
        #expect(
            ColumnDeclaration(name: "x", type: .string, origin: .receivedAt).problem
                == "the time of receipt is a TIMESTAMP_LTZ(3)")
        #expect(ColumnDeclaration(name: "x", type: .boolean, origin: .retained).problem == nil)
        #expect(ColumnDeclaration(name: "x", type: .string, origin: .topicLevel(-1)).problem != nil)
    }
}
