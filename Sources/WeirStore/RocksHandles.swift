// RocksDB's C handles as Swift owners: one final class a handle, destroyed in deinit, so that no C
// type and no memory rule leaves this module.

import CRocksDB
import WeirCore

/// The database's column families, in the order in which they are opened.
enum ColumnFamily: Int, CaseIterable {
    /// Positions, watermarks, the query registry, the ledger.
    case meta
    /// What operators keep.
    case state
    /// Rows on their way to sinks.
    case outbox

    var name: String {
        switch self {
        case .meta: "default"
        case .state: "state"
        case .outbox: "outbox"
        }
    }
}

/// Calls a RocksDB function with an error pointer; returns its result and the error's text.
func withRocksError<Result>(
    _ body: (_ error: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> Result
) -> (Result, errorText: String?) {
    var error: UnsafeMutablePointer<CChar>?
    let result = body(&error)
    guard let error else { return (result, nil) }
    defer { rocksdb_free(error) }
    return (result, String(cString: error))
}

extension UnsafeRawBufferPointer {
    /// The address as RocksDB's C functions take it.
    var characters: UnsafePointer<CChar>? { baseAddress?.assumingMemoryBound(to: CChar.self) }
}

/// Changes that are written as one.
final class WriteBatch {
    let handle: OpaquePointer
    private let families: [OpaquePointer]

    init(families: [OpaquePointer]) {
        handle = rocksdb_writebatch_create()
        self.families = families
    }

    deinit { rocksdb_writebatch_destroy(handle) }

    var count: Int { Int(rocksdb_writebatch_count(handle)) }

    var byteCount: Int {
        var size = 0
        _ = rocksdb_writebatch_data(handle, &size)
        return size
    }

    func clear() { rocksdb_writebatch_clear(handle) }

    func put(_ family: ColumnFamily, _ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer)
    {
        rocksdb_writebatch_put_cf(
            handle, families[family.rawValue], key.characters, key.count, value.characters,
            value.count)
    }

    func put(_ family: ColumnFamily, _ key: [UInt8], _ value: [UInt8]) {
        key.withUnsafeBytes { key in value.withUnsafeBytes { put(family, key, $0) } }
    }

    func delete(_ family: ColumnFamily, _ key: UnsafeRawBufferPointer) {
        rocksdb_writebatch_delete_cf(handle, families[family.rawValue], key.characters, key.count)
    }

    func delete(_ family: ColumnFamily, _ key: [UInt8]) {
        key.withUnsafeBytes { delete(family, $0) }
    }

    /// Deletes `start ..< end`.
    func deleteRange(_ family: ColumnFamily, _ start: [UInt8], _ end: [UInt8]) {
        start.withUnsafeBytes { start in
            end.withUnsafeBytes { end in
                rocksdb_writebatch_delete_range_cf(
                    handle, families[family.rawValue], start.characters, start.count,
                    end.characters, end.count)
            }
        }
    }
}

/// How a batch is written.
final class WriteOptions {
    let handle: OpaquePointer

    init(isSynced: Bool, isLogged: Bool) {
        handle = rocksdb_writeoptions_create()
        rocksdb_writeoptions_set_sync(handle, isSynced && isLogged ? 1 : 0)
        rocksdb_writeoptions_disable_WAL(handle, isLogged ? 0 : 1)
    }

    deinit { rocksdb_writeoptions_destroy(handle) }
}

/// How single keys are read.
final class ReadOptions {
    let handle: OpaquePointer

    init() { handle = rocksdb_readoptions_create() }

    deinit { rocksdb_readoptions_destroy(handle) }
}

/// A cursor over `start ..< end` of one column family, on the state as of its making.
final class RocksCursor: StateCursor {
    private let database: Database
    private let iterator: OpaquePointer
    private let readOptions: ReadOptions
    /// RocksDB keeps a pointer to the bound for as long as the iterator lives.
    private let bound: UnsafeMutableRawBufferPointer
    private let prefixCount: Int

    /// `prefixCount` bytes are cut from the front of each key. Blocks read are kept in the cache
    /// only if `fillsCache`.
    init(
        _ database: Database, _ family: ColumnFamily, start: [UInt8], end: [UInt8],
        prefixCount: Int,
        fillsCache: Bool
    ) {
        self.database = database
        self.prefixCount = prefixCount
        bound = .allocate(byteCount: max(end.count, 1), alignment: 1)
        bound.copyBytes(from: end)
        readOptions = ReadOptions()
        rocksdb_readoptions_set_fill_cache(readOptions.handle, fillsCache ? 1 : 0)
        if !end.isEmpty {
            rocksdb_readoptions_set_iterate_upper_bound(
                readOptions.handle, UnsafeRawBufferPointer(bound).characters, end.count)
        }
        iterator = rocksdb_create_iterator_cf(
            database.handle, readOptions.handle, database.families[family.rawValue])
        start.withUnsafeBytes { rocksdb_iter_seek(iterator, $0.characters, $0.count) }
        if !isValid { try? checkError() }
    }

    deinit {
        rocksdb_iter_destroy(iterator)
        bound.deallocate()
    }

    var isValid: Bool { rocksdb_iter_valid(iterator) != 0 }

    var key: UnsafeRawBufferPointer {
        var count = 0
        let start = rocksdb_iter_key(iterator, &count)
        return UnsafeRawBufferPointer(
            rebasing: UnsafeRawBufferPointer(start: start, count: count)[prefixCount...])
    }

    var value: UnsafeRawBufferPointer {
        var count = 0
        let start = rocksdb_iter_value(iterator, &count)
        return UnsafeRawBufferPointer(start: start, count: count)
    }

    func advance() throws(Failure) {
        precondition(isValid, "advanced beyond the end")
        rocksdb_iter_next(iterator)
        if !isValid { try checkError() }
    }

    /// Throws if the cursor ended because reading failed; the database is unusable from then on.
    func checkError() throws(Failure) {
        let (_, text) = withRocksError { rocksdb_iter_get_error(iterator, $0) }
        if let text { throw database.fail("reading the state in", text) }
    }
}
