// The parts of a Parquet file by themselves: packed numbers are unpacked again by plain code that
// follows the format's text, bounds hold, hashes are those of the specification.

import Testing
import WeirCore

@testable import WeirFormats

@Suite struct ParquetPartsTests {
    // MARK: Unpacking

    /// A position in packed bytes.
    private struct Unpacker {
        let bytes: [UInt8]
        var next = 0

        mutating func varint() -> UInt64 {
            var (value, shift): (UInt64, UInt64) = (0, 0)
            while true {
                let byte = bytes[next]
                next += 1
                value |= UInt64(byte & 0x7F) << shift
                if byte < 0x80 { return value }
                shift += 7
            }
        }

        mutating func zigzag() -> Int64 {
            let value = varint()
            return Int64(bitPattern: value >> 1) ^ -Int64(bitPattern: value & 1)
        }

        /// `count` numbers of `width` bits, the lowest bit first.
        mutating func packed(_ count: Int, width: Int) -> [UInt64] {
            defer { next += (count * width + 7) / 8 }
            return (0..<count).map { index in
                (0..<width).reduce(0) { value, bit in
                    let place = index * width + bit
                    return value | UInt64(bytes[next + place / 8] >> (place % 8) & 1) << UInt64(bit)
                }
            }
        }

        mutating func hybrid(_ count: Int, width: Int) -> [UInt64] {
            var values: [UInt64] = []
            while values.count < count {
                let head = varint()
                if head & 1 == 1 {
                    values += packed(Int(head >> 1) * 8, width: width)
                } else {
                    var value: UInt64 = 0
                    for byte in 0..<(width + 7) / 8 {
                        value |= UInt64(bytes[next]) << UInt64(8 * byte)
                        next += 1
                    }
                    values += Array(repeating: value, count: Int(head >> 1))
                }
            }
            return Array(values.prefix(count))
        }

        mutating func deltas(isNarrow: Bool) -> [Int64] {
            let (block, miniblocks, count) = (Int(varint()), Int(varint()), Int(varint()))
            var values = [zigzag()]
            while values.count < count {
                let least = zigzag()
                let widths = (0..<miniblocks).map { bytes[next + $0] }
                next += miniblocks
                for width in widths where values.count < count {
                    for delta in packed(block / miniblocks, width: Int(width)) {
                        let sum = values[values.count - 1] &+ least &+ Int64(bitPattern: delta)
                        values.append(isNarrow ? Int64(Int32(truncatingIfNeeded: sum)) : sum)
                    }
                }
            }
            return Array(values.prefix(count))
        }
    }

    private func bytes(_ write: (EncodedBytes) -> Void) -> [UInt8] {
        let output = EncodedBytes()
        write(output)
        return [UInt8](output.bytes)
    }

    @Test func runsAndPackedNumbersComeBack() {
        var random = SeededRandom(seed: 1)
        for width in 1...20 {
            for _ in 0..<40 {
                var values: [UInt32] = []
                for _ in 0..<Int.random(in: 0..<12, using: &random) {
                    let value = UInt32.random(in: 0..<(1 << UInt32(width)), using: &random)
                    let length = Int.random(in: 1..<30, using: &random)
                    values += Array(repeating: value, count: length)
                    values += (0..<length % 5).map { _ in
                        UInt32.random(in: 0..<(1 << UInt32(width)), using: &random)
                    }
                }
                let packed = bytes { output in
                    values.withUnsafeBufferPointer { values in
                        guard let base = values.baseAddress else { return }
                        output.append(hybrid: base, count: values.count, width: width)
                    }
                }
                var unpacker = Unpacker(bytes: packed)
                #expect(unpacker.hybrid(values.count, width: width) == values.map { UInt64($0) })
                #expect(unpacker.next == packed.count)
            }
        }
    }

    @Test func deltasComeBack() {
        var random = SeededRandom(seed: 2)
        for isNarrow in [false, true] {
            for count in [1, 2, 31, 32, 33, 128, 129, 130, 1000] {
                for bits in [1, 5, 20, 31, 63] where !isNarrow || bits < 32 {
                    let limit = Int64.max >> Int64(63 - bits)
                    let values = (0..<count).map { _ in
                        Int64.random(in: -limit - 1...limit, using: &random)
                    }
                    let packed = bytes { output in
                        values.withUnsafeBufferPointer {
                            guard let base = $0.baseAddress else { return }
                            output.append(deltas: base, count: count, isNarrow: isNarrow)
                        }
                    }
                    var unpacker = Unpacker(bytes: packed)
                    #expect(unpacker.deltas(isNarrow: isNarrow) == values)
                    #expect(unpacker.next == packed.count)
                }
            }
        }
    }

    @Test func evenStepsTakeHardlyAnything() {
        let values = (0..<100_000).map { Int64($0) * 1000 }
        let packed = bytes { output in
            values.withUnsafeBufferPointer {
                guard let base = $0.baseAddress else { return }
                output.append(deltas: base, count: values.count, isNarrow: false)
            }
        }
        #expect(packed.count < 6000)
    }

    // MARK: Bounds

