// From the patterns of java.util.regex to those of PCRE2, and from SQL's SIMILAR TO to both.
//
// The languages are the same but for a few words: Java's \p{Alpha}, \p{Punct} and their like are POSIX
// classes here, and Java's classes within classes and intersections have no counterpart.

/// Makes PCRE2's pattern of another.
enum PatternTranslation {
    enum Result: Equatable {
        case translated(String)
        /// A class within a class, or an intersection.
        case refused
    }

    /// Java's names of ASCII classes and PCRE2's.
    private static let classes = [
        "Lower": "[:lower:]", "Upper": "[:upper:]", "ASCII": "\\x00-\\x7f", "Alpha": "[:alpha:]",
        "Digit": "[:digit:]", "Alnum": "[:alnum:]", "Punct": "[:punct:]", "Graph": "[:graph:]",
        "Print": "[:print:]", "Blank": "[:blank:]", "Cntrl": "[:cntrl:]", "XDigit": "[:xdigit:]",
        "Space": "[:space:]", "IsAlphabetic": "\\p{L}\\p{Nl}", "IsLetter": "\\p{L}",
        "IsDigit": "\\p{Nd}", "IsUppercase": "\\p{Lu}", "IsLowercase": "\\p{Ll}",
        "IsPunctuation": "\\p{P}",
    ]

    /// A pattern of java.util.regex as PCRE2 reads it.
    static func translate(_ pattern: String) -> Result {
        var result = String.UnicodeScalarView()
        var rest = Substring(pattern).unicodeScalars
        var isInClass = false
        while let scalar = rest.popFirst() {
            if scalar == "\\" {
                guard translateEscape(&rest, isInClass, &result) else { return .refused }
                continue
            }
            if isInClass {
                if scalar == "[" || (scalar == "&" && rest.first == "&") { return .refused }
                if scalar == "]" { isInClass = false }
            } else if scalar == "[" {
                isInClass = true
                // A bracket that closes at once is a member to PCRE2 and an error to Java.
                if rest.first == "]" || rest.starts(with: "^]".unicodeScalars) { return .refused }
            }
            result.append(scalar)
        }
        return .translated(String(result))
    }

    /// What follows a backslash; false if it has no counterpart.
    private static func translateEscape(
        _ rest: inout Substring.UnicodeScalarView, _ isInClass: Bool,
        _ result: inout String.UnicodeScalarView
    ) -> Bool {
        guard let letter = rest.popFirst() else {
            result.append("\\")
            return true
        }
        switch letter {
        case "p", "P":
            guard rest.first == "{", let end = rest.firstIndex(of: "}") else { break }
            let name = String(rest[rest.index(after: rest.startIndex)..<end])
            guard let members = classes[name] else { break }
            rest = rest[rest.index(after: end)...]
            let isNegated = letter == "P"
            if isInClass, isNegated { return false }
            result.append(contentsOf: (isInClass ? members : "[\(isNegated ? "^" : "")\(members)]").unicodeScalars)
            return true
        case "u":
            // \u00e9 is \x{00e9}.
            let digits = rest.prefix(4)
            guard digits.count == 4, digits.allSatisfy(\.properties.isASCIIHexDigit) else { return false }
            result.append(contentsOf: "\\x{\(String(digits))}".unicodeScalars)
            rest = rest.dropFirst(4)
            return true
        case "Q":
            while let scalar = rest.popFirst() {
                if scalar == "\\", rest.first == "E" {
                    rest = rest.dropFirst()
                    return true
                }
                if scalar.isASCII, !scalar.properties.isAlphabetic, scalar.properties.numericType == nil {
                    result.append("\\")
                }
                result.append(scalar)
            }
            return true
        default: break
        }
        result.append("\\")
        result.append(letter)
        return true
    }

    // MARK: SIMILAR TO

    /// The regular expression that SIMILAR TO's pattern means; nil if it is none. % is any text, _ any
    /// character; everything else is as in regular expressions, the point too, as Flink has it.
    static func similar(_ pattern: String, escape: Unicode.Scalar?) -> String? {
        var result = ""
        var rest = Substring(pattern).unicodeScalars
        var isInClass = false
        while let scalar = rest.popFirst() {
            if scalar == escape {
                guard let next = rest.popFirst() else { return nil }
                guard "_%|*+?{}()[]^-".unicodeScalars.contains(next) || next == escape else { return nil }
                result += quoted(next)
                continue
            }
            if isInClass {
                if scalar == "[", rest.first == ":" {
                    guard let name = posixClass(&rest) else { return nil }
                    result += name
                    continue
                }
                if scalar == "]" { isInClass = false }
                result.unicodeScalars.append(scalar)
                continue
            }
            switch scalar {
            case "%": result += "(?s:.*)"
            case "_": result += "."
            default:
                isInClass = scalar == "["
                result.unicodeScalars.append(scalar)
            }
        }
        return isInClass ? nil : result
    }

    private static func quoted(_ scalar: Unicode.Scalar) -> String {
        let isPlain = !scalar.isASCII || scalar.properties.isAlphabetic
            || scalar.properties.numericType != nil || scalar == "_" || scalar == " "
        return isPlain ? String(scalar) : "\\" + String(scalar)
    }

    /// `:ALPHA:]` behind an opening bracket, as Java's name of that class.
    private static func posixClass(_ rest: inout Substring.UnicodeScalarView) -> String? {
        let names = [
            "ALPHA": "\\p{Alpha}", "UPPER": "\\p{Upper}", "LOWER": "\\p{Lower}", "DIGIT": "\\d",
            "SPACE": " ", "WHITESPACE": "\\s", "ALNUM": "\\p{Alnum}",
        ]
        guard let end = rest.firstIndex(of: "]") else { return nil }
        let word = String(rest[rest.startIndex..<end])
        guard word.hasPrefix(":"), word.hasSuffix(":"), word.count > 2,
            let name = names[String(word.dropFirst().dropLast()).uppercased()]
        else { return nil }
        rest = rest[rest.index(after: end)...]
        return name
    }
}
