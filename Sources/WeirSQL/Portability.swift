// Which queries are Flink's, too: everything in the dialect is, but for functions that Flink does not
// have. `weir check --portable` refuses those at their place.
//
// The words of the text are looked at, not the plan: a function is called by its name before a
// parenthesis wherever it stands, and its place in the text is known. That Flink lacks a function says its
// own declaration (`isPortable`), of a scalar function as of an aggregate.

import WeirCore

/// What a text has that Flink lacks.
public enum Portability {
    /// A complaint for each place of `sql`; none when Flink would take it. The text must have been bound.
    ///
    /// - Parameter macros: the names of the configuration's macros, which Flink has not.
    public static func complaints(about sql: String, macros: [String] = []) -> [Diagnostic] {
        guard let tokens = try? Lexer.tokens(of: sql) else { return [] }
        return zip(tokens, tokens.dropFirst()).compactMap { token, next in
            guard token.kind == .word, next.kind == .symbol, next.text == "(" else { return nil }
            if macros.contains(where: { $0.uppercased() == token.keyword }) {
                return Diagnostic(
                    token.position, "\(token.text) is a macro, which Flink does not have; write its expression out")
            }
            if FunctionLibrary.byName[token.keyword]?.isPortable == false {
                return complaint(token, "")
            }
            return aggregates.contains(token.keyword) ? complaint(token, advice(for: token.keyword)) : nil
        }
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
