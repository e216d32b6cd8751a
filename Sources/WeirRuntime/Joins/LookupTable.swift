// The rows of a table that queries look events up in. Its owner replaces them between two commits;
// operators notice by the version and index the rows anew.

import WeirCore

/// A table in memory.
public final class LookupTable {
    public let name: String
    /// The rows, with all columns of the table.
    public private(set) var rows: Batch
    /// Counts the replacements.
    public private(set) var version = 0

    public init(name: String, schema: Schema) {
        self.name = name
        rows = .empty(schema)
    }

    /// Takes other rows with the same columns.
    public func replace(_ rows: Batch) {
        precondition(rows.schema == self.rows.schema, "a table keeps its columns")
        self.rows = rows
        version += 1
    }
}
