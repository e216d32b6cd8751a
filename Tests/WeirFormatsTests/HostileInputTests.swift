// Input made to break a reader: it is rejected and counted, nothing else happens, and memory is
// bounded.

import Testing
import WeirCore

#if canImport(Glibc)
import Glibc
#endif

@testable import WeirFormats

@Suite(.serialized) struct HostileInputTests {
    private let column = ColumnDeclaration(name: "v", type: .bigint)

    private func reason(_ payload: [UInt8]) -> String {
        let deserializer = JSONDeserializer(columns: [column], needed: ["v"])
        let decoded = deserializer.decode(
            messages(Array("{\"v\":1}".utf8) == payload ? [] : [payload]))
        return (rows(decoded.batch) + reasons(decoded)).joined(separator: "; ")
    }

    private func reason(_ payload: String) -> String { reason(Array(payload.utf8)) }

    @Test func deepNestingIsRejectedAtTheLimit() {
        let deep = "nested deeper than 64 levels"
        for (open, close) in [("[", "]"), ("{\"v\":", "}"), ("{\"x\":", "}"), ("{\"x\":[", "]}")] {
            #expect(reason(String(repeating: open, count: 100_000)) == deep)
            let inner = open.contains("{") ? "1" : ""
            let whole =
                String(repeating: open, count: 100_000) + inner
                + String(repeating: close, count: 100_000)
            #expect(reason(whole) == deep)
        }
        func nested(_ levels: Int) -> String {
            "{\"v\":1,\"x\":" + String(repeating: "[", count: levels)
                + String(repeating: "]", count: levels) + "}"
        }
        #expect(reason(nested(63)) == "1")
        #expect(reason(nested(64)) == deep)
    }

    @Test func payloadsOfNothingAreRejectedAsEmpty() {
        for payload in ["", " ", "\n", " \r\n\t\n", "\u{FEFF}", "\u{FEFF} \n"] {
            #expect(reason(payload) == "empty payload")
        }
    }

    @Test func bytesThatAreNotTextAreRejected() {
        #expect(
            reason([0x7B, 0x22, 0x76, 0x22, 0x3A, 0x22, 0xC3, 0x28, 0x22, 0x7D]) == "invalid UTF-8")
        #expect(
            reason(Array("{\"x\":\"".utf8) + [0xED, 0xA0, 0x80] + Array("\"}".utf8))
                == "invalid UTF-8")
        #expect(reason(Array("{\"x\":\"".utf8) + [0xF0, 0x9F, 0x98]) == "invalid UTF-8")
        #expect(reason("{\"v\":\u{0}1}") == "invalid JSON")
        #expect(reason([0]) == "neither an object nor an array of objects")
        #expect(reason("{\"v\":1}\u{0}") == "invalid JSON: something follows the object")
        #expect(reason([0xFF, 0xFE] + Array("{}".utf8).flatMap { [$0, 0] }) == "invalid UTF-8")
        #expect(reason("{\"v\u{1}\":1}") == "invalid JSON: a control character in a string")
    }

    @Test func scalarsAtTheTopAreRejected() {
        for payload in ["1", "\"v\"", "true", "null", "-", "nul", "{}1".suffix(1).description] {
            #expect(reason(payload) == "neither an object nor an array of objects")
        }
    }

    @Test func randomBytesNeverBreakTheReader() {
        var random = SeededRandom(seed: 11)
        let alphabet = Array("{}[]\",:\\u0123abtrefalsn -+.\n".utf8)
        let input = MessageBatch(messagesMax: .max, bytesMax: .max)
        for _ in 0..<20_000 {
            let length = Int.random(in: 1..<40, using: &random)
            let payload = (0..<length).map { _ in
                Int.random(in: 0..<30, using: &random) == 0
                    ? UInt8.random(in: 0...255, using: &random)
                    : alphabet.randomElement(using: &random) ?? 0
            }
            add(payload, to: input, topic: "", receivedAt: 0)
        }
        let names = ["v"]
        let decoded = JSONDeserializer(columns: [column], needed: names).decode(input)
        #expect(decoded.receivedRows > 15_000)
    }

    @Test func aHundredMegabytesAreRejectedWithoutBeingRead() {
        let input = MessageBatch()
        let length = 100 << 20
        _ = memset(input.reserve(length), 0x5B, length)
        input.commit(length: length, receivedAt: 0)
        let before = residentBytes()
        let decoded = JSONDeserializer(columns: [column], needed: ["v"]).decode(input)
        #expect(reasons(decoded) == ["payload of more than 16777216 bytes"])
        #expect(decoded.rejected?.columns[3].text(0).count == 256)
        #expect(residentBytes() - before < 20 << 20)
    }

    @Test func manyRowsOfOneMessageComeInBoundedBatches() {
        let length = 12 << 20
        let input = MessageBatch()
        let room = input.reserve(length)
        // [{},{},…,{},0]: four million rows of three bytes each.
        var sent = 1
        for at in stride(from: 1, to: length - 3, by: 3) {
            sent += 1
            room[at] = UInt8(ascii: "{")
            room[at + 1] = UInt8(ascii: "}")
            room[at + 2] = UInt8(ascii: ",")
        }
        room[0] = UInt8(ascii: "[")
        room[length - 2] = UInt8(ascii: "0")
        room[length - 1] = UInt8(ascii: "]")
        input.commit(length: length, receivedAt: 0)
        let columns = (0..<8).map { ColumnDeclaration(name: "c\($0)", type: .string) }
        var limits = DecodeLimits()
        limits.documentBytesMax = length
        let before = residentBytes()
        var most = 0
        var received = 0
        let deserializer = JSONDeserializer(
            columns: columns, needed: columns.map(\.name), limits: limits)
        deserializer.begin(input)
        while let decoded = deserializer.next() {
            received += decoded.receivedRows
            most = max(most, residentBytes() - before)
        }
        #expect(received == sent)
        #expect(most < 6 * length)
        #expect(residentBytes() - before < length)
    }

    /// Bytes of memory that the process holds.
    private func residentBytes() -> Int {
        guard let file = fopen("/proc/self/statm", "r") else { return 0 }
        defer { fclose(file) }
        var buffer = [CChar](repeating: 0, count: 128)
        guard fgets(&buffer, 128, file) != nil else { return 0 }
        let fields = String(decoding: buffer.map { UInt8(bitPattern: $0) }, as: UTF8.self).split(
            separator: " ")
        return fields.count > 1 ? (Int(fields[1]) ?? 0) * Int(sysconf(Int32(_SC_PAGESIZE))) : 0
    }
}
