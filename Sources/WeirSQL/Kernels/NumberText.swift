// Numbers and truth values from text and to text, as Flink's casts do it, which is as Java does it:
// 1.0E10 and 1.0 for doubles, no exponent between 1.0E-3 and 1.0E7, the fewest digits that read
// back as the same value; integers may carry a fraction, which is cut off ('12.9' is 12); Java's
// NaN and Infinity are numbers, C's hexadecimal floats and "inf" are not.

#if canImport(Glibc)
import Glibc
#endif

/// Reading and writing numbers in UTF-8.
enum NumberText {
    /// Bytes that `write` takes at most.
    static let lengthMax = 32

    /// The powers of ten that a double holds exactly.
    static let powersOfTen: [Double] = [
        1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
        1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
    ]

    // MARK: Writing

    /// Writes an integer and returns its length.
    static func write(_ value: Int64, to buffer: UnsafeMutablePointer<UInt8>) -> Int {
        var length = 0
        if value < 0 {
            buffer[0] = UInt8(ascii: "-")
            length = 1
        }
        return length + writeDigits(value.magnitude, to: buffer + length)
    }

    private static func writeDigits(_ value: UInt64, to buffer: UnsafeMutablePointer<UInt8>) -> Int {
        var digits = 1
        var rest = value
        while rest >= 10 {
            rest /= 10
            digits += 1
        }
        rest = value
        for place in stride(from: digits - 1, through: 0, by: -1) {
            buffer[place] = UInt8(truncatingIfNeeded: 48 + rest % 10)
            rest /= 10
        }
        return digits
    }

    /// Writes a double as Java's Double.toString and returns its length.
    static func write(_ value: Double, to buffer: UnsafeMutablePointer<UInt8>) -> Int {
        guard value.isFinite else {
            let name: StaticString = value.isNaN ? "NaN" : value > 0 ? "Infinity" : "-Infinity"
            memcpy(buffer, name.utf8Start, name.utf8CodeUnitCount)
            return name.utf8CodeUnitCount
        }
        var length = 0
        if value.sign == .minus {
            buffer[0] = UInt8(ascii: "-")
            length = 1
        }
        let size = value.magnitude
        if size == 0 || (size >= 1e-3 && size < 1e7) {
            // Readings have few decimals. If some digits with at most six of them read back as the
            // value, they are its shortest digits: two decimals of 15 digits are never one double.
            for decimals in 1...6 {
                let scaled = (size * powersOfTen[decimals]).rounded()
                if scaled / powersOfTen[decimals] == size {
                    return length + writeFixed(UInt64(scaled), decimals, to: buffer + length)
                }
            }
        }
        return length + writeShortest(size, to: buffer + length)
    }

    /// Writes a double that is a float as Java's Float.toString, with the fewest digits that read back
    /// as the float, and returns its length.
    static func write(float value: Double, to buffer: UnsafeMutablePointer<UInt8>) -> Int {
        guard value.isFinite, value != 0 else { return write(value, to: buffer) }
        let isNegative = value < 0
        if isNegative { buffer[0] = UInt8(ascii: "-") }
        let start = isNegative ? 1 : 0
        let digits = DecimalDigits(shortest: Float(value.magnitude).description)
        return start + write(digits, value.magnitude, to: buffer + start)
    }

    /// Writes `scaled` / 10^`decimals`; `decimals` is at least 1.
    private static func writeFixed(
        _ scaled: UInt64, _ decimals: Int, to buffer: UnsafeMutablePointer<UInt8>
    ) -> Int {
        let unit = UInt64(powersOfTen[decimals])
        let whole = writeDigits(scaled / unit, to: buffer)
        buffer[whole] = UInt8(ascii: ".")
        var rest = scaled % unit
        for place in stride(from: decimals, to: 0, by: -1) {
            buffer[whole + place] = UInt8(truncatingIfNeeded: 48 + rest % 10)
            rest /= 10
        }
        return whole + 1 + decimals
    }

