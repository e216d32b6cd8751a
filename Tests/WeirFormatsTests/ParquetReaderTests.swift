// Files come back as they were written, and damaged ones as failures. What other writers write is read in
// Tests/Parquet; here are our own files, whole, cut, and with bits turned over.

import Testing
import WeirCore

@testable import WeirFormats

/// Columns of every type, nested ones among them.
let everyType = Schema([
    Field("b", .boolean), Field("t1", .tinyint), Field("t2", .smallint), Field("i", .int),
    Field("l", .bigint), Field("f", .float), Field("d", .double), Field("s", .string),
    Field("x", .bytes), Field("p9", .decimal(precision: 9, scale: 2)),
    Field("p18", .decimal(precision: 18, scale: 0)), Field("p38", .decimal(precision: 38, scale: 4)),
    Field("day", .date), Field("clock", .time), Field("w", .timestamp), Field("t", .timestampLTZ),
    Field("a", .array(.string)), Field("aa", .array(.array(.int))),
    Field("m", .map(key: .string, value: .array(.bigint))),
    Field("r", .row([Field("n", .int), Field("l", .array(.row([Field("z", .double), Field("y", .string)])))])),
    Field("rr", .row([Field("q", .row([Field("e", .boolean), Field("m", .map(key: .int, value: .int))]))])),
])

/// Random rows of `schema`, one in six values NULL.
func randomBatch(_ schema: Schema, rows: Int, seed: UInt64) -> Batch {
    var random = SeededRandom(seed: seed)
    let columns = schema.fields.map { Column($0.type) }
    for _ in 0..<rows { for column in columns { appendRandom(to: column, &random) } }
    return Batch(schema: schema, columns: columns, rowCount: rows)
}

private func appendRandom(to column: Column, _ random: inout SeededRandom, canBeNull: Bool = true) {
    if canBeNull, Int.random(in: 0..<6, using: &random) == 0 { return column.appendNull() }
    switch column.type {
    case .boolean: column.append(Bool.random(using: &random))
    case .double: column.append(Double.random(in: -1e9...1e9, using: &random))
    case .float: column.append(Double(Float.random(in: -10...10, using: &random)))
    case .decimal where column.physical == .int128:
        column.append(Int128(Int64.random(in: .min ... .max, using: &random)) << 32)
    case .string, .bytes:
        let length = Int.random(in: 0..<10, using: &random) == 0 ? 300 : 6
        column.append(String((0..<length).map { _ in "abcé".randomElement(using: &random) ?? "a" }))
    case .array, .map:
        guard let child = column.child else { return }
        let isMap = if case .map = column.type { true } else { false }
        for _ in 0..<Int.random(in: 0..<4, using: &random) {
            if isMap {
                appendRandom(to: child.fields[0], &random, canBeNull: false)
                appendRandom(to: child.fields[1], &random)
                child.appendRow()
            } else {
                appendRandom(to: child, &random)
            }
        }
        column.appendArray()
    case .row:
        for field in column.fields { appendRandom(to: field, &random) }
        column.appendRow()
    case .tinyint, .smallint, .int, .date, .time, .decimal(9, _):
        column.append(Int64.random(in: -100...100, using: &random))
    default: column.append(Int64.random(in: -1_000_000...1_000_000_000_000, using: &random))
    }
}

/// The bytes of a file with these rows.
func parquetFile(_ batches: [Batch], _ options: ParquetOptions = ParquetOptions()) -> [UInt8] {
    let writer = ParquetWriter(batches.first?.schema ?? everyType, options)
    let output = EncodedBytes()
    for batch in batches { writer.append(batch, rows: 0..<batch.rowCount, to: output) }
    writer.finish(metadata: [("weir.agent", "edge-1")], to: output)
    return [UInt8](output.bytes)
}

@Suite struct ParquetReaderTests {
    private func read(
        _ bytes: [UInt8], isWanted: @escaping ([String]) -> Bool = { _ in true }
    ) throws -> (schema: Schema, rows: [String]) {
        let reader = try ParquetReader(ParquetBytes(bytes, name: "f.parquet"), isWanted: isWanted)
        #expect(reader.unreadable == [])
        var found: [String] = []
        while let batch = try reader.next() { found += rows(batch) }
        #expect(found.count == reader.rowCount)
        return (reader.schema, found)
    }

