// Durations, sizes and rates as people write them: "90s", "1h30m", "64MB", "256KiB", "1.5MB/s". A
// number without its unit is refused, because a wrong guess would be off by a thousand.
//
// KB, MB and GB are powers of 1000; KiB, MiB and GiB are powers of 1024.

import WeirCore

/// Reading and writing quantities with units.
enum Quantity {
    private static let durationUnits: [(name: String, milliseconds: Int64)] = [
        ("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000),
    ]
    private static let sizeUnits: [(name: String, bytes: Int64)] = [
        ("B", 1), ("KB", 1000), ("kB", 1000), ("MB", 1_000_000), ("GB", 1_000_000_000),
        ("TB", 1_000_000_000_000), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30),
        ("TiB", 1 << 40),
    ]

    /// Milliseconds of a text such as "100ms", "5s", "1h30m", "7d"; nil when it is none.
    static func milliseconds(of text: String) -> Int64? {
        var rest = Substring(text)
        var total: Int64 = 0
        var unitsLeft = durationUnits[...]
        repeat {
            let digits = rest.prefix { $0.isASCII && $0.isNumber }
            rest = rest.dropFirst(digits.count)
            let letters = rest.prefix { $0.isASCII && $0.isLetter }
            rest = rest.dropFirst(letters.count)
            guard let number = Int64(digits),
                // From the greatest unit to the smallest, each at most once: no "30m1h", no "1s1s".
                let unit = unitsLeft.lastIndex(where: { $0.name == letters })
            else { return nil }
            let (product, overflowed) = number.multipliedReportingOverflow(
                by: unitsLeft[unit].milliseconds)
            let (sum, overflowedSum) = total.addingReportingOverflow(product)
            guard !overflowed, !overflowedSum else { return nil }
            total = sum
            unitsLeft = unitsLeft[..<unit]
        } while !rest.isEmpty
        return total
    }

    /// Bytes of a text such as "64MB", "256KiB", "1.5GB"; nil when it is none.
    static func bytes(of text: String) -> Int64? {
        let number = text.prefix { $0.isASCII && $0.isNumber || $0 == "." }
        let letters = text.dropFirst(number.count).drop { $0 == " " }
        guard let unit = sizeUnits.first(where: { $0.name == letters }) else { return nil }
        let parts = number.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count <= 2, let whole = Int64(parts[0]) else { return nil }
        let (product, overflowed) = whole.multipliedReportingOverflow(by: unit.bytes)
        guard !overflowed else { return nil }
        guard parts.count == 2 else { return product }
        guard !parts[1].isEmpty, parts[1].utf8.count <= 6, let fraction = Int64(parts[1]) else {
            return nil
        }
        var scale: Int64 = 1
        for _ in parts[1].utf8 { scale *= 10 }
        let (sum, overflowedSum) = product.addingReportingOverflow(
            (unit.bytes / scale) * fraction + (unit.bytes % scale) * fraction / scale)
        return overflowedSum ? nil : sum
    }

    /// Bytes a second of a text such as "1MB/s"; nil when it is none.
    static func bytesPerSecond(of text: String) -> Int64? {
        text.hasSuffix("/s") ? bytes(of: String(text.dropLast(2))) : nil
    }

    /// The shortest text that means this duration: "90s", "1h", "7d".
    static func text(milliseconds: Int64) -> String {
        let unit = durationUnits.last { milliseconds != 0 && milliseconds % $0.milliseconds == 0 }
        guard let unit else { return "0s" }
        return "\(milliseconds / unit.milliseconds)\(unit.name)"
    }

    /// The shortest text that means this size: "64MB", "256KiB", "100B".
    static func text(bytes: Int64) -> String {
        var best = "\(bytes)B"
        for unit in sizeUnits where unit.name != "kB" && bytes != 0 && bytes % unit.bytes == 0 {
            let text = "\(bytes / unit.bytes)\(unit.name)"
            if text.utf8.count < best.utf8.count { best = text }
        }
        return best
    }

    /// Whether `text` is a number without a unit.
    static func isBareNumber(_ text: String) -> Bool {
        !text.isEmpty && text.allSatisfy { $0.isASCII && $0.isNumber || $0 == "." }
    }
}
