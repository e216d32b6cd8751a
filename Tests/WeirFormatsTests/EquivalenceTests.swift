// The result is a function of the documents: not of how they were grouped into messages and chunks,
// of how many rows a batch holds, nor, for their validity, of the columns that are read. Shown on
// documents with random damage; the seed is part of every failure.

import Testing
import WeirCore

@testable import WeirFormats

@Suite struct EquivalenceTests {
    private static let columns = [
        ColumnDeclaration(name: "device", type: .string),
        ColumnDeclaration(name: "ts", type: .timestampLTZ, timestampEncoding: .epochMilliseconds),
        ColumnDeclaration(name: "temperature", type: .double),
        ColumnDeclaration(name: "name", type: .string, origin: .payload(pointer: "/user/name")),
        ColumnDeclaration(
            name: "tags", type: .array(.string), origin: .payload(pointer: "/e/tags/*/text")),
    ]
    private static let names = columns.map(\.name)

    private static let templates = [
        #"{"device":"dev-0001","ts":1700000000000,"temperature":21.4,"humidity":50.1,"seq":12}"#,
        #"{"ts":1700000000000,"user":{"id":1,"name":"caf\u00e9 \"x\" ☕"},"#
            + #""e":{"tags":[{"text":"a"},{"text":"b"}]}}"#,
        #"{"device":null,"temperature":-1.5e3,"x":[[],{},[true,false,null]],"e":{"tags":[]}}"#,
        #"[{"device":"a"},{"device":"b","ts":"1700000000000"}]"#, #"{}"#,
        #"{ "temperature" : 1e22 , "device" : "\ud83d\ude00" , "user" : { "name" : "\\" } }"#,
        #" {"device":5,"seq":1} "#, #"{"temperature":"warm"}"#, #"[{"ts":true} , {"device":"c"}]"#,
    ]
    private static let bytesToInsert =
        Array("{}[]\",:\\0-.etn \n\r\t\u{0}".utf8) + [0xFF, 0xC3, 0xE2, 0x80, 0x1F, 0x7F]

    /// What leaves texts and strings whole, so that a chunk passes the first stage.
    private static let gentleBytes = Array("{}[],:0-.etn ".utf8)

    /// Documents of which about a third are damaged, as lines without line feeds. For even seeds
    /// the damage is of kinds that only one document notices.
    private func damagedLines(seed: UInt64, count: Int) -> [[UInt8]] {
        var random = SeededRandom(seed: seed)
        var lines: [[UInt8]] = []
        for _ in 0..<count {
            var line = Array((Self.templates.randomElement(using: &random) ?? "{}").utf8)
            if Int.random(in: 0..<3, using: &random) == 0 {
                for _ in 0...Int.random(in: 0..<3, using: &random) {
                    damage(&line, isGentle: seed.isMultiple(of: 2), &random)
                }
            }
            lines.append(contentsOf: line.split(separator: 0x0A).map { Array($0) })
        }
        return lines.filter { line in line.contains { ![0x20, 0x09, 0x0D].contains($0) } }
    }

    private func damage(_ line: inout [UInt8], isGentle: Bool, _ random: inout SeededRandom) {
        guard !line.isEmpty else { return }
        let at = Int.random(in: 0..<line.count, using: &random)
        if isGentle {
            let byte = Self.gentleBytes.randomElement(using: &random) ?? 0
            if !"\"\\u".utf8.contains(line[at]), line[at] < 0x80 { line[at] = byte }
            return
        }
        let byte = Self.bytesToInsert.randomElement(using: &random) ?? 0
        switch Int.random(in: 0..<5, using: &random) {
        case 0: line.remove(at: at)
        case 1: line.insert(byte, at: at)
        case 2: line[at] = byte
        case 3: line.removeSubrange(at...)
        default: line.insert(contentsOf: line[at...].prefix(9), at: at)
        }
    }

    /// Everything that comes of `input`, as text: the rows, then the rejected ones without their
    /// times.
    private func outcome(
        _ input: MessageBatch, form: PayloadForm, chunkBytes: Int = 256 << 10,
        rowsMax: Int = 16_384,
        needed: [String] = names
    ) -> [String] {
        var limits = DecodeLimits()
        limits.batchRowsMax = rowsMax
        let deserializer = JSONDeserializer(
            columns: Self.columns, needed: needed, limits: limits, form: form,
            chunkBytes: chunkBytes)
        let decoded = deserializer.decode(input)
        guard let rejected = decoded.rejected else { return rows(decoded.batch) }
        return rows(decoded.batch)
            + (0..<rejected.rowCount).map { row in
                text(rejected.columns[0], row) + text(rejected.columns[3], row)
            }
    }

    @Test(arguments: 0..<40)
    func groupingDoesNotShow(seed: UInt64) {
        let lines = damagedLines(seed: seed, count: 120)
        let joined = Array(lines.joined(separator: [0x0A]))
        let alone = messages(lines)
        let expected = outcome(alone, form: .lines, chunkBytes: 1)
        #expect(outcome(alone, form: .recognized) == expected, "seed \(seed)")
        #expect(outcome(alone, form: .recognized, chunkBytes: 300) == expected, "seed \(seed)")
        #expect(outcome(alone, form: .lines) == expected, "seed \(seed)")
        for chunkBytes in [1, 100, 1000, 256 << 10] {
            let lines = outcome(messages([joined]), form: .lines, chunkBytes: chunkBytes)
            #expect(lines == expected, "seed \(seed), chunks of \(chunkBytes)")
        }
        let crlf = Array(lines.joined(separator: [0x0D, 0x0A]))
        #expect(outcome(messages([crlf]), form: .lines, rowsMax: 7) == expected, "seed \(seed)")
        let whole = outcome(
            messages([Array("{}\n".utf8) + Array("{}\n".utf8) + joined]), form: .recognized)
        let blank = Array(repeating: "NULL|NULL|NULL|NULL|NULL", count: 2)
        #expect(whole == blank + expected, "seed \(seed)")
    }

    @Test(arguments: 100..<140)
    func validityIsThatOfTheGrammarWhateverColumnsAreRead(seed: UInt64) {
        let lines = damagedLines(seed: seed, count: 60)
        let lenient = Self.columns.map {
            ColumnDeclaration(
                name: $0.name, type: $0.type, origin: $0.origin,
                timestampEncoding: $0.timestampEncoding, onTypeError: .null)
        }
        for line in lines {
            let isValid = StrictJSON.accepts(line)
            for needed in [[], ["device"], ["temperature", "tags"], Self.names] {
                let decoded = JSONDeserializer(columns: lenient, needed: needed).decode(
                    messages([line]))
                let isDecoded = reasons(decoded).allSatisfy { $0.hasPrefix("an element") }
                let shown = String(decoding: line, as: UTF8.self)
                #expect(isDecoded == isValid, "seed \(seed): \(shown) with \(needed)")
            }
        }
    }

    @Test func everyPrefixOfADocumentIsRejectedAndItsNeighboursAreNot() {
        let document = Array(Self.templates[1].utf8)
        for length in 1..<document.count {
            let prefix = Array(document[..<length])
            let input = messages([document, prefix, document, prefix, prefix, document])
            let decoded = JSONDeserializer(columns: Self.columns, needed: Self.names).decode(input)
            #expect(decoded.batch.rowCount == 3, "cut to \(length)")
            #expect(decoded.rejected?.rowCount == 3, "cut to \(length)")
        }
    }
}
