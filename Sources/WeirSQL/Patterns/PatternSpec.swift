// What MATCH_RECOGNIZE computes, after binding: the pattern as a list of variables with quantifiers, each
// with its condition, what an expression can read of a match (references and aggregates), and the
// measures. The runtime makes an automaton of it; a plan holds it as data.
//
// Conditions are bound over one wide row: the columns of the row at hand, then the values of
// `defineValues` (references, then aggregates). Measures are bound over the values of `measureValues` and
// the time of the match, its last column.

import WeirCore

/// A bound MATCH_RECOGNIZE.
public struct PatternSpec: Hashable, Sendable {
    /// How many columns the input has.
    public var inputWidth: Int
    /// The event-time column of the input.
    public var timeColumn: Int
    /// PARTITION BY: columns of the input.
    public var partition: [Int]
    /// ORDER BY behind the event time.
    public var order: [PatternOrder]
    /// The variables, in the order of the pattern.
    public var elements: [PatternElement]
    /// Where the search goes on behind a match.
    public var skip: PatternSkip
    /// WITHIN, ms: the last row of a match comes less than this after its first.
    public var within: Int64?
    /// What conditions read of the match so far.
    public var defineValues: PatternValues
    /// What measures read of a match.
    public var measureValues: PatternValues
    /// MEASURES, over what `measureValues` gives.
    public var measures: [BoundExpression]
}

/// A column that orders rows of one event time.
public struct PatternOrder: Hashable, Sendable {
    /// Of the input.
    public let column: Int
    /// DESC.
    public let isDescending: Bool
    /// Whether NULL comes before all values.
    public let areNullsFirst: Bool
}

/// A pattern variable.
public struct PatternElement: Hashable, Sendable {
    /// As the pattern has it.
    public let name: String
    /// How many rows in a row are mapped to it.
    public let least: Int
    /// nil: without limit.
    public let most: Int?
    /// Whether it takes as many rows as it can, rather than as few.
    public let isGreedy: Bool
    /// nil: every row.
    public var condition: BoundExpression?
}

/// AFTER MATCH SKIP: where the next match may start.
public enum PatternSkip: Hashable, Sendable {
    case pastLastRow
    case toNextRow
    /// At the first row of variable `variable`.
    case toFirst(variable: Int)
    /// At the last row of variable `variable`.
    case toLast(variable: Int)
}

/// `LAST(A.price, 1)`: one column of one row of a match.
public struct PatternReference: Hashable, Sendable {
    /// nil: the rows of all variables.
    public let variable: Int?
    /// Of the input.
    public var column: Int
    /// The column's.
    public let type: DataType
    /// Counted from the first row; else from the last.
    public let isFirst: Bool
    /// Rows from there, 0 for the first or last itself.
    public let offset: Int
}

/// `AVG(A.price)`: an aggregate over the rows of one variable.
public struct PatternAggregate: Hashable, Sendable {
    /// nil: the rows of all variables.
    public let variable: Int?
    /// Its argument is bound over the columns of the input.
    public var call: AggregateCall
}

/// What expressions read of a match.
public struct PatternValues: Hashable, Sendable {
    /// The first columns of the values.
    public var references: [PatternReference] = []
    /// The columns behind those.
    public var aggregates: [PatternAggregate] = []

    /// How many columns the values are.
    public var count: Int { references.count + aggregates.count }

    /// The columns of the input that they are computed from.
    var columns: Set<Int> {
        aggregates.reduce(into: Set(references.map(\.column))) { $0.formUnion($1.call.columns) }
    }

    func renumbered(_ place: (Int) -> Int) -> PatternValues {
        var result = self
        for index in references.indices {
            result.references[index].column = place(references[index].column)
        }
        for index in aggregates.indices {
            result.aggregates[index].call = aggregates[index].call.mapping {
                $0.renumbered(place)
            }
        }
        return result
    }
}

// MARK: As a node of a plan

extension PatternSpec {
    /// The columns of the input that are read.
    var columnsRead: Set<Int> {
        var read = Set(partition + order.map(\.column) + [timeColumn])
        read.formUnion(defineValues.columns)
        read.formUnion(measureValues.columns)
        for element in elements {
            read.formUnion((element.condition?.columns ?? []).filter { $0 < inputWidth })
        }
        return read
    }

