// Kernels against an oracle: the same functions written once more, a row at a time over plain Swift
// values, compared on random columns with NULLs and edge values, over columns, constants and
// slices. The seed is in every message; a failing run repeats with it.

import Testing
import WeirCore

@testable import WeirSQL

private let seed: UInt64 = 0x5745_4952

/// A random value of a type; one in eight is NULL, one in four an edge.
private func random(_ type: DataType, _ generator: inout SeededGenerator) -> Value {
    let kind = Int.random(in: 0..<8, using: &generator)
    if kind == 0 { return .null }
    let isEdge = kind < 3
    switch type {
    case .boolean: return .bool(Bool.random(using: &generator))
    case .int:
        let edges = [Int64(Int32.min), -1, 0, 1, Int64(Int32.max)]
        return .int(isEdge ? edges.randomElement(using: &generator) ?? 0 : .random(in: -50...50, using: &generator))
    case .double:
        let edges = [0.0, -0.0, 1e308, .infinity, .nan, .leastNonzeroMagnitude]
        return .double(
            isEdge ? edges.randomElement(using: &generator) ?? 0 : .random(in: -100...100, using: &generator))
    case .string:
        let parts = ["a", "b", "ab", " ", "é", "😀", "%", "_", "x,", ","]
        let count = Int.random(in: 0..<(isEdge ? 2 : 8), using: &generator)
        return .text((0..<count).map { _ in parts.randomElement(using: &generator) ?? "" }.joined())
    default:
        let edges = [Int64.min, -1, 0, 1, .max]
        return .int(isEdge ? edges.randomElement(using: &generator) ?? 0 : .random(in: -99...99, using: &generator))
    }
}

/// Strict functions of two BIGINTs: nil is failed.
private let integerOracles: [(ScalarFunction, @Sendable (Int64, Int64) -> Value)] = [
    (.add, { .int($0 &+ $1) }), (.subtract, { .int($0 &- $1) }), (.multiply, { .int($0 &* $1) }),
    (.divide, { $1 == 0 ? .failed : .int($1 == -1 ? 0 &- $0 : $0 / $1) }),
    (.modulo, { $1 == 0 ? .failed : .int($1 == -1 ? 0 : $0 % $1) }),
    (.equal, { .bool($0 == $1) }), (.notEqual, { .bool($0 != $1) }), (.less, { .bool($0 < $1) }),
    (.lessOrEqual, { .bool($0 <= $1) }), (.greater, { .bool($0 > $1) }),
    (.greaterOrEqual, { .bool($0 >= $1) }),
    (.greatest, { .int(max($0, $1)) }), (.least, { .int(min($0, $1)) }),
]

private let doubleOracles: [(ScalarFunction, @Sendable (Double, Double) -> Value)] = [
    (.add, { .double($0 + $1) }), (.subtract, { .double($0 - $1) }),
    (.multiply, { .double($0 * $1) }),
    (.divide, { .double($0 / $1) }), (.modulo, { .double($0.truncatingRemainder(dividingBy: $1)) }),
    (.equal, { .bool($0 == $1) }), (.notEqual, { .bool($0 != $1) }), (.less, { .bool($0 < $1) }),
    (.lessOrEqual, { .bool($0 <= $1) }), (.greater, { .bool($0 > $1) }),
    (.greaterOrEqual, { .bool($0 >= $1) }),
]

/// LIKE by recursion over code points, as the definition says it.
private func isLike(_ text: ArraySlice<Unicode.Scalar>, _ pattern: ArraySlice<Unicode.Scalar>) -> Bool {
    guard let first = pattern.first else { return text.isEmpty }
    if first == "%" {
        return isLike(text, pattern.dropFirst()) || (!text.isEmpty && isLike(text.dropFirst(), pattern))
    }
    guard let head = text.first, first == "_" || first == head else { return false }
    return isLike(text.dropFirst(), pattern.dropFirst())
}

