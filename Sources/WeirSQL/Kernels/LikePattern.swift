// LIKE patterns: % stands for any text, _ for one code point, and after the escape character %, _
// and the escape character stand for themselves. Anything else after it is an error, as in Flink.
//
// A constant pattern is compiled once into the segments between its % signs. Nearly all patterns
// that people write are one segment with or without % at its ends, and become a comparison, a
// prefix or suffix test, or a search over the whole column's bytes at once. One difference from
// Flink: _ also matches a line break, as the SQL standard has it.

import WeirCore

#if canImport(Glibc)
import Glibc
#endif

/// A compiled pattern.
struct LikePattern {
    enum Shape {
        /// No wildcard: equality.
        case exact
        /// `text%`
        case prefix
        /// `%text`
        case suffix
        /// `%text%`
        case contains
        /// Everything else.
        case general
    }

    let shape: Shape
    /// The text of the simple shapes; of `contains`, which byte of it to look out for.
    let text: [UInt8]
    let pivot: Int
    /// For `general`: the pattern with its wildcards, code point by code point.
    private let elements: [Element]

    private struct Element {
        /// 0 = these bytes, 1 = `_`, 2 = `%`.
        let kind: UInt8
        let start: Int32
        let length: Int32
    }

    /// Compiles a pattern; nil if an escape character is followed by none of %, _ and itself, or is
    /// not one character. `escape` is empty or nil for none.
    init?(_ pattern: UnsafeBufferPointer<UInt8>, escape: UnsafeBufferPointer<UInt8>?) {
        let escape = escape.map { [UInt8]($0) } ?? []
        if !escape.isEmpty {
            let isOne = escape.withUnsafeBufferPointer { codePointLength($0, at: 0) == $0.count }
            guard isOne else { return nil }
        }
        var text: [UInt8] = []
        var elements: [Element] = []
        var at = 0
        while at < pattern.count {
            var length = codePointLength(pattern, at: at)
            let isEscape = !escape.isEmpty && pattern.part(at..<(at + length)).elementsEqual(escape)
            if isEscape {
                at += length
                guard at < pattern.count else { return nil }
                length = codePointLength(pattern, at: at)
                let meant = pattern.part(at..<(at + length))
                guard meant[0] == UInt8(ascii: "%") || meant[0] == UInt8(ascii: "_")
                    || meant.elementsEqual(escape)
                else { return nil }
            }
            let isWildcard = !isEscape
            let kind: UInt8 =
                switch pattern[at] {
                case UInt8(ascii: "_") where isWildcard: 1
                case UInt8(ascii: "%") where isWildcard: 2
                default: 0
                }
            elements.append(
                Element(kind: kind, start: Int32(text.count), length: kind == 0 ? Int32(length) : 0))
            if kind == 0 { text += pattern.part(at..<(at + length)) }
            at += length
        }
        self.text = text
        self.elements = elements
        shape = Self.shape(of: elements.map(\.kind))
        pivot = text.indices.min { Self.frequency(text[$0]) < Self.frequency(text[$1]) } ?? 0
    }

    private static func shape(of kinds: [UInt8]) -> Shape {
        if kinds.contains(1) { return .general }
        let leading = kinds.prefix { $0 == 2 }.count
        if leading == kinds.count { return leading == 0 ? .exact : .contains }
        let trailing = kinds.reversed().prefix { $0 == 2 }.count
        if kinds.dropFirst(leading).dropLast(trailing).contains(2) { return .general }
        switch (leading > 0, trailing > 0) {
        case (false, false): return .exact
        case (false, true): return .prefix
        case (true, false): return .suffix
        case (true, true): return .contains
        }
    }

    /// How often a byte occurs in ordinary text, roughly.
    private static func frequency(_ byte: UInt8) -> Int {
        let common = Array(" etaoinsrhldcumfpgwyb".utf8)
        return common.firstIndex(of: byte).map { common.count - $0 } ?? 0
    }

    /// Whether a text as a whole matches.
    func matches(_ row: UnsafeBufferPointer<UInt8>) -> Bool {
        switch shape {
        case .exact: text.withUnsafeBufferPointer { textsEqual(row, $0) }
        case .prefix: text.withUnsafeBufferPointer { starts(row, with: $0) }
        case .suffix: text.withUnsafeBufferPointer { ends(row, with: $0) }
        case .contains: text.withUnsafeBufferPointer { find($0, pivot: pivot, in: row, from: 0) >= 0 }
        case .general: matchesGenerally(row)
        }
    }

    /// The usual walk: at a mismatch go back to the last % and let it take one code point more.
    private func matchesGenerally(_ row: UnsafeBufferPointer<UInt8>) -> Bool {
        text.withUnsafeBufferPointer { text in
            elements.withUnsafeBufferPointer { elements in
                var at = 0
                var element = 0
                var anchor = -1
                var anchorAt = 0
                while true {
                    if element < elements.count, elements[element].kind == 2 {
                        anchor = element
                        anchorAt = at
                        element += 1
                        continue
                    }
                    if element == elements.count, at == row.count { return true }
                    if element < elements.count, at < row.count {
                        let wanted = elements[element]
                        let length = wanted.kind == 1 ? codePointLength(row, at: at) : Int(wanted.length)
                        let fits =
                            wanted.kind == 1
                            || (at + length <= row.count
                                && textsEqual(
                                    row.part(at..<(at + length)),
                                    text.part(Int(wanted.start)..<(Int(wanted.start) + length))))
                        if fits {
                            at += length
                            element += 1
                            continue
                        }
                    }
                    guard anchor >= 0, anchorAt < row.count else { return false }
                    anchorAt += codePointLength(row, at: anchorAt)
                    at = anchorAt
                    element = anchor + 1
                }
            }
        }
    }
}

/// Whether `text` begins with the bytes of `prefix`.
@inline(__always)
func starts(_ text: UnsafeBufferPointer<UInt8>, with prefix: UnsafeBufferPointer<UInt8>) -> Bool {
    guard text.count >= prefix.count else { return false }
    guard let a = text.baseAddress, let b = prefix.baseAddress, prefix.count > 0 else { return true }
    return memcmp(a, b, prefix.count) == 0
}

/// Whether `text` ends with the bytes of `suffix`.
@inline(__always)
func ends(_ text: UnsafeBufferPointer<UInt8>, with suffix: UnsafeBufferPointer<UInt8>) -> Bool {
    guard text.count >= suffix.count else { return false }
    guard let a = text.baseAddress, let b = suffix.baseAddress, suffix.count > 0 else { return true }
    return memcmp(a + (text.count - suffix.count), b, suffix.count) == 0
}