    private func textBounds(_ least: [UInt8], _ greatest: [UInt8], areUTF8: Bool) -> Bounds? {
        least.withUnsafeBytes { least in
            greatest.withUnsafeBytes { Bounds(texts: least, $0, areUTF8: areUTF8) }
        }
    }

    @Test func longTextsAreCutBelowAndAbove() {
        let a = Array(String(repeating: "a", count: 63).utf8)
        // The 64th byte would cut é in two.
        let bounds = textBounds(a + Array("éxx".utf8), a + Array("éxx".utf8), areUTF8: true)
        #expect(bounds?.least == .bytes(a))
        #expect(bounds?.greatest == .bytes(Array(a.dropLast()) + [UInt8(ascii: "b")]))
        #expect(bounds?.isLeastExact == false && bounds?.isGreatestExact == false)
        let last = Array(String(repeating: "\u{10FFFF}", count: 20).utf8)
        #expect(textBounds(a, last, areUTF8: true) == nil, "nothing short is above it")
        let gap = Array(String(repeating: "\u{D7FF}", count: 22).utf8)
        guard case .bytes(let above)? = textBounds(a, gap, areUTF8: true)?.greatest else {
            Issue.record("a text has a bound")
            return
        }
        #expect(String(decoding: above, as: UTF8.self).unicodeScalars.last == "\u{E000}")
        let high = [UInt8](repeating: 0xFF, count: 63) + [1, 2, 3]
        #expect(textBounds(a, high, areUTF8: false)?.greatest == .bytes(Array(repeating: 0xFF, count: 63) + [2]))
        #expect(textBounds(a, [UInt8](repeating: 0xFF, count: 80), areUTF8: false) == nil)
        let short = textBounds([], Array("é".utf8), areUTF8: true)
        #expect(short?.isLeastExact == true && short?.isGreatestExact == true)
    }

    @Test func zerosAreBothZerosAndNaNIsNoBound() {
        #expect(Bounds(reals: .infinity, -.infinity) == nil)
        let zeros = Bounds(reals: 0.0, -0.0)
        guard case .real(let least)? = zeros?.least, case .real(let greatest)? = zeros?.greatest else {
            Issue.record("zeros have bounds")
            return
        }
        #expect(least.sign == .minus && greatest.sign == .plus)
    }

    @Test func mergedBoundsKnowWhetherTheyOccur() {
        let long = Array(repeating: UInt8(ascii: "m"), count: 80)
        var bounds = textBounds(long, long, areUTF8: true)
        if let other = textBounds(Array(long.prefix(64)), Array("a".utf8), areUTF8: true) {
            bounds?.merge(other)
        }
        #expect(bounds?.least == .bytes(Array(long.prefix(64))) && bounds?.isLeastExact == true)
        #expect(bounds?.isGreatestExact == false)
        let above = Array(long.prefix(63)) + [UInt8(ascii: "n")]
        if let other = textBounds(above, above, areUTF8: true) { bounds?.merge(other) }
        #expect(bounds?.greatest == .bytes(above) && bounds?.isGreatestExact == true)
    }

    @Test(arguments: [[false, true], [true, false]])
    func aNaNInOnePageIsOneInTheChunk(_ pages: [Bool]) {
        var bounds = Bounds(reals: 1, 2, leavingOutNaN: pages[0])
        if let other = Bounds(reals: 0, 3, leavingOutNaN: pages[1]) { bounds?.merge(other) }
        #expect(bounds?.leavesOutNaN == true)
        #expect(bounds?.least == .real(0) && bounds?.greatest == .real(3))
    }

    // MARK: Hashes

    @Test func hashesAreThoseOfTheSpecification() {
        func hash(_ text: String) -> UInt64 { Array(text.utf8).withUnsafeBytes { xxHash64($0) } }
        #expect(hash("") == 0xEF46_DB37_51D8_E999)
        #expect(hash("a") == 0xD24E_C4F1_A98C_6E5B)
        #expect(hash("abc") == 0x44BC_2CF5_AD77_0999)
        #expect(hash("Nobody inspects the spammish repetition") == 0xFBCE_A83C_8A37_8BF1)
    }

    @Test func aBloomFilterKnowsItsValuesAndFewOthers() {
        let hashes = ValueBuffer<UInt64>()
        func hash(_ number: Int) -> UInt64 { withUnsafeBytes(of: number.littleEndian) { xxHash64($0) } }
        for number in 0..<20_000 { hashes.append(hash(number)) }
        let filter = BloomFilter(hashes)
        #expect((0..<20_000).allSatisfy { filter.contains(hash($0)) })
        let wrong = (20_000..<120_000).count { filter.contains(hash($0)) }
        #expect(wrong < 1000, "\(wrong) of 100,000 taken for one that is there")
    }

    @Test func fixedDecimalsAreAsShortAsTheirDigits() {
        let lengths = [19, 20, 21, 22, 23, 24, 26, 28, 29, 31, 33, 35, 36, 38].map { precision in
            ParquetSchema(Schema([Field("p", .decimal(precision: precision, scale: 0))])).leaves[0].fixedBytes
        }
        #expect(lengths == [9, 9, 9, 10, 10, 11, 11, 12, 13, 13, 14, 15, 16, 16])
    }
}
