// What `add` says of a file's rows, by which readers pass over files that cannot have what they look for:
// the number of rows, and of each column the number of NULLs, the least and the greatest value.
//
// They come from what the Parquet writer gathers for its own footer, and must never lie: a column with
// NaNs, which Spark takes for greater than all numbers, gets no bounds; nor do infinities, which JSON
// lacks. Lists and maps have none. As other writers do, weir describes the first 32 columns only.

import WeirCore

/// What a table's log says of a file.
public struct TableFileFacts: Hashable, Sendable {
    /// The file's columns, as DeltaSchema writes them.
    public let schemaString: String
    /// Statistics, as JSON.
    public let statistics: String

    public init(schemaString: String, statistics: String) {
        self.schemaString = schemaString
        self.statistics = statistics
    }
}

/// The statistics of one file.
struct DeltaStatistics {
    private let rowCount: Int
    private var columns: [Column] = []
    private static let columnsMax = 32

    /// What is known of one leaf.
    private struct Column {
        let path: ArraySlice<String>
        let nullCount: JSONValue
        let least: JSONValue?
        let greatest: JSONValue?
    }

    /// Of a file of these row groups.
    init(_ groups: [RowGroupRecord], _ schema: ParquetSchema) {
        rowCount = groups.reduce(0) { $0 + $1.rowCount }
        for (index, leaf) in schema.leaves.enumerated() {
            guard leaf.column < Self.columnsMax, leaf.repetitionMax == 0 else { continue }
            let chunks = groups.map { $0.chunks[index] }
            let bounds = Self.bounds(of: chunks)
            columns.append(
                Column(
                    path: leaf.path[...],
                    nullCount: .integer(Int64(chunks.reduce(0) { $0 + $1.nullCount })),
                    least: bounds.flatMap { Self.json($0.least, leaf) },
                    greatest: bounds.flatMap { Self.json($0.greatest, leaf) }))
        }
    }

    /// As `add` wants it.
    var text: String {
        JSONValue.present([
            ("numRecords", .integer(Int64(rowCount))),
            ("minValues", Self.tree(columns.map { ($0.path, $0.least) })),
            ("maxValues", Self.tree(columns.map { ($0.path, $0.greatest) })),
            ("nullCount", Self.tree(columns.map { ($0.path, $0.nullCount) })),
        ]).text
    }

    /// Bounds of all chunks together; nil where one that has values has none.
    private static func bounds(of chunks: [ChunkRecord]) -> Bounds? {
        var total: Bounds?
        for chunk in chunks where chunk.nullCount < chunk.valueCount {
            guard let bounds = chunk.bounds, !bounds.leavesOutNaN else { return nil }
            if total == nil { total = bounds } else { total?.merge(bounds) }
        }
        return total
    }

    /// Values under their names, those of a struct's fields under the struct's.
    private static func tree(_ leaves: [(path: ArraySlice<String>, value: JSONValue?)]) -> JSONValue {
        var members: [(name: String, value: JSONValue)] = []
        var start = 0
        while start < leaves.count {
            guard let name = leaves[start].path.first else { break }
            var end = start + 1
            if leaves[start].path.count > 1 {
                while end < leaves.count, leaves[end].path.first == name { end += 1 }
                let inner = tree(leaves[start..<end].map { ($0.path.dropFirst(), $0.value) })
                if inner.members?.isEmpty == false { members.append((name, inner)) }
            } else if let value = leaves[start].value {
                members.append((name, value))
            }
            start = end
        }
        return .object(members)
    }

    /// A bound as JSON; nil for types that have no bounds in a log.
    private static func json(_ bound: BoundValue, _ leaf: ParquetLeaf) -> JSONValue? {
        switch (leaf.type, bound) {
        case (.boolean, _), (.bytes, _): return nil
        case (.string, .bytes(let bytes)): return .string(String(decoding: bytes, as: UTF8.self))
        case (.decimal(_, let scale), .integer(let value)):
            return .number(Decimals.string(Int128(value), scale: scale))
        case (.decimal(_, let scale), .wide(let value)):
            return .number(Decimals.string(value, scale: scale))
        case (_, .real(let value)): return value.isFinite ? .number("\(value)") : nil
        case (.timestampLTZ, .integer(let micros)):
            return .string(TimestampFormatter.isoString(micros / leaf.scale))
        case (.timestamp, .integer(let micros)):
            return .string(String(TimestampFormatter.isoString(micros / leaf.scale).dropLast()))
        case (.date, .integer(let day)):
            let milliseconds = day * CivilCalendar.millisecondsPerDay
            return .string(String(TimestampFormatter.isoString(milliseconds).dropLast(14)))
        case (_, .integer(let value)): return .integer(value)
        default: return nil
        }
    }
}
