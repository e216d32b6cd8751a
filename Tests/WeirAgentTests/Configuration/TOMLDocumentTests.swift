// The TOML tree: values, the places of keys and values, and texts that are hostile or odd.

import Testing
import WeirCore

@testable import WeirAgent

private func parse(_ text: String) throws -> TOMLDocument {
    try TOMLDocument.parse(Array(text.utf8)).get()
}

/// The places of all keys and values, as "path key-line:column value-line:column".
private func places(_ document: TOMLDocument) -> [String] {
    func walk(_ node: TOMLNode, _ path: String) -> [String] {
        switch node.value {
        case .table(let entries):
            entries.flatMap { entry -> [String] in
                let key = document.lines.position(at: entry.keyOffset)
                let value = document.lines.position(at: entry.node.offset)
                let name = path.isEmpty ? entry.key : "\(path).\(entry.key)"
                return ["\(name) \(key.line):\(key.column) \(value.line):\(value.column)"]
                    + walk(entry.node, name)
            }
        case .array(let elements):
            elements.enumerated().flatMap { index, element in
                let value = document.lines.position(at: element.offset)
                return ["\(path)[\(index)] \(value.line):\(value.column)"]
                    + walk(element, "\(path)[\(index)]")
            }
        default: []
        }
    }
    return walk(document.root, "")
}

