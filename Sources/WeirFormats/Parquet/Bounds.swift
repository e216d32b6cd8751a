// The least and the greatest value of a page or a column chunk, by which readers pass over what they
// need not read. They must never lie: NaN is in neither, a zero is widened to both zeros, and a long
// text is cut so that it stays below, or above, all values.

import WeirCore

/// A value as statistics compare it.
enum BoundValue: Equatable {
    case integer(Int64)
    case real(Double)
    /// Bytes in their unsigned order.
    case bytes([UInt8])
    /// A long decimal.
    case wide(Int128)

    /// Whether it comes before `other`, which is of the same kind.
    func isLess(than other: BoundValue) -> Bool {
        switch (self, other) {
        case (.integer(let a), .integer(let b)): a < b
        case (.real(let a), .real(let b)): a < b
        case (.wide(let a), .wide(let b)): a < b
        case (.bytes(let a), .bytes(let b)): a.lexicographicallyPrecedes(b)
        default: preconditionFailure("bounds of different kinds")
        }
    }

    /// As the footer holds it: PLAIN, a text without its length.
    func encoded(_ leaf: ParquetLeaf) -> [UInt8] {
        switch self {
        case .bytes(let bytes): return bytes
        case .wide(let value):
            return (0..<leaf.fixedBytes).reversed().map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
        case .real(let value):
            let bits =
                leaf.physical == .float ? UInt64(Float(value).bitPattern) : value.bitPattern
            return (0..<leaf.fixedBytes).map { UInt8(truncatingIfNeeded: bits >> UInt64(8 * $0)) }
        case .integer(let value):
            return (0..<leaf.fixedBytes).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
        }
    }
}

/// Bounds of all values that are not NULL (nor NaN).
struct Bounds {
    private(set) var least: BoundValue
    private(set) var greatest: BoundValue
    /// Whether the bound is a value that occurs; false where a text was cut.
    private(set) var isLeastExact = true
    private(set) var isGreatestExact = true
    /// Whether there were NaNs, which some readers take for greater than all numbers.
    private(set) var leavesOutNaN = false

    /// Texts are cut to this many bytes.
    static let textBytesMax = 64

    init(least: BoundValue, greatest: BoundValue) {
        self.least = least
        self.greatest = greatest
    }

    /// Bounds of numbers; nil when all were NaN. Zeros of either sign are equal, so a bound that is zero
    /// becomes the outer one.
    init?(reals least: Double, _ greatest: Double, leavingOutNaN: Bool = false) {
        guard least <= greatest else { return nil }
        self.init(
            least: .real(least == 0 ? -0.0 : least), greatest: .real(greatest == 0 ? 0.0 : greatest))
        leavesOutNaN = leavingOutNaN
    }

    /// Bounds of texts; nil where a long greatest one has nothing above it that is short.
    init?(
        texts least: UnsafeRawBufferPointer, _ greatest: UnsafeRawBufferPointer, areUTF8: Bool
    ) {
        self.init(least: .bytes(Array(least)), greatest: .bytes(Array(greatest)))
        if least.count > Self.textBytesMax {
            self.least = .bytes(Array(least.prefix(Self.cut(least, areUTF8))))
            isLeastExact = false
        }
        if greatest.count > Self.textBytesMax {
            let kept = Array(greatest.prefix(Self.cut(greatest, areUTF8)))
            guard let above = areUTF8 ? Self.textAbove(kept) : Self.bytesAbove(kept) else { return nil }
            self.greatest = .bytes(above)
            isGreatestExact = false
        }
    }

    /// Takes in the bounds of more values.
    mutating func merge(_ other: Bounds) {
        leavesOutNaN = leavesOutNaN || other.leavesOutNaN
        if other.least == least {
            isLeastExact = isLeastExact || other.isLeastExact
        } else if other.least.isLess(than: least) {
            (least, isLeastExact) = (other.least, other.isLeastExact)
        }
        if other.greatest == greatest {
            isGreatestExact = isGreatestExact || other.isGreatestExact
        } else if greatest.isLess(than: other.greatest) {
            (greatest, isGreatestExact) = (other.greatest, other.isGreatestExact)
        }
    }

    /// The length up to which a long text is kept: no character is cut in two.
    private static func cut(_ text: UnsafeRawBufferPointer, _ isUTF8: Bool) -> Int {
        guard isUTF8 else { return textBytesMax }
        var end = textBytesMax
        while end > textBytesMax - 4, text[end] & 0xC0 == 0x80 { end -= 1 }
        return end
    }

    /// The shortest bytes above all that begin with `prefix`.
    private static func bytesAbove(_ prefix: [UInt8]) -> [UInt8]? {
        guard let last = prefix.lastIndex(where: { $0 != 0xFF }) else { return nil }
        var above = Array(prefix[...last])
        above[last] += 1
        return above
    }

    /// The same for UTF-8, which it stays: its order is that of code points.
    private static func textAbove(_ prefix: [UInt8]) -> [UInt8]? {
        var scalars = Array(String(decoding: prefix, as: UTF8.self).unicodeScalars)
        while let last = scalars.popLast() {
            // Between 0xD7FF and 0xE000 there is no character.
            let next = last.value == 0xD7FF ? 0xE000 : last.value + 1
            guard let scalar = Unicode.Scalar(next) else { continue }
            var text = String.UnicodeScalarView(scalars)
            text.append(scalar)
            return Array(String(text).utf8)
        }
        return nil
    }
}
