// A checkpoint of a table: the actions that its log comes to, as rows of a Parquet file, so that readers need
// not read the log from its beginning. The classic form, one row an action, in one file or in parts; what
// delta-rs, Spark and weir write, and all of them read.
//
// Actions pass in blocks, out and in, so that a checkpoint of any length takes a few megabytes.

import WeirCore

/// Writes and reads checkpoints.
public enum DeltaCheckpoint {
    private static let texts = DataType.map(key: .string, value: .string)

    /// The columns of a checkpoint: a struct for each kind of action, all but one of them NULL in a row.
    public static let schema = Schema([
        Field("txn", .row([Field("appId", .string), Field("version", .bigint), Field("lastUpdated", .bigint)])),
        Field(
            "add",
            .row([
                Field("path", .string), Field("partitionValues", texts), Field("size", .bigint),
                Field("modificationTime", .bigint), Field("dataChange", .boolean), Field("stats", .string),
                Field("tags", texts),
            ])),
        Field(
            "remove",
            .row([
                Field("path", .string), Field("deletionTimestamp", .bigint), Field("dataChange", .boolean),
                Field("extendedFileMetadata", .boolean), Field("partitionValues", texts),
                Field("size", .bigint),
            ])),
        Field(
            "metaData",
            .row([
                Field("id", .string), Field("name", .string), Field("description", .string),
                Field("format", .row([Field("provider", .string), Field("options", texts)])),
                Field("schemaString", .string), Field("partitionColumns", .array(.string)),
                Field("configuration", texts), Field("createdTime", .bigint),
            ])),
        Field(
            "protocol",
            .row([
                Field("minReaderVersion", .int), Field("minWriterVersion", .int),
                Field("readerFeatures", .array(.string)), Field("writerFeatures", .array(.string)),
            ])),
    ])

    // MARK: Writing

    /// The rows of some actions.
    public static func batch(of actions: some Collection<DeltaAction>) -> Batch {
        let columns = schema.fields.map { Column($0.type, capacity: actions.count) }
        for action in actions {
            let place: Int
            switch action {
            case .transaction: place = 0
            case .add: place = 1
            case .remove: place = 2
            case .metadata: place = 3
            case .versions: place = 4
            }
            for (index, column) in columns.enumerated() where index != place { column.appendNull() }
            append(action, columns[place].fields)
            columns[place].appendRow()
        }
        return Batch(schema: schema, columns: columns, rowCount: actions.count)
    }

    /// One value for each field of the action's column.
    private static func append(_ action: DeltaAction, _ fields: [Column]) {
        switch action {
        case .transaction(let transaction):
            fields[0].append(transaction.appId)
            fields[1].append(transaction.version)
            fields[2].append(optional: transaction.lastUpdated)
        case .add(let add):
            fields[0].append(add.path)
            fields[1].append(map: add.partitionValues)
            fields[2].append(add.size)
            fields[3].append(add.modificationTime)
            fields[4].append(add.dataChange)
            fields[5].append(optional: add.stats)
            fields[6].append(map: add.tags)
        case .remove(let remove):
            fields[0].append(remove.path)
            fields[1].append(optional: remove.deletionTimestamp)
            fields[2].append(remove.dataChange)
            fields[3].append(remove.extendedFileMetadata)
            fields[4].append(map: remove.partitionValues)
            fields[5].append(optional: remove.size)
        case .metadata(let metadata):
            fields[0].append(metadata.id)
            fields[1].append(optional: metadata.name)
            fields[2].append(optional: metadata.description)
            fields[3].fields[0].append(metadata.formatProvider)
            fields[3].fields[1].append(map: metadata.formatOptions)
            fields[3].appendRow()
            fields[4].append(metadata.schemaString)
            fields[5].append(list: metadata.partitionColumns)
            fields[6].append(map: metadata.configuration)
            fields[7].append(optional: metadata.createdTime)
        case .versions(let versions):
            fields[0].append(Int64(versions.minReaderVersion))
            fields[1].append(Int64(versions.minWriterVersion))
            fields[2].append(list: versions.readerFeatures)
            fields[3].append(list: versions.writerFeatures)
        }
    }

