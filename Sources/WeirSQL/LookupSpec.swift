// The join with a table of a file, whose rows are all known when an event comes: no row waits for it.

import WeirCore

/// A look-up of each row in a table.
public struct LookupSpec: Hashable, Sendable {
    /// Which rows come out.
    public enum Kind: String, Hashable, Sendable {
        case inner, left
        /// Rows that have a match in the table, each once, and rows that have none.
        case semi, anti

        /// Whether only the input's columns come out.
        public var isOneSided: Bool { self == .semi || self == .anti }
    }

    /// The table's name in the catalog.
    public let table: String
    /// The columns of the table that are read, in order.
    public let columns: Schema
    /// Which rows come out.
    public let kind: Kind
    /// Over the columns of the input and then those of the table.
    public let condition: JoinCondition
    /// Whether it was written with FOR SYSTEM_TIME AS OF; it computes the same without.
    public let isVersioned: Bool

    /// The columns of the table that are read, by their place in `columns`, if `needed` of the
    /// output are.
    func columnsRead(needed: Set<Int>, leftWidth: Int) -> Set<Int> {
        let shown = kind.isOneSided ? [] : needed.filter { $0 >= leftWidth }
        return condition.columns(of: 1).union(shown.map { $0 - leftWidth })
    }

    /// What Flink makes else of the join where it is not versioned; nil when it is the same there. To Flink
    /// it is then a join of two streams: its result has no event time, and an outer one corrects itself.
    public func portabilityComplaint(isBelowWindows: Bool) -> String? {
        let advice = "write JOIN \(table) FOR SYSTEM_TIME AS OF the event time"
        if kind == .left || kind == .anti {
            let form = kind == .left ? "LEFT JOIN \(table) ON …" : "NOT IN or NOT EXISTS of \(table)"
            return "\(form): in Flink the result withdraws rows that it has given; \(advice)"
        }
        guard isBelowWindows else { return nil }
        return "the join with \(table) has no event time in Flink, and what follows needs it; \(advice)"
    }

    /// The operator as one line of a plan's text.
    func text(
        leftWidth: Int, _ column: @escaping (Int) -> String, _ reading: PlanText.Reading
    ) -> String {
        let on = condition.text { input, index in
            if input == 0 { return column(index) }
            return reading == .numbers ? "#1.\(index)" : "\(table).\(columns[index].name)"
        }
        let shown = columns.fields.map { "\(PlanText.quoted($0.name)) \($0.type)" }
        return "\(kind.rawValue) lookup in \(PlanText.quoted(table)) "
            + "(\(shown.joined(separator: ", ")))\(on.isEmpty ? "" : " on \(on)")"
    }
}

extension LogicalPlan {
    /// The tables that are looked up in, each once, in the order of the tree.
    public var lookupTables: [String] {
        var found: [String] = []
        for name in inputs.flatMap(\.lookupTables) where !found.contains(name) { found.append(name) }
        if case .lookup(_, let spec, _) = self, !found.contains(spec.table) { found.append(spec.table) }
        return found
    }

    /// The look-ups, from the bottom up.
    public var lookups: [LookupSpec] {
        let below = inputs.flatMap(\.lookups)
        if case .lookup(_, let spec, _) = self { return below + [spec] }
        return below
    }
}
