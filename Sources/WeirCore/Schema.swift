// The names and types of a batch's columns.

/// One column's name and type.
public struct Field: Hashable, Sendable {
    /// As in SQL, case-sensitive; empty where nobody asks for it.
    public let name: String
    /// Of every value that is not NULL.
    public let type: DataType

    public init(_ name: String, _ type: DataType) {
        self.name = name
        self.type = type
    }

    /// Whether the column is for weir itself: it waits with a row in the outbox and is in no file.
    public var isHidden: Bool { name.utf8.first == Self.hiddenMark }

    /// The name of a column of that kind; no name in SQL begins like that.
    public static func hiddenName(_ name: String) -> String { "\u{1}\(name)" }

    private static let hiddenMark: UInt8 = 1
}

/// The columns of a table, a query's result or a batch, in order.
public struct Schema: Hashable, Sendable {
    /// In the order of the columns.
    public let fields: [Field]

    public init(_ fields: [Field]) { self.fields = fields }

    /// How many columns there are.
    public var count: Int { fields.count }

    /// The column at `index`, which must be there.
    public subscript(index: Int) -> Field { fields[index] }

    /// The position of the column of exactly this name (SQL names here are case-sensitive, as Flink's).
    public func index(of name: String) -> Int? { fields.firstIndex { $0.name == name } }
}
