// What the store's tests share: a directory that goes away, a seeded generator, batches to write.

import Glibc
import Testing
import WeirCore
import WeirStore

/// A directory for one test, deleted with everything in it at the end.
final class TemporaryDirectory {
    let path: String

    init() {
        var template = Array("/tmp/weir-store-XXXXXX".utf8CString)
        path = template.withUnsafeMutableBufferPointer { buffer in
            guard let start = buffer.baseAddress, let made = mkdtemp(start) else {
                fatalError("no temporary directory")
            }
            return String(cString: made)
        }
    }

    deinit { removeTree(path) }

    /// A database in this directory; its lock goes with the last reference to it.
    func open(_ change: (inout DatabaseOptions) -> Void = { _ in }) throws -> Database {
        var options = DatabaseOptions()
        change(&options)
        return try Database(try StateDirectory(path), options)
    }
}

/// Names in a directory, sorted, without the dots.
func list(_ path: String) -> [String] {
    guard let folder = opendir(path) else { return [] }
    defer { closedir(folder) }
    var names: [String] = []
    while let entry = readdir(folder) {
        let name = withUnsafePointer(to: &entry.pointee.d_name) {
            $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        }
        if name != ".", name != ".." { names.append(name) }
    }
    return names.sorted()
}

func removeTree(_ path: String) {
    for name in list(path) { removeTree("\(path)/\(name)") }
    if rmdir(path) != 0 { unlink(path) }
}

/// The whole content of a file.
func readFile(_ path: String) -> [UInt8] {
    guard let file = fopen(path, "r") else { return [] }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while case let count = fread(&buffer, 1, buffer.count, file), count > 0 {
        bytes.append(contentsOf: buffer[..<count])
    }
    return bytes
}

func writeFile(_ path: String, _ bytes: [UInt8]) {
    guard let file = fopen(path, "w") else { return }
    defer { fclose(file) }
    _ = fwrite(bytes, 1, bytes.count, file)
}

/// SplitMix64 (Steele, Lea, Flood): the same numbers for the same seed.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
        return z ^ z >> 31
    }
}

let readingSchema = Schema([
    Field("n", .bigint), Field("device", .string), Field("at", .timestampLTZ),
    Field("value", .double),
])
let alertSchema = Schema([Field("n", .bigint), Field("text", .string)])

/// Rows numbered `numbers` in column `n`, the rest derived from the number.
func rows(_ numbers: Range<Int>, _ schema: Schema = readingSchema) -> Batch {
    let columns = schema.fields.map { Column($0.type, capacity: numbers.count) }
    for n in numbers {
        for (field, column) in zip(schema.fields, columns) {
            switch field.type {
            case .string: column.append("device-\(n % 1000)")
            case .double: column.append(Double(n) * 0.25)
            case .timestampLTZ: column.append(Int64(1_760_000_000_000 + n))
            default: column.append(Int64(n))
            }
        }
    }
    return Batch(schema: schema, columns: columns, rowCount: numbers.count)
}

/// Column `n` of all rows of a segment.
func numbers(in segment: Segment, of outbox: Outbox) throws -> [Int] {
    var found: [Int] = []
    try outbox.readRows(of: segment) { batch in
        for row in 0..<batch.rowCount { found.append(Int(batch.columns[0].ints[row])) }
    }
    return found
}

/// Appends and commits `batch` alone.
func append(
    _ batch: Batch, to stream: StreamID, _ appender: OutboxAppender, _ commit: Commit,
    at time: Int64 = 0, in database: Database
) throws {
    appender.append(stream, batch)
    appender.flush(into: commit, appendedAt: time)
    try database.commit(commit)
    appender.didCommit()
}

/// An open outbox with one sink and stream.
final class OutboxFixture {
    let database: Database
    let outbox: Outbox
    let appender: OutboxAppender
    let commit: Commit
    let stream: StreamID
    let sink: SinkID

    init(_ directory: TemporaryDirectory) throws {
        database = try directory.open()
        outbox = try Outbox(database)
        appender = OutboxAppender(outbox)
        commit = database.makeCommit()
        stream = appender.register(sink: "lake", stream: "minutes")
        sink = try #require(outbox.sink(named: "lake"))
    }

    func append(_ batch: Batch, at time: Int64 = 0) throws {
        try WeirStoreTests.append(batch, to: stream, appender, commit, at: time, in: database)
    }
}
