// RocksDB as weir uses it: three column families, batches written as one, cursors.
//
// Fail stop: after the first call that fails nothing goes through any more, because RocksDB's
// handle stays broken after a failed log write and what a retry would do is unknown. Whoever gets a
// Failure from here ends the process; a restart recovers from the log.

import CRocksDB
import Synchronization
import WeirCore

#if canImport(Glibc)
import Glibc
#endif

/// An open database in a state directory.
///
/// Unchecked Sendable: RocksDB allows calls on one handle from any thread, all stored properties
/// are constants set in `init`, and the one mutable thing, `failure`, is behind its own mutex.
public final class Database: @unchecked Sendable {
    /// Where it lies; held as long as the database is open.
    public let directory: StateDirectory
    /// As it was opened.
    public let options: DatabaseOptions
    let handle: OpaquePointer
    let families: [OpaquePointer]
    private let readOptions = ReadOptions()
    private let synced: WriteOptions
    private let unsynced: WriteOptions
    private let openedWith: [RocksOptions]
    private let failure = Mutex<Failure?>(nil)
    /// Whether the directory still bears the mark of an earlier layout, and the weir of that layout can take
    /// it back: until something is written.
    private let isOfEarlierFormat: Mutex<Bool>

    /// Opens the database, creating it in a new directory.
    ///
    /// A record torn off at the log's end by a crash is dropped: it was never acknowledged. Throws
    /// `.state` when anything else is damaged, `.storage` when the file system fails.
    public init(_ directory: StateDirectory, _ options: DatabaseOptions = .init()) throws(Failure) {
        self.directory = directory
        self.options = options
        synced = WriteOptions(isSynced: true, isLogged: options.isDurable)
        unsynced = WriteOptions(isSynced: false, isLogged: options.isDurable)
        openedWith = ColumnFamily.allCases.map {
            RocksOptions.of($0, options, isNew: !directory.isEstablished)
        }
        (handle, families) = try openRocks(directory.databasePath, openedWith)
        isOfEarlierFormat = Mutex(directory.isEstablished && directory.isOlder)
        if !directory.isEstablished {
            do throws(Failure) {
                try directory.markEstablished()
            } catch {
                closeRocks()
                throw error
            }
        }
    }

    /// Opens the database to look into it, as of now, without taking it from the process that may be
    /// at work in it. Nothing can be written.
    ///
    /// That process may delete a file just before it is opened here: such a failure passes, and
    /// opening again helps.
    public init(reading directory: StateDirectory) throws(Failure) {
        self.directory = directory
        isOfEarlierFormat = Mutex(false)
        options = DatabaseOptions()
        synced = WriteOptions(isSynced: true, isLogged: true)
        unsynced = WriteOptions(isSynced: false, isLogged: true)
        var options = options
        options.memoryBudgetBytes = 4 << 20
        openedWith = ColumnFamily.allCases.map { RocksOptions.of($0, options, isNew: false) }
        // Files are opened at once, before they can be deleted.
        for options in openedWith { rocksdb_options_set_max_open_files(options.handle, -1) }
        (handle, families) = try openRocks(directory.databasePath, openedWith, isReadOnly: true)
    }

    /// Whether nothing can be written.
    var isReadOnly: Bool { directory.isReadOnly }

    deinit { closeRocks() }

    private func closeRocks() {
        rocksdb_cancel_all_background_work(handle, 1)
        for family in families { rocksdb_column_family_handle_destroy(family) }
        rocksdb_close(handle)
    }

    // MARK: Writing

    /// An empty commit, to be filled by the loop and used again after each `commit(_:)`.
    public func makeCommit() -> Commit { Commit(self) }

    /// Makes everything in `commit` durable as one, and empties it. An empty commit writes nothing.
    ///
    /// Throws `.storage`; what was in the commit is then either durable as a whole or not at all,
    /// the next start finds out which, and this database does nothing more.
    public func commit(_ commit: Commit) throws(Failure) {
        precondition(commit.database === self, "a commit of another database")
        guard !commit.isEmpty else { return try checkUsable() }
        options.crashPoint.pass("commit.before-write")
        try write(commit.batch, isSynced: true)
        options.crashPoint.pass("commit.after-write")
        commit.removeAll()
    }

    func makeBatch() -> WriteBatch { WriteBatch(families: families) }

    /// Writes `batch` as one; synced, it and all that was written before it is durable on return.
    func write(_ batch: WriteBatch, isSynced: Bool) throws(Failure) {
        precondition(!isReadOnly, "the state was opened to look into it")
        try checkUsable()
        try isOfEarlierFormat.withLock { (isEarlier) throws(Failure) in
            guard isEarlier else { return }
            try directory.markEstablished()
            isEarlier = false
        }
        let (_, text) = withRocksError {
            rocksdb_write(handle, (isSynced ? synced : unsynced).handle, batch.handle, $0)
        }
        if let text { throw fail("writing to the state in", text) }
    }

    // MARK: Reading

    /// The value of `key`, or nil.
    func get(_ family: ColumnFamily, _ key: UnsafeRawBufferPointer) throws(Failure) -> [UInt8]? {
        try checkUsable()
        let (slice, text) = withRocksError {
            rocksdb_get_pinned_cf(
                handle, readOptions.handle, families[family.rawValue], key.characters, key.count, $0
            )
        }
        if let text { throw fail("reading the state in", text) }
        guard let slice else { return nil }
        defer { rocksdb_pinnableslice_destroy(slice) }
        var count = 0
        let start = rocksdb_pinnableslice_value(slice, &count)
        return Array(UnsafeRawBufferPointer(start: start, count: count))
    }

