// Aggregates after binding: which function over which arguments. The same calls are computed over the
// groups of a window, over the frames of OVER and over the rows of a pattern.
//
// Always true: arguments are evaluated row by row, parameters are constants of the query; NULL
// arguments do not count, except to COUNT(*) and to an ARRAY_AGG that respects them.

import WeirCore

/// An aggregate function over the rows of a group.
public enum AggregateFunction: String, Hashable, Sendable, CaseIterable {
    /// COUNT(*): rows; takes no argument.
    case countStar
    /// COUNT(x): rows in which x is not NULL. COUNT(DISTINCT x, y): different pairs without a NULL.
    case count
    case sum, avg, min, max
    case stddevPop, stddevSamp, varPop, varSamp
    /// The value of the first or last row by event time, of equal times by arrival.
    case firstValue, lastValue
    /// Texts joined by a separator, the parameter.
    case listAgg
    /// The values as an ARRAY; the parameter says whether NULLs are left out.
    case arrayAgg
    /// The values as a MAP of each to how often it came.
    case collect
    /// The values as a JSON array. The argument is JSON text of an array around the value, empty for one
    /// that is left out.
    case jsonArrayAgg
    /// A JSON object of a key and a value each row; the second argument is as that of `jsonArrayAgg`. Of
    /// equal keys the last one counts.
    case jsonObjectAgg
    /// Exact percentiles. Parameters: the fractions; a second argument says how often a value counts.
    /// The result is an ARRAY if its type says so.
    case percentile
    /// HyperLogLog.
    case approxCountDistinct
    /// As `percentile`, from a histogram with buckets of equal relative width.
    case approxPercentile
    /// The most frequent values; the parameter is how many.
    case approxTopK

    /// How SQL calls it.
    public var name: String {
        switch self {
        case .countStar, .count: "COUNT"
        case .sum: "SUM"
        case .avg: "AVG"
        case .min: "MIN"
        case .max: "MAX"
        case .stddevPop: "STDDEV_POP"
        case .stddevSamp: "STDDEV_SAMP"
        case .varPop: "VAR_POP"
        case .varSamp: "VAR_SAMP"
        case .firstValue: "FIRST_VALUE"
        case .lastValue: "LAST_VALUE"
        case .listAgg: "LISTAGG"
        case .arrayAgg: "ARRAY_AGG"
        case .collect: "COLLECT"
        case .jsonArrayAgg: "JSON_ARRAYAGG"
        case .jsonObjectAgg: "JSON_OBJECTAGG"
        case .percentile: "PERCENTILE"
        case .approxCountDistinct: "APPROX_COUNT_DISTINCT"
        case .approxPercentile: "APPROX_PERCENTILE"
        case .approxTopK: "APPROX_TOP_K"
        }
    }

    /// Whether Flink's streaming SQL has it.
    public var isPortable: Bool {
        switch self {
        case .approxCountDistinct, .approxPercentile, .approxTopK: false
        default: true
        }
    }
}

/// One aggregate of a query, over arguments computed from the input.
public struct AggregateCall: Hashable, Sendable {
    /// What is computed.
    public let function: AggregateFunction
    /// None for COUNT(*). The types are the arguments' own (INT, BIGINT, DOUBLE, STRING, …).
    public let arguments: [BoundExpression]
    /// Constants, as each function's case says.
    public let parameters: [LiteralValue]
    /// FILTER (WHERE …).
    public let filter: BoundExpression?
    /// DISTINCT: equal arguments count once.
    public let isDistinct: Bool
    /// The result's type, as Flink derives it: COUNT is BIGINT; SUM, AVG, MIN and MAX have the
    /// argument's type (AVG of INT is INT, rounded toward zero).
    public let type: DataType

    /// The first argument.
    public var argument: BoundExpression? { arguments.first }

    public init(
        function: AggregateFunction, arguments: [BoundExpression],
        parameters: [LiteralValue] = [], filter: BoundExpression? = nil, isDistinct: Bool = false,
        type: DataType
    ) {
        self.function = function
        self.arguments = arguments
        self.parameters = parameters
        self.filter = filter
        self.isDistinct = isDistinct
        self.type = type
    }

    /// A call of one argument, or of none.
    public init(
        function: AggregateFunction, argument: BoundExpression?, filter: BoundExpression? = nil,
        isDistinct: Bool = false, type: DataType
    ) {
        self.init(
            function: function, arguments: argument.map { [$0] } ?? [], filter: filter,
            isDistinct: isDistinct, type: type)
    }
}
