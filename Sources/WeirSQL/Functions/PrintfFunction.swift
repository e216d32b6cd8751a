// PRINTF: the subset of Java's Formatter that makes sense of SQL's values. A place and a value that do not
// fit each other make the row NULL, as in Flink, where Java throws and the function catches.

import WeirCore

/// One place of a format: %-8.2f.
private struct FormatPlace {
    var isLeft = false
    var isPadded = false
    var hasSign = false
    var hasBlank = false
    var isGrouped = false
    var width = 0
    var precision: Int?
    var letter: UInt8 = 0

    /// Reads what follows a percent sign; nil if it is none.
    init?(_ format: TextView, _ at: inout Int) {
        flags: while at < format.count {
            switch format[at] {
            case UInt8(ascii: "-"): isLeft = true
            case UInt8(ascii: "0"): isPadded = true
            case UInt8(ascii: "+"): hasSign = true
            case UInt8(ascii: " "): hasBlank = true
            case UInt8(ascii: ","): isGrouped = true
            default: break flags
            }
            at += 1
        }
        width = Self.number(format, &at) ?? 0
        if at < format.count, format[at] == UInt8(ascii: ".") {
            at += 1
            guard let digits = Self.number(format, &at) else { return nil }
            precision = digits
        }
        guard at < format.count, width <= 1000, precision ?? 0 <= 300 else { return nil }
        letter = format[at]
        at += 1
    }

    private static func number(_ format: TextView, _ at: inout Int) -> Int? {
        var value: Int?
        while at < format.count, (0x30...0x39).contains(format[at]), value ?? 0 < 100_000 {
            value = (value ?? 0) * 10 + Int(format[at] - 0x30)
            at += 1
        }
        return value
    }

    /// `text` filled up with blanks.
    func filled(_ text: String) -> String {
        let missing = width - text.unicodeScalars.count
        if missing <= 0 { return text }
        let blanks = String(repeating: " ", count: missing)
        return isLeft ? text + blanks : blanks + text
    }

    /// A number's digits with sign, groups and zeros.
    func number(_ digits: String, isNegative: Bool) -> String {
        var text = digits
        if isGrouped {
            let whole = text.prefix { $0 != "." }
            var grouped = ""
            for (index, digit) in whole.enumerated() {
                if index > 0, (whole.count - index) % 3 == 0 { grouped += "," }
                grouped.append(digit)
            }
            text = grouped + text.dropFirst(whole.count)
        }
        let sign = isNegative ? "-" : hasSign ? "+" : hasBlank ? " " : ""
        if isPadded, !isLeft {
            let missing = width - text.count - sign.count
            if missing > 0 { text = String(repeating: "0", count: missing) + text }
        }
        return filled(sign + text)
    }
}

/// A value of one row and its type.
private struct FormatValue {
    let operand: Operand
    let row: Int

    var isNull: Bool { operand.isNull(row) }
    var type: DataType { operand.column.type }
    private var place: Int { row * operand.step }

    var integer: Int64? { type.isInteger ? operand.column.ints[place] : nil }

    var decimal: (value: Int128, scale: Int)? {
        guard case .decimal(_, let scale) = type else { return nil }
        let isCompact = type.physical == .int64
        return (isCompact ? Int128(operand.column.ints[place]) : operand.column.wides[place], scale)
    }

    var double: Double? { type.isApproximate ? operand.column.doubles[place] : nil }
    var boolean: Bool? { type == .boolean ? operand.column.bools[place] != 0 : nil }

    /// As CAST to text writes it.
    var text: String {
        let column = operand.column.slice(place..<(place + 1))
        if type.physical == .string { return column.string(0) }
        let writing = TextWritingKernel(ColumnKernel(index: 0, type: type))
        let input = KernelInput(columns: [column], rowCount: 1, activeRows: nil, errors: ErrorCounter())
        return writing.evaluate(input).string(0)
    }
}

/// PRINTF.
@Sendable
func printf(_ call: LibraryCall) -> Column {
    let formats = call.text(0)
    return buildTexts([call.operands[0]], call.input) { row, builder in
        let values = call.operands.dropFirst().map { FormatValue(operand: $0, row: row) }
        let format = formats[row]
        var (at, next) = (0, 0)
        while at < format.count {
            let byte = format[at]
            at += 1
            guard byte == UInt8(ascii: "%") else {
                builder.append(byte)
                continue
            }
            guard let place = FormatPlace(format, &at) else { return .null }
            if place.letter == UInt8(ascii: "%") || place.letter == UInt8(ascii: "n") {
                builder.append(place.letter == UInt8(ascii: "n") ? "\n" : place.filled("%"))
                continue
            }
            guard next < values.count, let text = formatted(values[next], place) else { return .null }
            next += 1
            builder.append(text)
        }
        return .value
    }
}