    /// Writes a positive double from the digits that Swift finds (the shortest ones, too).
    private static func writeShortest(
        _ value: Double, to buffer: UnsafeMutablePointer<UInt8>
    ) -> Int {
        write(DecimalDigits(value), value, to: buffer)
    }

    private static func write(
        _ decimal: DecimalDigits, _ value: Double, to buffer: UnsafeMutablePointer<UInt8>
    ) -> Int {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 24) { digits in
            let count = decimal.copyDigits(to: digits)
            var at = 0
            func put(_ byte: UInt8) {
                buffer[at] = byte
                at += 1
            }
            func digit(_ index: Int) -> UInt8 { index >= 0 && index < count ? digits[index] : 48 }
            let isPlain = value >= 1e-3 && value < 1e7
            // Digits before the point.
            let whole = isPlain ? decimal.pointPosition : 1
            if whole <= 0 { put(48) }
            for index in 0..<max(whole, 0) { put(digit(index)) }
            put(UInt8(ascii: "."))
            for index in whole..<max(count, whole + 1) { put(digit(index)) }
            if !isPlain {
                put(UInt8(ascii: "E"))
                at += write(Int64(decimal.pointPosition - 1), to: buffer + at)
            }
            return at
        }
    }

    // MARK: Reading

    /// A whole number, blanks around it and a fraction behind it ignored; nil if the text is none
    /// or out of `range`.
    static func integer(
        _ text: UnsafeBufferPointer<UInt8>, in range: ClosedRange<Int64>
    ) -> Int64? {
        let text = text.withoutBlanks
        var at = 0
        let isNegative = !text.isEmpty && text[0] == UInt8(ascii: "-")
        if isNegative || (!text.isEmpty && text[0] == UInt8(ascii: "+")) { at = 1 }
        var digits = 0
        // Counted downward: the least integer has no positive counterpart.
        var value: Int64 = 0
        while at < text.count, case let digit = text[at] &- 48, digit <= 9 {
            let (scaled, overflow) = value.multipliedReportingOverflow(by: 10)
            let (next, underflow) = scaled.subtractingReportingOverflow(Int64(digit))
            if overflow || underflow { return nil }
            value = next
            digits += 1
            at += 1
        }
        if at < text.count, text[at] == UInt8(ascii: ".") {
            at += 1
            while at < text.count, text[at] &- 48 <= 9 {
                digits += 1
                at += 1
            }
        }
        guard at == text.count, digits > 0 else { return nil }
        if !isNegative {
            if value == .min { return nil }
            value = -value
        }
        return range.contains(value) ? value : nil
    }

    /// A number with optional fraction and exponent, or NaN or Infinity; nil if the text is none.
    static func double(_ text: UnsafeBufferPointer<UInt8>) -> Double? {
        let text = text.withoutBlanks
        var at = 0
        let isNegative = !text.isEmpty && text[0] == UInt8(ascii: "-")
        if isNegative || (!text.isEmpty && text[0] == UInt8(ascii: "+")) { at = 1 }
        var mantissa: UInt64 = 0
        var significant = 0
        var digits = 0
        var exponent = 0
        var isFraction = false
        while at < text.count {
            if text[at] == UInt8(ascii: "."), !isFraction {
                isFraction = true
                at += 1
                continue
            }
            let digit = text[at] &- 48
            if digit > 9 { break }
            digits += 1
            if significant > 0 || digit != 0 { significant += 1 }
            if significant <= 18 { mantissa = mantissa * 10 + UInt64(digit) }
            if isFraction { exponent -= 1 }
            at += 1
        }
        guard digits > 0 else { return special(text.part(at..<text.count), isNegative) }
        if at < text.count {
            guard let written = exponentPart(text.part(at..<text.count)) else { return nil }
            exponent += written
        }
        // Exact if both factors are: at most 15 digits, a power of ten up to 22.
        if significant <= 15, exponent.magnitude <= 22 {
            let power = powersOfTen[Int(exponent.magnitude)]
            let value = exponent < 0 ? Double(mantissa) / power : Double(mantissa) * power
            return isNegative ? -value : value
        }
        return parseByLibrary(text)
    }

    private static func special(_ text: UnsafeBufferPointer<UInt8>, _ isNegative: Bool) -> Double? {
        if text.elementsEqual("NaN".utf8) { return .nan }
        guard text.elementsEqual("Infinity".utf8) else { return nil }
        return isNegative ? -.infinity : .infinity
    }

    /// `e`, sign and digits up to the end of the text.
    private static func exponentPart(_ text: UnsafeBufferPointer<UInt8>) -> Int? {
        guard text[0] | 0x20 == UInt8(ascii: "e"), text.count > 1 else { return nil }
        let isNegative = text[1] == UInt8(ascii: "-")
        let start = isNegative || text[1] == UInt8(ascii: "+") ? 2 : 1
        guard start < text.count else { return nil }
        var value = 0
        for byte in text[start...] {
            guard byte &- 48 <= 9 else { return nil }
            // Beyond any double; kept small so that it cannot overflow.
            value = min(value * 10 + Int(byte &- 48), 1_000_000)
        }
        return isNegative ? -value : value
    }

    /// A text of checked form, by the C library, which rounds correctly.
    private static func parseByLibrary(_ text: UnsafeBufferPointer<UInt8>) -> Double {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: text.count + 1) { copy in
            for (index, byte) in text.enumerated() { copy[index] = CChar(bitPattern: byte) }
            copy[text.count] = 0
            return copy.baseAddress.map { strtod($0, nil) } ?? 0
        }
    }

    /// TRUE or FALSE from the words that Flink knows, in any case; nil for others.
    static func boolean(_ text: UnsafeBufferPointer<UInt8>) -> Bool? {
        let text = text.withoutBlanks
        func isOne(of words: [StaticString]) -> Bool {
            words.contains { word in
                word.utf8CodeUnitCount == text.count
                    && (0..<text.count).allSatisfy { text[$0] | 0x20 == word.utf8Start[$0] | 0x20 }
            }
        }
        if isOne(of: ["true", "t", "yes", "y", "1"]) { return true }
        return isOne(of: ["false", "f", "no", "n", "0"]) ? false : nil
    }
}