private func scalars(_ text: String) -> [Unicode.Scalar] {
    Array(text.unicodeScalars)
}

private func join(_ scalars: some Sequence<Unicode.Scalar>) -> Value {
    var view = String.UnicodeScalarView()
    view.append(contentsOf: scalars)
    return .text(String(view))
}

/// Where a sequence first occurs in another, from 0.
private func firstIndex(of needle: [Unicode.Scalar], in text: [Unicode.Scalar]) -> Int? {
    guard text.count >= needle.count else { return nil }
    return (0...(text.count - needle.count)).first { text[$0..<($0 + needle.count)].elementsEqual(needle) }
}

private let textOracles: [(ScalarFunction, @Sendable ([Unicode.Scalar], [Unicode.Scalar]) -> Value)] = [
    (.concat, { join($0 + $1) }), (.concatFunction, { join($0 + $1) }),
    (.like, { .bool(isLike($0[...], $1[...])) }), (.notLike, { .bool(!isLike($0[...], $1[...])) }),
    (.startsWith, { .bool($0.starts(with: $1)) }),
    (.endsWith, { .bool($0.reversed().starts(with: $1.reversed())) }),
    (.position, { needle, text in .int(Int64(firstIndex(of: needle, in: text).map { $0 + 1 } ?? 0)) }),
    (.trim, { text, set in
        join(text.drop { set.contains($0) }.reversed().drop { set.contains($0) }.reversed())
    }),
    (.ltrim, { text, set in join(text.drop { set.contains($0) }) }),
    (.less, { a, b in .bool(bytes(a).lexicographicallyPrecedes(bytes(b))) }),
    (.greaterOrEqual, { a, b in .bool(!bytes(a).lexicographicallyPrecedes(bytes(b))) }),
    (.equal, { .bool($0 == $1) }), (.notEqual, { .bool($0 != $1) }),
]

private func bytes(_ scalars: [Unicode.Scalar]) -> [UInt8] {
    scalars.flatMap { Array(String($0).utf8) }
}

@Suite struct KernelRandomTests {
    /// Random rows of two values and what a strict oracle says of them.
    private func rows(
        _ type: DataType, _ count: Int, _ salt: Int, _ oracle: (Value, Value) -> Value
    ) -> [([Value], Value)] {
        var generator = SeededGenerator(seed: seed &+ UInt64(salt))
        return (0..<count).map { _ in
            let (a, b) = (random(type, &generator), random(type, &generator))
            return ([a, b], a.isNull || b.isNull ? .null : oracle(a, b))
        }
    }

    @Test(arguments: integerOracles.indices) func integersAgreeWithTheOracle(_ index: Int) throws {
        let (function, oracle) = integerOracles[index]
        let cases = rows(.bigint, 200, index) { a, b in
            guard case .int(let x) = a, case .int(let y) = b else { return .null }
            return oracle(x, y)
        }
        try expect(function, [.bigint, .bigint], cases)
    }

    @Test(arguments: integerOracles.indices.prefix(5)) func intsAgreeWithTheOracleAt32Bits(_ index: Int) throws {
        let (function, oracle) = integerOracles[index]
        let cases = rows(.int, 200, index) { a, b in
            guard case .int(let x) = a, case .int(let y) = b else { return .null }
            guard case .int(let wide) = oracle(x, y) else { return .failed }
            return .int(Int64(Int32(truncatingIfNeeded: wide)))
        }
        try expect(function, [.int, .int], cases)
    }

    @Test(arguments: doubleOracles.indices) func doublesAgreeWithTheOracle(_ index: Int) throws {
        let (function, oracle) = doubleOracles[index]
        let cases = rows(.double, 200, index) { a, b in
            guard case .double(let x) = a, case .double(let y) = b else { return .null }
            return oracle(x, y)
        }
        try expect(function, [.double, .double], cases)
    }