private func formatted(_ value: FormatValue, _ place: FormatPlace) -> String? {
    switch place.letter {
    case UInt8(ascii: "s"), UInt8(ascii: "S"):
        let text = value.isNull ? "null" : value.text
        let cut = place.precision.map { String(text.prefix($0)) } ?? text
        return place.filled(place.letter == UInt8(ascii: "S") ? cut.uppercased() : cut)
    case UInt8(ascii: "b"):
        return place.filled(value.isNull || value.boolean == false ? "false" : "true")
    default: break
    }
    if value.isNull { return place.filled("null") }
    switch place.letter {
    case UInt8(ascii: "d"):
        return value.integer.map { place.number("\($0.magnitude)", isNegative: $0 < 0) }
    case UInt8(ascii: "x"), UInt8(ascii: "X"), UInt8(ascii: "o"):
        guard let number = value.integer else { return nil }
        let bits = value.type.integerBits
        let unsigned = UInt64(bitPattern: number) & (bits == 64 ? .max : (1 << UInt64(bits)) - 1)
        let radix = place.letter == UInt8(ascii: "o") ? 8 : 16
        let digits = String(unsigned, radix: radix, uppercase: place.letter == UInt8(ascii: "X"))
        return place.number(digits, isNegative: false)
    case UInt8(ascii: "c"):
        guard let number = value.integer, let scalar = Unicode.Scalar(UInt32(clamping: number)) else { return nil }
        return place.filled(String(scalar))
    case UInt8(ascii: "f"):
        if let decimal = value.decimal { return fixed(decimal.value, decimal.scale, place) }
        guard let number = value.double else { return nil }
        guard number.isFinite else { return place.filled(special(number)) }
        return fixed(number, place)
    case UInt8(ascii: "e"), UInt8(ascii: "E"):
        guard let number = value.double else { return nil }
        guard number.isFinite else { return place.filled(special(number)) }
        let text = scientific(number.magnitude, place.precision ?? 6)
        let isUpper = place.letter == UInt8(ascii: "E")
        return place.number(isUpper ? text.uppercased() : text, isNegative: number.sign == .minus)
    default: return nil
    }
}

private func special(_ number: Double) -> String {
    number.isNaN ? "NaN" : number < 0 ? "-Infinity" : "Infinity"
}

/// A decimal with the precision's digits behind the point, rounded half up.
private func fixed(_ value: Int128, _ scale: Int, _ place: FormatPlace) -> String? {
    guard let units = Decimals.rescale(value, from: scale, to: place.precision ?? 6) else { return nil }
    let text = Decimals.string(units < 0 ? -units : units, scale: place.precision ?? 6)
    return place.number(text, isNegative: units < 0)
}

/// As Java rounds: the shortest text of the double, half up.
private func fixed(_ number: Double, _ place: FormatPlace) -> String {
    let (digits, exponent) = significant(number.magnitude)
    let wanted = place.precision ?? 6
    let text = point(rounded(digits, keep: exponent + wanted), exponent, wanted)
    return place.number(text, isNegative: number.sign == .minus)
}

/// The shortest digits d1 d2 … and the exponent e of 0.d1d2… × 10^e.
private func significant(_ magnitude: Double) -> (digits: [UInt8], exponent: Int) {
    var (digits, exponent, hasPoint, isLeading) = ([UInt8](), 0, false, true)
    let parts = "\(magnitude)".split(separator: "e")
    for byte in parts.first.map({ Array($0.utf8) }) ?? [] {
        if byte == UInt8(ascii: ".") {
            hasPoint = true
        } else if isLeading, byte == 0x30 {
            if hasPoint { exponent -= 1 }
        } else {
            isLeading = false
            digits.append(byte - 0x30)
            if !hasPoint { exponent += 1 }
        }
    }
    if parts.count > 1, let power = Int(parts[1]) { exponent += power }
    return digits.isEmpty ? ([0], 1) : (digits, exponent)
}

/// The first `keep` digits rounded half up, and whether a digit was carried out in front.
private func rounded(_ digits: [UInt8], keep: Int) -> (digits: [UInt8], carry: Bool) {
    if keep < 0 { return ([], false) }
    if keep >= digits.count { return (digits, false) }
    var kept = Array(digits[..<keep])
    guard digits[keep] >= 5 else { return (kept, false) }
    var index = keep - 1
    while index >= 0 {
        if kept[index] < 9 {
            kept[index] += 1
            return (kept, false)
        }
        kept[index] = 0
        index -= 1
    }
    return ([1] + kept, true)
}

private func point(_ value: (digits: [UInt8], carry: Bool), _ exponent: Int, _ places: Int) -> String {
    let exponent = exponent + (value.carry ? 1 : 0)
    func digit(_ index: Int) -> String { value.digits.indices.contains(index) ? "\(value.digits[index])" : "0" }
    var text = exponent > 0 ? (0..<exponent).map(digit).joined() : "0"
    if places > 0 { text += "." + (0..<places).map { digit(exponent + $0) }.joined() }
    return text
}

private func scientific(_ magnitude: Double, _ places: Int) -> String {
    let (digits, exponent) = significant(magnitude)
    let kept = rounded(digits, keep: places + 1)
    let power = magnitude == 0 ? 0 : exponent - 1 + (kept.carry ? 1 : 0)
    let mantissa = point((Array(kept.digits), false), 1, places)
    let size = "\(power.magnitude)"
    return "\(mantissa)e\(power < 0 ? "-" : "+")\(size.count < 2 ? "0" : "")\(size)"
}
