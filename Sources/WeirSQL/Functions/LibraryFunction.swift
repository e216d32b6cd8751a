// One declaration says everything about a scalar function: how it is called, what it takes and gives,
// what it does with NULL, how it compares with Flink, and the kernel that computes it. The binder, the
// compiler and docs/functions.md all read the same declaration, so a new function is one new entry in
// one of the tables of this folder.
//
// A name with a blank in it ("TIMESTAMPADD DAY") belongs to a function with a syntax of its own, which
// the parser reads and the binder turns into a call; such a name cannot be called from SQL by accident,
// because the binder looks up plain calls by names without blanks only.

import WeirCore

/// What a function does when an argument is NULL.
enum NullRule: String, Sendable {
    /// NULL if any argument is.
    case strict = "NULL if an argument is NULL"
    /// As the note says.
    case own = "see the note"
    /// Never NULL.
    case never = "never NULL"
}

/// A part of the library; a heading in the documentation.
enum FunctionTheme: String, Sendable, CaseIterable {
    case text = "Texts"
    case pattern = "Regular expressions"
    case number = "Numbers"
    case time = "Time"
    case conditional = "Conditions"
    case json = "JSON"
    case collection = "Arrays and maps"
    case hash = "Hashes and encodings"
    case feed = "Feeds"
}

/// A scalar function.
struct LibraryFunction: Sendable {
    /// Makes the kernel for arguments of the signature's types.
    typealias Maker = @Sendable (_ arguments: [Kernel], _ type: DataType) -> Kernel

    /// `REGEXP_COUNT`.
    let name: String
    /// `REGEXP_COUNT(text, pattern)`.
    let form: String
    let theme: FunctionTheme
    let parameters: [Parameter]
    let result: ResultRule
    let nulls: NullRule
    /// Whether Flink has it.
    let isPortable: Bool
    /// What it does and how it differs from Flink.
    let note: String
    /// What is wrong with constants among the arguments, as a sentence.
    let problem: (@Sendable ([BoundExpression]) -> String?)?
    let kernel: Maker

    /// `form` opens with the name.
    init(
        _ form: String, _ theme: FunctionTheme, _ parameters: [Parameter], _ result: ResultRule,
        _ note: String, nulls: NullRule = .strict, isPortable: Bool = true,
        problem: (@Sendable ([BoundExpression]) -> String?)? = nil, kernel: @escaping Maker
    ) {
        name = String(form.prefix { $0 != "(" })
        self.form = form
        self.theme = theme
        self.parameters = parameters
        self.result = result
        self.nulls = nulls
        self.isPortable = isPortable
        self.note = note
        self.problem = problem
        self.kernel = kernel
    }

    /// As the other one, for a function that is computed by columns: `canFail` says whether a row's
    /// value may not exist.
    init(
        _ form: String, _ theme: FunctionTheme, _ parameters: [Parameter], _ result: ResultRule,
        _ note: String, nulls: NullRule = .strict, isPortable: Bool = true,
        problem: (@Sendable ([BoundExpression]) -> String?)? = nil, canFail: Bool = false,
        compute: @escaping @Sendable (LibraryCall) -> Column
    ) {
        self.init(
            form, theme, parameters, result, note, nulls: nulls, isPortable: isPortable,
            problem: problem, kernel: { LibraryKernel($0, type: $1, canFail: canFail, compute) })
    }

    /// The overload for arguments of these types, or nil.
    func signature(for types: [DataType]) -> ScalarFunction.Signature? {
        guard let wanted = Parameter.match(parameters, types), let type = result.type(wanted)
        else { return nil }
        return (wanted, type)
    }
}

/// The type that comes out.
enum ResultRule: Sendable {
    case fixed(DataType)
    /// From the types that the arguments are cast to; nil where they do not go together.
    case derived(String, @Sendable ([DataType]) -> DataType?)

    /// That of the first argument.
    static let first = ResultRule.derived("as the first argument") { $0.first }
    static let string = ResultRule.fixed(.string)
    static let int = ResultRule.fixed(.int)
    static let bigint = ResultRule.fixed(.bigint)
    static let double = ResultRule.fixed(.double)
    static let boolean = ResultRule.fixed(.boolean)
    static let bytes = ResultRule.fixed(.bytes)

    func type(_ arguments: [DataType]) -> DataType? {
        switch self {
        case .fixed(let type): type
        case .derived(_, let rule): rule(arguments)
        }
    }

    /// For the documentation.
    var text: String {
        switch self {
        case .fixed(let type): "\(type)"
        case .derived(let text, _): text
        }
    }
}

extension ScalarFunction {
    /// The declaration of a function of the library.
    var declaration: LibraryFunction? {
        if case .named(let name) = self { FunctionLibrary.byName[name] } else { nil }
    }

    /// Its name in plans and in messages about plans.
    var planName: String {
        if case .named(let name) = self { name } else { "\(self)" }
    }

    /// Whether Flink has it.
    public var isPortable: Bool { declaration?.isPortable ?? true }
}

/// All functions that are declared in this folder.
enum FunctionLibrary {
    static let all: [LibraryFunction] =
        textFunctions + encodingFunctions + patternFunctions + numberFunctions + hashFunctions
        + calendarFunctions + timeTextFunctions + zoneFunctions + conditionFunctions + jsonFunctions
        + jsonBuildingFunctions + arrayFunctions + arraySetFunctions + mapFunctions + feedFunctions

    static let byName: [String: LibraryFunction] = Dictionary(
        uniqueKeysWithValues: all.map { ($0.name, $0) })


    /// The function that a plain call of `name`, in capitals, means.
    static func called(_ name: String) -> LibraryFunction? {
        name.contains(" ") ? nil : byName[name]
    }
}
