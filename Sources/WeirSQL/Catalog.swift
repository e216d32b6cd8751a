// What a query can name: sources, views, and tables of files.

import WeirCore

/// The tables that queries may read.
public struct Catalog: Sendable {
    /// A declared source.
    public struct Table: Sendable {
        /// In SQL.
        public let name: String
        /// Its columns.
        public let schema: Schema
        /// The event-time column; nil when rows get their arrival time.
        public let timeColumn: String?

        public init(name: String, schema: Schema, timeColumn: String?) {
            self.name = name
            self.schema = schema
            self.timeColumn = timeColumn
        }
    }

    /// A named query that other queries read.
    public struct View: Sendable {
        /// In SQL.
        public let name: String
        /// A SELECT.
        public let sql: String
        public init(name: String, sql: String) {
            self.name = name
            self.sql = sql
        }
    }

    /// A table of a file, which joins look rows up in. It has no time and no events of its own.
    public struct LookupTable: Sendable {
        /// In SQL.
        public let name: String
        /// Its columns.
        public let schema: Schema
        /// The columns that no two rows have equal, and none NULL.
        public let key: [String]

        public init(name: String, schema: Schema, key: [String]) {
            self.name = name
            self.schema = schema
            self.key = key
        }
    }

    /// A named expression over parameters, written out where it is called.
    public struct Macro: Sendable {
        /// In SQL, as a function.
        public let name: String
        /// A parameter.
        public struct Parameter: Hashable, Sendable {
            /// In the macro's text.
            public let name: String
            /// The type that an argument must have or be able to become; nil for any.
            public let type: DataType?

            public init(_ name: String, _ type: DataType? = nil) {
                self.name = name
                self.type = type
            }
        }

        /// In the order of a call's arguments.
        public let parameters: [Parameter]
        /// An expression over the parameters.
        public let sql: String
        public init(name: String, parameters: [Parameter], sql: String) {
            self.name = name
            self.parameters = parameters
            self.sql = sql
        }
    }

    /// The sources.
    public var tables: [Table]
    /// Named queries; none may read itself, however indirectly.
    public var views: [View]
    /// Named expressions; none may call itself, however indirectly.
    public var macros: [Macro]
    /// The word list of SENTIMENT(text); nil for the one that is built in.
    public var sentimentWords: String?
    /// The tables of files.
    public var lookupTables: [LookupTable]

    public init(
        tables: [Table], views: [View] = [], macros: [Macro] = [], lookupTables: [LookupTable] = []
    ) {
        self.tables = tables
        self.views = views
        self.macros = macros
        self.lookupTables = lookupTables
    }
}
