// The keys of [[sink]] that say what may wait while a sink is away, and what happens when it is too much.
// (How rows are coarsened is in CoarsenFields.swift.)

/// What waits.
extension SinkFields {
    static let outboxBytesMax = Setting.size(
        "outbox.max_bytes", .default("1GB"), from: "1MB", to: "10TB",
        "Bytes of rows that may wait for this sink, in the database and in files.")
    static let outboxAgeMax = Setting.duration(
        "outbox.max_age", .optional, from: "1m", to: "365d",
        "Rows that have waited longer are dropped, counted and logged. Default: never.")
    static let onFull: Setting<OutboxConfiguration.FullPolicy> = .choice(
        "outbox.on_full", .default("pause"),
        "When the outbox is full: `pause` the intake, `drop_oldest` rows, which are counted and logged, or `coarsen`: "
            + "merge rows of neighbouring windows into rows of wider ones (docs/delivery.md).")
    static let outboxFiles: Setting<OutboxConfiguration.FilesPolicy> = .choice(
        "outbox.files", .default("waiting"), for: files,
        "Which sealed rows are written to files in `state_dir` before they are sent: those that are `waiting` for a "
            + "sink that is away, and more than 4 MB, or `always` all.")

    /// In the order of the reference.
    static let outboxDeclarations = [
        outboxBytesMax.declaration, outboxAgeMax.declaration, onFull.declaration,
        outboxFiles.declaration,
    ]
}
