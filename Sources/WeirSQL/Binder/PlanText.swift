// Plans as text, in two readings of one grammar:
//
//   fingerprint    columns by number (#0), one operator a line, from the source up; two plans have the
//                  same fingerprint if and only if they compute the same result columns, under the
//                  same names, from the same source columns with interchangeable state
//   explanation    columns by name, from the result down; for people
//
// The fingerprint is stored with the state (docs/delivery.md), so a change of this grammar makes every
// query look changed: raise `version` only then.

import WeirCore

extension QueryPlan {
    /// A canonical text of what the plan computes; equal for two queries exactly if their state and
    /// their result rows are interchangeable. Stable from release to release within a version.
    public var fingerprint: String {
        let lines = PlanText.lines(root, .numbers)
        let output = schema.fields.map { "\(PlanText.quoted($0.name)) \($0.type)" }.joined(
            separator: ", ")
        return (["plan \(PlanText.version)"] + lines + ["output \(output)"]).joined(separator: "\n")
    }

    /// The plan for people: one operator a line, each reading the next one.
    public var explanation: String {
        PlanText.tree(root, depth: 0).joined(separator: "\n")
    }
}

extension LogicalPlan {
    /// The operator for people, one line, without its inputs.
    public var headline: String { PlanText.line(self, .names) }
}

/// The grammar of plan texts.
enum PlanText {
    /// The version of the fingerprint's grammar.
    static let version = 1

    /// How columns are called.
    enum Reading {
        /// `#3`.
        case numbers
        /// `temperature`.
        case names
    }

    /// The name of column `column` of an input with the columns `names`.
    static func name(_ names: [String], _ column: Int) -> String {
        names.indices.contains(column) ? names[column] : "#\(column)"
    }

    /// The operators from the sources up, one line each: those of the first input, of the second and
    /// so on, then the operator that reads them, with how many inputs it has if that is not one.
    static func lines(_ plan: LogicalPlan, _ reading: Reading) -> [String] {
        plan.inputs.flatMap { lines($0, reading) } + [line(plan, reading)]
    }

    /// The operators from the result down, inputs indented below the operator that reads them.
    static func tree(_ plan: LogicalPlan, depth: Int) -> [String] {
        let head = String(repeating: "  ", count: depth) + line(plan, .names)
        return [head] + plan.inputs.flatMap { tree($0, depth: depth + 1) }
    }

    static func line(_ plan: LogicalPlan, _ reading: Reading) -> String {
        let names = plan.inputs.first?.schema.fields.map(\.name) ?? []
        let column = { (index: Int) in reading == .numbers ? "#\(index)" : name(names, index) }
        let text = { (expression: BoundExpression) in expressionText(expression, column) }
        switch plan {
        case .scan(let source, let schema, let timeColumn):
            let columns = schema.fields.map { "\(quoted($0.name)) \($0.type)" }.joined(
                separator: ", ")
            let time = timeColumn.map { " event time \(quoted(schema[$0].name))" } ?? ""
            return "scan \(quoted(source)) (\(columns))\(time)"
        case .filter(_, let predicate): return "filter \(text(predicate))"
        case .project(_, let expressions, let schema):
            let items = zip(expressions, schema.fields).map { expression, field in
                let value = text(expression)
                return reading == .numbers || value == field.name
                    ? value : "\(field.name) = \(value)"
            }
            return "project \(items.joined(separator: ", "))"
        case .unnest(_, let spec, _):
            return "\(spec.keepsEmpty ? "left " : "")unnest \(column(spec.column))"
                + (spec.hasOrdinality ? " with ordinality" : "")
        case .expand(_, let spec, _): return "expand grouping sets \(spec.text(text))"
        case .windowAssign(_, let spec, _): return "assign windows \(spec.text(column))"
        case .windowAggregate(_, let spec, let keys, let aggregates, _):
            let calls = aggregates.map { aggregate($0, column) }.joined(separator: ", ")
            return
                "aggregate \(spec.text(column)) by (\(keys.map(text).joined(separator: ", "))) compute (\(calls))"
        case .lookup(let input, let spec, _):
            return spec.text(leftWidth: input.schema.count, column, reading)
        case .union(let inputs, _): return "union of \(inputs.count)"
        case .ordered(let stage, let inputs, _):
            return stage.text { input, index in
                let mark = inputs.count > 1 ? "\(input)." : ""
                let names = inputs[input].schema.fields.map(\.name)
                return reading == .numbers ? "#\(mark)\(index)" : name(names, index)
            }
        }
    }

