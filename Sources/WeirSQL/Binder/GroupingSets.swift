// GROUPING SETS, ROLLUP and CUBE: which sets of keys a GROUP BY names. Its elements are combined, each set
// of one with each set of the others, so `a, ROLLUP (b)` has the sets (a, b) and (a). A set that comes twice
// gives its groups twice, as in SQL.
//
// Always true: every set groups by the window, so one aggregate over windows computes them all.

import WeirCore

/// What an item of GROUP BY is to the groups.
enum GroupingPart: Hashable {
    /// The number of a key.
    case key(Int)
    /// A column of the window, or a function of it.
    case ofWindow
    /// TUMBLE(…) and the like.
    case olderWindow
    /// The same in all rows.
    case constant
}

extension GroupBySyntax {
    /// The sets as numbers of keys, empty when there is one; `parts` are what the items mean, in order.
    func sets(_ parts: [GroupingPart]) throws(Diagnostic) -> [Set<Int>] {
        var place = 0
        var all: [Set<Int>] = [[]]
        for element in elements {
            let own = element.sets(countingFrom: &place)
            guard all.count * own.count <= SQLLimits.groupingSetsMax else {
                throw Diagnostic(
                    position, "GROUP BY has more than \(SQLLimits.groupingSetsMax) grouping sets")
            }
            all = all.flatMap { first in own.map { first.union($0) } }
        }
        if all.count == 1 { return [] }
        if let older = parts.firstIndex(of: .olderWindow) {
            throw Diagnostic(
                items[older].position,
                "grouping sets need the windows of a table function: "
                    + "FROM TABLE(TUMBLE(TABLE …, DESCRIPTOR(…), INTERVAL …)), as in Flink")
        }
        for (item, part) in parts.enumerated() where part == .ofWindow {
            if !all.allSatisfy({ $0.contains(item) || holdsWindow($0, like: item, parts) }) {
                throw Diagnostic(
                    items[item].start,
                    "window_start and window_end belong into every grouping set; write them before the sets: "
                        + "GROUP BY window_start, window_end, GROUPING SETS (…)")
            }
        }
        return all.map { set in
            Set(set.compactMap { if case .key(let key) = parts[$0] { key } else { nil } })
        }
    }

    /// Whether `set` has an item of the window that is written as item `item` is, at another place.
    private func holdsWindow(_ set: Set<Int>, like item: Int, _ parts: [GroupingPart]) -> Bool {
        guard case .name(let names) = items[item].kind else { return false }
        return set.contains { other in
            guard parts[other] == .ofWindow, case .name(let found) = items[other].kind else {
                return false
            }
            return found.last?.name == names.last?.name
        }
    }
}

extension GroupingSyntax {
    /// The sets as places among all items; `place` is that of the element's first item, and moves behind
    /// its last one. Not more than one above the limit.
    fileprivate func sets(countingFrom place: inout Int) -> [Set<Int>] {
        switch self {
        case .columns(let items):
            defer { place += items.count }
            return [Set(place..<place + items.count)]
        case .rollup(let parts):
            let groups = Self.places(of: parts, from: &place)
            return (0...groups.count).reversed().map { length in
                groups[..<length].reduce(into: []) { $0.formUnion($1) }
            }
        case .cube(let parts):
            let groups = Self.places(of: parts, from: &place)
            let count = groups.count < 16 ? 1 << groups.count : SQLLimits.groupingSetsMax + 1
            return (0..<min(count, SQLLimits.groupingSetsMax + 1)).map { mask in
                groups.enumerated().reduce(into: []) { set, group in
                    // The first part is the last to go.
                    if mask >> (groups.count - 1 - group.offset) & 1 == 0 {
                        set.formUnion(group.element)
                    }
                }
            }
        case .sets(let elements):
            var all: [Set<Int>] = []
            for element in elements {
                all += element.sets(countingFrom: &place)
                all = Array(all.prefix(SQLLimits.groupingSetsMax + 1))
            }
            return all
        }
    }

    private static func places(
        of parts: [[ExpressionSyntax]], from place: inout Int
    ) -> [Set<Int>] {
        parts.map { part in
            defer { place += part.count }
            return Set(place..<place + part.count)
        }
    }
}

// MARK: GROUPING

extension ExpressionBinder {
    /// GROUPING(x, …), GROUPING_ID(x, …) and GROUP_ID(), or nil for another call.
    mutating func bindGroupingCall(
        _ call: CallSyntax, _ name: String
    ) throws(Diagnostic) -> BoundExpression? {
        guard ["GROUPING", "GROUPING_ID", "GROUP_ID"].contains(name) else { return nil }
        let position = call.name.position
        let isOfGroups = [.select, .having, .qualify].contains(clause)
        guard let grouping, enclosingAggregate == nil, isOfGroups else {
            throw Diagnostic(
                position, "\(name) tells grouping sets apart, in SELECT or HAVING of a query with GROUP BY")
        }
        guard call.arguments.isEmpty == (name == "GROUP_ID"), call.arguments.count < 64 else {
            let form = name == "GROUP_ID" ? "()" : "(column, …)"
            throw Diagnostic(position, "it is written \(name)\(form)")
        }
        if name == "GROUP_ID" { return grouping.numbered(grouping.repetitions) }
        var arguments: [BoundExpression] = []
        // What is not grouped is complained about here.
        enclosingAggregate = name
        defer { enclosingAggregate = nil }
        for argument in call.arguments { arguments.append(try bind(argument)) }
        guard let levels = grouping.levels(of: arguments) else {
            throw Diagnostic(position, "the arguments of \(name) are columns or expressions of GROUP BY")
        }
        return grouping.numbered(levels)
    }
}
