// Ranking and sorting: ROW_NUMBER() over the rows of a window, and ORDER BY of a result by time.
//
// Rows in windows have the window's end as their event time, so a window's rows come together, once it
// is closed, and can be put in any order. A condition on the number (rn <= 3) becomes part of the
// operator, which then keeps no more rows than that.

import WeirCore

/// One key of an order.
public struct OrderKey: Hashable, Sendable {
    /// Over the columns of the input.
    public let expression: BoundExpression
    /// DESC.
    public let isDescending: Bool
    /// Whether NULL comes before all values; in Flink NULL is the least value unless said otherwise.
    public let areNullsFirst: Bool

    public init(_ expression: BoundExpression, isDescending: Bool = false, areNullsFirst: Bool? = nil) {
        self.expression = expression
        self.isDescending = isDescending
        self.areNullsFirst = areNullsFirst ?? !isDescending
    }

    func renumbered(_ place: (Int) -> Int) -> OrderKey {
        OrderKey(
            expression.renumbered(place), isDescending: isDescending, areNullsFirst: areNullsFirst)
    }

    func text(_ column: @escaping (Int) -> String) -> String {
        let nulls = areNullsFirst == !isDescending ? "" : areNullsFirst ? " nulls first" : " nulls last"
        return PlanText.expressionText(expression, column) + (isDescending ? " desc" : "") + nulls
    }
}

/// ROW_NUMBER() over rows of one event time, those of a window.
public struct RankSpec: Hashable, Sendable {
    /// The event-time column of the input.
    public let time: Int
    /// PARTITION BY: rows are numbered from 1 in each.
    public let partition: [BoundExpression]
    /// ORDER BY; rows equal in it are numbered in the order of arrival.
    public let order: [OrderKey]
    /// Whether the order is a time attribute alone, falling: of rows that are equal the latest is then
    /// taken where only one is, as Flink's deduplication does.
    public let isLatestFirst: Bool
    /// The first of the numbers that are kept.
    public let first: Int64
    /// The last of them; the greatest Int64 for no bound.
    public let last: Int64
    /// Whether the number is a column of the output, the last one.
    public let hasNumber: Bool

    public init(
        time: Int, partition: [BoundExpression], order: [OrderKey], isLatestFirst: Bool = false,
        first: Int64 = 1, last: Int64 = .max, hasNumber: Bool = true
    ) {
        self.time = time
        self.partition = partition
        self.order = order
        self.isLatestFirst = isLatestFirst
        self.first = first
        self.last = last
        self.hasNumber = hasNumber
    }

    /// The columns of the input that are computed with.
    var columns: Set<Int> {
        (partition + order.map(\.expression)).reduce(into: [time]) { $0.formUnion($1.columns) }
    }

    func mapping(hasNumber: Bool, _ place: (Int) -> Int) -> RankSpec {
        RankSpec(
            time: place(time), partition: partition.map { $0.renumbered(place) },
            order: order.map { $0.renumbered(place) }, isLatestFirst: isLatestFirst, first: first,
            last: last, hasNumber: hasNumber)
    }

    /// The same with the conditions on the number, column `number`, built in; and the others.
    func narrowed(
        by conditions: [BoundExpression], number: Int
    ) -> (spec: RankSpec, others: [BoundExpression]) {
        guard hasNumber else { return (self, conditions) }
        var (low, high) = (first, last)
        var others: [BoundExpression] = []
        for condition in conditions {
            guard let (function, bound) = Self.comparison(condition, number) else {
                others.append(condition)
                continue
            }
            switch function {
            case .less: high = min(high, bound == .min ? bound : bound - 1)
            case .lessOrEqual: high = min(high, bound)
            case .greater: low = max(low, bound == .max ? bound : bound + 1)
            case .greaterOrEqual: low = max(low, bound)
            default: (low, high) = (max(low, bound), min(high, bound))
            }
        }
        let spec = RankSpec(
            time: time, partition: partition, order: order, isLatestFirst: isLatestFirst, first: low,
            last: high, hasNumber: hasNumber)
        return (spec, others)
    }

    private static let mirrored: [ScalarFunction: ScalarFunction] = [
        .less: .greater, .lessOrEqual: .greaterOrEqual, .greater: .less,
        .greaterOrEqual: .lessOrEqual, .equal: .equal,
    ]

    /// `column number` compared with a constant.
    private static func comparison(
        _ condition: BoundExpression, _ number: Int
    ) -> (ScalarFunction, Int64)? {
        guard case .call(let function, let operands, _) = condition, operands.count == 2,
            let other = mirrored[function]
        else { return nil }
        if operands[0].plainColumn == number, case .literal(.integer(let bound), _) = operands[1] {
            return (function, bound)
        }
        if operands[1].plainColumn == number, case .literal(.integer(let bound), _) = operands[0] {
            return (other, bound)
        }
        return nil
    }

    func text(_ column: @escaping (Int) -> String) -> String {
        let keys = partition.map { PlanText.expressionText($0, column) }.joined(separator: ", ")
        let list = order.map { $0.text(column) }.joined(separator: ", ")
        let range = last == .max ? "\(first)…" : "\(first)…\(last)"
        return "rank \(range) on \(column(time)) by (\(keys)) order (\(list))"
            + (isLatestFirst ? " latest" : "") + (hasNumber ? " with number" : "")
    }
}

/// ORDER BY time, …, with OFFSET and LIMIT.
public struct SortSpec: Hashable, Sendable {
    /// The event-time column of the input, which the order begins with.
    public let time: Int
    /// The order of rows of one event time; those equal in it are in the order of arrival.
    public let order: [OrderKey]
    /// Rows of the result that are left out first.
    public let offset: Int64
    /// Rows of the result at most; nil for no bound.
    public let limit: Int64?
    /// Whether the text's order begins with the time attribute itself, and not with the window's end.
    public let isLedByTimeAttribute: Bool

    public init(
        time: Int, order: [OrderKey], offset: Int64 = 0, limit: Int64? = nil,
        isLedByTimeAttribute: Bool = true
    ) {
        self.time = time
        self.isLedByTimeAttribute = isLedByTimeAttribute
        self.order = order
        self.offset = offset
        self.limit = limit
    }

    var columns: Set<Int> {
        order.reduce(into: [time]) { $0.formUnion($1.expression.columns) }
    }

    func mapping(expressions replace: (BoundExpression) -> BoundExpression) -> SortSpec {
        SortSpec(time: time, order: order.map { $0.mapping(replace) }, offset: offset, limit: limit)
    }

    func mapping(_ place: (Int) -> Int) -> SortSpec {
        SortSpec(
            time: place(time), order: order.map { $0.renumbered(place) }, offset: offset,
            limit: limit, isLedByTimeAttribute: isLedByTimeAttribute)
    }

    func text(_ column: @escaping (Int) -> String) -> String {
        let list = [column(time)] + order.map { $0.text(column) }
        let skipped = offset > 0 ? " offset \(offset)" : ""
        return "order by \(list.joined(separator: ", "))\(skipped)" + (limit.map { " limit \($0)" } ?? "")
    }
}
