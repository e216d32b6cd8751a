// Calls of the functions that tables declare (Functions), and the forms of SQL that are calls of them:
// EXTRACT, FLOOR and CEIL to a unit, TIMESTAMPADD, the functions of JSON.

import WeirCore

extension ExpressionBinder {
    /// The call of a function of the library, or nil if none is called `name`.
    mutating func bindLibrary(
        _ call: CallSyntax, _ name: String, _ arguments: [BoundExpression]
    ) throws(Diagnostic) -> BoundExpression? {
        let position = call.name.position
        if name.hasPrefix("TIMESTAMPADD "), let unit = CalendarUnit(word: String(name.dropFirst(13))) {
            return try bindAddition(arguments, unit, at: position, from: call.arguments)
        }
        if name == "TYPEOF", arguments.count == 1, arguments[0].type == .null {
            return .literal(.string("NULL"), type: .string)
        }
        if name == "TO_TIMESTAMP_LTZ", arguments.count == 3 {
            return try apply(
                .named("TO_TIMESTAMP_LTZ IN ZONE"), arguments, "TO_TIMESTAMP_LTZ(text, pattern, zone)",
                at: position, from: call.arguments)
        }
        if name == "JSON_STRING", arguments.count == 1, case .call(.named(let maker), _, _) = arguments[0],
            maker == "JSON_OBJECT" || maker == "JSON_ARRAY"
        {
            // It is JSON already.
            return arguments[0]
        }
        guard let function = FunctionLibrary.byName[name] else { return nil }
        var arguments = arguments
        if ["JSON_VALUE", "JSON_QUERY", "JSON_EXISTS"].contains(name), let type = arguments.popLast()?.type {
            return try bindJSONRead(name, arguments, returning: type, at: position, from: call.arguments)
        }
        return try apply(.named(name), arguments, function.form, at: position, from: call.arguments)
    }

    /// `moment + count units`; a day becomes a timestamp where units shorter than a day are added.
    private func bindAddition(
        _ arguments: [BoundExpression], _ unit: CalendarUnit, at position: TextPosition,
        from written: [ExpressionSyntax]
    ) throws(Diagnostic) -> BoundExpression {
        var moment = arguments[1]
        let isShort = unit.milliseconds.map { $0 < CivilCalendar.millisecondsPerDay } ?? false
        if moment.type == .string || moment.type == .null || (moment.type == .date && isShort) {
            moment = try convert(moment, to: .timestamp, at: written[1].position)
        }
        let one: BoundExpression =
            unit.milliseconds.map { .literal(.integer($0), type: .interval) }
            ?? .literal(.integer(unit.months ?? 1), type: .intervalYearMonth)
        let count = try convert(
            arguments[0], to: arguments[0].type == .null ? .int : arguments[0].type,
            at: written[0].position)
        let length = try apply(.multiply, [one, count], nil, at: written[0].position)
        return try apply(.add, [moment, length], nil, at: position)
    }

    private func bindJSONRead(
        _ name: String, _ arguments: [BoundExpression], returning type: DataType,
        at position: TextPosition, from written: [ExpressionSyntax]
    ) throws(Diagnostic) -> BoundExpression {
        let allowed: [DataType] =
            name == "JSON_VALUE" ? [.string, .boolean, .int, .bigint, .double] : [.string, .array(.string)]
        guard name == "JSON_EXISTS" || allowed.contains(type) else {
            let list = allowed.map(\.description).joined(separator: ", ")
            throw Diagnostic(position, "\(name) cannot return \(type); it returns \(list)")
        }
        let form = FunctionLibrary.byName[name]?.form ?? name
        let bound = try apply(.named(name), arguments, form, at: position, from: written)
        guard name != "JSON_EXISTS", case .call(let function, var converted, _) = bound else { return bound }
        if name == "JSON_VALUE" {
            for place in [3, 5] {
                converted[place] = try convert(arguments[place], to: type, at: written[place].position)
            }
        }
        return .call(function, arguments: converted, type: type)
    }

    // MARK: Fields and units

    mutating func bindExtract(_ field: Identifier, _ value: ExpressionSyntax) throws(Diagnostic)
        -> BoundExpression
    {
        let bound = try bind(value)
        let kind = bound.type.isInterval ? "EXTRACT INTERVAL " : "EXTRACT "
        let form = "EXTRACT(\(field.name) FROM time)"
        if !bound.type.isInterval, let function = NamedFunction.fields[field.name] {
            return try apply(function, [bound], form, at: value.position, from: [value])
        }
        let declared = FunctionLibrary.byName.keys.filter { $0.hasPrefix(kind) }
            .map { String($0.dropFirst(kind.count)) }
        guard declared.contains(field.name) else {
            let known = bound.type.isInterval ? declared : declared + NamedFunction.fields.keys
            throw unknownUnit(field, known.filter { !$0.contains(" ") }.sorted(), "EXTRACT")
        }
        return try apply(.named(kind + field.name), [bound], form, at: value.position, from: [value])
    }

    mutating func bindRoundTime(
        _ value: ExpressionSyntax, to unit: Identifier, isCeiling: Bool, at position: TextPosition
    ) throws(Diagnostic) -> BoundExpression {
        let name = isCeiling ? "CEIL" : "FLOOR"
        guard let known = CalendarUnit(word: unit.name) else {
            throw unknownUnit(unit, CalendarUnit.allCases.map(\.rawValue), name)
        }
        let form = "\(name)(time TO \(known.rawValue))"
        let bound = try bind(value)
        if !isCeiling, bound.type.isTimestamp, let function = NamedFunction.units[known.rawValue] {
            return try apply(function, [bound], form, at: value.position)
        }
        return try apply(.named("\(name) TO \(known.rawValue)"), [bound], form, at: value.position)
    }

    private func unknownUnit(_ unit: Identifier, _ known: [String], _ what: String) -> Diagnostic {
        let nearest = nearestSpelling(of: unit.name, among: known).map { "did you mean \($0)?" }
        return Diagnostic(
            unit.position,
            "\(what) does not know \(unit.name); \(nearest ?? "it knows \(known.joined(separator: ", "))")"
        )
    }
}
