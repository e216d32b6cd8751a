// The rows of a table that queries look events up in. Its owner replaces them between two commits;
// operators notice by the version and index the rows anew.
//
// No two rows have the same key and none has a NULL in it, so that a look-up by the key has one answer:
// rows that break this never get in.

import WeirCore
import WeirSQL

/// A table in memory.
public final class LookupTable {
    /// In SQL.
    public let name: String
    /// The rows, with all columns of the table.
    public private(set) var rows: Batch
    /// Counts the replacements.
    public private(set) var version = 0

    public init(name: String, schema: Schema) {
        self.name = name
        rows = .empty(schema)
    }

    /// Takes other rows with the same columns, which have passed `keyFault`.
    public func replace(_ rows: Batch) {
        precondition(rows.schema == self.rows.schema, "a table keeps its columns")
        self.rows = rows
        version += 1
    }

    /// What is wrong with the key of a row.
    public enum KeyFault: Equatable, Sendable {
        case isNull(row: Int)
        /// It is the key of an earlier row, too.
        case isTaken(row: Int, earlier: Int)
    }

    /// The first row of `rows` whose key (the columns of these names) is NULL or taken; nil when there
    /// is none.
    public static func keyFault(in rows: Batch, key: [String]) throws(Failure) -> KeyFault? {
        let columns = key.compactMap { rows.schema.index(of: $0) }
        precondition(columns.count == key.count, "a key is of the table's columns")
        let condition = JoinCondition.equality(of: columns, in: rows.schema)
        let keys = try JoinKeys(condition, seed: 0)
        let numbers = Buffer<Int32>()
        numbers.reserve(rows.rowCount)
        keys.number(rows, side: 1, into: numbers.base)
        var firsts = [Int32](repeating: -1, count: keys.count)
        for row in 0..<rows.rowCount {
            let number = Int(numbers.base[row])
            if number < 0 { return .isNull(row: row) }
            if firsts[number] >= 0 { return .isTaken(row: row, earlier: Int(firsts[number])) }
            firsts[number] = Int32(row)
        }
        return nil
    }
}