    /// Gives back the disk space of deleted keys in `start ..< end` of `family`, and of the log,
    /// now rather than some day.
    func reclaimSpace(of family: ColumnFamily, _ start: [UInt8], _ end: [UInt8]) throws(Failure) {
        try checkUsable()
        let compaction: OpaquePointer = rocksdb_compactoptions_create()
        defer { rocksdb_compactoptions_destroy(compaction) }
        // RocksDB's own compactions go on beside it.
        rocksdb_compactoptions_set_exclusive_manual_compaction(compaction, 0)
        start.withUnsafeBytes { start in
            end.withUnsafeBytes { end in
                rocksdb_compact_range_cf_opt(
                    handle, families[family.rawValue], compaction, start.characters, start.count,
                    end.characters, end.count)
            }
        }
        // A log file stays until no family has anything in memory that is in it.
        let flush: OpaquePointer = rocksdb_flushoptions_create()
        defer { rocksdb_flushoptions_destroy(flush) }
        for family in families {
            let (_, text) = withRocksError { rocksdb_flush_cf(handle, flush, family, $0) }
            if let text { throw fail("flushing the state in", text) }
        }
    }

    /// RocksDB's own figures, for metrics.
    public func statistics() -> DatabaseStatistics {
        func sum(_ property: String) -> UInt64 {
            families.reduce(0) { total, family in
                var value: UInt64 = 0
                let found = rocksdb_property_int_cf(handle, family, property, &value) == 0
                return total + (found ? value : 0)
            }
        }
        return DatabaseStatistics(
            memoryTableBytes: sum("rocksdb.cur-size-all-mem-tables"),
            blockCacheBytes: sum("rocksdb.block-cache-usage"),
            tableReaderBytes: sum("rocksdb.estimate-table-readers-mem"),
            fileBytes: sum("rocksdb.total-sst-files-size") + sum("rocksdb.total-blob-file-size"),
            pendingCompactionBytes: sum("rocksdb.estimate-pending-compaction-bytes"))
    }

    // MARK: Failing

    /// Throws if an earlier call failed.
    func checkUsable() throws(Failure) {
        guard let earlier = failure.withLock({ $0 }) else { return }
        throw Failure(
            .storage, "using the state in", directory.path,
            "an earlier call failed: \(earlier.reason)",
            advice: "weir must be started again")
    }

    /// Notes that a call failed with RocksDB's `text`, and returns what to throw.
    func fail(_ action: String, _ text: String) -> Failure {
        let made = Failure(.storage, action, directory.path, text, advice: advice(for: text))
        // Who only looks may look elsewhere: a damaged block says nothing of the others.
        if !isReadOnly { failure.withLock { if $0 == nil { $0 = made } } }
        return made
    }
}

/// What RocksDB says of its memory and files.
public struct DatabaseStatistics: Sendable {
    /// Bytes in write buffers.
    public let memoryTableBytes: UInt64
    /// Bytes in the block caches.
    public let blockCacheBytes: UInt64
    /// Bytes of indexes and filters outside of the caches.
    public let tableReaderBytes: UInt64
    /// Bytes in table and blob files.
    public let fileBytes: UInt64
    /// Bytes that compaction still has to rewrite.
    public let pendingCompactionBytes: UInt64
}

private func openRocks(
    _ path: String, _ options: [RocksOptions], isReadOnly: Bool = false
) throws(Failure) -> (OpaquePointer, [OpaquePointer]) {
    let count = ColumnFamily.allCases.count
    let names = ColumnFamily.allCases.map { strdup($0.name) }
    defer { for name in names { free(name) } }
    var families = [OpaquePointer?](repeating: nil, count: count)
    let (handle, text) = withRocksError { error in
        names.map { UnsafePointer($0) }.withUnsafeBufferPointer { names in
            options.map { Optional($0.handle) }.withUnsafeBufferPointer { handles in
                isReadOnly
                    ? rocksdb_open_for_read_only_column_families(
                        options[0].handle, path, Int32(count), names.baseAddress,
                        handles.baseAddress, &families, 0, error)
                    : rocksdb_open_column_families(
                        options[0].handle, path, Int32(count), names.baseAddress,
                        handles.baseAddress, &families, error)
            }
        }
    }
    if let text {
        let isDamage = ["Corruption", "Invalid argument", "NotFound"].contains {
            text.hasPrefix($0)
        }
        throw Failure(
            isDamage ? .state : .storage, "opening the database", path, text,
            advice: isDamage
                ? "the state is damaged and was left as it is; restore the state directory from a "
                    + "backup, or move it away to start empty (what it has not delivered is lost)"
                : advice(for: text))
    }
    let opened = families.compactMap(\.self)
    guard let handle, opened.count == count else {
        preconditionFailure("RocksDB opened without an error and without a handle")
    }
    return (handle, opened)
}

private func advice(for text: String) -> String {
    text.contains("No space left")
        ? "free space on the file system of state_dir and start weir again"
        : "check the disk (dmesg, smartctl), then start weir again"
}
