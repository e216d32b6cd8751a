// Aggregate calls: where they may stand, what arguments each function takes, and the type of its result.
// Types are Flink's: SUM, AVG and the moments have the type of their argument (of DECIMAL one with 38
// digits), so AVG and STDDEV_POP of INT are INT; COUNT is BIGINT; percentiles are DOUBLE.

import WeirCore

extension ExpressionBinder {
    /// An aggregate of a grouped SELECT, as the column that its result will be.
    mutating func bindAggregate(
        _ call: CallSyntax, _ function: AggregateFunction, _ name: String
    ) throws(Diagnostic) -> BoundExpression {
        try checkAggregatePlace(name, at: call.name.position)
        enclosingAggregate = name
        let outer = clause
        defer {
            enclosingAggregate = nil
            clause = outer
        }
        let bound = try boundAggregate(call, function, name)
        if bound.columns.contains(where: { $0 < 0 }) {
            throw Diagnostic(
                call.name.position,
                "\(name) cannot read window_start, window_end or window_time; they are the same for all "
                    + "rows of a group")
        }
        return grouping?.aggregate(bound) ?? .literal(.null, type: bound.type)
    }

    private func checkAggregatePlace(_ name: String, at position: TextPosition) throws(Diagnostic) {
        if let outer = enclosingAggregate {
            throw Diagnostic(
                position,
                "\(name) stands inside \(outer); aggregates cannot be nested, use a subquery")
        }
        if grouping != nil { return }
        if clause == .select || clause == .having {
            throw Diagnostic(position, unboundedAdvice(name))
        }
        let advice = clause == .filter ? "; conditions on aggregates go into HAVING" : ""
        throw Diagnostic(
            position, "the aggregate \(name) cannot stand in \(clause.rawValue)\(advice)")
    }

    /// The aggregate that a call means, whatever it is computed over: arguments, parameters and
    /// FILTER bound, types checked. Leaves `clause` at FILTER if there is one.
    mutating func boundAggregate(
        _ call: CallSyntax, _ function: AggregateFunction, _ name: String
    ) throws(Diagnostic) -> AggregateCall {
        if call.ignoresNulls != nil, function != .arrayAgg {
            throw Diagnostic(
                call.name.position, "\(name) leaves NULLs out; only ARRAY_AGG takes RESPECT NULLS")
        }
        let unfiltered = try bindFunction(call, function, name)
        guard let filter = call.filter else { return unfiltered }
        clause = .aggregateFilter
        return AggregateCall(
            function: unfiltered.function, arguments: unfiltered.arguments,
            parameters: unfiltered.parameters, filter: try bindCondition(filter, "FILTER"),
            isDistinct: unfiltered.isDistinct, type: unfiltered.type)
    }

    private mutating func bindFunction(
        _ call: CallSyntax, _ function: AggregateFunction, _ name: String
    ) throws(Diagnostic) -> AggregateCall {
        let position = call.name.position
        if call.isStar {
            guard function == .count else {
                throw Diagnostic(position, "\(name)(*) has no meaning; only COUNT takes *")
            }
            return AggregateCall(function: .countStar, argument: nil, type: .bigint)
        }
        switch function {
        case .countStar, .count: return try bindCount(call)
        case .listAgg: return try bindListAgg(call)
        case .percentile, .approxPercentile: return try bindPercentile(call, function, name)
        case .approxTopK: return try bindTopK(call)
        case .jsonArrayAgg, .jsonObjectAgg: return try bindJSON(call, function, name)
        default: break
        }
        guard call.arguments.count == 1 else {
            throw Diagnostic(position, "\(name) takes one argument, not \(call.arguments.count)")
        }
        let argument = try bindValue(call.arguments[0], name, at: position)
        let type = argument.type
        let isDistinct = call.isDistinct
        switch function {
        case .sum, .avg:
            try check(type.isNumeric, type, name, "numbers", at: position)
            return AggregateCall(
                function: function, argument: argument, isDistinct: isDistinct,
                type: function == .sum ? type.sumType : type.averageType)
        case .stddevPop, .stddevSamp, .varPop, .varSamp:
            try check(type.isNumeric, type, name, "numbers", at: position)
            return AggregateCall(
                function: function, argument: try convert(argument, to: .double, at: position),
                isDistinct: isDistinct, type: type.averageType)
        case .approxCountDistinct:
            return AggregateCall(function: function, argument: argument, type: .bigint)
        case .arrayAgg:
            return AggregateCall(
                function: function, arguments: [argument],
                parameters: [.boolean(call.ignoresNulls == true)], isDistinct: isDistinct,
                type: .array(type))
        case .collect:
            return AggregateCall(
                function: function, argument: argument, isDistinct: isDistinct,
                type: .map(key: type, value: .int))
        default:
            return AggregateCall(
                function: function, argument: argument, type: type)
        }
    }

    /// An argument that is a single value with a type.
    private mutating func bindValue(
        _ syntax: ExpressionSyntax, _ name: String, at position: TextPosition
    ) throws(Diagnostic) -> BoundExpression {
        let bound = try bind(syntax)
        if bound.type == .null {
            throw Diagnostic(
                position, "\(name)(NULL) has no type; write \(name)(CAST(NULL AS …))")
        }
        try check(bound.type.isScalar, bound.type, name, "single values", at: position)
        return bound
    }

    private func check(
        _ isTaken: Bool, _ type: DataType, _ name: String, _ taken: String,
        at position: TextPosition
    ) throws(Diagnostic) {
        if !isTaken {
            throw Diagnostic(position, "\(name) does not take \(type); it takes \(taken)")
        }
    }

