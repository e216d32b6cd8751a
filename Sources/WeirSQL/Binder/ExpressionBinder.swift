// Gives expressions their meaning: names become columns, operators become functions with types, and
// every implicit cast becomes a visible one.
//
// Types are Flink's: INT literals are INT, 80.0 is DECIMAL(3, 1), 8e1 is DOUBLE, INT with BIGINT gives
// BIGINT, with DOUBLE gives DOUBLE, INT/INT is INT, a text compared with a timestamp is read as one.

import WeirCore

/// Binds the expressions of one clause.
struct ExpressionBinder {
    /// Where an expression stands, for what is allowed there and how it is called in messages.
    enum Clause: String {
        case select = "SELECT"
        case filter = "WHERE"
        case groupBy = "GROUP BY"
        case having = "HAVING"
        case qualify = "QUALIFY"
        case aggregateFilter = "FILTER"
        case define = "DEFINE"
        case measures = "MEASURES"
        case on = "ON"
    }

    let scope: Scope
    var clause: Clause
    /// What the rows are grouped by; nil where aggregates have no place.
    var grouping: Grouping?
    /// What names mean inside MATCH_RECOGNIZE; nil elsewhere.
    var pattern: PatternScope?
    /// Columns read outside of aggregates and of grouped expressions, in order.
    private(set) var ungrouped: [Identifier] = []
    /// The calls with OVER; nil where they have no place.
    var overs: OverCalls?
    /// The same while the parts of such a call are bound.
    var pendingOvers: OverCalls?
    /// The columns of the SELECT list by name, where QUALIFY can name them.
    var outputs: [String: BoundExpression] = [:]
    /// The aggregate whose arguments are being bound.
    var enclosingAggregate: String?

    init(_ scope: Scope, _ clause: Clause, grouping: Grouping? = nil) {
        self.scope = scope
        self.clause = clause
        self.grouping = grouping
    }

    /// Forgets the columns noted in `ungrouped`, before the next expression.
    mutating func forgetUngrouped() { ungrouped.removeAll() }

    /// The expression with all names resolved and all types known.
    mutating func bind(_ expression: ExpressionSyntax) throws(Diagnostic) -> BoundExpression {
        let before = ungrouped.count
        let bound = try bindKind(expression)
        if let grouping, enclosingAggregate != nil || grouping.contains(bound) {
            ungrouped.removeSubrange(before...)
        }
        return bound
    }

    /// An expression that must be a condition.
    mutating func bindCondition(_ expression: ExpressionSyntax, _ what: String) throws(Diagnostic)
        -> BoundExpression
    {
        let bound = try bind(expression)
        if bound.type == .null { return try convert(bound, to: .boolean, at: expression.position) }
        guard bound.type == .boolean else {
            throw Diagnostic(expression.start, "\(what) needs a condition; this is \(bound.type)")
        }
        return bound
    }

    mutating func bindAll(_ list: [ExpressionSyntax]) throws(Diagnostic) -> [BoundExpression] {
        var bound: [BoundExpression] = []
        for expression in list { bound.append(try bind(expression)) }
        return bound
    }

    /// Operators come by the hundred, one inside the other: what they take of the stack is kept small.
    private mutating func bindKind(_ expression: ExpressionSyntax) throws(Diagnostic)
        -> BoundExpression
    {
        guard case .binary(let function, let left, let right) = expression.kind else {
            return try bindOther(expression)
        }
        return try apply(
            function, try bindAll([left, right]), nil, at: expression.position, from: [left, right])
    }

