// The page docs/functions.md, made from the declarations; a test keeps the two equal.

import WeirCore

/// Writes the reference of functions.
enum FunctionReference {
    private static let introduction = """
        # Scalar functions

        Names, types, NULLs and results are those of Apache Flink 2.3 unless a row says otherwise. Three rules hold
        for all of them:

        - Where Flink ends the job because a value cannot be computed, the row's value is NULL here, and counted.
        - Functions of the machine's clock or of chance (CURRENT_TIMESTAMP, NOW, PROCTIME, RAND, UUID, UNIX_TIMESTAMP
          without arguments and their like) are refused: results depend on the input alone, so that they can be
          computed again after a crash.
        - The session's time zone is the query's `time_zone`, UTC by default (docs/sql.md).

        Regular expressions are PCRE2's instead of java.util.regex. A class within a class, `[a&&b]` and an empty class
        are refused when the pattern is a constant. A search takes a million steps at most; a row that takes more is
        NULL and counted. JSON is read to a depth of 200.

        """

    /// The page.
    static var page: String {
        var text = introduction + "\n## Operators and functions with kernels of their own\n\n"
        text += "| form |\n|---|\n"
        let forms = Set(NamedFunction.byName.values.map(\.form))
            .union(["IF(condition, value, other)", "INSTR(text, part)", "LOG([base,] number)", "PI()", "E()"])
        for form in forms.sorted() { text += "| `\(escaped(form))` |\n" }
        for theme in FunctionTheme.allCases {
            let functions = FunctionLibrary.all.filter { $0.theme == theme }
            if functions.isEmpty { continue }
            text += "\n## \(theme.rawValue)\n\n"
            text += "| function | takes | gives | NULL | what it does |\n|---|---|---|---|---|\n"
            for function in functions { text += row(function) }
        }
        return text
    }

    private static func row(_ function: LibraryFunction) -> String {
        let takes = function.parameters.map(\.text).joined(separator: ", ")
        let note = function.note + (function.isPortable ? "" : " Flink does not have it.")
        let cells = [
            "`\(function.form)`", takes, function.result.text, function.nulls.rawValue, note,
        ]
        return "| \(cells.map(escaped).joined(separator: " | ")) |\n"
    }

    private static func escaped(_ text: String) -> String {
        String(text.flatMap { $0 == "|" ? ["\\", $0] : [$0] })
    }
}
