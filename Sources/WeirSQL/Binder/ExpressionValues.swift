// Binding of literals, of casts to texts and bytes of a length, and of nested values: ARRAY[…], MAP[…],
// ROW(…) and the fields of rows.

import WeirCore

extension ExpressionBinder {
    /// A literal with a point: DECIMAL with as many digits as are written, as in Flink.
    func decimal(_ text: String, at position: TextPosition) throws(Diagnostic) -> BoundExpression {
        let digits = text.utf8.drop { $0 == UInt8(ascii: "-") }
        guard let point = digits.firstIndex(of: UInt8(ascii: ".")) else {
            preconditionFailure("a number with a point")
        }
        let scale = digits.distance(from: point, to: digits.endIndex) - 1
        let precision = max(digits.count - 1, 1)
        var plain = text
        let parsed = plain.withUTF8 {
            Decimals.parse($0, precision: DataType.decimalPrecisionMax, scale: min(scale, 38))
        }
        guard precision <= DataType.decimalPrecisionMax, case .value(let value) = parsed else {
            throw Diagnostic(
                position,
                "\(Token.clipped(text)) has more than \(DataType.decimalPrecisionMax) digits; "
                    + "write \(Token.clipped(text))e0 for a DOUBLE")
        }
        if scale == 0 {
            guard let whole = Int64(exactly: value) else {
                throw Diagnostic(position, "\(Token.clipped(text)) does not fit BIGINT")
            }
            return .literal(.integer(whole), type: Int32(exactly: whole) == nil ? .bigint : .int)
        }
        let type = DataType.decimal(precision: precision, scale: scale)
        return .literal(.decimal(value, type), type: type)
    }

    /// The day or the time of day that a text compared with one names.
    func dayOrTime(
        _ text: String, _ type: DataType, at position: TextPosition
    ) throws(Diagnostic) -> Int64 {
        var plain = text
        let value = plain.withUTF8 { type == .date ? TemporalText.date($0) : TemporalText.time($0) }
        guard let value else {
            throw Diagnostic(
                position,
                "'\(Token.clipped(text))' is not a \(type); one looks like "
                    + (type == .date ? "'2026-11-21'" : "'13:45:00'"))
        }
        return value
    }

    // MARK: Casts

    /// CAST and TRY_CAST; CHAR(n) and the like are a cast and then a function that cuts and fills up.
    mutating func bindCast(
        _ value: ExpressionSyntax, toTarget target: CastTarget, isTry: Bool,
        at position: TextPosition
    ) throws(Diagnostic) -> BoundExpression {
        if let parameter = target.parameter {
            return try bindParameter(value, target.type, parameter)
        }
        let bound = try cast(try bind(value), to: target.type, isTry: isTry, at: position)
        guard let length = target.length else { return bound }
        let count = BoundExpression.literal(.integer(Int64(length)), type: .int)
        if target.type == .bytes {
            let pads = BoundExpression.literal(.boolean(target.pads), type: .boolean)
            return .call(.fitBytes, arguments: [bound, count, pads], type: .bytes)
        }
        if target.pads {
            let blank = BoundExpression.literal(.string(" "), type: .string)
            return .call(.rpad, arguments: [bound, count, blank], type: .string)
        }
        return .call(.left, arguments: [bound, count], type: .string)
    }