@Suite struct TOMLDocumentTests {
    @Test func everyKindOfValueIsRead() throws {
        let document = try parse(
            #"""
            s = "a\tb"
            i = -1_000
            h = 0xFF
            f = 2.5
            b = true
            d = 2026-11-21T13:00:00Z
            a = [1, "x"]
            t.u = false
            """#)
        let values = document.root
        guard case .string("a\tb")? = values["s"]?.node.value,
            case .integer(-1000)? = values["i"]?.node.value,
            case .integer(255)? = values["h"]?.node.value,
            case .float(2.5)? = values["f"]?.node.value,
            case .boolean(true)? = values["b"]?.node.value,
            case .datetime("2026-11-21T13:00:00Z")? = values["d"]?.node.value,
            case .array(let elements)? = values["a"]?.node.value,
            case .boolean(false)? = values["t"]?.node["u"]?.node.value
        else {
            Issue.record("\(values)")
            return
        }
        #expect(elements.count == 2)
    }

    @Test func keysAndValuesKnowTheirPlaces() throws {
        let document = try parse(
            """
            title = "x"
              indented   =   7
            [agent]
            id = "a"
            tls.ca_file = "f"
            [[source]]
            columns = { device = "STRING", ts = { type = "T" } }
            [source.time]
            column = "ts"
            [[source]]
            topics = [
                "a",
              "b" ]
            """)
        #expect(
            places(document) == [
                "title 1:1 1:9", "indented 2:3 2:18", "agent 3:2 3:1", "agent.id 4:1 4:6",
                "agent.tls 5:1 5:1", "agent.tls.ca_file 5:5 5:15", "source 6:3 6:1",
                "source[0] 6:1",
                "source[0].columns 7:1 7:11", "source[0].columns.device 7:13 7:22",
                "source[0].columns.ts 7:32 7:37", "source[0].columns.ts.type 7:39 7:46",
                "source[0].time 8:9 8:1", "source[0].time.column 9:1 9:10", "source[1] 10:1",
                "source[1].topics 11:1 11:10", "source[1].topics[0] 12:5",
                "source[1].topics[1] 13:3",
            ])
    }

    @Test func columnsCountBytesAlsoBehindOtherScripts() throws {
        let document = try parse("\"größe 😀\" = \"ü\" # ä\r\nb = { \"é\" = 1, c = 2 }\r\n")
        #expect(
            places(document) == [
                "größe 😀 1:1 1:18", "b 2:1 2:5", "b.é 2:7 2:14", "b.c 2:17 2:21",
            ])
    }

    @Test func aByteOrderMarkIsNoContent() throws {
        #expect(places(try parse("\u{FEFF}a = 1")) == ["a 1:1 1:5"])
    }

    @Test(arguments: [
        "a = ", "[a", "a = \"x", "a = '''x", "\u{0}", "a = 1\u{1}", "= 1", "a..b = 1", "[[a]\n",
        "a = [1,,2]", "a = {b",
        "a = 1e999999", "a = 99999999999999999999", "a = 2026-13-41", "\"\\uD800\" = 1",
        "a = \"\\x\"", "a = _1",
    ])
    func wrongTextIsRefusedWithAPlace(text: String) {
        guard case .failure(let diagnostic) = TOMLDocument.parse(Array(text.utf8)) else {
            // An overflowing float is infinity in TOML's C++ parser; anything else must fail.
            #expect(text == "a = 1e999999")
            return
        }
        #expect(diagnostic.position.line >= 1 && diagnostic.position.column >= 1)
        #expect(!diagnostic.message.isEmpty)
    }

    @Test func invalidUTF8IsRefused() {
        for bytes: [UInt8] in [
            [0x61, 0x20, 0x3D, 0x20, 0x22, 0xFF, 0x22], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xF5],
        ] {
            guard case .failure = TOMLDocument.parse(bytes) else {
                Issue.record("\(bytes) was accepted")
                continue
            }
        }
    }

    @Test func anEmptyTextIsAnEmptyTable() throws {
        #expect(places(try parse("")) == [])
        #expect(places(try parse("\n# x\n")) == [])
    }

    // MARK: Hostile texts

    /// What could make a parser recurse until the stack ends.
    @Test func depthIsRefused() {
        let texts = [
            "a = " + String(repeating: "[", count: 100_000),
            "a = " + String(repeating: "[", count: 20) + String(repeating: "]", count: 100_000),
            "a = " + String(repeating: "{a=", count: 100_000),
            String(repeating: "a.", count: 100_000) + "a = 1",
            "[" + String(repeating: "a.", count: 100_000) + "a]",
            "[" + String(repeating: "\"a\" . ", count: 50_000) + "a]",
            String(repeating: "'a'.", count: 100_000) + "a = 1",
            "a = {" + String(repeating: "a.", count: 100_000) + "a = 1}",
            String(repeating: "[", count: 100_000),
            "a = \"" + String(repeating: "\\", count: 100_001),
            "a = \"\"\"" + String(repeating: "\"\\\n", count: 100_000),
        ]
        for (index, text) in texts.enumerated() {
            guard case .failure = TOMLDocument.parse(Array(text.utf8)) else {
                Issue.record("text \(index) was accepted")
                continue
            }
        }
    }

    /// Texts that reach what toml++ declares unreachable.
    @Test(arguments: [
        "[.a]", "a = [}", "a = {]}", "a\u{297}= 1", "a = 1 \u{E4}", "\u{297}", "[a]\u{3000}",
        "[\u{2028}]",
    ])
    func textsThatTheParserAssertsAgainstAreRefused(text: String) {
        guard case .failure = TOMLDocument.parse(Array(text.utf8)) else {
            Issue.record("accepted")
            return
        }
    }

    @Test func tenMegabytesAreRefusedAtOnce() {
        let text = [UInt8](repeating: UInt8(ascii: "\n"), count: 10 << 20)
        guard case .failure(let diagnostic) = TOMLDocument.parse(text) else {
            Issue.record("accepted")
            return
        }
        #expect(diagnostic.message == "the file is larger than 1048576 bytes")
    }

    @Test func aMegabyteOfKeysIsRead() throws {
        var text = ""
        var count = 0
        while text.utf8.count < TOMLDocument.sizeMax - 20 {
            text += "k\(count) = \(count)\n"
            count += 1
        }
        guard case .table(let entries) = try parse(text).root.value else { return }
        #expect(entries.count == count)
        #expect(entries.last?.key == "k\(count - 1)")
    }

    @Test func dotsInStringsAndNumbersAreNoKeys() throws {
        let dots = String(repeating: "a.", count: 100)
        _ = try parse(
            "a = \"\(dots)\"\nb = '''\(dots)\n\"\(dots)'''\nc = [1.5, 2.5] # \(dots)\n\"\(dots)\" = 1"
        )
    }

    @Test func randomTextNeverCrashes() {
        let alphabet = Array("abc_-.=[]{}\"'\\\n\t #,0123456789:+eTZu\u{FF}é😀".utf8)
        var seed: UInt64 = 42
        for _ in 0..<3000 {
            var bytes: [UInt8] = []
            for _ in 0..<60 {
                seed = seed &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                bytes.append(alphabet[Int(seed >> 33) % alphabet.count])
            }
            _ = TOMLDocument.parse(bytes)
        }
    }
}
