// The keys of [[sink]]. Those that every sink has are here; the others are in files of their own, by what a
// reader looks for: the store, the files, the way there, the outbox, Delta tables, rows, the planner.

/// The keys of `[[sink]]`.
enum SinkFields {
    /// The types that keep files, and not rows as they come.
    static let files = SinkType.allCases.filter { !$0.takesRows }.map(\.rawValue)

    static let name = Setting.text(
        "name", .name, .required, "The name that queries send their results to.")
    static let type: Setting<SinkType> = .choice(
        "type", .required,
        "`file` writes to a folder, `webhdfs` to HDFS, `s3` to S3 and what speaks its protocol, `azure` to Azure "
            + "Blob Storage or ADLS Gen2, `gcs` to Google Cloud Storage. `mqtt`, `http` and `influxdb` take rows as "
            + "they come ([row-sinks.md](row-sinks.md)).")
    static let url = Setting.text(
        "url", .sinkURL, .required,
        "`file:///folder` (`file:folder` is relative to the working directory), "
            + "`webhdfs://namenode[:9870][,namenode2…]/folder` (`swebhdfs://` for TLS), `s3://bucket/prefix`, "
            + "`abfss://container@account.dfs.core.windows.net/prefix` (files, ADLS Gen2), "
            + "`https://account.blob.core.windows.net/container/prefix` (blobs), `gs://bucket/prefix`; "
            + "`mqtt(s)://host[:port]`, `http(s)://host[:port]/path` of a webhook, `http(s)://host:8086` of InfluxDB.")

    static let section = SectionDeclaration(
        "sink", isList: true,
        "Where results go. Rows wait in the outbox until the sink seals them into an object.",
        fields: [name.declaration, type.declaration, url.declaration] + storeDeclarations
            + fileDeclarations + transferDeclarations + outboxDeclarations
            + [CoarsenFields.widths.declaration, CoarsenFields.then.declaration]
            + DeltaFields.declarations + RowSinkFields.declarations + PlannerFields.sink,
        refusals: TLSRefusals.all.merging(PlannerFields.refusals) { first, _ in first })
}
