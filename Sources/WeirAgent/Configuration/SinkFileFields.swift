// The keys of [[sink]] that say what objects look like and when they are made: the format and what it can
// do, the schedule, the bounds that seal before it, and the folders. Only sinks that keep files have them.

/// What is written, and when.
extension SinkFields {
    static let format: Setting<OutputFormat> = .choice(
        "format", .default("ndjson"), for: files,
        "How rows are written. `delta` makes a Delta Lake table of each stream: Parquet files and a log.")
    static let compression: Setting<OutputCompression> = .choice(
        "compression", .optional, for: files + ["http", "influxdb"],
        "How objects are compressed; of Parquet each page is, and `snappy` is for Parquet alone. `http` and "
            + "`influxdb` know `none` and `gzip`. Default: `zstd` for Parquet and Delta, else `none`.")
    static let parquetEncodings: Setting<ParquetConfiguration.Encodings> = .choice(
        "parquet.encodings", .default("delta"), for: files,
        "What whole numbers and times are written as where a dictionary would not be shorter: `delta` is "
            + "DELTA_BINARY_PACKED, short for sequences and times; `plain` for readers without it, such as Flink's.")
    static let bloomFilter = Setting.texts(
        "parquet.bloom_filter", .any, .optional, for: files,
        "Columns whose Bloom filters tell readers which row groups cannot hold a value. Default: none.")
    static let rowGroupSize = Setting.size(
        "parquet.row_group_size", .default("16MB"), from: "1MB", to: "1GB", for: files,
        "Bytes that a row group may take in memory, packed and compressed, before it is written out. The files of "
            + "several hours that are written at once (`partition_by`) share them.")
    static let schedule = Setting.text(
        "schedule", .schedule, .default("every 5m"), for: files,
        "When what has gathered is sealed and uploaded: `every 5m` (on the multiples since the epoch), a cron line "
            + "of five fields, or `off` (then `max_age` is needed).")
    static let timeZone = Setting.text(
        "time_zone", .timeZone, .optional,
        "IANA time zone of a cron schedule and of `upload_windows`. Default: the agent's. A time that clocks skip is "
            + "taken as much later; "
            + "one that comes twice counts once.")
    static let rowsMax = Setting.integer(
        "max_rows", .default("1000000"), in: 1...1_000_000_000, for: files, "Rows that seal at once.")
    static let bytesMax = Setting.size(
        "max_bytes", .default("64MB"), from: "1KB", to: "5GB", for: files,
        "Bytes that seal at once, as the outbox holds them: packed columns. "
            + "Written out as text they are several times as many.")
    static let ageMax = Setting.duration(
        "max_age", .optional, from: "1s", to: "7d", for: files,
        "Age of the oldest row that seals at once. Default: no bound.")
    static let partitionBy = Setting.text(
        "partition_by", .name, .optional, for: files,
        "A timestamp column of every query of this sink, whose UTC date and hour the objects' folders are named "
            + "after. Default: the time of the seal.")

    /// In the order of the reference.
    static let fileDeclarations = [
        format.declaration, compression.declaration, parquetEncodings.declaration,
        bloomFilter.declaration, rowGroupSize.declaration, schedule.declaration,
        timeZone.declaration, rowsMax.declaration, bytesMax.declaration, ageMax.declaration,
        partitionBy.declaration,
    ]
}
