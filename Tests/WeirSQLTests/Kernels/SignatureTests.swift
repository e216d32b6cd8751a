// The table of signatures against the kernels: whatever the table promises can be compiled and gives a
// column of the promised type, for rows with NULLs and edge values, for one row and for none.

import Testing
import WeirCore

@testable import WeirSQL

private let types: [DataType] = [
    .boolean, .int, .bigint, .double, .string, .timestamp, .timestampLTZ, .interval, .array(.string),
    .array(.bigint), .null, .float, .decimal(precision: 9, scale: 2),
    .decimal(precision: 38, scale: 4), .date, .bytes,
]

/// The functions with a kernel each, and those that tables declare.
private let functions: [ScalarFunction] =
    [
        .add, .subtract, .multiply, .divide, .modulo, .negate, .equal, .notEqual, .less,
        .lessOrEqual, .greater, .greaterOrEqual, .isDistinctFrom, .isNotDistinctFrom, .and, .or,
        .not, .isNull, .isNotNull, .isTrue, .isNotTrue, .isFalse, .isNotFalse, .like, .notLike,
        .concat, .coalesce, .nullif, .greatest, .least, .abs, .floor, .ceil, .round, .power,
        .sqrt, .exp, .ln, .log10, .mod, .sign, .truncate, .log2, .upper, .lower, .trim, .ltrim,
        .rtrim, .charLength, .substring, .replace, .position, .concatFunction, .concatWs,
        .startsWith, .endsWith, .reverse, .lpad, .rpad, .splitIndex, .left, .right, .`repeat`,
        .extractYear, .extractMonth, .extractDay, .extractHour, .extractMinute, .extractSecond,
        .extractDayOfWeek, .extractDayOfYear, .extractEpoch, .extractMillisecond,
        .floorTimeSecond, .floorTimeMinute, .floorTimeHour, .floorTimeDay, .dateFormat,
        .toTimestampLtz, .toTimestamp, .extractQuarter, .extractWeek, .floorTimeWeek,
        .floorTimeMonth, .floorTimeQuarter, .floorTimeYear, .cardinality, .elementAt,
        .arrayContains, .arrayOf, .mapOf, .rowOf, .rowField, .fitBytes,
    ] + FunctionLibrary.all.map(\.name).filter { !constantForms.contains($0) }.map { .named($0) }

/// Functions that take constants, which the parser writes, among their arguments.
private let constantForms = ["SENTIMENT", "JSON_OBJECT", "JSON_ARRAY", "JSON_VALUE", "JSON_QUERY", "JSON_EXISTS"]

/// Values that every function must live with.
private func values(_ type: DataType) -> [Value] {
    switch type {
    case .boolean: [true, false, .null, true, false, .null]
    case .int: [0, -1, .int(Int64(Int32.max)), .int(Int64(Int32.min)), .null, 7]
    case .decimal, .date: [0, -1, 999_999_999, -999_999_999, .null, 150]
    case .float: [0.0, -1.5, .double(.nan), .double(.infinity), .null, 0.5]
    case .double: [0.0, -1.5, .double(.nan), .double(.infinity), .null, 1e300]
    case .string, .bytes: ["", "a,é😀%", "2026-07-01 00:00:00", "%", .null, "12.5"]
    case .array(.string): [.array([]), .array(["a", .null]), .null, .array([""]), .null, .array(["b"])]
    case .array: [.array([]), .array([1, .null]), .null, .array([.int(.min)]), .null, .array([3])]
    case .null: [.null, .null, .null, .null, .null, .null]
    default: [0, -1, .int(.max), .int(.min), .null, 1_782_909_045_123]
    }
}

@Suite struct SignatureTests {
    @Test(arguments: functions) func everySignatureHasAKernel(_ function: ScalarFunction) throws {
        var seen: Set<[DataType]> = []
        var combinations: [[DataType]] = [[]]
        for _ in 0..<3 {
            combinations = combinations.flatMap { list in types.map { list + [$0] } }
            for combination in combinations {
                guard let signature = function.signature(for: combination) else { continue }
                #expect(signature.arguments.count == combination.count)
                // Every wanted type can be cast to, and the wanted types want themselves.
                for (type, wanted) in zip(combination, signature.arguments) {
                    #expect(type.canCast(to: wanted), "\(function) \(combination)")
                }
                guard seen.insert(signature.arguments).inserted else { continue }
                let again = function.signature(for: signature.arguments)
                #expect(again?.result == signature.result, "\(function) \(signature.arguments)")
                let arguments = signature.arguments.enumerated().map {
                    BoundExpression.column(index: $0, type: $1)
                }
                let call = BoundExpression.call(function, arguments: arguments, type: signature.result)
                let columns = signature.arguments.enumerated().map { index, type in
                    makeColumn(type, Array((values(type) + values(type))[index..<(index + 6)]))
                }
                let (found, _) = try evaluate(call, columns)
                #expect(found.count == 6)
                let none = try CompiledExpression(call)
                #expect(none.evaluate(columns: columns.map { $0.slice(0..<0) }, rowCount: 0).count == 0)
            }
        }
        // The binder makes a field's access itself.
        #expect(!seen.isEmpty || function.declaration != nil || function == .rowField, "\(function) takes nothing")
    }

    @Test func everyCastThatIsOfferedWorks() throws {
        for from in types {
            for to in types where to != .null && from.canCast(to: to) {
                for isTry in [false, true] {
                    let cast = BoundExpression.cast(.column(index: 0, type: from), to: to, isTry: isTry)
                    let (found, errors) = try evaluate(cast, [makeColumn(from, values(from))])
                    #expect(found.count == 6)
                    #expect(!isTry || errors == 0, "TRY_CAST of \(from) to \(to)")
                }
            }
        }
    }

    @Test func typesMergeAsFlinkMergesThem() {
        #expect(DataType.leastRestrictive([.int, .null, .bigint]) == .bigint)
        #expect(DataType.leastRestrictive([.int, .double, .bigint]) == .double)
        #expect(DataType.leastRestrictive([.null]) == .null)
        #expect(DataType.leastRestrictive([.timestamp, .timestampLTZ]) == .timestampLTZ)
        #expect(DataType.leastRestrictive([.array(.int), .array(.double)]) == .array(.double))
        #expect(DataType.leastRestrictive([.string, .int]) == nil)
        #expect(DataType.comparisonType(.string, .timestampLTZ) == .timestampLTZ)
        #expect(DataType.comparisonType(.string, .int) == nil)
        #expect(DataType.comparisonType(.array(.int), .array(.int)) == nil)
        #expect(!DataType.bigint.canCast(to: .timestamp))
        #expect(!DataType.string.canCast(to: .array(.string)))
    }
}
