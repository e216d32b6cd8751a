// The content of a TZif file (RFC 9636): header, transition times, local time types, and in
// versions 2 and later the same again with 64-bit times, then a footer with a POSIX TZ rule.
//
// The file comes from the machine, yet it is read as data that may be damaged: every count is
// checked against the file's length before it is used, and any contradiction makes the whole file
// invalid.

/// A time zone file, decoded.
struct TimeZoneFile {
    /// Rising seconds since the epoch.
    private(set) var transitions: [Int64] = []
    /// The offset before the first transition, then from each on, seconds east of UTC.
    private(set) var offsets: [Int32] = []
    /// The rule for times behind the last transition.
    private(set) var footer: TimeZonePosixRule?

    private static let headerLength = 44

    /// Decodes a file; nil if it is not one.
    init?(_ bytes: [UInt8]) {
        guard let first = Header(bytes, at: 0) else { return nil }
        if first.version < 2 {
            guard decode(bytes, first, at: Self.headerLength, timeLength: 4) else { return nil }
            return
        }
        let secondStart = Self.headerLength + first.blockLength(timeLength: 4)
        guard let second = Header(bytes, at: secondStart) else { return nil }
        let blockStart = secondStart + Self.headerLength
        guard decode(bytes, second, at: blockStart, timeLength: 8) else { return nil }
        let footerStart = blockStart + second.blockLength(timeLength: 8)
        let rest = bytes[min(footerStart, bytes.count)...]
        // "\n" rule "\n"; an empty rule says nothing of the future.
        guard rest.first == 10, let end = rest.dropFirst().firstIndex(of: 10) else { return nil }
        let text = bytes[(footerStart + 1)..<end]
        if !text.isEmpty {
            guard let rule = TimeZonePosixRule(text) else { return nil }
            footer = rule
        }
    }

    private struct Header {
        let version: Int
        let universalCount, standardCount, leapCount, timeCount, typeCount, nameLength: Int

        init?(_ bytes: [UInt8], at start: Int) {
            guard start >= 0, bytes.count - start >= headerLength,
                bytes[start..<(start + 4)].elementsEqual("TZif".utf8)
            else { return nil }
            let digit = bytes[start + 4]
            version = digit >= UInt8(ascii: "2") ? 2 : 1
            let counts = (0..<6).map { Int(bigEndian(bytes, at: start + 20 + $0 * 4, length: 4)) }
            // Far above any real file; keeps the sums below from overflowing.
            guard counts.allSatisfy({ $0 >= 0 && $0 <= 1 << 20 }), counts[4] > 0 else { return nil }
            universalCount = counts[0]
            standardCount = counts[1]
            leapCount = counts[2]
            timeCount = counts[3]
            typeCount = counts[4]
            nameLength = counts[5]
        }

        func blockLength(timeLength: Int) -> Int {
            timeCount * (timeLength + 1) + typeCount * 6 + nameLength + leapCount * (timeLength + 4)
                + standardCount + universalCount
        }
    }

    private mutating func decode(
        _ bytes: [UInt8], _ header: Header, at start: Int, timeLength: Int
    ) -> Bool {
        let length = header.blockLength(timeLength: timeLength)
        guard bytes.count - start >= length else { return false }
        let indexStart = start + header.timeCount * timeLength
        let typeStart = indexStart + header.timeCount
        let typeOffsets = (0..<header.typeCount).map {
            Int32(bigEndian(bytes, at: typeStart + $0 * 6, length: 4))
        }
        // A zone has never been more than about 26 hours from UTC (RFC 9636, section 3.2).
        guard typeOffsets.allSatisfy({ $0.magnitude < 26 * 3600 }) else { return false }
        offsets = [typeOffsets[0]]
        for i in 0..<header.timeCount {
            let time = bigEndian(bytes, at: start + i * timeLength, length: timeLength)
            let type = Int(bytes[indexStart + i])
            guard type < header.typeCount, time > transitions.last ?? .min else { return false }
            transitions.append(time)
            offsets.append(typeOffsets[type])
        }
        return true
    }
}

/// A signed big-endian number of `length` bytes that lie within `bytes`.
private func bigEndian(_ bytes: [UInt8], at start: Int, length: Int) -> Int64 {
    var value: UInt64 = bytes[start] & 0x80 != 0 ? .max : 0
    for byte in bytes[start..<(start + length)] { value = value << 8 | UInt64(byte) }
    return Int64(bitPattern: value)
}
