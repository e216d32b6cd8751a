// Blocks: every batch comes back as it was, and no damage is taken for a batch or ends the process.

import Testing
import WeirCore
import WeirStore

/// A column of random values, NULLs and shapes.
private func randomColumn(_ type: DataType, _ count: Int, _ random: inout SeededGenerator) -> Column
{
    let column = Column(type)
    let hasNulls = random.next() % 2 == 0
    let spread = [UInt64(1), 200, 60_000, 1 << 31, .max][Int(random.next() % 5)]
    for _ in 0..<count {
        if hasNulls, random.next() % 4 == 0 {
            column.appendNull()
            continue
        }
        switch type.physical {
        case .bool: column.append(random.next() % 2 == 0)
        case .int64: column.append(Int64(bitPattern: random.next() % spread) &- 77)
        case .int128:
            column.append(Int128(Int64(bitPattern: random.next() % spread)) << 40 - Int128(random.next()))
        case .double: column.append(Double(bitPattern: random.next()))
        case .row:
            for field in column.fields {
                field.append(from: randomColumn(field.type, 1, &random), range: 0..<1)
            }
            column.appendRow()
        case .string:
            let length = Int(random.next() % (spread == 60_000 ? 700 : 9))
            column.append(
                String((0..<length).map { _ in "aäb€\u{0}c".randomElement(using: &random) ?? "a" }))
        case .array:
            if let child = column.child {
                let values = randomColumn(child.type, Int(random.next() % 4), &random)
                child.append(from: values, range: 0..<values.count)
            }
            column.appendArray()
        }
    }
    return column
}

private let everyType: [DataType] = [
    .boolean, .int, .bigint, .double, .string, .timestamp, .timestampLTZ, .interval, .null,
    .array(.string), .array(.bigint), .array(.array(.boolean)), .decimal(precision: 30, scale: 4),
    .date, .bytes, .map(key: .string, value: .double), .row([Field("a", .int), Field("b", .string)]),
]

private func randomBatch(_ random: inout SeededGenerator) -> Batch {
    let count = [0, 1, 7, 8, 9, 300][Int(random.next() % 6)]
    let types = (0..<Int(random.next() % 5)).map { _ in
        everyType.randomElement(using: &random) ?? .int
    }
    let schema = Schema(types.enumerated().map { Field("column \($0)", $1) })
    return Batch(
        schema: schema, columns: types.map { randomColumn($0, count, &random) }, rowCount: count,
        watermarks: random.next() % 2 == 0 ? randomColumn(.bigint, count, &random) : nil)
}

/// Whether two columns hold the same rows, bit by bit.
private func areEqual(_ a: Column, _ b: Column) -> Bool {
    guard a.type == b.type, a.count == b.count else { return false }
    return (0..<a.count).allSatisfy { row in
        guard a.isNull(row) == b.isNull(row) else { return false }
        switch a.physical {
        case .bool: return a.bools[row] == b.bools[row]
        case .int64: return a.ints[row] == b.ints[row]
        case .int128: return a.wides[row] == b.wides[row]
        case .double: return a.doubles[row].bitPattern == b.doubles[row].bitPattern
        case .row:
            return zip(a.fields, b.fields).allSatisfy {
                areEqual($0.slice(row..<row + 1), $1.slice(row..<row + 1))
            }
        case .string: return a.text(row).elementsEqual(b.text(row))
        case .array:
            guard let ac = a.child, let bc = b.child else { return false }
            let (ar, br) = (
                Int(a.offsets[row])..<Int(a.offsets[row + 1]),
                Int(b.offsets[row])..<Int(b.offsets[row + 1])
            )
            return areEqual(ac.slice(ar), bc.slice(br))
        }
    }
}

private func areEqual(_ a: Batch, _ b: Batch) -> Bool {
    guard a.schema == b.schema, a.rowCount == b.rowCount else { return false }
    guard (a.watermarks == nil) == (b.watermarks == nil) else { return false }
    if let aw = a.watermarks, let bw = b.watermarks, !areEqual(aw, bw) { return false }
    return zip(a.columns, b.columns).allSatisfy { areEqual($0, $1) }
}

@Suite struct BatchCodecTests {
    @Test(arguments: [1, 2, 3] as [UInt64])
    func everyBatchComesBackAsItWas(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let (encoder, decoder) = (BatchEncoder(), BatchDecoder())
        for _ in 0..<150 {
            let batch = randomBatch(&random)
            let decoded = try decoder.decode(encoder.encode(batch, keepsWatermarks: true))
            #expect(areEqual(batch, decoded))
        }
    }

