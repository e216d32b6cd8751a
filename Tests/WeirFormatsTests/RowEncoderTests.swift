// NDJSON and CSV, byte by byte, and back again.

import Testing
import WeirCore

@testable import WeirFormats

@Suite struct RowEncoderTests {
    private let schema = Schema([
        Field("b", .boolean), Field("i", .bigint), Field("d", .double), Field("s", .string),
        Field("t", .timestampLTZ), Field("w", .timestamp), Field("a", .array(.string)),
    ])

    /// A row of values, and a row of NULLs.
    private func sample() -> Batch {
        let columns = schema.fields.map { Column($0.type) }
        columns[0].append(true)
        columns[1].append(Int64.min)
        columns[2].append(21.0)
        columns[3].append("a \"quoted\", caf\u{E9}\r\n\u{1}\u{7F}\\")
        columns[4].append(Int64(1_795_266_000_000))
        columns[5].append(Int64(-1))
        columns[6].child?.append("x,y")
        columns[6].child?.appendNull()
        columns[6].appendArray()
        for column in columns { column.appendNull() }
        return Batch(schema: schema, columns: columns, rowCount: 2)
    }

    private func encode(_ encoder: any RowEncoder, _ batch: Batch) -> String {
        let output = EncodedBytes()
        encoder.appendHeader(to: output)
        encoder.append(batch, to: output)
        return String(decoding: output.bytes, as: UTF8.self)
    }

