// What is wrong with a call that can be seen from its constants alone: a LIKE pattern whose escape
// character escapes nothing, a date pattern with letters that are not supported, a precision that
// does not exist. The binder asks here to point at the place in the SQL text; the compiler asks
// again and refuses, so that no such query runs.

import WeirCore

extension ScalarFunction {
    /// What is wrong with the constants among the arguments of a call, as a sentence, or nil.
    public func problem(withConstants arguments: [BoundExpression]) -> String? {
        func text(_ index: Int) -> String? {
            guard index < arguments.count, case .literal(.string(let text), _) = arguments[index]
            else { return nil }
            return text
        }
        switch self {
        case .named: return declaration?.problem?(arguments)
        case .like, .notLike:
            guard let pattern = text(1), arguments.count < 3 || text(2) != nil else { return nil }
            return Self.likeProblem(pattern, escape: text(2))
        case .dateFormat, .toTimestamp: return text(1).flatMap(Self.datePatternProblem)
        case .toTimestampLtz:
            if let pattern = text(1) { return Self.datePatternProblem(pattern) }
            guard arguments.count > 1, case .literal(.integer(let precision), _) = arguments[1],
                precision != 0, precision != 3
            else { return nil }
            return "the precision is \(precision); it is 0 for seconds or 3 for milliseconds"
        default: return nil
        }
    }

    private static func likeProblem(_ pattern: String, escape: String?) -> String? {
        if let escape, escape.unicodeScalars.count > 1 {
            return "'\(escape)' is not an escape character; it is one character"
        }
        var pattern = pattern
        var escapeText = escape ?? ""
        let isValid = escapeText.withUTF8 { escapeBytes in
            pattern.withUTF8 { LikePattern($0, escape: escapeBytes) != nil }
        }
        if isValid { return nil }
        return "'\(escape ?? "")' in the pattern '\(pattern)' is not followed by %, _ or itself"
    }

    private static func datePatternProblem(_ pattern: String) -> String? {
        var bytes = pattern
        if bytes.withUTF8({ DatePattern($0) != nil }) { return nil }
        return "'\(pattern)' is not a date pattern of yyyy, MM, MMM, dd, EEE, HH, hh, a, mm, ss, SSS, DDD, Q and "
            + "text; letters that are text stand in single quotes"
    }
}
