// Reads the condition of a join: which parts are equal keys, which bound the event times of the two
// sides against each other, which concern one side only, and what is left.
//
//   a.k = b.k                                        a key
//   b.ts BETWEEN a.ts - INTERVAL … AND a.ts + …      bounds of b.ts - a.ts, from <, <=, =, >=, >; the end of
//                                                    a window is 1 ms behind its rows' event time
//   a.window_start = b.window_start AND …end = …end  rows in windows: their window_times are equal
//
// Always true: the parts together say the same as the condition.

import WeirCore

/// The condition of a join, taken apart. Columns are numbered left ones first.
struct JoinParts {
    private let left: [Int: ScopeColumn]
    private let right: [Int: ScopeColumn]
    private let leftWidth: Int
    private(set) var keys: [JoinCondition.Key] = []
    /// Bounds of the right event time minus the left one.
    private(set) var lower: Int64?
    private(set) var upper: Int64?
    /// The event times that are bounded, as columns of their sides.
    private(set) var times: (left: Int, right: Int)?
    /// See `JoinSpec.comparesClocks`.
    private(set) var comparesClocks = false
    /// The window columns that are equal on both sides.
    private(set) var windows: Set<WindowColumn> = []
    /// The end of the windows as columns of their sides.
    private(set) var windowEnds: (left: Int, right: Int)?
    /// Conditions on columns of one side, numbered as in it.
    private(set) var ofLeft: [BoundExpression] = []
    private(set) var ofRight: [BoundExpression] = []
    private(set) var rest: [BoundExpression] = []

    /// - Parameters:
    ///   - left: the columns that can be named on the left.
    ///   - right: those on the right, numbered from `leftWidth` on.
    init(_ left: [ScopeColumn], _ right: [ScopeColumn], leftWidth: Int) {
        self.left = Dictionary(left.map { ($0.index, $0) }) { first, _ in first }
        self.right = Dictionary(right.map { ($0.index, $0) }) { first, _ in first }
        self.leftWidth = leftWidth
    }

    /// Whether the rows meet in windows.
    var isOfWindows: Bool { windows.contains(.start) && windows.contains(.end) }
    /// Whether the times are bounded from both sides.
    var isBounded: Bool { lower != nil && upper != nil }

    /// Adds a condition and those that it is the AND of.
    mutating func add(_ condition: BoundExpression) {
        for part in condition.conjuncts { addPart(part) }
    }

    private mutating func addPart(_ part: BoundExpression) {
        let sides = side(of: part)
        switch sides {
        case .left: ofLeft.append(part)
        case .right: ofRight.append(moved(part))
        case .none: rest.append(part)
        case .both: if !addBound(part), !addKey(part) { rest.append(part) }
        }
    }

    private enum Side { case left, right, both, none }

    private func side(of expression: BoundExpression) -> Side {
        let (lefts, rights) = expression.columns.sorted().parted { $0 < leftWidth }
        if lefts.isEmpty { return rights.isEmpty ? .none : .right }
        return rights.isEmpty ? .left : .both
    }

    /// An expression of the right side over its own columns.
    private func moved(_ expression: BoundExpression) -> BoundExpression {
        expression.renumbered { $0 - leftWidth }
    }

    /// The same parts over `relation` with its window assigned, which has three columns more.
    func assigningWindow(in relation: Relation) -> JoinParts {
        let width = relation.plan.schema.count
        let place = { (index: Int) in
            index >= 0
                ? (index < width ? index : index + WindowColumn.allCases.count)
                : width + index - WindowColumn.start.rawValue
        }
        var result = self
        result.keys = keys.map { key in
            JoinCondition.Key(
                left: key.left.renumbered(place), right: key.right, matchesNull: key.matchesNull)
        }
        result.ofLeft = ofLeft.map { $0.renumbered(place) }
        result.rest = rest.map { $0.renumbered(place) }
        return result
    }

    // MARK: Keys

    private mutating func addKey(_ part: BoundExpression) -> Bool {
        guard case .call(let function, let sides, _) = part, sides.count == 2,
            function == .equal || function == .isNotDistinctFrom
        else { return false }
        var (one, other) = (sides[0], sides[1])
        if side(of: one) == .right { swap(&one, &other) }
        guard side(of: one) == .left, side(of: other) == .right, one.type == other.type,
            one.type.physical != .array
        else { return false }
        noteWindow(one, other)
        keys.append(
            .init(left: one, right: moved(other), matchesNull: function == .isNotDistinctFrom))
        return true
    }

