// The parser: precedence, the forms of each construct, and what it reads although the binder refuses
// it. Expressions are compared in a form with every operation in parentheses.

import Testing
import WeirCore

@testable import WeirSQL

/// The SELECT of `sql`, which must be one.
private func select(_ sql: String) throws -> SelectSyntax {
    guard case .select(let select) = try Parser.query(of: sql).body else {
        throw Diagnostic(TextPosition(line: 1, column: 1), "not a SELECT")
    }
    return select
}

private func parsed(_ expression: String) throws -> String {
    guard case .expression(let syntax, _) = try select("SELECT \(expression) FROM t").items[0]
    else { return "*" }
    return outline(syntax)
}

private func outline(_ expression: ExpressionSyntax) -> String {
    let list = { (parts: [ExpressionSyntax]) in parts.map(outline).joined(separator: ", ") }
    switch expression.kind {
    case .name(let parts): return parts.map(\.name).joined(separator: ".")
    case .null: return "NULL"
    case .boolean(let value): return "\(value)"
    case .number(let text): return text
    case .string(let text): return "'\(text)'"
    case .interval(let milliseconds): return "\(milliseconds)ms"
    case .timestamp(let milliseconds): return "@\(milliseconds)"
    case .negate(let operand): return "-(\(outline(operand)))"
    case .not(let operand): return "not(\(outline(operand)))"
    case .binary(let function, let left, let right):
        return "(\(outline(left)) \(function) \(outline(right)))"
    case .chain(let function, let operands): return "\(function)(\(list(operands)))"
    case .test(let function, let operand): return "\(function)(\(outline(operand)))"
    case .between(let value, let low, let high, let isNegated):
        return "\(isNegated ? "notBetween" : "between")(\(list([value, low, high])))"
    case .inList(let value, let members, let isNegated):
        return "\(isNegated ? "notIn" : "in")(\(outline(value)); \(list(members)))"
    case .inQuery(let value, _, _): return "inQuery(\(outline(value)))"
    case .like(let value, let pattern, let escape, let isNegated):
        return
            "\(isNegated ? "notLike" : "like")(\(list([value, pattern] + (escape.map { [$0] } ?? []))))"
    case .conditional(let operand, let branches, let otherwise):
        let whens = branches.map { "\(outline($0.condition)): \(outline($0.result))" }.joined(
            separator: "; ")
        return
            "case(\(operand.map { outline($0) + " | " } ?? "")\(whens)"
            + "\(otherwise.map { "; else \(outline($0))" } ?? ""))"
    case .cast(let value, let type, let isTry):
        let length = type.length.map { "(\($0)\(type.pads ? " filled" : ""))" } ?? ""
        return "\(isTry ? "tryCast" : "cast")(\(outline(value)), \(type.type)\(length))"
    case .call(let call):
        let star = call.isStar ? "*" : ""
        let filter = call.filter.map { " filter \(outline($0))" } ?? ""
        let over =
            call.over.map {
                " over(\(list($0.partitionBy)); \(list($0.orderBy.map(\.expression))))"
            } ?? ""
        return
            "\(call.name.name)(\(call.isDistinct ? "distinct " : "")\(star)\(list(call.arguments)))\(filter)\(over)"
    case .extract(let field, let value): return "extract(\(field.name), \(outline(value)))"
    case .roundTime(let value, let unit, let isCeiling):
        return "\(isCeiling ? "ceil" : "floor")(\(outline(value)), \(unit.name))"
    case .element(let array, let index): return "\(outline(array))[\(outline(index))]"
    case .array(let elements): return "array(\(list(elements)))"
    case .map(let entries): return "map(\(list(entries)))"
    case .row(let members): return "row(\(list(members)))"
    case .field(let value, let field): return "\(outline(value)).\(field.name)"
    case .typed(let value, let type): return "\(type) \(value)"
    case .scalarQuery: return "query"
    case .exists: return "exists"
    }
}

