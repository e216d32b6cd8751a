// Macros: expressions with parameters that a configuration names. A call is replaced by the macro's text
// with the arguments in it, while it is read, so types are checked as if the text stood in the query. What
// is wrong inside a macro is told at its call. An argument whose parameter has a type must be of it, or
// become it as a function's argument would; if not, the complaint stands at the argument.

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
        let form = "\(macro.name)(\(macro.parameters.map(\.shown).joined(separator: ", ")))"
        guard arguments.count == macro.parameters.count else {
            throw Diagnostic(position, "the macro \(form) does not take \(arguments.count) arguments")
        }
        if openMacros.contains(macro.name.uppercased()) {
            let circle = (openMacros + [macro.name.uppercased()]).joined(separator: " calls ")
            throw Diagnostic(position, "a macro cannot call itself: \(circle)")
        }
        var values: [String: ExpressionSyntax] = [:]
        for (parameter, argument) in zip(macro.parameters, arguments) {
            values[parameter.name] = try parameter.taking(argument, of: form)
        }
        do throws(Diagnostic) {
            var parser = try Parser(macro: macro, values, within: self, at: position)
            let body = try parser.parseExpression()
            overCount += parser.overCount
            guard parser.current.kind == .end else {
                throw Diagnostic(position, "expected the end, found \(parser.current.shown)")
            }
            return body
        } catch {
            throw Diagnostic(position, "in the macro \(form): \(error.message)")
        }
    }
}

extension Catalog.Macro.Parameter {
    /// Reads `name` or `name TYPE`; the failure is what is wrong, in words that follow what it is of.
    public static func parse(_ text: String) -> Result<Catalog.Macro.Parameter, Diagnostic> {
        do throws(Diagnostic) {
            var parser = try Parser(text)
            let name = try parser.expectName("a name")
            if parser.current.kind == .end { return .success(Self(name.name)) }
            let type = try parser.parseType()
            guard parser.current.kind == .end else { throw parser.unexpected("expected the end") }
            return .success(Self(name.name, type))
        } catch {
            return .failure(error)
        }
    }

    fileprivate var shown: String { type.map { "\(name) \($0)" } ?? name }

    /// The argument as it stands for the parameter in the macro's text.
    fileprivate func taking(
        _ argument: ExpressionSyntax, of form: String
    ) throws(Diagnostic) -> ExpressionSyntax {
        guard let type else { return argument }
        let target = CastTarget(type: type, parameter: "the macro \(form): \(name)")
        return try ExpressionSyntax(
            .cast(argument, to: target, isTry: false), at: argument.position, over: [argument])
    }
}