    @Test(arguments: textOracles.indices) func textsAgreeWithTheOracle(_ index: Int) throws {
        let (function, oracle) = textOracles[index]
        let cases = rows(.string, 300, index) { a, b in
            guard case .text(let x) = a, case .text(let y) = b else { return .null }
            return oracle(scalars(x), scalars(y))
        }
        try expect(function, [.string, .string], cases)
    }

    @Test func substringsAgreeWithTheOracle() throws {
        var generator = SeededGenerator(seed: seed)
        let cases: [([Value], Value)] = (0..<300).map { _ in
            let text = random(.string, &generator)
            let start = Int64.random(in: -9...9, using: &generator)
            let length = Int64.random(in: -1...9, using: &generator)
            guard case .text(let value) = text, length >= 0 else { return ([text, .int(start), .int(length)], .null) }
            let all = scalars(value)
            let first = start > 0 ? Int(start) - 1 : start < 0 ? all.count + Int(start) : 0
            let part = first < 0 ? [] : Array(all.dropFirst(first).prefix(Int(length)))
            return ([text, .int(start), .int(length)], join(part))
        }
        try expect(.substring, [.string, .int, .int], cases)
    }

    /// Random trees of conditions and arithmetic over four columns: whole batches and slices agree,
    /// and a predicate selects exactly the rows whose condition is TRUE.
    @Test func treesGiveTheSameForEveryCut() throws {
        var generator = SeededGenerator(seed: seed)
        let types: [DataType] = [.bigint, .bigint, .boolean, .string]
        let columns = types.map { type in makeColumn(type, (0..<300).map { _ in random(type, &generator) }) }
        let fields = types.enumerated().map { Field("c\($0)", $1) }
        let batch = Batch(schema: Schema(fields), columns: columns, rowCount: 300)
        for _ in 0..<60 {
            let condition = randomCondition(4, &generator)
            let (found, _) = try evaluate(condition, columns)
            let predicate = try CompiledPredicate(condition)
            let rows = UnsafeMutablePointer<Int32>.allocate(capacity: 300)
            defer { rows.deallocate() }
            let count = predicate.select(batch, into: rows)
            let selected = (0..<count).map { Int(rows[$0]) }
            #expect(selected == found.indices.filter { found[$0] == true }, "seed \(seed)")
        }
    }

    private func randomCondition(_ depth: Int, _ generator: inout SeededGenerator) -> BoundExpression {
        let kind = depth == 0 ? 6 : Int.random(in: 0..<7, using: &generator)
        func condition() -> BoundExpression { randomCondition(depth - 1, &generator) }
        func number() -> BoundExpression { randomNumber(depth - 1, &generator) }
        switch kind {
        case 0: return call(.and, condition(), condition())
        case 1: return call(.or, condition(), condition())
        case 2: return call(.not, condition())
        case 3: return call(.less, number(), number())
        case 4: return call(.isNotTrue, condition())
        case 5: return call(.like, .column(index: 3, type: .string), literal("%a%", .string))
        default: return .column(index: 2, type: .boolean)
        }
    }

    private func randomNumber(_ depth: Int, _ generator: inout SeededGenerator) -> BoundExpression {
        let kind = depth <= 0 ? 5 : Int.random(in: 0..<7, using: &generator)
        func number() -> BoundExpression { randomNumber(depth - 1, &generator) }
        switch kind {
        case 0: return call(.add, number(), number())
        case 1: return call(.divide, number(), number())
        case 2: return call(.coalesce, number(), number())
        case 3:
            let branch = BoundExpression.ConditionalBranch(
                condition: randomCondition(depth - 1, &generator), result: number())
            return .conditional(branches: [branch], otherwise: number(), type: .bigint)
        case 4: return literal(.int(Int64.random(in: -3...3, using: &generator)), .bigint)
        default: return .column(index: Int.random(in: 0...1, using: &generator), type: .bigint)
        }
    }
}