    /// `AVG(temperature) FILTER (WHERE …)`.
    static func aggregate(_ call: AggregateCall, _ column: @escaping (Int) -> String) -> String {
        let constants = call.parameters.map { parameter in
            switch parameter {
            case .integer(let value): "\(value)"
            default: literal(parameter, .null)
            }
        }
        let inside = call.arguments.map { expressionText($0, column) } + constants
        let list = call.function == .countStar ? "*" : inside.joined(separator: ", ")
        let filter = call.filter.map { " FILTER (WHERE \(expressionText($0, column)))" } ?? ""
        return "\(call.function.name)(\(call.isDistinct ? "DISTINCT " : "")\(list))\(filter)"
    }

    // MARK: Expressions

    private static let operators: [ScalarFunction: String] = [
        .add: "+", .subtract: "-", .multiply: "*", .divide: "/", .modulo: "%", .equal: "=",
        .notEqual: "<>",
        .less: "<", .lessOrEqual: "<=", .greater: ">", .greaterOrEqual: ">=", .and: "AND",
        .or: "OR", .concat: "||",
        .isDistinctFrom: "IS DISTINCT FROM", .isNotDistinctFrom: "IS NOT DISTINCT FROM",
    ]

    /// How SQL writes the function, if it is an operator, else its name in plans.
    static func symbol(_ function: ScalarFunction) -> String {
        operators[function] ?? function.planName
    }

    private static let tests: [ScalarFunction: String] = [
        .isNull: "IS NULL", .isNotNull: "IS NOT NULL", .isTrue: "IS TRUE",
        .isNotTrue: "IS NOT TRUE",
        .isFalse: "IS FALSE", .isNotFalse: "IS NOT FALSE",
    ]

    /// The expression in SQL's words with every operation in parentheses.
    static func expressionText(_ expression: BoundExpression, _ column: @escaping (Int) -> String)
        -> String
    {
        let text = { (part: BoundExpression) in expressionText(part, column) }
        let list = { (parts: [BoundExpression]) in parts.map(text).joined(separator: ", ") }
        switch expression {
        case .column(let index, _): return column(index)
        case .literal(let value, let type): return literal(value, type)
        case .call(let function, let arguments, _):
            if let mark = operators[function], arguments.count > 1 {
                return "(\(arguments.map(text).joined(separator: " \(mark) ")))"
            }
            if let test = tests[function], let value = arguments.first {
                return "(\(text(value)) \(test))"
            }
            return "\(function.planName)(\(list(arguments)))"
        case .cast(let value, let type, let isTry):
            return "\(isTry ? "TRY_CAST" : "CAST")(\(text(value)) AS \(type))"
        case .conditional(let branches, let otherwise, _):
            let cases = branches.map { "WHEN \(text($0.condition)) THEN \(text($0.result)) " }
                .joined()
            return "CASE \(cases)\(otherwise.map { "ELSE \(text($0)) " } ?? "")END"
        case .inList(let value, let members, let isNegated):
            return "(\(text(value)) \(isNegated ? "NOT IN" : "IN") (\(list(members))))"
        }
    }

    private static func literal(_ value: LiteralValue, _ type: DataType) -> String {
        switch value {
        case .null: return "NULL:\(type)"
        case .boolean(let value): return value ? "TRUE" : "FALSE"
        case .double(let value): return "\(value)"
        case .string(let value): return "'\(escaped(value, quote: "'"))'"
        case .wide(let value):
            return Decimals.string(value, scale: DecimalShape(type)?.scale ?? 0) + ":\(type)"
        case .bytes(let value):
            let digits = value.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }
            return "x'\(digits.joined())'"
        case .integer(let value):
            switch type {
            case .int: return "\(value)"
            case .bigint: return "\(value)L"
            case .interval: return "INTERVAL \(value) ms"
            case .timestamp, .timestampLTZ:
                return "\(type) '\(TimestampFormatter.isoString(value))'"
            case .intervalYearMonth: return "INTERVAL \(value) months"
            case .decimal(_, let scale):
                return Decimals.string(Int128(value), scale: scale) + ":\(type)"
            default: return "\(value):\(type)"
            }
        }
    }

    /// A name as it is, or in backquotes where it is no plain word.
    static func quoted(_ name: String) -> String {
        let isPlain =
            !name.isEmpty
            && name.utf8.allSatisfy { byte in
                (0x61...0x7a).contains(byte | 0x20) || (0x30...0x39).contains(byte)
                    || byte == UInt8(ascii: "_")
            }
        return isPlain ? name : "`\(escaped(name, quote: "`"))`"
    }

    /// Doubled quotes, and control characters by number, so that a text stays one line and one text.
    private static func escaped(_ text: String, quote: Unicode.Scalar) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            if scalar == quote { result.unicodeScalars.append(quote) }
            if scalar.value < 0x20 || scalar == "\\" {
                result += "\\u{\(String(scalar.value, radix: 16))}"
            } else {
                result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}
