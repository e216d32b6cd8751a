// Random queries of views, subqueries, windows and groups: whatever binds must be a sound plan. Every
// column number names a column of the input with the type the expression says, and every schema has
// the types that its node computes. That is what push-down and inlining could break unseen.

import Testing
import WeirCore
import WeirSQL

/// What is unsound in a plan, as sentences.
func defects(of plan: LogicalPlan) -> [String] {
    guard let input = plan.inputs.first else {
        guard case .scan(_, let schema, let timeColumn) = plan else {
            return ["not a scan at the bottom"]
        }
        return timeColumn.map { schema.fields.indices.contains($0) && schema[$0].type.isTimestamp }
            == false
            ? ["the time column of the scan is none"] : []
    }
    var found = defects(of: input)
    let check = { (expression: BoundExpression) in defects(of: expression, over: input.schema) }
    switch plan {
    case .scan: break
    case .filter(_, let predicate):
        found += check(predicate)
        if predicate.type != .boolean { found.append("a filter of type \(predicate.type)") }
    case .project(_, let expressions, let schema):
        found += expressions.flatMap(check)
        if expressions.map(\.type) != schema.fields.map(\.type) {
            found.append("a projection with another schema")
        }
    case .unnest(_, let spec, let schema):
        guard spec.column < input.schema.count,
            case .array(let element) = input.schema[spec.column].type
        else {
            return found + ["UNNEST of a column that is no array"]
        }
        let added = [element] + (spec.hasOrdinality ? [.int] : [])
        if schema.fields.map(\.type) != input.schema.fields.map(\.type) + added {
            found.append("UNNEST's schema")
        }
    case .lookup(_, let spec, let schema):
        let added = spec.kind.isOneSided ? [] : spec.columns.fields
        if schema.fields.map(\.type) != (input.schema.fields + added).map(\.type) {
            found.append("a look-up's schema")
        }
    case .expand(_, let spec, let schema):
        found += spec.keys.flatMap(check)
        if schema.fields.map(\.type) != input.schema.fields.map(\.type) + spec.keys.map(\.type) + [.int] {
            found.append("the schema of grouping sets")
        }
    case .windowAssign(_, let window, let schema):
        found += defects(of: window, over: input.schema)
        let added: [DataType] = [.timestamp, .timestamp, input.schema[window.timeColumn].type]
        if schema.fields.map(\.type) != input.schema.fields.map(\.type) + added {
            found.append("the windows' schema")
        }
    case .windowAggregate(_, let window, let keys, let aggregates, let schema):
        found += defects(of: window, over: input.schema)
        found += (keys + aggregates.flatMap { [$0.argument, $0.filter].compactMap(\.self) })
            .flatMap(check)
        let added: [DataType] = [.timestamp, .timestamp, input.schema[window.timeColumn].type]
        if schema.fields.map(\.type) != keys.map(\.type) + added + aggregates.map(\.type) {
            found.append("the aggregate's schema")
        }
    case .union(let inputs, let schema):
        for input in inputs {
            if input.schema.fields.map(\.type) != schema.fields.map(\.type) {
                found.append("a branch of a union with another schema")
            }
        }
    case .ordered(let stage, let inputs, _):
        for (input, time) in zip(inputs, stage.timeColumns)
        where !input.schema.fields.indices.contains(time) || !input.schema[time].type.isTimestamp {
            found.append("an ordered input without a time column")
        }
    }
    return found + plan.inputs.dropFirst().flatMap { defects(of: $0) }
}

private func defects(of window: WindowSpec, over schema: Schema) -> [String] {
    guard schema.fields.indices.contains(window.timeColumn),
        schema[window.timeColumn].type.isTimestamp
    else {
        return ["a window over a column that is no time"]
    }
    let isSound =
        switch window.shape {
        case .sliding(let size, let slide), .months(let size, let slide):
            size > 0 && size % slide == 0 && (0..<slide).contains(window.offset)
        case .cumulating(let size, let step):
            size > 0 && size % step == 0 && (0..<size).contains(window.offset)
        case .session(let gap, let keys):
            gap > 0 && keys.allSatisfy(schema.fields.indices.contains)
        case .attached(let start, let type): schema[start].type == .timestamp && type.isTimestamp
        }
    return isSound ? [] : ["a window of wrong lengths"]
}

