// Functions of regular expressions. A pattern that is none gives NULL (REGEXP: FALSE), as in Flink; a
// constant one is compiled once.

import WeirCore

/// A function whose second argument is a pattern.
private func patternFunction(
    _ form: String, _ parameters: [Parameter], _ result: ResultRule, _ note: String,
    _ compute: @escaping @Sendable (LibraryCall, PatternCache) -> Column
) -> LibraryFunction {
    LibraryFunction(
        form, .pattern, parameters, result, note, problem: patternProblem,
        kernel: { arguments, type in
            let cache = PatternCache()
            return LibraryKernel(arguments, type: type, canFail: true) { compute($0, cache) }
        })
}

/// A constant pattern that Java reads and PCRE2 cannot.
@Sendable
private func patternProblem(_ arguments: [BoundExpression]) -> String? {
    guard arguments.count > 1, case .literal(.string(let pattern), _) = arguments[1],
        PatternTranslation.translate(pattern) == .refused
    else { return nil }
    return "the pattern '\(Token.clipped(pattern))' has a class within a class, an intersection or an "
        + "empty class, which are not supported; write one class"
}

/// The regular expressions.
let patternFunctions: [LibraryFunction] = [
    patternFunction(
        "REGEXP(text, pattern)", [.string, .string], .boolean,
        "Whether a part of the text matches; FALSE if the pattern is none or empty."
    ) { call, cache in
        let (texts, patterns) = (call.text(0), call.text(1))
        return call.buildBoolean { row, value in
            let view = patterns[row]
            guard !view.isEmpty, let pattern = cache.pattern(view) else { return .value }
            let outcome = pattern.search(texts[row])
            value = outcome == .found
            return outcome == .failed ? .failed : .value
        }
    },
    patternFunction(
        "REGEXP_COUNT(text, pattern)", [.string, .string], .int,
        "How often the pattern matches, without overlaps."
    ) { call, cache in
        let (texts, patterns) = (call.text(0), call.text(1))
        return call.buildInteger { row, value in
            guard let pattern = cache.pattern(patterns[row]) else { return .null }
            var count: Int64 = 0
            let isDone = pattern.forEachMatch(texts[row]) { _ in
                count += 1
                return true
            }
            value = count
            return isDone ? .value : .failed
        }
    },
    patternFunction(
        "REGEXP_INSTR(text, pattern)", [.string, .string], .int,
        "Where the first match begins, from 1; 0 if there is none. Counts UTF-16 units, as Flink does."
    ) { call, cache in
        let (texts, patterns) = (call.text(0), call.text(1))
        return call.buildInteger { row, value in
            guard let pattern = cache.pattern(patterns[row]) else { return .null }
            let text = texts[row]
            let outcome = pattern.search(text)
            if outcome == .found, let range = pattern.group(0) {
                value = Int64(utf16Count(text.part(0..<range.lowerBound)) + 1)
            }
            return outcome == .failed ? .failed : .value
        }
    },
    patternFunction(
        "REGEXP_SUBSTR(text, pattern)", [.string, .string], .string, "The first match; NULL if there is none."
    ) { call, cache in extract(call, cache, group: nil) },
    patternFunction(
        "REGEXP_EXTRACT(text, pattern[, group])", [.string, .string, .optional(.count)], .string,
        "A group of the first match, 0 for all of it (the default); NULL if there is none."
    ) { call, cache in extract(call, cache, group: call.integers(ifGiven: 2)) },
    patternFunction(
        "REGEXP_EXTRACT_ALL(text, pattern[, group])", [.string, .string, .optional(.count)],
        .fixed(.array(.string)),
        "That group of each match, 1 by default; NULL if there is no such group."
    ) { call, cache in
        let (texts, patterns) = (call.text(0), call.text(1))
        let groups = call.integers(ifGiven: 2)
        return call.buildRows { row, result in
            let number = groups?[row] ?? 1
            guard let pattern = cache.pattern(patterns[row]), number >= 0,
                number <= pattern.groupCount, let elements = result.child
            else { return .null }
            let text = texts[row]
            let isDone = pattern.forEachMatch(text) { _ in
                if let range = pattern.group(number) {
                    elements.append(text.part(range))
                } else {
                    elements.appendNull()
                }
                return true
            }
            // Elements of a row that failed belong to no row otherwise.
            result.appendArray()
            if !isDone { call.input.countError(row: row) }
            return .value
        }
    },
    patternFunction(
        "REGEXP_REPLACE(text, pattern, replacement)", [.string, .string, .string], .string,
        "Each match replaced; the replacement is taken as it is, without group references."
    ) { call, cache in
        let (texts, patterns, replacements) = (call.text(0), call.text(1), call.text(2))
        return call.buildText { row, builder in
            guard let pattern = cache.pattern(patterns[row]) else { return .null }
            let text = texts[row]
            var at = 0
            let isDone = pattern.forEachMatch(text) { range in
                builder.append(text.part(at..<range.lowerBound))
                builder.append(replacements[row])
                at = range.upperBound
                return true
            }
            builder.append(text.part(at..<text.count))
            return isDone ? .value : .failed
        }
    },
    similarFunction("SIMILAR TO", isNegated: false), similarFunction("NOT SIMILAR TO", isNegated: true),
]

/// SIMILAR TO with an optional escape character as its third argument.
private func similarFunction(_ name: String, isNegated: Bool) -> LibraryFunction {
    LibraryFunction(
        name, .pattern, [.string, .string, .optional(.string)], .boolean,
        "`text \(name) pattern [ESCAPE character]`: % is any text, _ any character, and | ( ) [ ] { } * + ? "
            + "are as in regular expressions. The whole text has to match.",
        kernel: { arguments, type in
            let escape = arguments.count > 2
                ? arguments[2].constant.flatMap { $0.string(0).unicodeScalars.first } : nil
            let cache = PatternCache(isWhole: true) { PatternTranslation.similar($0, escape: escape) }
            return LibraryKernel(Array(arguments.prefix(2)), type: type, canFail: true) { call in
                let (texts, patterns) = (call.text(0), call.text(1))
                return call.buildBoolean { row, value in
                    guard let pattern = cache.pattern(patterns[row]) else { return .failed }
                    let outcome = pattern.search(texts[row])
                    value = (outcome == .found) != isNegated
                    return outcome == .failed ? .failed : .value
                }
            }
        })
}

private func extract(_ call: LibraryCall, _ cache: PatternCache, group: IntegerRows?) -> Column {
    let (texts, patterns) = (call.text(0), call.text(1))
    return call.buildText { row, builder in
        guard let pattern = cache.pattern(patterns[row]) else { return .null }
        let number = group?[row] ?? 0
        let text = texts[row]
        switch pattern.search(text) {
        case .failed: return .failed
        case .none: return .null
        case .found: break
        }
        guard number >= 0, let range = pattern.group(number) else { return .null }
        builder.append(text.part(range))
        return .value
    }
}

/// Length in UTF-16 units.
func utf16Count(_ text: TextView) -> Int {
    var count = 0
    for byte in text { count &+= byte & 0xC0 != 0x80 ? (byte >= 0xF0 ? 2 : 1) : 0 }
    return count
}
