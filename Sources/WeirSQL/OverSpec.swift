// OVER: for each row a value computed from the rows of the same partition before it.
//
// All calls over one window (partition, order and frame) are one operator; a SELECT list with calls over
// several windows is a tower of such operators. Rows are taken in the order of (event time, arrival);
// with ROWS a row sees those taken before it, with RANGE also all others of its own event time, which
// therefore have one value together.

import WeirCore

/// The calls over one window, and the window.
public struct OverSpec: Hashable, Sendable {
    /// The event-time column of the input.
    public let time: Int
    /// What rows must have in common to see each other.
    public let partition: [BoundExpression]
    /// Which of the rows before it, itself among them, a row sees.
    public let frame: OverFrame
    /// One column of the output each, behind the input's columns.
    public let calls: [OverCall]
    /// How long after its last row, in ms of event time, a partition is kept that would be kept for ever: its
    /// next row is then its first one again. nil for ever, and where the frame ends by itself.
    public let stateTTL: Int64?

    public init(
        time: Int, partition: [BoundExpression], frame: OverFrame, calls: [OverCall],
        stateTTL: Int64? = nil
    ) {
        self.time = time
        self.partition = partition
        self.frame = frame
        self.calls = calls
        if case .range(_?) = frame { self.stateTTL = nil } else { self.stateTTL = stateTTL }
    }

    /// The columns of the input that are computed with.
    var columns: Set<Int> {
        (partition + calls.flatMap(\.expressions)).reduce(into: [time]) { $0.formUnion($1.columns) }
    }

    /// The same over an input in which column i is column `place(i)`, with the calls at `kept` only.
    func mapping(calls kept: [Int], _ place: (Int) -> Int) -> OverSpec {
        OverSpec(
            time: place(time), partition: partition.map { $0.renumbered(place) }, frame: frame,
            calls: kept.map { index in calls[index].mapping { $0.renumbered(place) } },
            stateTTL: stateTTL)
    }

    /// As a line of a plan's text.
    func text(_ column: @escaping (Int) -> String) -> String {
        let keys = partition.map { PlanText.expressionText($0, column) }.joined(separator: ", ")
        let list = calls.map { $0.text(column) }.joined(separator: ", ")
        return "over \(frame.text) on \(column(time)) by (\(keys)) compute (\(list))"
            + (stateTTL.map { " by state_ttl \($0) ms" } ?? "")
    }
}

/// Which rows up to the current one a value is computed from.
public enum OverFrame: Hashable, Sendable {
    /// So many rows before the current one; nil for all.
    case rows(preceding: Int64?)
    /// Rows up to so many ms before the current one's event time; nil for all.
    case range(preceding: Int64?)

    /// Whether old rows leave the frame.
    public var isBounded: Bool {
        switch self {
        case .rows(let preceding), .range(let preceding): preceding != nil
        }
    }

    fileprivate var text: String {
        switch self {
        case .rows(let preceding): preceding.map { "rows \($0)" } ?? "rows unbounded"
        case .range(let preceding): preceding.map { "range \($0) ms" } ?? "range unbounded"
        }
    }
}

/// One call over a window.
public enum OverCall: Hashable, Sendable {
    /// ROW_NUMBER(): 1 for a partition's first row, whatever the frame.
    case rowNumber
    /// LAG(value, offset, otherwise): `value` of the row `offset` rows before the frame's last one, or
    /// else `otherwise` of the last one.
    case lag(BoundExpression, offset: Int64, otherwise: BoundExpression)
    case aggregate(AggregateCall)

    /// The type of the value.
    public var type: DataType {
        switch self {
        case .rowNumber: .bigint
        case .lag(let value, _, _): value.type
        case .aggregate(let call): call.type
        }
    }

    /// What is computed from each row.
    public var expressions: [BoundExpression] {
        switch self {
        case .rowNumber: []
        case .lag(let value, _, let otherwise):
            if case .literal = otherwise { [value] } else { [value, otherwise] }
        case .aggregate(let call): call.arguments
        }
    }

    func mapping(_ replacement: (BoundExpression) -> BoundExpression) -> OverCall {
        switch self {
        case .rowNumber: self
        case .lag(let value, let offset, let otherwise):
            .lag(replacement(value), offset: offset, otherwise: replacement(otherwise))
        case .aggregate(let call): .aggregate(call.mapping(replacement))
        }
    }

    func text(_ column: @escaping (Int) -> String) -> String {
        switch self {
        case .rowNumber: "ROW_NUMBER()"
        case .lag(let value, let offset, let otherwise):
            "LAG(\(PlanText.expressionText(value, column)), \(offset), "
                + "\(PlanText.expressionText(otherwise, column)))"
        case .aggregate(let call): PlanText.aggregate(call, column)
        }
    }
}
