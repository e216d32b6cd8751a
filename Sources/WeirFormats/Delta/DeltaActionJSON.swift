// Actions as lines of JSON, out and in. Members come in a fixed order and maps in the order of their
// keys, so that a commit which is tried again has the same bytes. Reading takes what it knows and passes
// over members and actions that it does not.

import WeirCore

extension DeltaAction {
    /// The action's line, without its end.
    public var json: String { line.text }

    private var line: JSONValue {
        switch self {
        case .versions(let versions): named("protocol", versions.members)
        case .metadata(let metadata): named("metaData", metadata.members)
        case .add(let add): named("add", add.members)
        case .remove(let remove): named("remove", remove.members)
        case .transaction(let transaction): named("txn", transaction.members)
        }
    }

    private func named(_ name: String, _ members: [(String, JSONValue?)]) -> JSONValue {
        .object([(name, .present(members))])
    }

    /// The action in a line; nil for those that weir has no use for, such as `commitInfo`.
    ///
    /// Throws the reason, in a few words, when a known action lacks what it must have.
    static func parse(_ line: JSONValue) throws(DeltaMalformed) -> DeltaAction? {
        guard let (name, value) = line.members?.first(where: { $0.value.members != nil }) else {
            throw DeltaMalformed(reason: "it is no action")
        }
        switch name {
        case "protocol": return .versions(try DeltaProtocol(value))
        case "metaData": return .metadata(try DeltaMetadata(value))
        case "add": return .add(try DeltaAdd(value))
        case "remove": return .remove(try DeltaRemove(value))
        case "txn": return .transaction(try DeltaTransaction(value))
        default: return nil
        }
    }
}

/// Why a line cannot be used.
struct DeltaMalformed: Error {
    let reason: String
}

extension JSONValue {
    /// An object of the members that there are.
    static func present(_ members: [(String, JSONValue?)]) -> JSONValue {
        .object(members.compactMap { name, value in value.map { (name, $0) } })
    }

    static func texts(_ map: [String: String]) -> JSONValue {
        .object(map.sorted { $0.key < $1.key }.map { ($0.key, .string($0.value)) })
    }

    static func optionalTexts(_ map: [String: String?]) -> JSONValue {
        .object(
            map.sorted { $0.key < $1.key }.map { ($0.key, $0.value.map(JSONValue.string) ?? .null) })
    }

    static func list(_ texts: [String]) -> JSONValue { .array(texts.map(JSONValue.string)) }

    /// A member that must be there.
    fileprivate func need<Value>(
        _ name: String, _ read: (JSONValue) -> Value?
    ) throws(DeltaMalformed) -> Value {
        guard let value = self[name].flatMap(read) else {
            throw DeltaMalformed(reason: "its \(name) is missing or of another type")
        }
        return value
    }

    fileprivate var textMap: [String: String]? {
        guard let optional = optionalTextMap else { return nil }
        return optional.compactMapValues { $0 }
    }

    fileprivate var optionalTextMap: [String: String?]? {
        guard let members else { return nil }
        var map: [String: String?] = [:]
        for (name, value) in members { map.updateValue(value.string, forKey: name) }
        return map
    }

    fileprivate var textList: [String]? { elements.map { $0.compactMap(\.string) } }
}

extension DeltaProtocol {
    fileprivate init(_ json: JSONValue) throws(DeltaMalformed) {
        self.init(
            minReaderVersion: Int(try json.need("minReaderVersion", \.integer)),
            minWriterVersion: Int(try json.need("minWriterVersion", \.integer)),
            readerFeatures: json["readerFeatures"]?.textList,
            writerFeatures: json["writerFeatures"]?.textList)
    }

    fileprivate var members: [(String, JSONValue?)] {
        [
            ("minReaderVersion", .integer(Int64(minReaderVersion))),
            ("minWriterVersion", .integer(Int64(minWriterVersion))),
            ("readerFeatures", readerFeatures.map(JSONValue.list)),
            ("writerFeatures", writerFeatures.map(JSONValue.list)),
        ]
    }
}

extension DeltaMetadata {
    fileprivate init(_ json: JSONValue) throws(DeltaMalformed) {
        let format = json["format"]
        self.init(
            id: try json.need("id", \.string), name: json["name"]?.string,
            description: json["description"]?.string,
            formatProvider: format?["provider"]?.string ?? "parquet",
            formatOptions: format?["options"]?.textMap ?? [:],
            schemaString: try json.need("schemaString", \.string),
            partitionColumns: try json.need("partitionColumns", \.textList),
            createdTime: json["createdTime"]?.integer,
            configuration: json["configuration"]?.textMap ?? [:])
    }

    fileprivate var members: [(String, JSONValue?)] {
        let format = JSONValue.present([
            ("provider", .string(formatProvider)), ("options", .texts(formatOptions)),
        ])
        return [
            ("id", .string(id)), ("name", name.map(JSONValue.string)),
            ("description", description.map(JSONValue.string)), ("format", format),
            ("schemaString", .string(schemaString)), ("partitionColumns", .list(partitionColumns)),
            ("createdTime", createdTime.map(JSONValue.integer)),
            ("configuration", .texts(configuration)),
        ]
    }
}

extension DeltaAdd {
    fileprivate init(_ json: JSONValue) throws(DeltaMalformed) {
        self.init(
            path: try json.need("path", \.string),
            partitionValues: json["partitionValues"]?.optionalTextMap ?? [:],
            size: try json.need("size", \.integer),
            modificationTime: json["modificationTime"]?.integer ?? 0,
            dataChange: json["dataChange"]?.bool ?? true, stats: json["stats"]?.string,
            tags: json["tags"]?.optionalTextMap)
    }

    fileprivate var members: [(String, JSONValue?)] {
        [
            ("path", .string(path)), ("partitionValues", .optionalTexts(partitionValues)),
            ("size", .integer(size)), ("modificationTime", .integer(modificationTime)),
            ("dataChange", .bool(dataChange)), ("stats", stats.map(JSONValue.string)),
            ("tags", tags.map(JSONValue.optionalTexts)),
        ]
    }
}

extension DeltaRemove {
    fileprivate init(_ json: JSONValue) throws(DeltaMalformed) {
        self.init(
            path: try json.need("path", \.string),
            deletionTimestamp: json["deletionTimestamp"]?.integer,
            dataChange: json["dataChange"]?.bool ?? true,
            extendedFileMetadata: json["extendedFileMetadata"]?.bool ?? false,
            partitionValues: json["partitionValues"]?.optionalTextMap,
            size: json["size"]?.integer)
    }

    fileprivate var members: [(String, JSONValue?)] {
        [
            ("path", .string(path)),
            ("deletionTimestamp", deletionTimestamp.map(JSONValue.integer)),
            ("dataChange", .bool(dataChange)),
            ("extendedFileMetadata", .bool(extendedFileMetadata)),
            ("partitionValues", partitionValues.map(JSONValue.optionalTexts)),
            ("size", size.map(JSONValue.integer)),
        ]
    }
}

extension DeltaTransaction {
    fileprivate init(_ json: JSONValue) throws(DeltaMalformed) {
        self.init(
            appId: try json.need("appId", \.string), version: try json.need("version", \.integer),
            lastUpdated: json["lastUpdated"]?.integer)
    }

    fileprivate var members: [(String, JSONValue?)] {
        [
            ("appId", .string(appId)), ("version", .integer(version)),
            ("lastUpdated", lastUpdated.map(JSONValue.integer)),
        ]
    }
}
