// Macros: expressions with parameters that a configuration names. A call is replaced by the macro's text
// with the arguments in it, while it is read, so types are checked as if the text stood in the query. What
// is wrong inside a macro is told at its call.

import WeirCore

extension Parser {
    /// The arguments of a macro's call and what the call stands for; the parenthesis is taken.
    mutating func parseMacroCall(
        _ macro: Catalog.Macro, at position: TextPosition
    ) throws(Diagnostic) -> ExpressionSyntax {
        var arguments: [ExpressionSyntax] = []
        if !isSymbol(")") {
            arguments = try list { (parser) throws(Diagnostic) in try parser.parseExpression() }
        }
        try expectSymbol(")")
        let form = "\(macro.name)(\(macro.parameters.joined(separator: ", ")))"
        guard arguments.count == macro.parameters.count else {
            throw Diagnostic(position, "the macro \(form) does not take \(arguments.count) arguments")
        }
        if openMacros.contains(macro.name.uppercased()) {
            let circle = (openMacros + [macro.name.uppercased()]).joined(separator: " calls ")
            throw Diagnostic(position, "a macro cannot call itself: \(circle)")
        }
        let values = Dictionary(zip(macro.parameters, arguments)) { first, _ in first }
        do throws(Diagnostic) {
            var parser = try Parser(macro: macro, values, within: self, at: position)
            let body = try parser.parseExpression()
            guard parser.current.kind == .end else {
                throw Diagnostic(position, "expected the end, found \(parser.current.shown)")
            }
            return body
        } catch {
            throw Diagnostic(position, "in the macro \(form): \(error.message)")
        }
    }
}