    @Test func ndjsonIsExact() {
        let expected = #"""
            {"b":true,"i":-9223372036854775808,"d":21.0,\#
            "s":"a \"quoted\", café\r\n\u0001\#u{7F}\\",\#
            "t":"2026-11-21T13:00:00.000Z","w":"1969-12-31T23:59:59.999","a":["x,y",null]}
            {"b":null,"i":null,"d":null,"s":null,"t":null,"w":null,"a":null}

            """#
        #expect(encode(NDJSONEncoder(schema), sample()) == expected)
    }

    @Test func csvIsExact() {
        let expected = [
            "b,i,d,s,t,w,a",
            "true,-9223372036854775808,21.0,\"a \"\"quoted\"\", café\r\n\u{1}\u{7F}\\\","
                + "2026-11-21T13:00:00.000Z,1969-12-31T23:59:59.999,\"[\"\"x,y\"\",null]\"",
            ",,,,,,", "",
        ].joined(separator: "\r\n")
        #expect(encode(CSVEncoder(schema), sample()) == expected)
    }

    @Test func csvQuotesWhatMustBeQuotedAndTellsEmptyFromNull() {
        let schema = Schema([Field("a,b", .string), Field("c", .double)])
        let columns = schema.fields.map { Column($0.type) }
        let texts = ["", "plain", " x ", "a,b", "\"", "l\nf", "c\rr", "é"]
        for text in texts { columns[0].append(text) }
        columns[0].appendNull()
        let values = [.nan, .infinity, -.infinity, 0.5, -0.0, 1e300, 1e-7, 123456.0, 2]
        for value in values { columns[1].append(value) }
        let batch = Batch(schema: schema, columns: columns, rowCount: 9)
        #expect(
            encode(CSVEncoder(schema), batch)
                == [
                    "\"a,b\",c", "\"\",NaN", "plain,Infinity", " x ,-Infinity", "\"a,b\",0.5",
                    "\"\"\"\",-0.0",
                    "\"l\nf\",1e+300", "\"c\rr\",1e-07", "é,123456.0", ",2.0", "",
                ].joined(separator: "\r\n"))
    }

    @Test func namesAreEscapedAndNumbersThatJSONLacksAreNull() {
        let schema = Schema([Field("a\"b\n", .double), Field("x", .interval)])
        let columns = schema.fields.map { Column($0.type) }
        let values: [Double] = [.nan, .infinity, 9_007_199_254_740_992, 9_007_199_254_740_991]
        for value in values { columns[0].append(value) }
        for _ in 0..<4 { columns[1].append(Int64(60_000)) }
        let batch = Batch(schema: schema, columns: columns, rowCount: 4)
        #expect(
            encode(NDJSONEncoder(schema), batch) == #"""
                {"a\"b\n":null,"x":60000}
                {"a\"b\n":null,"x":60000}
                {"a\"b\n":9.007199254740992e+15,"x":60000}
                {"a\"b\n":9007199254740991.0,"x":60000}

                """#)
    }

    @Test func rowsInPiecesAreTheSameBytes() {
        let batch = sample()
        for encoder in [NDJSONEncoder(schema) as any RowEncoder, CSVEncoder(schema)] {
            let whole = EncodedBytes()
            encoder.append(batch, to: whole)
            let pieces = EncodedBytes()
            encoder.append(batch, rows: 0..<1, to: pieces)
            encoder.append(batch, rows: 1..<1, to: pieces)
            encoder.append(batch, rows: 1..<2, to: pieces)
            #expect([UInt8](whole.bytes) == [UInt8](pieces.bytes))
        }
    }

    @Test func doublesAreShortestAndReadBackTheSame() {
        var random = SeededRandom(seed: 3)
        let values = Column(.double)
        for _ in 0..<20_000 {
            let value = Double(bitPattern: random.next())
            if value.isFinite { values.append(value) }
            values.append(Double(Int.random(in: -9_999_999...9_999_999, using: &random)) / 100)
            values.append(Double.random(in: -1e6...1e6, using: &random))
            values.append(Double(Int64.random(in: -(1 << 60)...(1 << 60), using: &random)))
        }
        let schema = Schema([Field("v", .double)])
        let batch = Batch(schema: schema, columns: [values], rowCount: values.count)
        let lines = encode(CSVEncoder(schema), batch).split(separator: "\r\n").dropFirst()
        #expect(lines.count == values.count)
        for (row, line) in lines.enumerated() {
            let value = values.doubles[row]
            guard Double(line)?.bitPattern == value.bitPattern,
                line.contains(where: { $0 == "." || $0 == "e" }),
                significantDigits(line) == significantDigits("\(value)")
            else {
                Issue.record("\(value) was written as \(line)")
                return
            }
        }
    }

    /// The digits of a number's text without leading and trailing zeros.
    private func significantDigits(_ text: some StringProtocol) -> String {
        let mantissa = text.prefix { $0 != "e" }.filter(\.isNumber).drop { $0 == "0" }
        return String(String(mantissa.reversed().drop { $0 == "0" }).reversed())
    }

    @Test func decodingWhatWasEncodedGivesTheSameRows() {
        var random = SeededRandom(seed: 5)
        let batch = randomBatch(rowCount: 2000, &random)
        let output = EncodedBytes()
        NDJSONEncoder(schema).append(batch, to: output)
        let declared = schema.fields.map { ColumnDeclaration(name: $0.name, type: $0.type) }
        for form in [PayloadForm.lines, .recognized] {
            let names = declared.map(\.name)
            let decoded = JSONDeserializer(columns: declared, needed: names, form: form).decode(
                messages([[UInt8](output.bytes)]))
            #expect(decoded.rejected == nil)
            #expect(rows(decoded.batch) == rows(batch))
        }
    }

    private func randomBatch(rowCount: Int, _ random: inout SeededRandom) -> Batch {
        let columns = schema.fields.map { Column($0.type) }
        for _ in 0..<rowCount {
            for column in columns {
                if Int.random(in: 0..<5, using: &random) == 0 {
                    column.appendNull()
                } else {
                    appendRandom(to: column, &random)
                }
            }
        }
        return Batch(schema: schema, columns: columns, rowCount: rowCount)
    }

    private func appendRandom(to column: Column, _ random: inout SeededRandom) {
        let times: ClosedRange<Int64> = -62_135_596_800_000...253_402_300_799_999
        switch column.type {
        case .boolean: column.append(Bool.random(using: &random))
        case .bigint: column.append(Int64.random(in: .min ... .max, using: &random))
        case .double: column.append(Double.random(in: -1e9...1e9, using: &random))
        case .string:
            let letters = Array("a\"\\\u{0}\u{1F}é☕😀\n\u{7F}") + Array("long text ")
            let length = Int.random(in: 0..<40, using: &random)
            column.append(
                String((0..<length).map { _ in letters.randomElement(using: &random) ?? "a" }))
        case .array:
            guard let child = column.child else { return }
            for _ in 0..<Int.random(in: 0..<4, using: &random) { appendRandom(to: child, &random) }
            column.appendArray()
        default: column.append(Int64.random(in: times, using: &random))
        }
    }

    @Test func fileNamesTellFormatAndCompression() {
        #expect(RowFormat.ndjson.fileExtension(.none) == ".ndjson")
        #expect(RowFormat.ndjson.fileExtension(.gzip) == ".ndjson.gz")
        #expect(RowFormat.csv.fileExtension(.zstd) == ".csv.zst")
    }
}
