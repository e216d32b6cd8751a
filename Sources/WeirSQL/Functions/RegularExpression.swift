// Regular expressions, by PCRE2, which is nearest to the java.util.regex that Flink uses. A search may
// take `stepsMax` steps, so that no pattern can hang the process; a row that takes more fails.
//
// Where the two read the same pattern differently, the pattern is translated (\p{Alpha} and its like)
// or refused (a class within a class, [a&&b]): it must never mean something else in silence.

import CPCRE2
import WeirCore

/// A compiled pattern; belongs to one thread.
final class RegularExpression {
    /// Steps that one search may take.
    static let stepsMax: UInt32 = 1_000_000

    /// What a search found.
    enum Outcome {
        case found, none
        /// The search was given up.
        case failed
    }

    private let code: OpaquePointer
    private let match: OpaquePointer
    private let context: OpaquePointer
    /// Groups in parentheses.
    let groupCount: Int

    /// Nil if it is no pattern, or one that is refused. `isWhole`: the whole text must match.
    init?(_ pattern: String, isWhole: Bool = false) {
        guard case .translated(let translated) = PatternTranslation.translate(pattern) else { return nil }
        var text = isWhole ? "(?:\(translated))\\z" : translated
        var error: Int32 = 0
        var place = 0
        let options =
            UInt32(PCRE2_UTF) | UInt32(PCRE2_MATCH_INVALID_UTF) | UInt32(PCRE2_NEVER_BACKSLASH_C)
            | (isWhole ? UInt32(PCRE2_ANCHORED) : 0)
        let compiling = pcre2_compile_context_create_8(nil)
        defer { pcre2_compile_context_free_8(compiling) }
        pcre2_set_newline_8(compiling, UInt32(PCRE2_NEWLINE_ANY))
        let compiled = text.withUTF8 {
            pcre2_compile_8($0.baseAddress, $0.count, options, &error, &place, compiling)
        }
        guard let compiled else { return nil }
        guard let match = pcre2_match_data_create_from_pattern_8(compiled, nil),
            let context = pcre2_match_context_create_8(nil)
        else {
            pcre2_code_free_8(compiled)
            return nil
        }
        pcre2_set_match_limit_8(context, Self.stepsMax)
        var groups: UInt32 = 0
        pcre2_pattern_info_8(compiled, UInt32(PCRE2_INFO_CAPTURECOUNT), &groups)
        code = compiled
        self.match = match
        self.context = context
        groupCount = Int(groups)
    }

    deinit {
        pcre2_match_context_free_8(context)
        pcre2_match_data_free_8(match)
        pcre2_code_free_8(code)
    }

    /// Looks for the first match at or behind byte `start`.
    func search(_ text: TextView, from start: Int = 0) -> Outcome {
        var none: UInt8 = 0
        let result = withUnsafePointer(to: &none) { empty in
            pcre2_match_8(code, text.baseAddress ?? empty, text.count, start, 0, match, context)
        }
        return result > 0 ? .found : result == PCRE2_ERROR_NOMATCH ? .none : .failed
    }

    /// The bytes of group `number` of the last match, 0 for all of it; nil if it took no part.
    func group(_ number: Int) -> Range<Int>? {
        guard let places = pcre2_get_ovector_pointer_8(match), number <= groupCount else { return nil }
        let (low, high) = (places[2 * number], places[2 * number + 1])
        return low == Int.max || low == -1 || high < low ? nil : low..<high
    }

    /// Calls `body` for each match from left to right, as Java's Matcher.find finds them, until it
    /// returns false; false if a search was given up.
    func forEachMatch(_ text: TextView, _ body: (Range<Int>) -> Bool) -> Bool {
        var start = 0
        while start <= text.count {
            switch search(text, from: start) {
            case .failed: return false
            case .none: return true
            case .found: break
            }
            guard let range = group(0) else { return true }
            if !body(range) { return true }
            start = range.upperBound
            if range.isEmpty {
                start += start < text.count ? codePointLength(text, at: start) : 1
            }
        }
        return true
    }
}

/// Compiles each pattern once as long as the same one comes.
final class PatternCache {
    private var text: [UInt8]?
    private var compiled: RegularExpression?
    private let isWhole: Bool
    private let rewrite: (String) -> String?

    /// `rewrite` makes a regular expression of what SQL calls a pattern.
    init(isWhole: Bool = false, rewrite: @escaping (String) -> String? = { $0 }) {
        self.isWhole = isWhole
        self.rewrite = rewrite
    }

    /// The compiled pattern; nil if it is none.
    func pattern(_ view: TextView) -> RegularExpression? {
        if let text, text.count == view.count, text.elementsEqual(view) { return compiled }
        text = Array(view)
        compiled = rewrite(view.string).flatMap { RegularExpression($0, isWhole: isWhole) }
        return compiled
    }
}