    /// The same over an input of `width` columns; `place` says where the columns are that are read.
    func renumbered(_ place: [Int: Int], width: Int) -> PatternSpec {
        let move = { (column: Int) in place[column] ?? column }
        let oldWidth = inputWidth
        var result = self
        result.inputWidth = width
        result.timeColumn = move(timeColumn)
        result.partition = partition.map(move)
        result.order = order.map {
            PatternOrder(
                column: move($0.column), isDescending: $0.isDescending,
                areNullsFirst: $0.areNullsFirst)
        }
        for index in elements.indices {
            result.elements[index].condition = elements[index].condition?.renumbered { column in
                column < oldWidth ? move(column) : column - oldWidth + width
            }
        }
        result.defineValues = defineValues.renumbered(move)
        result.measureValues = measureValues.renumbered(move)
        return result
    }

    /// The operator as one line of a plan's text.
    func text(_ column: @escaping (Int) -> String) -> String {
        let values = { (values: PatternValues, index: Int) in
            valueText(values, index, column)
        }
        let conditions = elements.compactMap { element in
            element.condition.map { condition in
                let text = PlanText.expressionText(condition) { index in
                    index < inputWidth
                        ? column(index) : values(defineValues, index - inputWidth)
                }
                return "\(PlanText.quoted(element.name)) AS \(text)"
            }
        }
        let results = measures.map { measure in
            PlanText.expressionText(measure) { index in
                index < measureValues.count ? values(measureValues, index) : "MATCH_ROWTIME"
            }
        }
        let keys = partition.map(column).joined(separator: ", ")
        let further = order.map { part in
            ", \(column(part.column))\(part.isDescending ? " DESC" : "")"
                + (part.areNullsFirst == part.isDescending
                    ? " NULLS \(part.areNullsFirst ? "FIRST" : "LAST")" : "")
        }
        return
            "match (\(elements.map(\.text).joined(separator: " "))) by (\(keys)) "
            + "order \(column(timeColumn))\(further.joined()) skip \(skipText)"
            + (within.map { " within \($0) ms" } ?? "")
            + " define (\(conditions.joined(separator: ", ")))"
            + " measure (\(results.joined(separator: ", ")))"
    }

    private var skipText: String {
        let name = { (variable: Int) in PlanText.quoted(elements[variable].name) }
        switch skip {
        case .pastLastRow: return "past last row"
        case .toNextRow: return "to next row"
        case .toFirst(let variable): return "to first \(name(variable))"
        case .toLast(let variable): return "to last \(name(variable))"
        }
    }

    private func valueText(
        _ values: PatternValues, _ index: Int, _ column: @escaping (Int) -> String
    ) -> String {
        let name = { (variable: Int?) in
            variable.map { PlanText.quoted(elements[$0].name) + "." } ?? ""
        }
        if index < values.references.count {
            let reference = values.references[index]
            let function = reference.isFirst ? "FIRST" : "LAST"
            return
                "\(function)(\(name(reference.variable))\(column(reference.column)), \(reference.offset))"
        }
        let aggregate = values.aggregates[index - values.references.count]
        return PlanText.aggregate(aggregate.call) { name(aggregate.variable) + column($0) }
            + (aggregate.call.argument == nil ? " of \(name(aggregate.variable))" : "")
    }
}

extension PatternElement {
    /// Whether it is greedy and there is a choice of how many rows it takes, other than none or one.
    var isGreedyLoop: Bool { isGreedy && most != least && !(least == 0 && most == 1) }

    /// `A{2,3}?`.
    fileprivate var text: String {
        let bounds: String
        switch (least, most) {
        case (1, 1): bounds = ""
        case (0, nil): bounds = "*"
        case (1, nil): bounds = "+"
        case (0, 1): bounds = "?"
        default: bounds = "{\(least),\(most.map(String.init) ?? "")}"
        }
        return PlanText.quoted(name) + bounds + (isGreedy || bounds.isEmpty ? "" : "?")
    }
}
