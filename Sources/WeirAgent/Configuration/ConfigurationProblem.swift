// What is wrong with a configuration file, for people (`file:line:column: error: …`, which editors
// and compilers' users know how to jump to) and for programs (JSON).

import WeirCore

/// One complaint about a configuration file.
public struct ConfigurationProblem: Hashable, Sendable, CustomStringConvertible {
    /// The path as it was given.
    public let file: String
    /// Lines and columns count from 1; a column counts bytes.
    public let position: TextPosition
    /// Errors keep the agent from starting; warnings do not.
    public let severity: Diagnostic.Severity
    /// What is wrong and what would be right; never a secret.
    public let message: String

    /// `file:line:column: severity: message`.
    public var description: String {
        "\(file):\(position.line):\(position.column): \(severity.rawValue): \(message)"
    }

    /// One JSON object: file, line, column, severity, message.
    public var json: String {
        #"{"file":\#(jsonString(file)),"line":\#(position.line),"column":\#(position.column),"#
            + #""severity":"\#(severity.rawValue)","message":\#(jsonString(message))}"#
    }
}

/// Everything that is wrong with a configuration file, in the order of the file.
public struct ConfigurationErrors: Error, Sendable, CustomStringConvertible {
    /// Errors, at least one, and warnings.
    public let problems: [ConfigurationProblem]

    /// One line a problem.
    public var description: String { problems.map(\.description).joined(separator: "\n") }

    /// How many of the problems are errors.
    public var errorCount: Int { problems.count { $0.severity == .error } }
}

/// What `weir check` says of a file.
public struct ConfigurationReport: Sendable {
    /// Errors and warnings in the order of the file.
    public let problems: [ConfigurationProblem]

    /// Whether weir would run with this file.
    public var isAccepted: Bool { !problems.contains { $0.severity == .error } }

    /// A JSON list with one object a problem; `[]` when there is nothing to say.
    public var json: String { "[" + problems.map(\.json).joined(separator: ",\n ") + "]" }
}

/// Gathers complaints while a file is read; the reading goes on after each.
final class ProblemLog {
    private let file: String
    private var problems: Set<ConfigurationProblem> = []

    init(file: String) { self.file = file }

    func error(_ position: TextPosition, _ message: String) {
        add(Diagnostic(position, message))
    }

    func warning(_ position: TextPosition, _ message: String) {
        add(Diagnostic(position, message, severity: .warning))
    }

    func add(_ diagnostic: Diagnostic) {
        problems.insert(
            ConfigurationProblem(
                file: file, position: diagnostic.position, severity: diagnostic.severity,
                message: diagnostic.message))
    }

    var errorCount: Int { problems.count { $0.severity == .error } }

    /// All complaints by position, each once.
    var sorted: [ConfigurationProblem] {
        problems.sorted { ($0.position, $0.message) < ($1.position, $1.message) }
    }
}

/// `text` in double quotes for a message: on one line and not longer than a line.
func quoted(_ text: String) -> String {
    let clipped = text.unicodeScalars.count > 60 ? String(text.prefix(57)) + "..." : text
    return jsonString(clipped)
}

/// `words` as "a, b or c".
func alternatives(_ words: [String], _ conjunction: String = "or") -> String {
    guard let last = words.last, words.count > 1 else { return words.first ?? "" }
    return words.dropLast().joined(separator: ", ") + " \(conjunction) " + last
}
