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
        case .filter(.ordered(.over(let spec), let inputs, _), let predicate):
            let width = inputs[0].schema.count
            for (place, call) in spec.calls.enumerated() where call == .rowNumber {
                guard let last = lastNumber(predicate, column: width + place), last != 1 else { continue }
                found.append(
                    "Flink corrects the first \(last) rows of each key with every row that is earlier; "
                        + "rn = 1 it does not correct")
            }
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
}
