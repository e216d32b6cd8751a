// The keys of [[table]], and the way from their values to a table of a file that queries look events up
// in. Columns are declared as those of a source, with the same types and the same rules for values.

import WeirCore
import WeirSQL

/// How a table's file is written.
public enum TableFormat: String, Sendable, CaseIterable {
    case csv, ndjson
}

/// `[[table]]`.
public struct TableConfiguration: Sendable {
    /// The table's name in SQL, unique among sources, tables and views.
    public let name: String
    /// Relative to the working directory unless absolute.
    public var path: String
    /// `.ndjson` by default.
    public let format: TableFormat
    /// The columns of the file, in CSV found by their names; at least one.
    public let columns: [ColumnConfiguration]
    /// The columns that tell rows apart: none is NULL, and no two rows agree in all.
    public let key: [String]
    /// A file with more rows is refused; 1 to 20,000,000, 1,000,000 by default.
    public let rowsMax: Int
    /// A file with more bytes is refused; 1 KB to 1 GB, 64 MB by default.
    public let bytesMax: Int

    /// The columns' names and types.
    public var schema: Schema { Schema(columns.map { Field($0.name, $0.type) }) }

    /// The table as the binder knows it.
    public var catalogTable: Catalog.LookupTable {
        Catalog.LookupTable(name: name, schema: schema, key: key)
    }
}

/// The keys of `[[table]]`.
enum TableFields {
    static let name = Setting.text("name", .name, .required, "The table's name in SQL.")
    static let path = Setting.text(
        "path", .path, .required,
        "The file. It is read at the start and again when it has changed and stayed the same for a second; one "
            + "that cannot be read whole changes nothing. Replace it by renaming another into its place.")
    static let format: Setting<TableFormat> = .choice(
        "format", .default("ndjson"),
        "`ndjson`: an object a line. `csv`: a first line with the columns' names, commas, quotes as in RFC "
            + "4180; an empty field is NULL, `\"\"` an empty text.")
    static let key = Setting.texts(
        "key", .name, .required,
        "The columns that tell rows apart. A file with a key twice, or a NULL in one, is refused.")
    static let rowsMax = Setting.integer(
        "max_rows", .default("1000000"), in: 1...20_000_000, "A file with more rows is refused.")
    static let bytesMax = Setting.size(
        "max_size", .default("64MB"), from: "1KB", to: "1GB",
        "A larger file is refused. The rows are held in memory, and the columns that a query reads once more "
            + "for each join.")

    static let section = SectionDeclaration(
        "table", isList: true,
        "A table from a file, which joins look rows up in: `JOIN t FOR SYSTEM_TIME AS OF s.ts ON …` "
            + "([lookup.md](lookup.md)).",
        fields: [
            name.declaration, path.declaration, format.declaration,
            .columns("columns", "The columns, declared as a source's; in CSV found by their names."),
            key.declaration, rowsMax.declaration, bytesMax.declaration,
        ])
}

/// A table as far as it could be understood.
struct BuiltTable {
    let name: String?
    /// The columns that are right, as queries see them.
    let table: Catalog.LookupTable?
    /// Whether `table` is all that the file means it to be.
    let isSound: Bool
    /// Never nil when nothing is wrong.
    let configuration: TableConfiguration?
    let values: SectionValues
}

/// Builds tables.
struct TableBuilder {
    let reader: SectionReader
    let log: ProblemLog

    func build(_ values: SectionValues) -> BuiltTable {
        let errorsBefore = log.errorCount
        let builder = ColumnBuilder(reader: reader, log: log, defaultPolicy: .reject, isFile: true)
        let (columns, areColumnsSound) = builder.build(values.columns)
        let format = values[TableFields.format]
        checkOrigins(columns, format, values)
        let key = values[TableFields.key] ?? []
        if values[TableFields.key] != nil {
            checkKey(key, columns, isSound: areColumnsSound, values)
        }
        let schema = Schema(columns.map { Field($0.name, $0.type) })
        let name = values[TableFields.name]
        var configuration: TableConfiguration?
        if let name, let path = values[TableFields.path], let format,
            let rowsMax = values[TableFields.rowsMax], let bytesMax = values[TableFields.bytesMax]
        {
            configuration = TableConfiguration(
                name: name, path: path, format: format, columns: columns, key: key,
                rowsMax: Int(rowsMax), bytesMax: Int(bytesMax))
        }
        return BuiltTable(
            name: name, table: name.map { Catalog.LookupTable(name: $0, schema: schema, key: key) },
            isSound: areColumnsSound && log.errorCount == errorsBefore, configuration: configuration,
            values: values)
    }

    private func checkOrigins(
        _ columns: [ColumnConfiguration], _ format: TableFormat?, _ values: SectionValues
    ) {
        guard let entry = values.columns else { return }
        let place = reader.position(entry.node.offset)
        for column in columns {
            guard case .payload(let pointer) = column.origin else {
                log.error(place, "column \(column.name): a row of a table was not received at any time")
                continue
            }
            guard format == .csv else { continue }
            if pointer.parts.count != 1 {
                log.error(place, "column \(column.name): CSV has no nested values; a path names a column")
            }
            if column.type.elementType != nil {
                log.error(place, "column \(column.name): CSV has no value of type \(column.type)")
            }
        }
    }

    private func checkKey(
        _ key: [String], _ columns: [ColumnConfiguration], isSound: Bool, _ values: SectionValues
    ) {
        if key.isEmpty {
            log.error(values.position(of: TableFields.key), "key is empty: nothing would tell rows apart")
        }
        for (index, name) in key.enumerated() {
            let place = values.position(of: TableFields.key, element: index)
            guard let column = columns.first(where: { $0.name == name }) else {
                guard isSound else { continue }
                let near = nearestSpelling(of: name, among: columns.map(\.name))
                log.error(
                    place, "key: there is no column \(quoted(name))"
                        + (near.map { "; did you mean \(quoted($0))?" } ?? ""))
                continue
            }
            if column.type.elementType != nil {
                log.error(place, "key: \(quoted(name)) is of type \(column.type), which is no key")
            }
        }
    }
}