    // MARK: Reading

    /// Hands the actions of a checkpoint, or of one part of it, to `body`.
    ///
    /// - Parameter includingFiles: without it the columns of files are not even read.
    ///
    /// Throws `Failure(.input, …)` when it is no checkpoint of the classic form.
    public static func forEachAction(
        in source: any ParquetSource, includingFiles: Bool,
        _ body: (DeltaAction) throws(Failure) -> Void
    ) throws(Failure) {
        var wanted = Set(schema.fields.map(\.name))
        if !includingFiles { wanted.subtract(["add", "remove"]) }
        let reader = try ParquetReader(source) { path in
            // Newer forms keep the files elsewhere, which these columns tell.
            if ["sidecar", "checkpointMetadata"].contains(path[0]) { return true }
            guard wanted.contains(path[0]) else { return false }
            guard path.count == 2 else { return true }
            return !["stats_parsed", "partitionValues_parsed", "deletionVector"].contains(path[1])
        }
        while let batch = try reader.next() {
            let columns = ActionColumns(batch)
            for row in 0..<batch.rowCount {
                let action: DeltaAction?
                do throws(DeltaMalformed) {
                    action = try columns.action(row)
                } catch {
                    throw Failure(
                        .input, "reading", source.name, "it is no checkpoint that weir can use: \(error.reason)")
                }
                if let action { try body(action) }
            }
        }
    }
}

/// The columns of a block of a checkpoint.
private struct ActionColumns {
    private let columns: [String: Fields]

    init(_ batch: Batch) {
        var columns: [String: Fields] = [:]
        for (field, column) in zip(batch.schema.fields, batch.columns) {
            columns[field.name] = Fields(column)
        }
        self.columns = columns
    }

    /// The action in a row; nil for those that weir has no use for.
    func action(_ row: Int) throws(DeltaMalformed) -> DeltaAction? {
        if columns["sidecar"]?.isThere(row) == true || columns["checkpointMetadata"]?.isThere(row) == true {
            throw DeltaMalformed(reason: "it is of the newer form, V2")
        }
        if let add = columns["add"], add.isThere(row) {
            return .add(
                DeltaAdd(
                    path: try add.need("path", add.text("path", row)),
                    partitionValues: add.map("partitionValues", row) ?? [:],
                    size: try add.need("size", add.integer("size", row)),
                    modificationTime: add.integer("modificationTime", row) ?? 0,
                    dataChange: add.boolean("dataChange", row) ?? false, stats: add.text("stats", row),
                    tags: add.map("tags", row)))
        }
        if let remove = columns["remove"], remove.isThere(row) {
            return .remove(
                DeltaRemove(
                    path: try remove.need("path", remove.text("path", row)),
                    deletionTimestamp: remove.integer("deletionTimestamp", row),
                    dataChange: remove.boolean("dataChange", row) ?? false,
                    extendedFileMetadata: remove.boolean("extendedFileMetadata", row) ?? false,
                    partitionValues: remove.map("partitionValues", row), size: remove.integer("size", row)))
        }
        if let transaction = columns["txn"], transaction.isThere(row) {
            return .transaction(
                DeltaTransaction(
                    appId: try transaction.need("appId", transaction.text("appId", row)),
                    version: try transaction.need("version", transaction.integer("version", row)),
                    lastUpdated: transaction.integer("lastUpdated", row)))
        }
        return try head(row)
    }

