// Conditions asked one row at a time say what kernels say.

import Testing
import WeirCore

@testable import WeirSQL

@Suite struct ScalarConditionTests {
    private static let whole = BoundExpression.column(index: 0, type: .bigint)
    private static let small = BoundExpression.column(index: 1, type: .int)
    private static let double = BoundExpression.column(index: 2, type: .double)

    private static var columns: [Column] {
        [
            makeColumn(.bigint, [1, .null, 0, 7, -3, .int(.max)]),
            makeColumn(.int, [1, 2, .null, 7, 3, -1]),
            makeColumn(.double, [1.5, 2.0, -0.0, .null, .double(.nan), 0.0]),
        ]
    }

    private static let wide = BoundExpression.cast(small, to: .bigint, isTry: false)
    private static let real = BoundExpression.cast(small, to: .double, isTry: false)

    private static let conditions: [BoundExpression] = [
        call(.equal, whole, wide), call(.notEqual, whole, wide), call(.less, whole, wide),
        call(.greaterOrEqual, call(.add, whole, wide), literal(1, .bigint)),
        call(.lessOrEqual, double, real), call(.notEqual, double, double), call(.equal, double, double),
        call(.greater, call(.multiply, double, literal(1.5, .double)), call(.subtract, real, double)),
        call(.isNull, whole), call(.or, call(.isNull, double), call(.less, double, literal(1.0, .double))),
        call(.and, call(.isNotNull, small), call(.greater, whole, literal(.null, .bigint))),
    ]

    @Test(arguments: conditions.indices)
    func aConditionIsTrueWhereItsKernelSaysSo(_ index: Int) throws {
        let condition = Self.conditions[index]
        let scalar = try #require(ScalarCondition(condition), "\(condition)")
        let kernel = try CompiledExpression(condition).evaluate(columns: Self.columns, rowCount: 6)
        for row in 0..<6 {
            let isTrue = scalar.isTrue { ScalarCondition.Cell(Self.columns[$0], row: row) }
            #expect(isTrue == (kernel.bools[row] != 0), "\(condition), row \(row)")
        }
        // Where there is no row, all is NULL.
        let absent = scalar.isTrue { ScalarCondition.Cell(Self.columns[$0], row: -1) }
        let nulls = [DataType.bigint, .int, .double].map { makeColumn($0, [.null]) }
        let expected = try CompiledExpression(condition).evaluate(columns: nulls, rowCount: 1)
        #expect(absent == (expected.bools[0] != 0), "\(condition)")
    }

    @Test func whatKernelsAloneComputeIsLeftToThem() {
        let text = BoundExpression.column(index: 0, type: .string)
        #expect(ScalarCondition(call(.equal, text, text)) == nil)
        #expect(ScalarCondition(call(.not, call(.equal, Self.whole, Self.whole))) == nil)
        #expect(
            ScalarCondition(call(.equal, call(.divide, Self.whole, Self.whole), Self.whole)) == nil)
    }
}