    @Test(arguments: [Compression.none, .snappy, .gzip, .zstd])
    func rowsComeBackAsTheyWere(compression: Compression) throws {
        for (seed, count) in [(1, 1), (2, 300), (3, 2500)] {
            let batch = randomBatch(everyType, rows: count, seed: UInt64(seed))
            let options = ParquetOptions(
                compression: compression, usesDeltas: seed != 2, bloomFilterColumns: ["s"],
                rowGroupBytesMax: 120_000)
            let (schema, found) = try read(parquetFile([batch], options))
            #expect(schema == everyType)
            #expect(found == rows(batch))
        }
    }

    @Test func aFileWithoutRowsHasItsColumns() throws {
        let (schema, found) = try read(parquetFile([]))
        #expect(schema == everyType && found == [])
    }

    @Test func manyRowsInFewPagesComeBack() throws {
        let schema = Schema([Field("n", .bigint), Field("k", .string), Field("nothing", .double)])
        let columns = schema.fields.map { Column($0.type) }
        for row in 0..<50_000 {
            columns[0].append(Int64(row) * 1000)
            columns[1].append("device \(row % 7)")
            columns[2].appendNull()
        }
        let batch = Batch(schema: schema, columns: columns, rowCount: 50_000)
        #expect(try read(parquetFile([batch])).rows == rows(batch))
    }

    @Test func onlyWhatIsWantedIsRead() throws {
        let batch = randomBatch(everyType, rows: 500, seed: 9)
        let bytes = parquetFile([batch])
        let (schema, found) = try read(bytes) { $0 == ["r"] || $0 == ["r", "n"] || $0 == ["l"] }
        #expect(schema == Schema([Field("l", .bigint), Field("r", .row([Field("n", .int)]))]))
        #expect(found[7] == "\(text(batch.columns[4], 7))|" + text(slim(batch.columns[19]), 7))
        #expect(found.count == 500)
        #expect(try read(bytes) { _ in false }.rows.count == 500)
    }

    /// A ROW with its first field only.
    private func slim(_ column: Column) -> Column {
        let type = DataType.row([Field("n", .int)])
        return Column(row: type, count: column.count, validity: nil, fields: [column.fields[0]]).nulls(of: column)
    }

    // MARK: Damage

    /// Reads all of a file, whatever is wrong with it.
    private func readAnyhow(_ bytes: [UInt8]) -> Bool {
        do {
            let reader = try ParquetReader(ParquetBytes(bytes, name: "f.parquet"))
            var count = 0
            while let batch = try reader.next(), count < 100_000 { count += max(1, batch.rowCount) }
            return true
        } catch {
            #expect(error.description.hasPrefix("reading f.parquet: "))
            return false
        }
    }

    @Test func filesThatEndTooEarlyAreRefused() {
        let bytes = parquetFile([randomBatch(everyType, rows: 50, seed: 4)])
        for count in stride(from: 0, to: bytes.count, by: 61) {
            #expect(!readAnyhow(Array(bytes.prefix(count))))
        }
    }

    @Test(arguments: [Compression.none, .zstd, .snappy, .gzip])
    func damagedFilesAreReadOrRefused(compression: Compression) {
        let options = ParquetOptions(compression: compression, rowGroupBytesMax: 20_000)
        let bytes = parquetFile([randomBatch(everyType, rows: 120, seed: 5)], options)
        let footer = bytes.suffix(8).prefix(4).reversed().reduce(0) { $0 << 8 | Int($1) }
        var random = SeededRandom(seed: 11)
        var refused = 0
        for turn in 0..<300 {
            var damaged = bytes
            let lowest = turn % 2 == 0 ? bytes.count - 8 - footer : 0
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                let place = Int.random(in: lowest..<bytes.count, using: &random)
                damaged[place] =
                    turn % 3 == 0
                    ? UInt8.random(in: 0...255, using: &random)
                    : damaged[place] ^ 1 << UInt8.random(in: 0..<8, using: &random)
            }
            if !readAnyhow(damaged) { refused += 1 }
        }
        #expect(refused > 100, "\(refused) refused")
    }

    @Test func damagedPagesAreFoundByTheirChecksums() {
        let bytes = parquetFile([randomBatch(everyType, rows: 2000, seed: 6)], ParquetOptions(compression: .none))
        var damaged = bytes
        damaged[1000] ^= 0x10
        #expect(!readAnyhow(damaged))
    }
}

extension Column {
    /// The same fields with the NULLs of another column.
    fileprivate func nulls(of other: Column) -> Column {
        let copy = Column(type)
        for row in 0..<count {
            if other.isNull(row) {
                copy.appendNull()
            } else {
                for (field, from) in zip(copy.fields, fields) { field.append(from: from, range: row..<row + 1) }
                copy.appendRow()
            }
        }
        return copy
    }
}
