// Fields as data. Each key of the configuration is declared once, with its type, default, bounds,
// prose and whether it is secret; the reader, the complaints about wrong values and unknown keys,
// the reference page and the redacted print are all made from that one declaration.

import WeirCore

/// Why a text is no value of a format, in words that follow the key's name: "must be …".
struct Complaint: Error {
    let message: String
    init(_ message: String) { self.message = message }
}

/// A kind of text: what it is called in the reference, and what is wrong with one that is none.
struct TextFormat: Sendable {
    /// The name in the reference: "URL", "name", "time zone".
    let name: String
    /// What is wrong with a text, following the key's name; nil when it is right.
    let complaint: @Sendable (String) -> Complaint?
    /// Whether `${VAR}` is replaced; not in SQL.
    let hasReferences: Bool
    /// Whether a list may hold the same text twice.
    let allowsRepetition: Bool

    init(
        _ name: String, hasReferences: Bool = true, allowsRepetition: Bool = false,
        complaint: @escaping @Sendable (String) -> Complaint?
    ) {
        self.name = name
        self.complaint = complaint
        self.hasReferences = hasReferences
        self.allowsRepetition = allowsRepetition
    }

    /// A format that is whatever `parse` accepts.
    init<Parsed>(_ name: String, parse: @escaping @Sendable (String) -> Result<Parsed, Complaint>) {
        self.init(name) { text in
            if case .failure(let complaint) = parse(text) { complaint } else { nil }
        }
    }
}

/// What values a field takes.
enum FieldKind: Sendable {
    case text(TextFormat)
    case texts(TextFormat)
    /// `why` explains the bounds to whom they stop.
    case integer(ClosedRange<Int64>, why: String)
    case boolean
    /// Milliseconds.
    case duration(ClosedRange<Int64>)
    /// Bytes.
    case size(ClosedRange<Int64>)
    /// Bytes a second.
    case rate(ClosedRange<Int64>)
    case choice([String])
    /// The table of a source's columns.
    case columns
}

/// A value that a file gave a field, or the field's default.
enum FieldValue: Sendable, Equatable {
    case text(String)
    case texts([String])
    /// An integer, or a quantity in its smallest unit.
    case number(Int64)
    case boolean(Bool)
    case secret(Secret)
}

/// Everything there is to know of one key.
struct FieldDeclaration: Sendable {
    /// Whether a section is complete without the key.
    enum Presence: Sendable {
        case optional
        case required
        /// The value that holds without it, as TOML would write it.
        case defaulted(FieldValue)
    }

    /// The key within its section; dots lead into groups: "tls.ca_file".
    let key: String
    let kind: FieldKind
    let presence: Presence
    /// The values of the section's `type` that the key goes with; empty for all.
    let types: [String]
    /// Whether the value is masked wherever it could be seen, and may be `file:PATH`.
    let isSecret: Bool
    /// Prose for the reference.
    let documentation: String
    /// The first version of weir that knows the key.
    let since: String

    /// The value that holds without the key.
    var defaultValue: FieldValue? {
        if case .defaulted(let value) = presence { value } else { nil }
    }

    var isRequired: Bool {
        if case .required = presence { true } else { false }
    }
}

/// A section of the file and its keys.
struct SectionDeclaration: Sendable {
    /// "agent", "source"; "source.columns.NAME" for the table of a column.
    let name: String
    /// Whether it is written `[[name]]` and may occur more than once.
    let isList: Bool
    /// Prose for the reference.
    let documentation: String
    let fields: [FieldDeclaration]
    /// Keys that are refused, and why.
    let refusals: [String: String]
    /// What stands before a complaint about a value, where its line alone does not tell: "column
    /// ts: ".
    let subject: String

    init(
        _ name: String, isList: Bool, _ documentation: String, fields: [FieldDeclaration],
        refusals: [String: String] = [:], subject: String = ""
    ) {
        self.name = name
        self.isList = isList
        self.documentation = documentation
        self.fields = fields
        self.refusals = refusals
        self.subject = subject
    }

    /// The section's header as the file writes it.
    var header: String { isList ? "[[\(name)]]" : "[\(name)]" }

    func field(_ key: String) -> FieldDeclaration? { fields.first { $0.key == key } }

    /// Whether `key` is a table of further keys.
    func isGroup(_ key: String) -> Bool { fields.contains { $0.key.hasPrefix(key + ".") } }
}

/// A declared field together with the Swift type of its values.
struct Setting<Value: Sendable>: Sendable {
    let declaration: FieldDeclaration
    let decode: @Sendable (FieldValue) -> Value?

    fileprivate init(
        _ key: String, _ kind: FieldKind, _ presence: FieldPresence, types: [String],
        isSecret: Bool = false,
        _ documentation: String, decode: @escaping @Sendable (FieldValue) -> Value?
    ) {
        declaration = FieldDeclaration(
            key: key, kind: kind, presence: presence.resolved(as: kind, key: key), types: types,
            isSecret: isSecret, documentation: documentation, since: "0.1")
        self.decode = decode
    }
}

