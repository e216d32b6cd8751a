// Binding of what SQL writes with words: AND and OR, IS, BETWEEN, IN, CASE, CAST.

import WeirCore

extension ExpressionBinder {
    mutating func bindChain(
        _ function: ScalarFunction, _ operands: [ExpressionSyntax], at position: TextPosition
    ) throws(Diagnostic) -> BoundExpression {
        let name = PlanText.symbol(function)
        var bound: [BoundExpression] = []
        for operand in operands {
            bound.append(function == .concat ? try bind(operand) : try bindCondition(operand, name))
        }
        return try apply(function, bound, name, at: position)
    }

    mutating func bindTest(
        _ function: ScalarFunction, _ operand: ExpressionSyntax, at position: TextPosition
    ) throws(Diagnostic) -> BoundExpression {
        if function == .isNull || function == .isNotNull {
            return try apply(function, [try bind(operand)], nil, at: position)
        }
        return try apply(
            function, [try bindCondition(operand, "IS TRUE or FALSE")], nil, at: position)
    }

    /// `value >= low AND value <= high`; negated, `value < low OR value > high`.
    mutating func bindBetween(
        _ value: ExpressionSyntax, _ low: ExpressionSyntax, _ high: ExpressionSyntax,
        isNegated: Bool,
        at position: TextPosition
    ) throws(Diagnostic) -> BoundExpression {
        let bound = try bind(value)
        try checkRepeatable(bound, times: 2, at: position)
        let above = try apply(
            isNegated ? .less : .greaterOrEqual, [bound, try bind(low)], nil, at: position,
            from: [value, low])
        let below = try apply(
            isNegated ? .greater : .lessOrEqual, [bound, try bind(high)], nil, at: position,
            from: [value, high])
        return .call(isNegated ? .or : .and, arguments: [above, below], type: .boolean)
    }

    mutating func bindIn(
        _ value: ExpressionSyntax, _ list: [ExpressionSyntax], isNegated: Bool,
        at position: TextPosition
    ) throws(Diagnostic) -> BoundExpression {
        let bound = try bind(value)
        var members: [BoundExpression] = []
        var common = bound.type
        for expression in list {
            let member = try bind(expression)
            guard let type = DataType.comparisonType(common, member.type) else {
                throw Diagnostic(
                    expression.position,
                    "\(member.type) cannot be compared with \(common); CAST one of them")
            }
            common = type
            members.append(member)
        }
        var converted: [BoundExpression] = []
        for (member, expression) in zip(members, list) {
            converted.append(try convert(member, to: common, at: expression.position))
        }
        return .inList(
            try convert(bound, to: common, at: value.position), list: converted,
            isNegated: isNegated)
    }

    mutating func bindConditional(
        _ operand: ExpressionSyntax?, _ branches: [ExpressionSyntax.Branch],
        _ otherwise: ExpressionSyntax?,
        at position: TextPosition
    ) throws(Diagnostic) -> BoundExpression {
        var conditions: [BoundExpression] = []
        var results: [BoundExpression] = []
        let compared = try operand.map { (operand) throws(Diagnostic) in try bind(operand) }
        if let compared { try checkRepeatable(compared, times: branches.count, at: position) }
        for branch in branches {
            if let compared {
                let value = try bind(branch.condition)
                conditions.append(
                    try apply(.equal, [compared, value], nil, at: branch.condition.position))
            } else {
                conditions.append(try bindCondition(branch.condition, "WHEN"))
            }
            results.append(try bind(branch.result))
        }
        if let otherwise { results.append(try bind(otherwise)) }
        let type = try commonType(of: results, "CASE", at: position)
        var converted: [BoundExpression] = []
        for result in results { converted.append(try convert(result, to: type, at: position)) }
        let bound = zip(conditions, converted).map(BoundExpression.ConditionalBranch.init)
        return .conditional(
            branches: bound, otherwise: converted.count > bound.count ? converted.last : nil,
            type: type)
    }

    /// IF(condition, value, other).
    mutating func bindIf(_ call: CallSyntax) throws(Diagnostic) -> BoundExpression {
        guard call.arguments.count == 3 else {
            throw Diagnostic(
                call.name.position,
                "IF takes a condition and two values: IF(condition, value, other)")
        }
        let branch = ExpressionSyntax.Branch(
            condition: call.arguments[0], result: call.arguments[1])
        return try bindConditional(nil, [branch], call.arguments[2], at: call.name.position)
    }

    private func commonType(
        of results: [BoundExpression], _ what: String, at position: TextPosition
    ) throws(Diagnostic) -> DataType {
        if let type = DataType.leastRestrictive(results.map(\.type)) {
            if type != .null { return type }
            throw Diagnostic(
                position, "all results of this \(what) are NULL; give one a type: CAST(NULL AS …)")
        }
        var types: [String] = []
        for type in results.map(\.type.description) where !types.contains(type) {
            types.append(type)
        }
        throw Diagnostic(
            position,
            "the results of this \(what) are \(types.joined(separator: " and ")); CAST them to one type"
        )
    }

    func cast(
        _ bound: BoundExpression, to type: DataType, isTry: Bool, at position: TextPosition
    ) throws(Diagnostic) -> BoundExpression {
        if bound.type == type { return bound }
        if case .literal(.null, _) = bound { return .literal(.null, type: type) }
        guard bound.type.canCast(to: type) else {
            let advice =
                bound.type.isNumeric && type.isTimestamp
                ? "; TO_TIMESTAMP_LTZ(epoch, 3) makes a timestamp of a number"
                : bound.type.isTimestamp && type.isNumeric
                    ? "; EXTRACT(EPOCH FROM x) gives the seconds" : ""
            throw Diagnostic(position, "\(bound.type) cannot be cast to \(type)\(advice)")
        }
        if !isTry, case .literal(.integer(let number), _) = bound,
            type == .bigint || type == .double, bound.type.isInteger
        {
            return type == .double
                ? .literal(.double(Double(number)), type: type)
                : .literal(.integer(number), type: type)
        }
        return .cast(bound, to: type, isTry: isTry)
    }

    /// Throws when `value` would be written `times` times into the plan and is large: nested BETWEENs
    /// would otherwise grow without bound.
    private func checkRepeatable(_ value: BoundExpression, times: Int, at position: TextPosition)
        throws(Diagnostic)
    {
        if times > 1, value.plainColumn == nil,
            value.isLarger(than: SQLLimits.repeatedNodesMax / times)
        {
            throw Diagnostic(
                position,
                "the value compared here is too large to be repeated; compute it in a subquery or a view"
            )
        }
    }
}