    private mutating func bindOther(_ expression: ExpressionSyntax) throws(Diagnostic)
        -> BoundExpression
    {
        let position = expression.position
        switch expression.kind {
        case .name(let parts): return try bindName(parts)
        case .null: return .literal(.null, type: .null)
        case .boolean(let value): return .literal(.boolean(value), type: .boolean)
        case .number(let text): return try number(text, at: position)
        case .string(let text): return .literal(.string(text), type: .string)
        case .interval(let milliseconds): return .literal(.integer(milliseconds), type: .interval)
        case .timestamp(let milliseconds): return .literal(.integer(milliseconds), type: .timestamp)
        case .typed(let value, let type): return .literal(value, type: type)
        case .negate(let operand): return try apply(.negate, [try bind(operand)], "-", at: position)
        case .not(let operand):
            return try apply(.not, [try bindCondition(operand, "NOT")], "NOT", at: position)
        case .binary: preconditionFailure("bound by bindKind")
        case .chain(let function, let operands):
            return try bindChain(function, operands, at: position)
        case .test(let function, let operand): return try bindTest(function, operand, at: position)
        case .between(let value, let low, let high, let isNegated):
            return try bindBetween(value, low, high, isNegated: isNegated, at: position)
        case .inList(let value, let list, let isNegated):
            return try bindIn(value, list, isNegated: isNegated, at: position)
        case .like(let value, let pattern, let escape, let isNegated):
            let arguments = try bindAll([value, pattern] + (escape.map { [$0] } ?? []))
            return try apply(
                isNegated ? .notLike : .like, arguments, "LIKE", at: position,
                from: [value, pattern])
        case .conditional(let operand, let branches, let otherwise):
            return try bindConditional(operand, branches, otherwise, at: position)
        case .cast(let value, let type, let isTry):
            return try bindCast(value, toTarget: type, isTry: isTry, at: position)
        case .call(let call): return try bindCall(call)
        case .extract(let field, let value): return try bindExtract(field, value)
        case .roundTime(let value, let unit, let isCeiling):
            return try bindRoundTime(value, to: unit, isCeiling: isCeiling, at: position)
        case .element(let array, let index):
            return try apply(.elementAt, try bindAll([array, index]), "array[index]", at: position)
        case .array(let elements): return try bindNested(.arrayOf, elements, at: position)
        case .map(let entries): return try bindNested(.mapOf, entries, at: position)
        case .row(let members): return try bindNested(.rowOf, members, at: position)
        case .field(let value, let field): return try bindField(of: try bind(value), field)
        case .scalarQuery: throw Diagnostic(position, "a subquery as a value is not supported yet")
        case .inQuery:
            throw Diagnostic(position, "IN (SELECT …)\(Self.placeOfSubqueries)")
        case .exists: throw Diagnostic(position, "EXISTS (SELECT …)\(Self.placeOfSubqueries)")
        }
    }

    private static let placeOfSubqueries =
        " can stand as a condition of WHERE, alone or between ANDs, and nowhere else"

    private mutating func bindName(_ parts: [Identifier]) throws(Diagnostic) -> BoundExpression {
        if pattern != nil { return try bindPatternName(parts) }
        if parts.count == 1, let output = outputs[parts[0].name] {
            return try bindOutput(output, parts[0])
        }
        do {
            // What follows the column's name are fields of its rows.
            let depth = try scope.columnNameLength(parts)
            let column = try scope.column(Array(parts[..<depth]))
            var value = read(column, at: parts[depth - 1].position)
            for field in parts[depth...] { value = try bindField(of: value, field) }
            return value
        } catch {
            if parts.count == 1, let refusal = refusalOfFunction(parts[0].name.uppercased()) {
                throw Diagnostic(parts[0].position, refusal)
            }
            throw error
        }
    }

    /// The value of `column`, noted as read outside of an aggregate.
    mutating func read(_ column: ScopeColumn, at position: TextPosition) -> BoundExpression {
        let isGrouped = grouping?.contains(column.expression) ?? true
        if enclosingAggregate == nil, !isGrouped {
            ungrouped.append(Identifier(name: column.name, position: position))
        }
        return column.expression
    }

    // MARK: Functions and casts

    /// `function` over `arguments`, cast to what its kernel takes. `name` is how messages call it;
    /// nil for a binary operator. `written` are the arguments as written, for their places.
    func apply(
        _ function: ScalarFunction, _ arguments: [BoundExpression], _ name: String?,
        at position: TextPosition,
        from written: [ExpressionSyntax] = []
    ) throws(Diagnostic) -> BoundExpression {
        guard let signature = function.signature(for: arguments.map(\.type)) else {
            throw Diagnostic(position, mismatch(function, arguments.map(\.type), name))
        }
        var converted: [BoundExpression] = []
        let fallback = signature.arguments.first { $0 != .null } ?? .int
        for (index, wanted) in signature.arguments.enumerated() {
            let type = wanted == .null ? fallback : wanted
            let place = written.indices.contains(index) ? written[index].position : position
            converted.append(try convert(arguments[index], to: type, at: place))
        }
        if let problem = function.problem(withConstants: converted) {
            // Patterns and precisions are second arguments.
            let place = written.count > 1 ? written[1].position : position
            throw Diagnostic(place, "\(name ?? PlanText.symbol(function)): \(problem)")
        }
        let type = function.resultType(of: signature, for: converted)
        return .call(function, arguments: converted, type: type)
    }