    private func head(_ row: Int) throws(DeltaMalformed) -> DeltaAction? {
        if let versions = columns["protocol"], versions.isThere(row) {
            let reader = try versions.need("minReaderVersion", versions.integer("minReaderVersion", row))
            let writer = try versions.need("minWriterVersion", versions.integer("minWriterVersion", row))
            return .versions(
                DeltaProtocol(
                    minReaderVersion: Int(reader), minWriterVersion: Int(writer),
                    readerFeatures: versions.list("readerFeatures", row),
                    writerFeatures: versions.list("writerFeatures", row)))
        }
        guard let metadata = columns["metaData"], metadata.isThere(row) else { return nil }
        let format = metadata.fields("format")
        return .metadata(
            DeltaMetadata(
                id: try metadata.need("id", metadata.text("id", row)), name: metadata.text("name", row),
                description: metadata.text("description", row),
                formatProvider: format?.text("provider", row) ?? "parquet",
                formatOptions: (format?.map("options", row) ?? [:]).compactMapValues { $0 },
                schemaString: try metadata.need("schemaString", metadata.text("schemaString", row)),
                partitionColumns: metadata.list("partitionColumns", row) ?? [],
                createdTime: metadata.integer("createdTime", row),
                configuration: (metadata.map("configuration", row) ?? [:]).compactMapValues { $0 }))
    }
}

/// The fields of a struct column by name; a field that is missing, or of another type, is NULL.
private struct Fields {
    private let column: Column
    private let columns: [String: Column]

    init(_ column: Column) {
        self.column = column
        guard case .row(let members) = column.type else {
            columns = [:]
            return
        }
        columns = Dictionary(
            zip(members.map(\.name), column.fields), uniquingKeysWith: { first, _ in first })
    }

    func isThere(_ row: Int) -> Bool { !column.isNull(row) }

    /// The value of a field that must not be NULL.
    func need<Value>(_ name: String, _ value: Value?) throws(DeltaMalformed) -> Value {
        guard let value else { throw DeltaMalformed(reason: "a row has no \(name)") }
        return value
    }

    private func column(_ name: String, _ row: Int, _ physical: PhysicalType) -> Column? {
        guard let column = columns[name], column.physical == physical, !column.isNull(row) else { return nil }
        return column
    }

    func fields(_ name: String) -> Fields? { columns[name].map { Fields($0) } }

    func text(_ name: String, _ row: Int) -> String? { column(name, row, .string)?.string(row) }

    func integer(_ name: String, _ row: Int) -> Int64? { column(name, row, .int64)?.ints[row] }

    func boolean(_ name: String, _ row: Int) -> Bool? { column(name, row, .bool).map { $0.bools[row] != 0 } }

    func list(_ name: String, _ row: Int) -> [String]? {
        guard let column = column(name, row, .array), let child = column.child, child.physical == .string
        else { return nil }
        return (Int(column.offsets[row])..<Int(column.offsets[row + 1])).map { child.string($0) }
    }

    func map(_ name: String, _ row: Int) -> [String: String?]? {
        guard let column = column(name, row, .array), let entries = column.child, entries.fields.count == 2,
            entries.fields.allSatisfy({ $0.physical == .string })
        else { return nil }
        var map: [String: String?] = [:]
        for entry in Int(column.offsets[row])..<Int(column.offsets[row + 1]) {
            let value = entries.fields[1].isNull(entry) ? nil : entries.fields[1].string(entry)
            map.updateValue(value, forKey: entries.fields[0].string(entry))
        }
        return map
    }
}

extension Column {
    fileprivate func append(optional value: Int64?) {
        if let value { append(value) } else { appendNull() }
    }

    fileprivate func append(optional text: String?) {
        if let text { append(text) } else { appendNull() }
    }

    fileprivate func append(list texts: [String]?) {
        guard let texts, let child else { return appendNull() }
        for text in texts { child.append(text) }
        appendArray()
    }

    /// Entries in the order of their keys.
    fileprivate func append(map: [String: String?]?) {
        guard let map, let child else { return appendNull() }
        for (key, value) in map.sorted(by: { $0.key < $1.key }) {
            child.fields[0].append(key)
            child.fields[1].append(optional: value)
            child.appendRow()
        }
        appendArray()
    }

    fileprivate func append(map: [String: String]) { append(map: map.mapValues { Optional($0) }) }
}