@Suite struct ParserExpressionTests {
    @Test(arguments: [
        ("a OR b AND NOT c = d", "or(a, and(b, not((c equal d))))"),
        ("a AND b AND c OR d", "or(and(a, b, c), d)"),
        ("1 + 2 * 3 - 4 / 5 % 6", "((1 add (2 multiply 3)) subtract ((4 divide 5) modulo 6))"),
        ("(1 + 2) * 3", "((1 add 2) multiply 3)"),
        ("a || b || c", "concat(a, b, c)"),
        ("-a + -1 - -(2)", "((-(a) add -1) subtract -(2))"),
        ("a < b = c", "((a less b) equal c)"),
        ("a = b IS NOT NULL", "isNotNull((a equal b))"),
        ("a IS TRUE OR b IS NOT FALSE", "or(isTrue(a), isNotFalse(b))"),
        ("a IS UNKNOWN", "isNull(a)"),
        ("a IS DISTINCT FROM b + 1", "(a isDistinctFrom (b add 1))"),
        ("a IS NOT DISTINCT FROM b", "(a isNotDistinctFrom b)"),
        ("a BETWEEN 1 AND 2 AND b", "and(between(a, 1, 2), b)"),
        ("NOT a BETWEEN 1 + 1 AND 2", "not(between(a, (1 add 1), 2))"),
        ("a NOT BETWEEN 1 AND 2", "notBetween(a, 1, 2)"),
        ("a + 1 IN (1, b, 'x')", "in((a add 1); 1, b, 'x')"),
        ("a NOT IN (1)", "notIn(a; 1)"),
        ("a LIKE 'x%' || b ESCAPE '!'", "like(a, concat('x%', b), '!')"),
        ("a NOT LIKE 'x'", "notLike(a, 'x')"),
        ("a != 1 AND a <> 2", "and((a notEqual 1), (a notEqual 2))"),
        ("t.a[1][b + 1]", "t.a[1][(b add 1)]"),
        ("-a[1]", "-(a[1])"),
    ])
    func operatorsBindAsInFlink(_ sql: String, _ expected: String) throws {
        #expect(try parsed(sql) == expected)
    }

    @Test(arguments: [
        ("CASE WHEN a THEN 1 ELSE 2 END", "case(a: 1; else 2)"),
        ("CASE x WHEN 1 THEN 'a' WHEN 2 THEN 'b' END", "case(x | 1: 'a'; 2: 'b')"),
        ("CAST(a AS BIGINT)", "cast(a, BIGINT)"),
        ("TRY_CAST(a AS DOUBLE PRECISION)", "tryCast(a, DOUBLE)"),
        ("CAST(a AS TIMESTAMP(3) WITH LOCAL TIME ZONE)", "cast(a, TIMESTAMP_LTZ(3))"),
        ("CAST(a AS ARRAY<INT ARRAY>)", "cast(a, ARRAY<ARRAY<INT>>)"),
        ("CAST(a AS VARCHAR(2147483647))", "cast(a, STRING)"),
        ("COUNT(*)", "COUNT(*)"), ("count(DISTINCT a)", "count(distinct a)"),
        ("SUM(a) FILTER (WHERE b > 1)", "SUM(a) filter (b greater 1)"),
        ("RANK() OVER (PARTITION BY a, b ORDER BY c DESC NULLS LAST)", "RANK() over(a, b; c)"),
        (
            "SUM(a) OVER (ORDER BY t RANGE BETWEEN INTERVAL '1' SECOND PRECEDING AND CURRENT ROW)",
            "SUM(a) over(; t)"
        ),
        ("EXTRACT(HOUR FROM ts)", "extract(HOUR, ts)"),
        ("FLOOR(ts TO minute)", "floor(ts, MINUTE)"),
        ("CEIL(ts TO DAY)", "ceil(ts, DAY)"), ("FLOOR(1.5)", "FLOOR(1.5)"),
        ("SUBSTRING(a FROM 2 FOR 3)", "SUBSTRING(a, 2, 3)"), ("SUBSTRING(a, 2)", "SUBSTRING(a, 2)"),
        ("TRIM(a)", "TRIM(a)"), ("TRIM(BOTH 'x' FROM a)", "TRIM(a, 'x')"),
        ("TRIM(LEADING FROM a)", "LTRIM(a)"),
        ("TRIM(TRAILING 'x' FROM a)", "RTRIM(a, 'x')"), ("TRIM('x' FROM a)", "TRIM(a, 'x')"),
        ("POSITION('a' IN b)", "POSITION('a', b)"), ("LEFT(a, 1)", "LEFT(a, 1)"),
        ("INTERVAL '1' MINUTE", "60000ms"), ("INTERVAL '-1.5' SECOND", "-1500ms"),
        ("INTERVAL - '2' HOURS", "-7200000ms"),
        ("INTERVAL '1:30' MINUTE TO SECOND", "90000ms"),
        ("INTERVAL '2 3:04:05.006' DAY TO SECOND(3)", "183845006ms"),
        ("INTERVAL '10:20' HOUR TO MINUTE", "37200000ms"), ("INTERVAL '90' DAY(3)", "7776000000ms"),
        ("TIMESTAMP '1970-01-02 00:00:00.5'", "@86400500"), ("ARRAY[1, a]", "array(1, a)"),
        ("(SELECT 1 FROM t)", "query"), ("EXISTS (SELECT 1 FROM t)", "exists"),
        ("a IN (SELECT b FROM t)", "inQuery(a)"),
        ("`select`.`from`", "select.from"), ("timestamp", "timestamp"),
        ("date + time", "(date add time)"),
    ])
    func specialFormsAreRead(_ sql: String, _ expected: String) throws {
        #expect(try parsed(sql) == expected)
    }

