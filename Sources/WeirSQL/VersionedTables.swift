// What joins FOR SYSTEM_TIME AS OF take for a table of versions. weir tells versions apart by the columns
// that the join compares, whatever they are. Flink wants a primary key for that in the table's declaration,
// which an exported script must have: so the columns are followed down to the source that they come from.

import WeirCore

/// A source whose rows are the versions of a table.
public struct VersionedTable: Hashable, Sendable {
    /// The source's name.
    public let source: String
    /// The columns of the source that tell its rows apart, each once, by name.
    public let key: [String]
}

extension LogicalPlan {
    private enum Versions {
        case ofSource(VersionedTable)
        /// The key is computed, or the versions are results of an operator and no rows of a source.
        case withoutKey
    }

    /// The sources that joins read versions of, from the bottom up.
    public var versionedTables: [VersionedTable] {
        let below = inputs.flatMap(\.versionedTables)
        guard case .ofSource(let table) = ownVersions else { return below }
        return below + [table]
    }

    /// Whether this node joins with versions for which Flink finds no key.
    var readsVersionsWithoutKey: Bool {
        if case .withoutKey = ownVersions { return true }
        return false
    }

    /// How often the rows of `source` are read.
    public func readerCount(of source: String) -> Int {
        if case .scan(source, _, _) = self { return 1 }
        return inputs.reduce(0) { $0 + $1.readerCount(of: source) }
    }

    /// The versions that this very node reads.
    private var ownVersions: Versions? {
        guard case .ordered(.temporalJoin(let spec), let inputs, _) = self else { return nil }
        var (key, sources): (Set<String>, Set<String>) = ([], [])
        for pair in spec.condition.keys {
            guard let found = pair.right.plainColumn.flatMap(inputs[1].sourceColumn(of:)) else {
                return .withoutKey
            }
            sources.insert(found.source)
            key.insert(found.column)
        }
        guard let source = sources.first else { return .withoutKey }
        return .ofSource(VersionedTable(source: source, key: key.sorted()))
    }

    /// The source's column that a column is, where only projections lie between. Flink takes no filter
    /// there: without a row that it drops, an older version would seem to hold on.
    private func sourceColumn(of column: Int) -> (source: String, column: String)? {
        switch self {
        case .scan(let source, let schema, _): (source, schema[column].name)
        case .project(let input, let expressions, _):
            expressions[column].plainColumn.flatMap(input.sourceColumn(of:))
        default: nil
        }
    }
}