    private mutating func bindCount(_ call: CallSyntax) throws(Diagnostic) -> AggregateCall {
        let position = call.name.position
        guard call.arguments.count == 1 || (call.isDistinct && call.arguments.count > 1) else {
            throw Diagnostic(position, "COUNT takes one argument, not \(call.arguments.count)")
        }
        var arguments: [BoundExpression] = []
        for argument in call.arguments {
            let bound = try bind(argument)
            // A constant is counted in every row: COUNT(1) is COUNT(*).
            if !call.isDistinct, case .literal(let value, _) = bound, value != .null {
                return AggregateCall(function: .countStar, argument: nil, type: .bigint)
            }
            if call.isDistinct {
                try check(bound.type.isScalar, bound.type, "COUNT(DISTINCT …)", "single values",
                    at: position)
            }
            arguments.append(
                try convert(bound, to: bound.type == .null ? .int : bound.type, at: position))
        }
        return AggregateCall(
            function: .count, arguments: arguments, isDistinct: call.isDistinct, type: .bigint)
    }

    private mutating func bindListAgg(_ call: CallSyntax) throws(Diagnostic) -> AggregateCall {
        let position = call.name.position
        guard 1...2 ~= call.arguments.count else {
            throw Diagnostic(position, "LISTAGG is written LISTAGG(text [, separator])")
        }
        var separator = ","
        if call.arguments.count == 2 {
            guard case .string(let text) = call.arguments[1].kind else {
                throw Diagnostic(
                    call.arguments[1].start, "the separator of LISTAGG is a literal such as ', '")
            }
            separator = text
        }
        let argument = try bindValue(call.arguments[0], "LISTAGG", at: position)
        guard argument.type == .string else {
            throw Diagnostic(
                position,
                "LISTAGG does not take \(argument.type); CAST it to STRING")
        }
        return AggregateCall(
            function: .listAgg, arguments: [argument], parameters: [.string(separator)],
            isDistinct: call.isDistinct, type: .string)
    }

    /// JSON_ARRAYAGG(value) and JSON_OBJECTAGG(key VALUE value), whose first argument is the parser's.
    private mutating func bindJSON(
        _ call: CallSyntax, _ function: AggregateFunction, _ name: String
    ) throws(Diagnostic) -> AggregateCall {
        let position = call.name.position
        var arguments: [BoundExpression] = []
        if function == .jsonObjectAgg {
            let key = try bindValue(call.arguments[1], name, at: position)
            try check(key.type == .string, key.type, "the key of \(name)", "STRING", at: position)
            arguments.append(key)
        }
        let last = call.arguments.count - 1
        let value = try bind(call.arguments[last])
        let (mode, form) = (try bind(call.arguments[0]), "\(name) of \(value.type)")
        arguments.append(try apply(.named("JSON_ARRAY"), [mode, value], form, at: position))
        return AggregateCall(function: function, arguments: arguments, type: .string)
    }

    /// PERCENTILE(x, fraction [, frequency]); the fraction may be an array of them.
    private mutating func bindPercentile(
        _ call: CallSyntax, _ function: AggregateFunction, _ name: String
    ) throws(Diagnostic) -> AggregateCall {
        let position = call.name.position
        let isExact = function == .percentile
        guard call.arguments.count == 2 || (isExact && call.arguments.count == 3) else {
            let frequency = isExact ? " [, frequency]" : ""
            throw Diagnostic(position, "\(name) is written \(name)(number, fraction\(frequency))")
        }
        let value = try bindValue(call.arguments[0], name, at: position)
        try check(value.type.isNumeric, value.type, name, "numbers", at: position)
        var arguments = [try convert(value, to: .double, at: position)]
        let fraction = call.arguments[1]
        var list = [fraction]
        var isArray = false
        if case .array(let elements) = fraction.kind { (list, isArray) = (elements, true) }
        var parameters: [LiteralValue] = []
        for element in list {
            guard case .number(let text) = element.kind, let number = Double(text),
                0...1 ~= number
            else {
                throw Diagnostic(
                    element.start,
                    "the fraction of \(name) is a number from 0 to 1, or ARRAY[…] of such numbers")
            }
            parameters.append(.double(number))
        }
        if parameters.isEmpty {
            throw Diagnostic(fraction.start, "\(name) of no fractions has no meaning")
        }
        if call.arguments.count == 3 {
            let frequency = try bindValue(call.arguments[2], name, at: position)
            guard frequency.type.isInteger, !call.isDistinct else {
                throw Diagnostic(
                    call.arguments[2].start,
                    "the frequency of \(name) is a whole number of rows, and not for DISTINCT values")
            }
            arguments.append(try convert(frequency, to: .bigint, at: position))
        }
        return AggregateCall(
            function: function, arguments: arguments, parameters: parameters,
            isDistinct: call.isDistinct, type: isArray ? .array(.double) : .double)
    }

    /// APPROX_TOP_K(x, k).
    private mutating func bindTopK(_ call: CallSyntax) throws(Diagnostic) -> AggregateCall {
        guard call.arguments.count == 2, case .number(let text) = call.arguments[1].kind,
            let count = Int64(text), 1...1000 ~= count
        else {
            throw Diagnostic(
                call.name.position,
                "APPROX_TOP_K is written APPROX_TOP_K(value, k) with a k from 1 to 1000")
        }
        let argument = try bindValue(call.arguments[0], "APPROX_TOP_K", at: call.name.position)
        return AggregateCall(
            function: .approxTopK, arguments: [argument], parameters: [.integer(count)],
            isDistinct: call.isDistinct,
            type: .array(.row([Field("item", argument.type), Field("hits", .bigint)])))
    }
}