    @Test func watermarksAreLeftOutUnlessAskedFor() throws {
        let marks = Column(.bigint)
        marks.append(5 as Int64)
        let plain = rows(0..<1)
        let batch = Batch(
            schema: plain.schema, columns: plain.columns, rowCount: 1, watermarks: marks)
        #expect(try BatchDecoder().decode(BatchEncoder().encode(batch)).watermarks == nil)
    }

    @Test func aBlockIsAFractionOfItsRows() {
        let size = BatchEncoder().encode(rows(0..<5000)).count
        #expect(size < 5000 * (8 + 10 + 8 + 8) / 3, "\(size) bytes")
    }

    @Test(arguments: [4, 5] as [UInt64])
    func aFlippedByteIsAlwaysFound(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let (encoder, decoder) = (BatchEncoder(), BatchDecoder())
        for _ in 0..<60 {
            let block = encoder.encode(randomBatch(&random), keepsWatermarks: true)
            for _ in 0..<20 {
                var damaged = block
                damaged[Int(random.next() % UInt64(block.count))] ^= UInt8(1 + random.next() % 255)
                #expect(throws: Failure.self) { try decoder.decode(damaged) }
            }
            let cut = Int(random.next() % UInt64(block.count))
            #expect(throws: Failure.self) { try decoder.decode(Array(block[..<cut])) }
        }
    }

    /// The checksum is made right again after the damage, so that all later checks are reached.
    @Test(arguments: [6, 7, 8] as [UInt64])
    func damageBehindARightChecksumNeverCrashes(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let (encoder, decoder) = (BatchEncoder(), BatchDecoder())
        var refused = 0
        for _ in 0..<60 {
            let block = encoder.encode(randomBatch(&random), keepsWatermarks: true)
            for _ in 0..<15 {
                var damaged = block
                for _ in 0...random.next() % 3 {
                    let place = 4 + Int(random.next() % UInt64(block.count - 4))
                    damaged[place] =
                        [0, 1, 127, 128, 255, UInt8(random.next() % 256)][Int(random.next() % 6)]
                }
                if random.next() % 8 == 0 { damaged.removeLast(Int(random.next() % 5)) }
                seal(&damaged)
                do { _ = try decoder.decode(damaged) } catch { refused += 1 }
            }
        }
        #expect(refused > 200, "damage that is noticed at all")
    }

    @Test func lengthsThatAreTooLargeCostNoMemory() {
        var block = BatchEncoder().encode(rows(0..<3, Schema([Field("n", .bigint)])))
        for place in 10..<14 { block[place] = 255 }
        seal(&block)
        #expect(throws: Failure.self) { try BatchDecoder().decode(block) }
        for place in 6..<10 { block[place] = 255 }
        seal(&block)
        #expect(throws: Failure.self) { try BatchDecoder().decode(block) }
    }

    @Test func theChecksumIsCRC32C() {
        // RFC 3720, B.4: CRC-32C of 32 zero bytes is 0x8A9136AA; of "123456789" 0xE3069283
        // (catalogue).
        #expect(bitwiseCRC32C([UInt8](repeating: 0, count: 32)) == 0x8A91_36AA)
        #expect(bitwiseCRC32C(Array("123456789".utf8)) == 0xE306_9283)
        let block = BatchEncoder().encode(rows(0..<2))
        let stored = block[..<4].reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        #expect(stored == bitwiseCRC32C(Array(block[4...])))
    }
}

/// CRC-32C, a bit at a time: slow and plainly right.
private func bitwiseCRC32C(_ bytes: [UInt8]) -> UInt32 {
    var crc = ~UInt32(0)
    for byte in bytes {
        crc ^= UInt32(byte)
        for _ in 0..<8 { crc = crc >> 1 ^ (crc & 1 == 1 ? 0x82F6_3B78 : 0) }
    }
    return ~crc
}

/// Makes a block's checksum right.
private func seal(_ block: inout [UInt8]) {
    guard block.count >= 4 else { return }
    let crc = bitwiseCRC32C(Array(block[4...]))
    for i in 0..<4 { block[i] = UInt8(truncatingIfNeeded: crc >> UInt32(8 * i)) }
}
