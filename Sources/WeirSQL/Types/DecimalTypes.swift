// The types of decimal arithmetic: how many digits a sum, product or quotient of decimals has. The rules
// are Flink's, which took them from SQL Server: digits are added until 38 are full, and then the scale
// gives way, down to six places at most.

import WeirCore

/// The number of digits of a DECIMAL and how many stand behind its point.
struct DecimalShape: Hashable, Sendable {
    let precision: Int
    let scale: Int

    /// The digits before the point.
    var whole: Int { precision - scale }

    /// The shape of an exact number's type; nil for other types.
    init?(_ type: DataType) {
        guard let shape = type.decimalShape else { return nil }
        self.init(shape.precision, shape.scale)
    }

    init(_ precision: Int, _ scale: Int) {
        self.precision = precision
        self.scale = scale
    }

    var type: DataType { .decimal(precision: precision, scale: scale) }

    /// What is left of a shape that may exceed 38 digits: whole digits are kept, places are given up
    /// until six are left.
    static func adjusted(_ precision: Int, _ scale: Int) -> DecimalShape {
        let most = DataType.decimalPrecisionMax
        if precision <= most { return DecimalShape(precision, scale) }
        let whole = precision - scale
        return DecimalShape(most, max(most - whole, min(scale, 6)))
    }

    /// The shape of a + b and a - b.
    static func sum(_ a: DecimalShape, _ b: DecimalShape) -> DecimalShape {
        let scale = max(a.scale, b.scale)
        return adjusted(max(a.whole, b.whole) + scale + 1, scale)
    }

    /// The shape of a * b.
    static func product(_ a: DecimalShape, _ b: DecimalShape) -> DecimalShape {
        adjusted(a.precision + b.precision + 1, a.scale + b.scale)
    }

    /// The shape of a / b.
    static func quotient(_ a: DecimalShape, _ b: DecimalShape) -> DecimalShape {
        let scale = max(6, a.scale + b.precision + 1)
        return adjusted(a.whole + b.scale + scale, scale)
    }

    /// The shape of a % b.
    static func remainder(_ a: DecimalShape, _ b: DecimalShape) -> DecimalShape {
        let scale = max(a.scale, b.scale)
        return adjusted(min(a.whole, b.whole) + scale, scale)
    }

    /// The shape that holds values of both, as CASE and COALESCE want it: whole digits first.
    static func common(_ a: DecimalShape, _ b: DecimalShape) -> DecimalShape {
        let most = DataType.decimalPrecisionMax
        let whole = min(max(a.whole, b.whole), most)
        let scale = min(max(a.scale, b.scale), most - whole)
        return DecimalShape(whole + scale, scale)
    }

    /// The shape of ROUND(a, places) and TRUNCATE(a, places).
    func rounded(places: Int) -> DecimalShape {
        if places >= scale { return self }
        let most = DataType.decimalPrecisionMax
        if places < 0 { return DecimalShape(min(most, 1 + whole), 0) }
        return DecimalShape(min(most, 1 + whole + places), places)
    }
}

extension DataType {
    /// The type of SUM over this type: a decimal gets all 38 digits.
    public var sumType: DataType {
        if case .decimal(_, let scale) = self {
            return .decimal(precision: DataType.decimalPrecisionMax, scale: scale)
        }
        return self
    }

    /// The type of AVG over this type: a decimal is divided by a count of 20 digits.
    public var averageType: DataType {
        if case .decimal(_, let scale) = self {
            let most = DataType.decimalPrecisionMax
            return DecimalShape.quotient(DecimalShape(most, scale), DecimalShape(20, 0)).type
        }
        return self
    }
}