    private func mismatch(_ function: ScalarFunction, _ types: [DataType], _ name: String?)
        -> String
    {
        let list = types.map(\.description)
        if name == nil, list.count == 2 {
            switch function {
            case .equal, .notEqual, .less, .lessOrEqual, .greater, .greaterOrEqual, .isDistinctFrom,
                .isNotDistinctFrom:
                return "\(list[0]) cannot be compared with \(list[1])" + castAdvice(types)
            default:
                if types[0].isTimestamp, types[1].isTimestamp {
                    return "\"\(PlanText.symbol(function))\" does not take two timestamps; "
                        + "compare them, or add an INTERVAL to one"
                }
                return "\"\(PlanText.symbol(function))\" does not take \(list[0]) and \(list[1])"
                    + castAdvice(types)
            }
        }
        let shown = name ?? PlanText.symbol(function)
        return "\(shown) does not take (\(list.joined(separator: ", ")))"
    }

    private func castAdvice(_ types: [DataType]) -> String {
        let areScalar = types.allSatisfy(\.isScalar)
        return areScalar ? "; CAST one of them" : ""
    }

    /// `value` as a `type`: unchanged, a literal of that type, or a cast.
    func convert(
        _ value: BoundExpression, to type: DataType, at position: TextPosition
    ) throws(Diagnostic) -> BoundExpression {
        if value.type == type || type == .null { return value }
        if case .literal(let literal, let from) = value {
            switch (literal, type) {
            case (.null, _): return .literal(.null, type: type)
            case (.integer(let number), .double) where from.isInteger:
                return .literal(.double(Double(number)), type: type)
            case (_, .double) where from.isDecimal, (_, .decimal) where from.decimalShape != nil:
                if let moved = literal.moved(from: from, to: type) { return .literal(moved, type: type) }
            case (.string(let text), .date), (.string(let text), .time):
                return .literal(.integer(try dayOrTime(text, type, at: position)), type: type)
            case (.integer(let number), .float) where from.isInteger:
                return .literal(.double(Double(Float(number))), type: type)
            case (.integer, _) where from.isInteger && type.isInteger
                && from.integerBits < type.integerBits:
                return .literal(literal, type: type)
            // A constant instant depends on the query's time zone: SessionZone makes it of this.
            case (.integer, .timestampLTZ) where from == .timestamp: break
            case (.string(let text), .timestamp), (.string(let text), .timestampLTZ):
                guard let milliseconds = TimestampText.parse(text) else {
                    throw Diagnostic(
                        position,
                        "'\(Token.clipped(text))' is not a timestamp; one looks like '2026-11-21 13:45:00.250'"
                    )
                }
                let time = BoundExpression.literal(.integer(milliseconds), type: .timestamp)
                return type == .timestamp ? time : .cast(time, to: type, isTry: false)
            default: break
            }
        }
        return .cast(value, to: type, isTry: false)
    }

    private func number(_ text: String, at position: TextPosition) throws(Diagnostic)
        -> BoundExpression
    {
        let isInteger = text.utf8.allSatisfy {
            $0 == UInt8(ascii: "-") || (0x30...0x39).contains($0)
        }
        if isInteger {
            guard let value = Int64(text) else {
                throw Diagnostic(
                    position,
                    "\(Token.clipped(text)) does not fit BIGINT; write \(Token.clipped(text))e0 for a DOUBLE"
                )
            }
            return .literal(.integer(value), type: Int32(exactly: value) == nil ? .bigint : .int)
        }
        if !text.utf8.contains(where: { $0 | 0x20 == UInt8(ascii: "e") }) {
            return try decimal(text, at: position)
        }
        guard let value = Double(text), value.isFinite else {
            throw Diagnostic(position, "\(Token.clipped(text)) does not fit DOUBLE")
        }
        return .literal(.double(value), type: .double)
    }
}
