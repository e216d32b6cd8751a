// Walking and rebuilding bound expressions. Heights are bounded by the parser's limits, so recursion
// is safe; sizes are bounded by the text and SQLLimits.repeatedNodesMax.

import WeirCore

extension BoundExpression {
    /// The expressions directly below, in order of evaluation.
    var children: [BoundExpression] {
        switch self {
        case .column, .literal: []
        case .call(_, let arguments, _): arguments
        case .cast(let value, _, _): [value]
        case .conditional(let branches, let otherwise, _):
            branches.flatMap { [$0.condition, $0.result] } + (otherwise.map { [$0] } ?? [])
        case .inList(let value, let list, _): [value] + list
        }
    }

    /// The expression with each part for which `replacement` gives another one replaced by it, from
    /// the top; what was put in is not looked at again.
    func replacing(_ replacement: (BoundExpression) -> BoundExpression?) -> BoundExpression {
        if let other = replacement(self) { return other }
        switch self {
        case .column, .literal: return self
        case .call(let function, let arguments, let type):
            return .call(
                function, arguments: arguments.map { $0.replacing(replacement) }, type: type)
        case .cast(let value, let type, let isTry):
            return .cast(value.replacing(replacement), to: type, isTry: isTry)
        case .conditional(let branches, let otherwise, let type):
            let replaced = branches.map { branch in
                ConditionalBranch(
                    condition: branch.condition.replacing(replacement),
                    result: branch.result.replacing(replacement))
            }
            return .conditional(
                branches: replaced, otherwise: otherwise?.replacing(replacement), type: type)
        case .inList(let value, let list, let isNegated):
            return .inList(
                value.replacing(replacement), list: list.map { $0.replacing(replacement) },
                isNegated: isNegated)
        }
    }

    /// The expression with column `i` replaced by `replacement(i)`.
    func replacingColumns(_ replacement: (Int) -> BoundExpression) -> BoundExpression {
        replacing { part in
            if case .column(let index, _) = part { replacement(index) } else { nil }
        }
    }

    /// The expression with column `i` renumbered to `index(i)`.
    public func renumbered(_ index: (Int) -> Int) -> BoundExpression {
        replacing { part in
            if case .column(let old, let type) = part {
                .column(index: index(old), type: type)
            } else {
                nil
            }
        }
    }

    /// The columns it reads.
    public var columns: Set<Int> {
        var found: Set<Int> = []
        collectColumns(into: &found)
        return found
    }

    private func collectColumns(into found: inout Set<Int>) {
        if case .column(let index, _) = self { found.insert(index) }
        for child in children { child.collectColumns(into: &found) }
    }

    /// The column that it is, if it is nothing else.
    var plainColumn: Int? {
        if case .column(let index, _) = self { index } else { nil }
    }

    /// Whether it has more than `limit` parts; stops counting there.
    func isLarger(than limit: Int) -> Bool {
        var left = limit
        return !countDown(&left)
    }

    private func countDown(_ left: inout Int) -> Bool {
        left -= 1
        if left < 0 { return false }
        for child in children where !child.countDown(&left) { return false }
        return true
    }

    /// The operands of an AND, or the expression itself.
    public var conjuncts: [BoundExpression] {
        if case .call(.and, let operands, _) = self {
            operands.flatMap(\.conjuncts)
        } else {
            [self]
        }
    }

    /// The AND of `conditions`, or nil of none.
    public static func conjunction(_ conditions: [BoundExpression]) -> BoundExpression? {
        conditions.count > 1 ? .call(.and, arguments: conditions, type: .boolean) : conditions.first
    }
}