    @Test func anOperatorKnowsItsPlaceAndItsStart() throws {
        guard
            case .expression(let sum, let alias) = try select("SELECT a +\n b AS c FROM t").items[0]
        else { return }
        #expect(sum.position == TextPosition(line: 1, column: 10))
        #expect(sum.start == TextPosition(line: 1, column: 8))
        #expect(alias?.position == TextPosition(line: 2, column: 7))
    }
}

@Suite struct ParserQueryTests {
    @Test func allClausesAreRead() throws {
        let query = try Parser.query(
            of: """
                WITH x (p) AS (SELECT a FROM t) SELECT a AS b, t.*, c d FROM t AS u WHERE a GROUP BY a, b HAVING c
                ORDER BY a DESC LIMIT 3;
                """)
        guard case .select(let select) = query.body else { return }
        #expect(query.with.map(\.name.name) == ["x"])
        #expect(query.with[0].columns.map(\.name) == ["p"])
        #expect(select.items.count == 3)
        #expect(select.from?.alias?.name == "u")
        #expect(select.filter != nil && select.having != nil)
        #expect(select.groupBy?.items.count == 2)
        #expect(query.orderBy.count == 1)
        #expect(query.ordering?.name == "ORDER")
    }

    @Test func windowFunctionsTakeArgumentsInOrderAndByName() throws {
        let sql =
            "SELECT * FROM TABLE(HOP(TABLE t, DESCRIPTOR(ts), INTERVAL '1' SECOND, SIZE => INTERVAL '2' SECOND)) w"
        guard case .windowFunction(let function) = try select(sql).from?.kind else {
            Issue.record("not a window function")
            return
        }
        #expect(function.name.name == "HOP")
        #expect(function.arguments.map(\.name?.name) == [nil, nil, nil, "SIZE"])
    }

    @Test func joinsAndSetOperationsAreReadIntoTheTree() throws {
        guard
            case .join(let join) = try select(
                "SELECT * FROM a JOIN b ON a.x = b.x LEFT JOIN c USING (x)"
            ).from?.kind
        else {
            Issue.record("not a join")
            return
        }
        #expect(join.kind == .left)
        #expect(join.using.map(\.name) == ["x"])
        guard case .join(let first) = join.left.kind else { return }
        #expect(first.kind == .inner && first.condition != nil)

        let union = try Parser.query(
            of: "SELECT a FROM t UNION ALL SELECT b FROM t INTERSECT (SELECT c FROM t)")
        guard
            case .setOperation(let operation, let isAll, _, .setOperation(let inner, _, _, _)) =
                union.body
        else {
            Issue.record("INTERSECT binds tighter than UNION")
            return
        }
        #expect(operation.name == "UNION" && isAll && inner.name == "INTERSECT")
    }

    @Test func unnestIsReadAfterCrossJoinAndComma() throws {
        for sql in [
            "SELECT * FROM p CROSS JOIN UNNEST(h) AS t (x)", "SELECT * FROM p, UNNEST(h) t (x)",
        ] {
            guard case .join(let join) = try select(sql).from?.kind, case .unnest = join.right.kind
            else {
                Issue.record("\(sql): no UNNEST")
                return
            }
            #expect(join.right.alias?.name == "t")
            #expect(join.right.columnAliases.map(\.name) == ["x"])
        }
    }
}
