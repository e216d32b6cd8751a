// What a query can name: sources and views.

import WeirCore

/// The tables that queries may read.
public struct Catalog: Sendable {
    /// A declared source.
    public struct Table: Sendable {
        public let name: String
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
        public let name: String
        public let sql: String
        public init(name: String, sql: String) {
            self.name = name
            self.sql = sql
        }
    }

    /// A named expression over parameters, written out where it is called.
    public struct Macro: Sendable {
        public let name: String
        public let parameters: [String]
        public let sql: String
        public init(name: String, parameters: [String], sql: String) {
            self.name = name
            self.parameters = parameters
            self.sql = sql
        }
    }

    public var tables: [Table]
    public var views: [View]
    public var macros: [Macro]
    /// Tables of files, which joins look rows up in.
    public var lookupTables: [Table]

    public init(
        tables: [Table], views: [View] = [], macros: [Macro] = [], lookupTables: [Table] = []
    ) {
        self.tables = tables
        self.views = views
        self.macros = macros
        self.lookupTables = lookupTables
    }
}
