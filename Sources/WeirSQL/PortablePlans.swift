// What of a plan Flink computes otherwise, or not at all, though it takes every word of the text. These
// are rankings and orders: whether Flink has an operator for one depends on the conditions and the columns
// that it meets, not on how it is written.

import WeirCore

extension Portability {
    /// A sentence for each thing in `plan` that Flink refuses or that would be corrected there again and
    /// again, which a sink of files does not take.
    public static func complaints(about plan: LogicalPlan) -> [String] {
        var found = plan.inputs.flatMap { complaints(about: $0) }
        switch plan {
        case .ordered(.rank(let spec), _, _) where spec.last == .max:
            found.append(
                "Flink ranks the rows of a window only up to a number; add a condition such as rn <= 10")
        case .ordered(.orderBy(let spec), _, _):
            if !spec.isLedByTimeAttribute {
                found.append(
                    "Flink sorts a stream by its time attribute; begin ORDER BY with window_time, which "
                        + "GROUP BY must have, too")
            }
            if spec.limit != nil || spec.offset > 0 {
                found.append(
                    "Flink corrects the result of LIMIT and OFFSET with every row that comes earlier in the "
                        + "order, which a sink of files does not take")
            }
        case .filter(.ordered(.over(let spec), let inputs, let schema), let predicate):
            // A condition on one ranking alone; of several calls over one window Flink makes an OVER.
            guard spec.calls.count == 1, let name = schema.fields.last?.name, !isOver(inputs[0]),
                ["ROW_NUMBER()", "RANK()", "DENSE_RANK()"].contains(name)
            else { break }
            let column = inputs[0].schema.count
            let last = lastNumber(predicate, column: column)
            if spec.calls[0] == .rowNumber, let last, last != 1 {
                found.append(
                    "Flink corrects the first \(last) rows of each key with every row that is earlier; "
                        + "rn = 1 it does not correct")
            } else if last == nil, predicate.conjuncts.contains(where: { isLowerBound($0, column) }) {
                found.append(
                    "Flink takes a condition on \(name) alone for a ranking, and ranks only up to a number; "
                        + "add a condition such as rn <= 10")
            } else if spec.calls[0] == .rowNumber, last == nil, hasBound(predicate, column) {
                found.append(
                    "Flink takes how many rows of a key pass from its first row; compare ROW_NUMBER() with a "
                        + "constant")
            } else if spec.calls[0] != .rowNumber, last != nil || hasBound(predicate, column) {
                found.append(
                    "Flink takes a condition on \(name) alone for a ranking, and ranks streams by ROW_NUMBER() "
                        + "only; where no two rows of a key have one time it is the same")
            }
        case .windowAggregate(_, let window, _, let aggregates, _) where !window.isTumbling:
            // Flink puts such windows together from parts, and cannot merge these.
            for function in [AggregateFunction.firstValue, .lastValue, .jsonArrayAgg]
            where aggregates.contains(where: { $0.function == function }) {
                found.append("Flink has \(function.name) in tumbling windows alone")
            }
        case _ where plan.readsVersionsWithoutKey:
            found.append(
                "Flink joins FOR SYSTEM_TIME AS OF with a source, or with a view of one without a condition, "
                    + "and by columns of it as they are")
        default: break
        }
        return found
    }

    /// Up to which number `predicate` takes rows; nil if it sets no end.
    private static func lastNumber(_ predicate: BoundExpression, column: Int) -> Int64? {
        let ranking = RankSpec(time: 0, partition: [], order: [])
        let (narrowed, _) = ranking.narrowed(by: predicate.conjuncts, number: column)
        return narrowed.last == .max ? nil : narrowed.last
    }
    private static func isOver(_ plan: LogicalPlan) -> Bool {
        if case .ordered(.over, _, _) = plan { true } else { false }
    }

    /// Whether `condition` holds for all numbers in `column` from some constant on.
    private static func isLowerBound(_ condition: BoundExpression, _ column: Int) -> Bool {
        let ranking = RankSpec(time: 0, partition: [], order: [])
        let (narrowed, others) = ranking.narrowed(by: [condition], number: column)
        return others.isEmpty && narrowed.last == .max
    }

    /// Whether `predicate` demands that `column` is not above another column.
    private static func hasBound(_ predicate: BoundExpression, _ column: Int) -> Bool {
        predicate.conjuncts.contains { condition in
            guard case .call(let function, let operands, _) = condition, operands.count == 2 else { return false }
            switch function {
            case .less, .lessOrEqual: return operands[0].plainColumn == column
            case .greater, .greaterOrEqual: return operands[1].plainColumn == column
            default: return false
            }
        }
    }
}

extension WindowSpec {
    /// Whether each row is in one window, whose bounds are known before it comes.
    fileprivate var isTumbling: Bool {
        switch shape {
        case .sliding(let size, let slide), .months(let size, let slide): size == slide
        case .cumulating, .session: false
        case .attached: true
        }
    }
}
