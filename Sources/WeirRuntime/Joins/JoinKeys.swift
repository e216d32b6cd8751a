// The keys of a join's rows as dense numbers, the same numbers on both sides.
//
// A key with a NULL in it equals nothing, unless its columns are compared by IS NOT DISTINCT FROM: such
// a row has the number `none`.

import WeirCore
import WeirSQL

/// Computes and interns join keys.
final class JoinKeys {
    /// The number of a row that matches nothing.
    static let none: Int32 = -1

    private let expressions: [[CompiledExpression]]
    private let matchesNull: [Bool]
    private let encoder: KeyEncoder
    private let interner: KeyInterner

    init(_ condition: JoinCondition, seed: UInt64) throws(Failure) {
        let compile = { (expression: BoundExpression) throws(Failure) in
            try CompiledExpression(expression)
        }
        expressions = [
            try condition.keys.map { (key) throws(Failure) in try compile(key.left) },
            try condition.keys.map { (key) throws(Failure) in try compile(key.right) },
        ]
        matchesNull = condition.keys.map(\.matchesNull)
        let types = condition.keys.map(\.left.type)
        encoder = KeyEncoder(types: types)
        interner = KeyInterner(
            isSingleText: types.count == 1 && types[0].physical == .string, seed: seed)
    }

    /// How many numbers are in use.
    var count: Int { interner.count }

    var memoryBytes: Int { interner.byteCount + interner.count * 40 }

    var evaluationErrors: UInt64 {
        expressions.joined().reduce(0) { $0 + $1.evaluationErrors }
    }

    /// The bytes of a key; valid until the next key comes.
    func bytes(_ number: Int32) -> UnsafeBufferPointer<UInt8> { interner.key(number) }

    /// Writes the number of each row's key; `side` is 0 for the left input, 1 for the right one.
    func number(_ batch: Batch, side: Int, into numbers: UnsafeMutablePointer<Int32>) {
        let columns = expressions[side].map { $0.evaluate(batch) }
        encoder.withKeys(of: columns, rowCount: batch.rowCount) {
            interner.intern($0, into: numbers)
        }
        for (column, takesNull) in zip(columns, matchesNull) where !takesNull {
            guard let validity = column.validity else { continue }
            for row in 0..<batch.rowCount where validity[row] == 0 { numbers[row] = Self.none }
        }
    }

    /// The number of one key, given out now if it is new.
    func number(_ key: UnsafeBufferPointer<UInt8>) -> Int32 { interner.intern(key) }

    /// Forgets the keys that are not marked in `isLive`; returns each old number's new one.
    func keep(_ isLive: [UInt8]) -> [Int32] { interner.keep(isLive) }
}
