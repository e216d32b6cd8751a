// Parts that expressions have in common are computed once; that must not show, neither in values nor in
// what is counted as failed.

import Testing
import WeirCore

@testable import WeirSQL

@Suite struct SharedKernelTests {
    private static let text = BoundExpression.column(index: 0, type: .string)
    private static let number = BoundExpression.column(index: 1, type: .bigint)
    private static let lower = BoundExpression.call(.lower, arguments: [text], type: .string)
    private static let quotient = BoundExpression.call(
        .divide, arguments: [.literal(.integer(10), type: .bigint), number], type: .bigint)

    private static func isEqual(_ one: BoundExpression, _ text: String) -> BoundExpression {
        .call(.equal, arguments: [one, .literal(.string(text), type: .string)], type: .boolean)
    }

    private static func batch() -> Batch {
        let columns = [
            makeColumn(.string, ["A", "b", .null, "C", "a"]), makeColumn(.bigint, [1, 0, 5, .null, 0]),
        ]
        return Batch(
            schema: Schema([Field("t", .string), Field("n", .bigint)]), columns: columns, rowCount: 5)
    }

    private static func choice(_ result: BoundExpression) -> BoundExpression {
        .conditional(
            branches: [.init(condition: isEqual(lower, "a"), result: result)],
            otherwise: .call(.upper, arguments: [lower], type: .string), type: .string)
    }

    @Test func valuesAndFailuresAreThoseOfEachAlone() throws {
        let expressions = [
            Self.lower, Self.choice(Self.lower), Self.isEqual(Self.lower, "c"), Self.quotient,
            .call(.add, arguments: [Self.quotient, Self.quotient], type: .bigint),
            Self.choice(.cast(Self.quotient, to: .string, isTry: false)),
        ]
        let batch = Self.batch()
        let together = try CompiledExpressions(expressions)
        for _ in 0..<2 {
            let columns = together.evaluate(batch)
            for (expression, column) in zip(expressions, columns) {
                let alone = try CompiledExpression(expression).evaluate(batch)
                #expect(values(of: column) == values(of: alone), "\(expression)")
            }
        }
        // Two rows by zero in `quotient`, twice in the sum, and once in the branch that one of them takes.
        #expect(together.evaluationErrors == 2 * (2 + 4 + 1))
    }

    @Test func whatAConditionComputesIsHandedOn() throws {
        let predicate = BoundExpression.call(
            .or, arguments: [Self.isEqual(Self.lower, "a"), Self.isEqual(Self.lower, "b")], type: .boolean)
        let work = try #require(SharedWork(predicate, [Self.number, Self.choice(Self.lower)]))
        #expect(work.columns == [1])
        #expect(work.computed == [Self.isEqual(Self.lower, "a"), Self.lower])
        let batch = Self.batch()
        let computed = try CompiledExpressions(work.computed).evaluate(batch)
        let columns = work.columns.map { batch.columns[$0] } + computed
        let condition = try CompiledExpression(work.predicate)
            .evaluate(columns: columns, rowCount: batch.rowCount)
        let expected = try CompiledExpression(predicate).evaluate(batch)
        let results = try CompiledExpressions(work.expressions)
            .evaluate(columns: columns, rowCount: batch.rowCount)
        let alone = try CompiledExpression(Self.choice(Self.lower)).evaluate(batch)
        #expect(values(of: condition) == values(of: expected))
        #expect(values(of: results[0]) == values(of: batch.columns[1]))
        #expect(values(of: results[1]) == values(of: alone))
    }

    @Test func whatCanFailIsNotComputedAheadOfItsCondition() {
        let predicate = BoundExpression.call(
            .equal,
            arguments: [
                .cast(Self.text, to: .bigint, isTry: false), .literal(.integer(1), type: .bigint),
            ], type: .boolean)
        #expect(SharedWork(predicate, [.cast(Self.text, to: .bigint, isTry: false)]) == nil)
        #expect(SharedWork(.call(.isNotNull, arguments: [Self.number], type: .boolean), [Self.number]) == nil)
    }
}