private func defects(of expression: BoundExpression, over schema: Schema) -> [String] {
    switch expression {
    case .column(let index, let type):
        guard schema.fields.indices.contains(index) else {
            return ["column \(index) of \(schema.count)"]
        }
        return schema[index].type == type
            ? [] : ["column \(index) is \(schema[index].type), not \(type)"]
    case .literal: return []
    case .call(let function, let arguments, let type):
        var found = arguments.flatMap { defects(of: $0, over: schema) }
        let signature = function.signature(for: arguments.map(\.type))
        if signature?.arguments != arguments.map(\.type) || signature?.result != type {
            found.append("\(function)'s types")
        }
        return found
    case .cast(let value, _, _): return defects(of: value, over: schema)
    case .conditional(let branches, let otherwise, let type):
        var found = branches.flatMap {
            defects(of: $0.condition, over: schema) + defects(of: $0.result, over: schema)
        }
        if let otherwise { found += defects(of: otherwise, over: schema) }
        if branches.contains(where: { $0.result.type != type || $0.condition.type != .boolean }) {
            found.append("CASE's types")
        }
        return found
    case .inList(let value, let list, _):
        let found = ([value] + list).flatMap { defects(of: $0, over: schema) }
        return list.allSatisfy { $0.type == value.type } ? found : found + ["IN's types"]
    }
}

/// Writes queries that mostly bind.
private struct QueryGenerator {
    var random: SeededGenerator
    private var names = 0

    init(seed: UInt64) { random = SeededGenerator(seed: seed) }

    /// A table for FROM and its columns; kinds are s(tring), n(umber), t(ime), b(oolean), w(indow),
    /// and the arrays a (of strings) and i (of numbers).
    typealias Table = (sql: String, columns: [(name: String, kind: Character)])

    private mutating func chance(_ one: Int) -> Bool {
        Int.random(in: 0..<one, using: &random) == 0
    }

    private mutating func fresh() -> String {
        names += 1
        return "c\(names)"
    }

    private mutating func pick(_ kind: Character, _ table: Table) -> String? {
        table.columns.filter { $0.kind == kind }.randomElement(using: &random)?.name
    }

    private static let sensors: [(name: String, kind: Character)] = [
        ("device", "s"), ("ts", "t"), ("temperature", "n"), ("humidity", "n"), ("line", "s"),
        ("count_now", "n"), ("total", "n"), ("is_on", "b"),
    ]
    private static let window: [(name: String, kind: Character)] = [
        ("window_start", "w"), ("window_end", "w"), ("window_time", "w"),
    ]

    private mutating func base() -> Table {
        switch Int.random(in: 0..<6, using: &random) {
        case 0: ("sensors", Self.sensors)
        case 1: ("hot", [("device", "s"), ("ts", "t"), ("temperature", "n")])
        case 2: ("hotter", [("name", "s"), ("at", "t")])
        case 3: ("post_tags", [("created_at", "t"), ("followers", "n"), ("tag", "s")])
        case 4: ("minutes", Self.sensors + Self.window)
        default:
            (
                "posts",
                [
                    ("id", "s"), ("created_at", "t"), ("followers", "n"), ("text", "s"),
                    ("hashtags", "a"), ("scores", "i"),
                ]
            )
        }
    }

    private mutating func table(_ depth: Int) -> Table {
        var result = depth == 0 || chance(3) ? base() : subquery(depth)
        let kind: Character = chance(2) ? "a" : "i"
        if let array = pick(kind, result), chance(2) {
            let element = fresh()
            result.sql += " CROSS JOIN UNNEST(\(array)) AS u\(element) (\(element))"
            result.columns.append((element, kind == "a" ? "s" : "n"))
        }
        let hasWindow = result.columns.contains { $0.kind == "w" }
        if let time = pick("t", result), !hasWindow, chance(2), !result.sql.contains(" CROSS ") {
            let data = result.sql.hasPrefix("(") ? result.sql : "TABLE \(result.sql)"
            let call =
                chance(2)
                ? "TUMBLE(\(data), DESCRIPTOR(\(time)), INTERVAL '10' SECOND)"
                : "HOP(\(data), DESCRIPTOR(\(time)), INTERVAL '10' SECOND, INTERVAL '1' MINUTE, INTERVAL '3' SECOND)"
            return ("TABLE(\(call))", result.columns + Self.window)
        }
        return result
    }

    private mutating func subquery(_ depth: Int) -> Table {
        let query = select(depth - 1)
        return ("(\(query.sql))", query.columns)
    }