/// How a declaration says whether a field is needed; a default is written as it would be in the
/// file.
enum FieldPresence {
    case optional
    case required
    case `default`(String)

    fileprivate func resolved(as kind: FieldKind, key: String) -> FieldDeclaration.Presence {
        switch self {
        case .optional: return .optional
        case .required: return .required
        case .default(let text):
            let node: TOMLNode.Value =
                switch kind {
                case .boolean: .boolean(text == "true")
                case .integer: .integer(Int64(text) ?? .min)
                default: .string(text)
                }
            guard case .success(let value) = kind.value(of: node) else {
                preconditionFailure("the default of \(key) is a value of its kind")
            }
            return .defaulted(value)
        }
    }
}

extension Setting where Value == String {
    static func text(
        _ key: String, _ format: TextFormat, _ presence: FieldPresence, for types: [String] = [],
        _ documentation: String
    ) -> Setting {
        Setting(key, .text(format), presence, types: types, documentation) { value in
            if case .text(let text) = value { text } else { nil }
        }
    }
}

extension Setting where Value == Secret {
    static func secret(_ key: String, for types: [String] = [], _ documentation: String) -> Setting
    {
        Setting(key, .text(.any), .optional, types: types, isSecret: true, documentation) { value in
            if case .secret(let secret) = value { secret } else { nil }
        }
    }
}

extension Setting where Value == [String] {
    static func texts(
        _ key: String, _ format: TextFormat, _ presence: FieldPresence, for types: [String] = [],
        _ documentation: String
    ) -> Setting {
        Setting(key, .texts(format), presence, types: types, documentation) { value in
            if case .texts(let texts) = value { texts } else { nil }
        }
    }
}

extension Setting where Value == Bool {
    static func boolean(
        _ key: String, _ presence: FieldPresence, for types: [String] = [], _ documentation: String
    ) -> Setting {
        Setting(key, .boolean, presence, types: types, documentation) { value in
            if case .boolean(let flag) = value { flag } else { nil }
        }
    }
}

extension Setting where Value == Int64 {
    static func integer(
        _ key: String, _ presence: FieldPresence, in range: ClosedRange<Int64>, why: String = "",
        for types: [String] = [], _ documentation: String
    ) -> Setting {
        number(key, .integer(range, why: why), presence, types, documentation)
    }

    /// The value is in milliseconds.
    static func duration(
        _ key: String, _ presence: FieldPresence, from low: String, to high: String,
        for types: [String] = [], _ documentation: String
    ) -> Setting {
        let range = declared(low, Quantity.milliseconds)...declared(high, Quantity.milliseconds)
        return number(key, .duration(range), presence, types, documentation)
    }

    /// The value is in bytes.
    static func size(
        _ key: String, _ presence: FieldPresence, from low: String, to high: String,
        for types: [String] = [], _ documentation: String
    ) -> Setting {
        let range = declared(low, Quantity.bytes)...declared(high, Quantity.bytes)
        return number(key, .size(range), presence, types, documentation)
    }

    /// The value is in bytes a second.
    static func rate(
        _ key: String, _ presence: FieldPresence, from low: String, to high: String,
        for types: [String] = [], _ documentation: String
    ) -> Setting {
        let range = declared(low, Quantity.bytesPerSecond)...declared(high, Quantity.bytesPerSecond)
        return number(key, .rate(range), presence, types, documentation)
    }

    private static func number(
        _ key: String, _ kind: FieldKind, _ presence: FieldPresence, _ types: [String],
        _ documentation: String
    ) -> Setting {
        Setting(key, kind, presence, types: types, documentation) { value in
            if case .number(let number) = value { number } else { nil }
        }
    }

    private static func declared(_ text: String, _ parse: (String) -> Int64?) -> Int64 {
        guard let value = parse(text) else { preconditionFailure("\(text) is a bound") }
        return value
    }
}

extension Setting where Value: RawRepresentable & CaseIterable, Value.RawValue == String {
    /// One of the cases of an enumeration, by its raw value.
    static func choice(
        _ key: String, _ presence: FieldPresence, for types: [String] = [], _ documentation: String
    ) -> Setting {
        Setting(key, .choice(Value.allCases.map(\.rawValue)), presence, types: types, documentation)
        { value in
            if case .text(let text) = value { Value(rawValue: text) } else { nil }
        }
    }
}

extension FieldDeclaration {
    /// The field that holds a table of columns.
    static func columns(_ key: String, _ documentation: String) -> FieldDeclaration {
        FieldDeclaration(
            key: key, kind: .columns, presence: .required, types: [], isSecret: false,
            documentation: documentation, since: "0.1")
    }
}
