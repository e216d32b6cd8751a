// From [source.columns] to columns: a type alone or a table in full, and whether type and origin go
// together.

import WeirCore

/// Builds the columns of one source.
struct ColumnBuilder {
    /// Columns of a source at most.
    static let columnsMax = 1000

    let reader: SectionReader
    let log: ProblemLog
    let defaultPolicy: TypeErrorPolicy
    /// A file has no topics, retain flags or user properties.
    let isFile: Bool

    /// The columns that are right, and whether all are.
    func build(_ entry: TOMLNode.Entry?) -> (columns: [ColumnConfiguration], isSound: Bool) {
        guard let entry else { return ([], false) }
        let place = reader.position(entry.node.offset)
        guard case .table(let entries) = entry.node.value else {
            log.error(place, "columns must be a table, not \(entry.node.kindName)")
            return ([], false)
        }
        guard !entries.isEmpty, entries.count <= Self.columnsMax else {
            log.error(
                place, "columns must have 1 to \(Self.columnsMax) columns, not \(entries.count)")
            return ([], false)
        }
        let columns = entries.compactMap(column)
        return (columns, columns.count == entries.count)
    }

    private func column(_ entry: TOMLNode.Entry) -> ColumnConfiguration? {
        if let complaint = TextFormat.name.complaint(entry.key) {
            log.error(
                reader.position(entry.keyOffset),
                "a column \(complaint.message); for another member of the payload write "
                    + "NAME = { type = …, path = \(quoted(JSONPointer(member: entry.key).description)) }"
            )
            return nil
        }
        let section = SectionDeclaration(
            "source.columns.\(entry.key)", isList: false, "", fields: ColumnFields.section.fields,
            subject: "column \(entry.key): ")
        switch entry.node.value {
        case .string:
            // The short form is the table with only a type.
            let type = TOMLNode.Entry(key: "type", keyOffset: entry.keyOffset, node: entry.node)
            let table = TOMLNode(value: .table([type]), offset: entry.node.offset)
            return column(entry.key, reader.read(section, table))
        case .table:
            return column(
                entry.key,
                reader.read(section, entry.node, header: reader.position(entry.keyOffset)))
        default:
            log.error(
                reader.position(entry.node.offset),
                "column \(entry.key) must be a SQL type or a table with one, not \(entry.node.kindName)"
            )
            return nil
        }
    }

    private func column(_ name: String, _ values: SectionValues) -> ColumnConfiguration? {
        guard values.invalidKeys.isEmpty, let text = values[ColumnFields.type],
            case .success(let type) = ColumnType.parse(text)
        else { return nil }
        let errorsBefore = log.errorCount
        let word = values[ColumnFields.from].flatMap { try? ColumnOriginWord.parse($0).get() }
        let pointer = values[ColumnFields.path].flatMap { try? JSONPointer.parse($0).get() }
        var format: TimestampFormat?
        let origin: ColumnConfiguration.Origin
        if case .timestamp(let found)? = word { format = found }
        if let word, format == nil {
            origin = self.origin(word)
            check(word, type: type, name: name, values)
        } else {
            let pointer = pointer ?? JSONPointer(member: name)
            origin = .payload(pointer)
            check(pointer, type: type, format: format, name: name, values)
        }
        guard log.errorCount == errorsBefore else { return nil }
        return ColumnConfiguration(
            name: name, type: type, origin: origin, timestampFormat: format,
            onTypeError: values[ColumnFields.onTypeError] ?? defaultPolicy)
    }

    private func origin(_ word: ColumnOriginWord) -> ColumnConfiguration.Origin {
        switch word {
        case .topicLevel(let level): .topicLevel(level)
        case .topic: .topic
        case .receivedAt: .receivedAt
        case .retain: .retain
        case .userProperty(let name): .userProperty(name)
        case .timestamp: preconditionFailure("a timestamp format is no origin")
        }
    }

    /// A column that does not come from the payload has the type that its origin has.
    private func check(
        _ word: ColumnOriginWord, type: DataType, name: String, _ values: SectionValues
    ) {
        let place = values.position(of: ColumnFields.from)
        let expected: DataType =
            switch word {
            case .receivedAt: .timestampLTZ
            case .retain: .boolean
            default: .string
            }
        let text = values[ColumnFields.from] ?? ""
        if type != expected {
            log.error(
                values.position(of: ColumnFields.type),
                "column \(name) must be of type \(expected) with from = \(quoted(text)), not \(type)"
            )
        }
        if values.isGiven(ColumnFields.path) {
            log.error(
                values.position(of: ColumnFields.path),
                "column \(name) has a path, but from = \(quoted(text)) does not look into the payload"
            )
        }
        if isFile, word != .receivedAt {
            log.error(place, "column \(name): a file has no \(text)")
        }
    }

    private func check(
        _ pointer: JSONPointer, type: DataType, format: TimestampFormat?, name: String,
        _ values: SectionValues
    ) {
        if type.contains(where: { $0 == .timestampLTZ }), format == nil {
            log.error(
                values.position(of: ColumnFields.type),
                "column \(name) needs `from`, how its timestamps are written: "
                    + "\(name) = { type = \"\(type)\", from = \"rfc3339\" }, or epoch_s, epoch_ms, epoch_us"
            )
        }
        if !type.contains(where: \.isTimestamp), let format {
            log.error(
                values.position(of: ColumnFields.from),
                "column \(name): from = \"\(format.rawValue)\" is for timestamps, not \(type)"
            )
        }
        guard pointer.parts.contains("*") else { return }
        if case .array(let element) = type {
            guard !element.isScalar else { return }
            log.error(
                values.position(of: ColumnFields.path),
                "column \(name): a path with \"*\" gives an array of single values, not \(type)")
        } else {
            log.error(
                values.position(of: ColumnFields.path),
                "column \(name): a path with \"*\" gives an array; its type must be ARRAY<\(type)>")
        }
    }
}
