// Group keys as bytes: their order is the order of the columns, they come back as they went in, and
// the table gives each one number.

import Testing
import WeirCore

@testable import WeirRuntime

@Suite struct KeyTests {
    private func columns() -> (types: [DataType], columns: [Column], rowCount: Int) {
        let texts: [String?] = [
            nil, "", "\u{0}", "\u{0}\u{0}", "\u{0}a", "a", "a\u{0}", "a\u{0}b", "ab", "ä",
        ]
        let integers: [Int64?] = [nil, .min, -1, 0, 1, .max]
        let doubles: [Double?] = [nil, -.infinity, -1.5, -0.0, 0, 1e-300, 7, .infinity, .nan]
        let types: [DataType] = [.string, .bigint, .double, .boolean, .string]
        let columns = types.map { Column($0) }
        var random = SeededGenerator(seed: 3)
        for _ in 0..<400 {
            for index in [0, 4] {
                if let text = texts.randomElement(using: &random) ?? nil {
                    columns[index].append(text)
                } else {
                    columns[index].appendNull()
                }
            }
            if let value = integers.randomElement(using: &random) ?? nil {
                columns[1].append(value)
            } else {
                columns[1].appendNull()
            }
            if let value = doubles.randomElement(using: &random) ?? nil {
                columns[2].append(value)
            } else {
                columns[2].appendNull()
            }
            columns[3].append(Bool.random(using: &random))
        }
        return (types, columns, 400)
    }

    private func keys(_ encoder: KeyEncoder, _ columns: [Column], _ rowCount: Int) -> [[UInt8]] {
        let interner = KeyInterner(
            isSingleText: encoder.types.count == 1 && encoder.types[0] == .string, seed: 1)
        var numbers = [Int32](repeating: 0, count: rowCount)
        numbers.withUnsafeMutableBufferPointer { numbers in
            guard let base = numbers.baseAddress else { return }
            encoder.withKeys(of: columns, rowCount: rowCount) { interner.intern($0, into: base) }
        }
        return numbers.map { Array(interner.key($0)) }
    }

    /// Whether row `a` comes before row `b`, column by column, NULL first.
    private func isBefore(_ columns: [Column], _ a: Int, _ b: Int) -> Bool {
        for column in columns {
            if column.isNull(a) || column.isNull(b) {
                if column.isNull(a) != column.isNull(b) { return column.isNull(a) }
                continue
            }
            switch column.physical {
            case .string:
                let (x, y) = (Array(column.text(a)), Array(column.text(b)))
                if x != y { return x.lexicographicallyPrecedes(y) }
            case .int64:
                if column.ints[a] != column.ints[b] { return column.ints[a] < column.ints[b] }
            case .bool:
                if column.bools[a] != column.bools[b] { return column.bools[a] < column.bools[b] }
            case .double:
                let (x, y) = (column.doubles[a], column.doubles[b])
                if x.isNaN || y.isNaN {
                    if x.isNaN != y.isNaN { return y.isNaN }
                } else if x != y {
                    return x < y
                } else if x.sign != y.sign {
                    return x.sign == .minus
                }
            case .int128:
                if column.wides[a] != column.wides[b] { return column.wides[a] < column.wides[b] }
            case .array, .row: break
            }
        }
        return false
    }

    @Test(arguments: [[0], [1], [2], [0, 4], [4, 1], [1, 2, 3], [0, 1, 2, 3, 4]])
    func theOrderOfTheBytesIsTheOrderOfTheColumns(_ chosen: [Int]) {
        let (types, all, rowCount) = columns()
        let columns = chosen.map { all[$0] }
        let encoded = keys(KeyEncoder(types: chosen.map { types[$0] }), columns, rowCount)
        for a in 0..<rowCount {
            for b in stride(from: a % 7, to: rowCount, by: 7) {
                let expected = isBefore(columns, a, b)
                #expect(encoded[a].lexicographicallyPrecedes(encoded[b]) == expected)
                if !expected, !isBefore(columns, b, a) { #expect(encoded[a] == encoded[b]) }
            }
        }
    }

    @Test(arguments: [[0], [1], [2], [0, 4], [0, 1, 2, 3, 4]])
    func keysComeBackAsTheyWentIn(_ chosen: [Int]) {
        let (types, all, rowCount) = columns()
        let encoder = KeyEncoder(types: chosen.map { types[$0] })
        let encoded = keys(encoder, chosen.map { all[$0] }, rowCount)
        let decoded = chosen.map { Column(types[$0]) }
        for key in encoded { key.withUnsafeBufferPointer { encoder.decode([$0], into: decoded) } }
        for row in 0..<rowCount {
            #expect(chosen.map { rendered(all[$0], row) } == decoded.map { rendered($0, row) })
        }
    }

    @Test func theFirstColumnIsAPrefixOfItsOwnKeysOnly() {
        let (types, all, rowCount) = columns()
        let encoder = KeyEncoder(types: [types[0], types[1]])
        let single = keys(KeyEncoder(types: [.string]), [all[0]], rowCount)
        let both = keys(encoder, [all[0], all[1]], rowCount)
        for row in 0..<rowCount {
            let first = both[row].withUnsafeBufferPointer { encoder.firstColumnKey($0) }
            #expect(first == single[row])
            let prefix = encoder.prefix(firstColumnKey: single[row])
            for other in 0..<rowCount {
                #expect(both[other].starts(with: prefix) == (single[other] == single[row]))
            }
        }
    }

    @Test func equalKeysHaveOneNumberAndSortingPutsThemInOrder() {
        var random = SeededGenerator(seed: 9)
        let interner = KeyInterner(isSingleText: false, seed: 0)
        var numberOf: [[UInt8]: Int32] = [:]
        var live: Set<Int32> = []
        for round in 0..<30 {
            for _ in 0..<300 {
                let key = (0..<Int.random(in: 1...20, using: &random)).map { _ in
                    UInt8.random(in: 0...3, using: &random)
                }
                let number = key.withUnsafeBufferPointer { interner.intern($0) }
                #expect(numberOf[key] ?? number == number)
                numberOf[key] = number
                live.insert(number)
            }
            #expect(numberOf.count == interner.count)
            // Few numbers, then all of them: both ways of sorting.
            for count in [3, 40, live.count] {
                var some = Array(live.shuffled(using: &random).prefix(count))
                some.withUnsafeMutableBufferPointer { interner.sort($0) }
                let sorted = some.map { Array(interner.key($0)) }
                #expect(
                    zip(sorted, sorted.dropFirst()).allSatisfy { $0.lexicographicallyPrecedes($1) })
            }
            guard round % 10 == 9 else { continue }
            let renumbered = interner.keep((0..<interner.count).map { $0 % 3 == 0 ? 1 : 0 })
            numberOf = numberOf.compactMapValues {
                renumbered[Int($0)] < 0 ? nil : renumbered[Int($0)]
            }
            live = Set(numberOf.values)
            #expect(interner.count == numberOf.count)
            for (key, number) in numberOf {
                #expect(key.withUnsafeBufferPointer { interner.find($0) } == number)
            }
        }
    }
}