/// The shortest decimal digits of a positive double: 0.d₁d₂d₃… × 10^pointPosition.
struct DecimalDigits {
    private let text: String
    /// How many of the digits stand before the point.
    let pointPosition: Int

    init(_ value: Double) { self.init(shortest: value.description) }

    /// `text` is as Swift writes the shortest digits that read back: "12.5", "1e-07" or "5e+20".
    init(shortest text: String) {
        self.text = text
        var exponent = 0
        var before = 0
        var leadingZeros = 0
        var hasPoint = false
        var hasDigit = false
        let bytes = text.utf8
        let mantissa = bytes.prefix { $0 != UInt8(ascii: "e") }
        for byte in mantissa {
            if byte == UInt8(ascii: ".") {
                hasPoint = true
            } else if byte != 48 || hasDigit {
                hasDigit = true
                if !hasPoint { before += 1 }
            } else if hasPoint {
                leadingZeros += 1
            }
        }
        if mantissa.count < bytes.count {
            exponent = Int(text.dropFirst(mantissa.count + 1)) ?? 0
        }
        pointPosition = (before > 0 ? before : -leadingZeros) + exponent
    }

    /// Copies the digits without leading and trailing zeros; returns how many there are (at most
    /// 17).
    func copyDigits(to buffer: UnsafeMutableBufferPointer<UInt8>) -> Int {
        var count = 0
        for byte in text.utf8 {
            if byte == UInt8(ascii: "e") { break }
            if byte == UInt8(ascii: ".") || (byte == 48 && count == 0) { continue }
            buffer[count] = byte
            count += 1
        }
        while count > 0, buffer[count - 1] == 48 { count -= 1 }
        return count
    }
}