    /// The argument of a macro as its parameter's type, if that is what an argument of a function could
    /// become.
    private mutating func bindParameter(
        _ value: ExpressionSyntax, _ type: DataType, _ parameter: String
    ) throws(Diagnostic) -> BoundExpression {
        let bound = try bind(value)
        if bound.type == type { return bound }
        let isWider: Bool =
            switch (bound.type, type) {
            case (.null, _): true
            case (_, .double): bound.type.isInteger || bound.type.isDecimal || bound.type == .float
            case (_, .float): bound.type.isInteger || bound.type.isDecimal
            case (.decimal(let precision, let scale), .decimal(let wanted, let places)):
                places >= scale && wanted - places >= precision - scale
            case (_, .decimal(let wanted, let places)):
                bound.type.isInteger && wanted - places >= Self.digits(of: bound.type)
            case (.timestamp, .timestampLTZ), (.date, .timestamp): true
            default: bound.type.isInteger && type.isInteger && bound.type.integerBits < type.integerBits
            }
        guard isWider else {
            throw Diagnostic(
                value.start, "\(parameter) is \(type), and this is \(bound.type); CAST it if that is meant")
        }
        return try cast(bound, to: type, isTry: false, at: value.start)
    }

    /// Decimal digits that an integer may have.
    private static func digits(of type: DataType) -> Int {
        switch type {
        case .tinyint: 3
        case .smallint: 5
        case .int: 10
        default: 19
        }
    }

    // MARK: Nested values

    /// ARRAY[…], MAP[…] or ROW(…).
    mutating func bindNested(
        _ function: ScalarFunction, _ members: [ExpressionSyntax], at position: TextPosition
    ) throws(Diagnostic) -> BoundExpression {
        let name = function == .arrayOf ? "ARRAY[…]" : function == .mapOf ? "MAP[…]" : "ROW(…)"
        let bound = try bindAll(members)
        if bound.isEmpty || bound.allSatisfy({ $0.type == .null }) {
            throw Diagnostic(
                position, "\(name) of nothing but NULL has no type; write CAST(NULL AS …)")
        }
        if function.signature(for: bound.map(\.type)) == nil {
            var types: [String] = []
            for type in bound.map(\.type.description) where !types.contains(type) {
                types.append(type)
            }
            throw Diagnostic(
                position, "\(name) does not take \(types.joined(separator: " and ")); CAST them")
        }
        return try apply(function, bound, name, at: position, from: members)
    }

    /// The field `name` of a row.
    func bindField(of value: BoundExpression, _ name: Identifier) throws(Diagnostic)
        -> BoundExpression
    {
        guard case .row(let fields) = value.type else {
            throw Diagnostic(
                name.position, "\(value.type) has no fields; \(name.name) cannot be read from it")
        }
        guard let index = fields.firstIndex(where: { $0.name == name.name }) else {
            let near = nearestSpelling(of: name.name, among: fields.map(\.name))
                .map { "; did you mean \($0)?" }
            let list = fields.map(\.name).joined(separator: ", ")
            throw Diagnostic(
                name.position, "the row has no field \(name.name)\(near ?? "; it has \(list)")")
        }
        let number = BoundExpression.literal(.integer(Int64(index)), type: .int)
        return .call(.rowField, arguments: [value, number], type: fields[index].type)
    }
}

extension LiteralValue {
    /// An exact number's literal as another type's, where nothing is lost by it.
    func moved(from: DataType, to type: DataType) -> LiteralValue? {
        let value: Int128
        switch self {
        case .integer(let number): value = Int128(number)
        case .wide(let number): value = number
        default: return nil
        }
        let scale = from.decimalShape?.scale ?? 0
        if type == .double { return .double(Decimals.double(value, scale: scale)) }
        guard case .decimal(let precision, let wanted) = type, wanted >= scale,
            let units = Decimals.rescale(value, from: scale, to: wanted),
            Decimals.fits(units, precision)
        else { return nil }
        return .decimal(units, type)
    }
}

extension ScalarFunction {
    /// The result's type where it depends on a constant's value: ROUND(decimal, 2) has two places.
    func resultType(of signature: Signature, for arguments: [BoundExpression]) -> DataType {
        guard self == .round || self == .truncate, arguments.count == 2,
            arguments[0].type.isDecimal, let shape = DecimalShape(arguments[0].type),
            case .literal(.integer(let places), _) = arguments[1]
        else { return signature.result }
        return shape.rounded(places: Int(clamping: places)).type
    }
}
