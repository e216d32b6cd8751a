// The settings that hold, as TOML, with the defaults filled in and the secrets masked: what `weir
// check` and support requests may show. Whether a field is masked is the declaration's word alone.

import WeirCore

/// Writes settings without secrets.
enum RedactedText {
    /// The sections in the order given.
    static func of(_ sections: [SectionValues]) -> String {
        sections.map(section).joined(separator: "\n")
    }

    private static func section(_ values: SectionValues) -> String {
        var text = values.declaration.header + "\n"
        var type: String?
        if case .text(let word)? = values.given["type"]?.value { type = word }
        for field in values.declaration.fields where isInForce(field, values, type: type) {
            if case .columns = field.kind {
                text += columns(values)
            } else if let value = values.given[field.key]?.value ?? field.defaultValue {
                text +=
                    "\(field.key) = \(field.isSecret ? jsonString(Secret.mask) : field.kind.toml(value))\n"
            }
        }
        return text
    }

    /// Whether a field goes with the section's type and, if its group needs a key, with that key.
    private static func isInForce(_ field: FieldDeclaration, _ values: SectionValues, type: String?)
        -> Bool
    {
        guard field.types.isEmpty || type.map(field.types.contains) ?? true else { return false }
        guard let dot = field.key.lastIndex(of: ".") else { return true }
        let needed = values.declaration.fields.filter {
            $0.isRequired && $0.key.hasPrefix(field.key[...dot])
        }
        return needed.allSatisfy { values.given[$0.key] != nil }
    }

    /// The columns as they were written; they hold no secrets.
    private static func columns(_ values: SectionValues) -> String {
        guard let entry = values.columns, case .table(let columns) = entry.node.value else {
            return ""
        }
        return columns.map { "columns.\(toml(key: $0.key)) = \(toml($0.node))\n" }.joined()
    }

    private static func toml(key: String) -> String {
        key.utf8.allSatisfy(isIdentifierByte) && !key.isEmpty ? key : jsonString(key)
    }

    private static func toml(_ node: TOMLNode) -> String {
        switch node.value {
        case .table(let entries):
            "{ " + entries.map { "\(toml(key: $0.key)) = \(toml($0.node))" }.joined(separator: ", ")
                + " }"
        case .array(let elements): "[" + elements.map(toml).joined(separator: ", ") + "]"
        case .string(let text), .datetime(let text): jsonString(text)
        case .integer(let number): "\(number)"
        case .float(let number): "\(number)"
        case .boolean(let flag): flag ? "true" : "false"
        }
    }
}
