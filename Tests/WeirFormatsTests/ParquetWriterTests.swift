// Parquet files as bytes: what must not show in them, and what they must not say. That readers take
// them is tested with pyarrow and DuckDB (Tests/Integration/test_parquet.py, Tests/Parquet).

import Testing
import WeirCore

@testable import WeirFormats

@Suite struct ParquetWriterTests {
    private let schema = Schema([
        Field("b", .boolean), Field("i", .bigint), Field("f", .float), Field("d", .double),
        Field("s", .string), Field("x", .bytes), Field("p", .decimal(precision: 38, scale: 4)),
        Field("t", .timestampLTZ), Field("a", .array(.string)),
        Field("m", .map(key: .string, value: .array(.bigint))),
        Field("r", .row([Field("n", .int), Field("l", .array(.double))])),
    ])

    private func batch(rows: Int, seed: UInt64) -> Batch {
        var random = SeededRandom(seed: seed)
        let columns = schema.fields.map { Column($0.type) }
        for _ in 0..<rows { for column in columns { appendRandom(to: column, &random) } }
        return Batch(schema: schema, columns: columns, rowCount: rows)
    }

    private func appendRandom(
        to column: Column, _ random: inout SeededRandom, canBeNull: Bool = true
    ) {
        if canBeNull, Int.random(in: 0..<6, using: &random) == 0 { return column.appendNull() }
        switch column.type {
        case .boolean: column.append(Bool.random(using: &random))
        case .double: column.append(Double.random(in: -1e9...1e9, using: &random))
        case .float: column.append(Double(Float.random(in: -10...10, using: &random)))
        case .decimal: column.append(Int128(Int64.random(in: .min ... .max, using: &random)) << 32)
        case .string, .bytes:
            let length = Int.random(in: 0..<10, using: &random) == 0 ? 300 : 6
            column.append(String((0..<length).map { _ in "abcé".randomElement(using: &random) ?? "a" }))
        case .array, .map:
            guard let child = column.child else { return }
            let isMap = child.type != column.type && child.physical == .row
            for _ in 0..<Int.random(in: 0..<4, using: &random) {
                appendRandom(to: child, &random, canBeNull: !isMap)
            }
            column.appendArray()
        case .row(let fields):
            for (field, declared) in zip(column.fields, fields) {
                appendRandom(to: field, &random, canBeNull: declared.name != "key")
            }
            column.appendRow()
        case .int: column.append(Int64.random(in: -5...5, using: &random))
        default: column.append(Int64.random(in: -1_000_000...1_000_000_000_000, using: &random))
        }
    }

    private func file(_ batches: [Batch], _ options: ParquetOptions, pieces: [Int] = [.max]) -> [UInt8] {
        let writer = ParquetWriter(schema, options)
        let output = EncodedBytes()
        var turn = 0
        for batch in batches {
            var start = 0
            while start < batch.rowCount {
                let end = min(batch.rowCount, start + min(pieces[turn % pieces.count], batch.rowCount))
                writer.append(batch, rows: start..<end, to: output)
                (start, turn) = (end, turn + 1)
            }
        }
        writer.finish(metadata: [("weir.agent", "edge-1")], to: output)
        return [UInt8](output.bytes)
    }

    @Test(arguments: [Compression.none, .snappy, .gzip, .zstd])
    func batchesDoNotShow(compression: Compression) {
        let whole = batch(rows: 3000, seed: 7)
        // Small row groups, so that their ends are decided often.
        let options = ParquetOptions(
            compression: compression, bloomFilterColumns: ["s", "i", "a"], rowGroupBytesMax: 100_000)
        let expected = file([whole], options)
        #expect(expected.starts(with: Array("PAR1".utf8)) && expected.suffix(4) == Array("PAR1".utf8))
        for pieces in [[1], [7], [1000, 3, 1], [1024], [1025]] {
            #expect(file([whole], options, pieces: pieces) == expected, "in pieces of \(pieces)")
        }
        let cuts = [0, 1, 2000, 2001, 2555, 3000]
        let batches = zip(cuts, cuts.dropFirst()).map { whole.slice($0..<$1) }
        #expect(file(batches, options) == expected, "as batches")
    }

    @Test func aFileWithoutRowsIsAFile() {
        let bytes = file([], ParquetOptions())
        #expect(bytes.count > 100 && bytes.suffix(4) == Array("PAR1".utf8))
    }

    @Test func aStrideEndsBehindALongText() {
        let schema = Schema([Field("s", .string)])
        let column = Column(.string)
        let long = String(repeating: "x", count: 3 << 20)
        for row in 0..<50 { column.append(row % 10 == 0 ? long : "short \(row)") }
        let batch = Batch(schema: schema, columns: [column], rowCount: 50)
        let options = ParquetOptions(compression: .none, rowGroupBytesMax: 4 << 20)
        let files = [50, 1, 7].map { piece in
            let writer = ParquetWriter(schema, options)
            let output = EncodedBytes()
            for start in stride(from: 0, to: 50, by: piece) {
                writer.append(batch, rows: start..<min(50, start + piece), to: output)
            }
            #expect(output.count > 8 << 20, "row groups are written as they fill")
            writer.finish(metadata: [], to: output)
            return [UInt8](output.bytes)
        }
        #expect(files[0] == files[1] && files[0] == files[2])
    }
}