    private mutating func condition(_ table: Table) -> String {
        var parts: [String] = []
        if let text = pick("s", table) { parts.append("\(text) LIKE 'a%'") }
        if let number = pick("n", table) { parts.append("\(number) BETWEEN 1 AND 2.5") }
        if let time = pick("t", table) { parts.append("\(time) > '2026-01-01'") }
        if let window = pick("w", table) {
            parts.append("\(window) IN ('2026-01-01', '2026-01-02 03:04:05')")
        }
        if let flag = pick("b", table) { parts.append("(\(flag) OR NOT \(flag))") }
        parts.shuffle(using: &random)
        let kept = parts.prefix(Int.random(in: 1...2, using: &random))
        return kept.isEmpty ? "TRUE" : kept.joined(separator: " AND ")
    }

    mutating func select(_ depth: Int) -> Table {
        let table = table(depth)
        let filter = chance(2) ? " WHERE \(condition(table))" : ""
        let canGroup = table.columns.filter { $0.kind == "w" }.count == 3
        if canGroup, chance(2) { return grouped(table, filter) }
        if chance(5) { return ("SELECT * FROM \(table.sql)\(filter)", table.columns) }
        var items: [String] = []
        var columns: [(name: String, kind: Character)] = []
        for column in table.columns where !chance(4) {
            let name = fresh()
            switch column.kind {
            case "n" where chance(3): items.append("\(column.name) * 2 + 1 AS \(name)")
            case "s" where chance(3): items.append("UPPER(\(column.name)) || 'x' AS \(name)")
            case "w" where chance(12): items.append("DATE_FORMAT(\(column.name), 'HH') AS \(name)")
            default: items.append("\(column.name) AS \(name)")
            }
            columns.append((name, items.last?.hasPrefix("DATE") == true ? "s" : column.kind))
        }
        if items.isEmpty { return ("SELECT 1 AS one FROM \(table.sql)\(filter)", [("one", "n")]) }
        return ("SELECT \(items.joined(separator: ", ")) FROM \(table.sql)\(filter)", columns)
    }

    private mutating func grouped(_ table: Table, _ filter: String) -> Table {
        var keys = table.columns.filter { $0.kind == "w" }.map(\.name)
        var items: [String] = []
        var columns: [(name: String, kind: Character)] = []
        func add(_ item: String, _ kind: Character) {
            let name = fresh()
            items.append("\(item) AS \(name)")
            columns.append((name, kind))
        }
        if let text = pick("s", table) {
            keys.append(chance(2) ? text : "LOWER(\(text))")
            add(keys[keys.count - 1], "s")
        }
        for window in keys.prefix(3) where chance(2) { add(window, "x") }
        add(
            chance(2) ? "COUNT(*)" : "COUNT(*) FILTER (WHERE \(condition(withoutWindow(table))))",
            "n")
        if let number = pick("n", table) {
            add(
                "\(["SUM", "AVG", "MIN"].randomElement(using: &random) ?? "MAX")(\(number)) + 1",
                "n")
        }
        let having = chance(3) ? " HAVING COUNT(*) > 3" : ""
        keys.shuffle(using: &random)
        let sql =
            "SELECT \(items.joined(separator: ", ")) FROM \(table.sql)\(filter) "
            + "GROUP BY \(keys.joined(separator: ", "))\(having)"
        return (sql, columns)
    }

    private func withoutWindow(_ table: Table) -> Table {
        (table.sql, table.columns.filter { $0.kind != "w" })
    }
}

@Suite struct PlanInvariantTests {
    @Test func randomQueriesGiveSoundPlans() {
        let seed = UInt64.random(in: 0...UInt64.max)
        var generator = QueryGenerator(seed: seed)
        var boundCount = 0
        var refusals: [String: Int] = [:]
        let binder = QueryBinder(catalog: catalog)
        for _ in 0..<1_500 {
            let query = generator.select(3)
            switch binder.bind(query.sql) {
            case .success(let plan):
                boundCount += 1
                let found = defects(of: plan.root)
                if !found.isEmpty {
                    Issue.record("seed \(seed): \(query.sql): \(found)\n\(plan.explanation)")
                }
                #expect(
                    plan.schema.fields.map(\.name) == query.columns.map(\.name),
                    "seed \(seed): \(query.sql)")
            case .failure(let errors):
                refusals[errors.diagnostics[0].message, default: 0] += 1
            }
        }
        // What the generator may ask for in vain is a window or a group above another.
        let unexpected = refusals.keys.filter {
            !$0.contains("supported") && !$0.contains("reads both the window")
                && !$0.contains("event-time column") && !$0.contains("needs the window")
        }
        #expect(unexpected == [], "seed \(seed)")
        #expect(boundCount > 750, "seed \(seed): \(refusals)")
    }
}