    private mutating func noteWindow(_ one: BoundExpression, _ other: BoundExpression) {
        guard let a = one.plainColumn, let b = other.plainColumn,
            let window = left[a]?.windowColumn, window == right[b]?.windowColumn
        else { return }
        windows.insert(window)
        if window == .end { windowEnds = (a, b - leftWidth) }
    }

    // MARK: Bounds of time

    /// An event time, shifted by a constant.
    private struct TimeTerm {
        let column: Int
        let shift: Int64
        /// Whether it is the end of a window, as it is.
        var isEnd = false
        /// Whether it is what clocks show of an instant.
        var isClock = false
    }

    private func timeTerm(_ expression: BoundExpression) -> TimeTerm? {
        switch expression {
        case .column(let index, _):
            let side = index < leftWidth ? left : right
            guard let column = side[index] else { return nil }
            if column.isTimeAttribute { return TimeTerm(column: index, shift: 0) }
            guard column.windowColumn == .end else { return nil }
            let time = side.values.first { $0.windowColumn == .time && $0.isTimeAttribute }
            return TimeTerm(
                column: time?.index ?? index, shift: 1, isEnd: true,
                isClock: time?.type != .timestamp)
        // A point in time and its TIMESTAMP are one number, in UTC.
        case .cast(let value, let type, false) where type.isTimestamp && value.type.isTimestamp:
            guard var term = timeTerm(value) else { return nil }
            if type != value.type { term.isClock = true }
            return term
        case .call(let function, let operands, _) where operands.count == 2:
            let isSum = function == .add
            guard isSum || function == .subtract else { return nil }
            if let term = timeTerm(operands[0]), let shift = milliseconds(operands[1]) {
                return TimeTerm(
                    column: term.column, shift: term.shift + (isSum ? shift : -shift),
                    isClock: term.isClock)
            }
            if isSum, let term = timeTerm(operands[1]), let shift = milliseconds(operands[0]) {
                return TimeTerm(
                    column: term.column, shift: term.shift + shift, isClock: term.isClock)
            }
            return nil
        default: return nil
        }
    }

    private func milliseconds(_ expression: BoundExpression) -> Int64? {
        switch expression {
        case .literal(.integer(let value), .interval): value
        case .call(.negate, let operands, _): operands.first.flatMap(milliseconds).map(-)
        default: nil
        }
    }

    private mutating func addBound(_ part: BoundExpression) -> Bool {
        guard case .call(var comparison, let sides, _) = part, sides.count == 2,
            var one = timeTerm(sides[0]), var other = timeTerm(sides[1])
        else { return false }
        if one.column >= leftWidth {
            swap(&one, &other)
            comparison = comparison.mirrored
        }
        guard one.column < leftWidth, other.column >= leftWidth else { return false }
        // Windows that are equal are those of a join of windows.
        if comparison == .equal, one.isEnd, other.isEnd { return false }
        let pair = (left: one.column, right: other.column - leftWidth)
        if let times, times != pair { return false }
        // left + a <= right + b says right - left >= a - b.
        let difference = one.shift - other.shift
        switch comparison {
        case .lessOrEqual: raiseLower(difference)
        case .less: raiseLower(difference + 1)
        case .greaterOrEqual: dropUpper(difference)
        case .greater: dropUpper(difference - 1)
        case .equal:
            raiseLower(difference)
            dropUpper(difference)
        default: return false
        }
        times = pair
        if one.isClock || other.isClock { comparesClocks = true }
        return true
    }

    private mutating func raiseLower(_ bound: Int64) { lower = max(lower ?? bound, bound) }
    private mutating func dropUpper(_ bound: Int64) { upper = min(upper ?? bound, bound) }
}

extension ScalarFunction {
    /// The comparison with its operands exchanged.
    fileprivate var mirrored: ScalarFunction {
        switch self {
        case .less: .greater
        case .lessOrEqual: .greaterOrEqual
        case .greater: .less
        case .greaterOrEqual: .lessOrEqual
        default: self
        }
    }
}
