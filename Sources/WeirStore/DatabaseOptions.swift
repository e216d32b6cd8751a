// How RocksDB is set up for a small device: memory bounded and split by one budget, two background
// threads, logs that do not grow for ever, and a write-ahead log that refuses to be half read.
//
// The outbox is a queue of blocks that are written once, read once and deleted from the front. Its
// values go to blob files, so that compaction moves keys only and a block is written twice in its
// life (log and blob file), not once a level; a blob file goes when its last block is deleted.

import CRocksDB
import WeirCore

/// What the owner of a database can choose.
public struct DatabaseOptions: Sendable {
    /// Whether a commit survives a loss of power: one fdatasync a commit. Without it nothing is
    /// logged, and what was committed is gone after a crash: for replays that are thrown away.
    public var isDurable = true
    /// About the most memory that RocksDB holds: half for writes, a quarter for cached blocks, the
    /// rest for indexes and for what is being flushed. At least 4 MiB.
    public var memoryBudgetBytes = 16 << 20
    /// Where a crash test wants the process to die.
    public var crashPoint = CrashPoint.none

    public init() {}

    /// The free disk space below which intake should stop: RocksDB can then still flush all its
    /// buffers, write its log and compact, so that forwarding goes on and makes room.
    public var reserveBytes: UInt64 { UInt64(max(memoryBudgetBytes, 4 << 20)) * 4 }
}

/// RocksDB's options of the database and of one column family, as one C object.
final class RocksOptions {
    let handle: OpaquePointer

    private init(_ handle: OpaquePointer) { self.handle = handle }

    deinit { rocksdb_options_destroy(handle) }

    /// The options of `family` in a database opened with `options`.
    static func of(_ family: ColumnFamily, _ options: DatabaseOptions, isNew: Bool) -> RocksOptions
    {
        let made = RocksOptions(rocksdb_options_create())
        let budget = max(options.memoryBudgetBytes, 4 << 20)
        made.setDatabase(budget: budget, isNew: isNew)
        made.setFamily(family, budget: budget)
        made.setTable(family, budget: budget)
        return made
    }

    private func setDatabase(budget: Int, isNew: Bool) {
        rocksdb_options_set_create_if_missing(handle, isNew ? 1 : 0)
        rocksdb_options_set_create_missing_column_families(handle, 1)
        rocksdb_options_set_paranoid_checks(handle, 1)
        // A record torn by a crash at the log's end is dropped; damage before it is refused.
        // RocksDB's default (point in time) silently drops all that follows the damage.
        rocksdb_options_set_wal_recovery_mode(
            handle, Int32(rocksdb_tolerate_corrupted_tail_records_recovery))
        rocksdb_options_set_db_write_buffer_size(handle, budget / 2)
        rocksdb_options_set_max_total_wal_size(handle, UInt64(budget))
        // One thread flushes, one compacts.
        rocksdb_options_set_max_background_jobs(handle, 2)
        rocksdb_options_set_max_open_files(handle, 64)
        rocksdb_options_set_table_cache_numshardbits(handle, 2)
        rocksdb_options_set_max_file_opening_threads(handle, 1)
        // A forwarder waiting for the loop's fdatasync must not spin.
        rocksdb_options_set_enable_write_thread_adaptive_yield(handle, 0)
        rocksdb_options_set_writable_file_max_buffer_size(handle, 256 << 10)
        rocksdb_options_set_manifest_preallocation_size(handle, 64 << 10)
        rocksdb_options_set_max_manifest_file_size(handle, 4 << 20)
        rocksdb_options_set_info_log_level(handle, 2)
        rocksdb_options_set_keep_log_file_num(handle, 3)
        rocksdb_options_set_max_log_file_size(handle, 1 << 20)
        rocksdb_options_set_stats_dump_period_sec(handle, 0)
        rocksdb_options_set_stats_persist_period_sec(handle, 0)
    }

    private func setFamily(_ family: ColumnFamily, budget: Int) {
        let writeBuffer = family == .meta ? budget / 16 : budget / 4
        rocksdb_options_set_write_buffer_size(handle, writeBuffer)
        rocksdb_options_set_max_write_buffer_number(handle, 2)
        rocksdb_options_set_arena_block_size(handle, 64 << 10)
        rocksdb_options_set_target_file_size_base(handle, UInt64(max(writeBuffer, 4 << 20)))
        rocksdb_options_set_max_bytes_for_level_base(handle, UInt64(16 << 20))
        switch family {
        case .meta:
            rocksdb_options_set_compression(handle, Int32(rocksdb_no_compression))
        case .state:
            rocksdb_options_set_compression(handle, Int32(rocksdb_lz4_compression))
            rocksdb_options_set_bottommost_compression(handle, Int32(rocksdb_zstd_compression))
            // Who looks up what may not be there has a filter of its own; the largest level's would not
            // fit into the cache.
            rocksdb_options_set_optimize_filters_for_hits(handle, 1)
        case .outbox:
            // Blocks are compressed before they come here.
            rocksdb_options_set_compression(handle, Int32(rocksdb_no_compression))
            rocksdb_options_set_enable_blob_files(handle, 1)
            rocksdb_options_set_min_blob_size(handle, 1 << 10)
            rocksdb_options_set_blob_file_size(handle, UInt64(8 << 20))
        }
    }

    private func setTable(_ family: ColumnFamily, budget: Int) {
        let table: OpaquePointer = rocksdb_block_based_options_create()
        defer { rocksdb_block_based_options_destroy(table) }
        let share = family == .state ? budget / 4 : budget / 16
        let cache: OpaquePointer = rocksdb_cache_create_lru(share)
        // The table options keep a reference of their own.
        defer { rocksdb_cache_destroy(cache) }
        rocksdb_block_based_options_set_block_cache(table, cache)
        rocksdb_block_based_options_set_cache_index_and_filter_blocks(table, 1)
        rocksdb_block_based_options_set_pin_l0_filter_and_index_blocks_in_cache(table, 1)
        rocksdb_block_based_options_set_block_size(table, 8 << 10)
        rocksdb_block_based_options_set_format_version(table, 5)
        if family == .state {
            rocksdb_block_based_options_set_filter_policy(
                table, rocksdb_filterpolicy_create_bloom_full(10))
        }
        rocksdb_options_set_block_based_table_factory(handle, table)
    }
}
