// Which queries are Flink's, too: everything in the dialect is, but for functions that Flink does not
// have. `weir check --portable` refuses those at their place.
//
// The words of the text are looked at, not the plan: a function is called by its name before a
// parenthesis wherever it stands, and its place in the text is known. Whoever adds a function that Flink
// lacks adds its name to `extensions` (an aggregate says so itself by `isPortable`).

import WeirCore

/// What a text has that Flink lacks.
public enum Portability {
    /// Scalar functions of weir's own, by their SQL names in upper case, and what would be right.
    static let extensions: [String: String] = [:]

    /// A complaint for each place of `sql`; none when Flink would take it. The text must have been bound.
    public static func complaints(about sql: String) -> [Diagnostic] {
        guard let tokens = try? Lexer.tokens(of: sql) else { return [] }
        var complaints: [Diagnostic] = []
        for (token, next) in zip(tokens, tokens.dropFirst())
        where token.kind == .word && next.kind == .symbol && next.text == "(" {
            if let advice = extensions[token.keyword] {
                complaints.append(complaint(token, advice))
            } else if aggregates.contains(token.keyword) {
                complaints.append(complaint(token, advice(for: token.keyword)))
            }
        }
        return complaints
    }

    private static let aggregates = Set(
        AggregateFunction.allCases.filter { !$0.isPortable }.map(\.name))

    private static func complaint(_ token: Token, _ advice: String) -> Diagnostic {
        Diagnostic(
            token.position,
            "\(token.keyword) is weir's own: Flink does not have it" + (advice.isEmpty ? "" : "; \(advice)"))
    }

    private static func advice(for aggregate: String) -> String {
        switch aggregate {
        case "APPROX_COUNT_DISTINCT": "COUNT(DISTINCT x) is in both"
        case "APPROX_PERCENTILE": "PERCENTILE(x, fraction) is in both"
        default: ""
        }
    }
}
