// The keys of [[sink]].

/// The keys of `[[sink]]`.
enum SinkFields {
    private static let s3 = ["s3"]
    private static let hdfs = ["webhdfs"]
    private static let azure = ["azure"]
    private static let gcs = ["gcs"]
    static let files = SinkType.allCases.filter { !$0.takesRows }.map(\.rawValue)
    private static let remote = ["s3", "webhdfs", "azure", "gcs", "http", "influxdb"]

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

    static let endpoint = Setting.text(
        "endpoint", .serviceURL, .optional, for: s3 + azure + gcs,
        "`http(s)://host:port` of a compatible server, or of a private way to the cloud. Default: Amazon's of the "
            + "region, the host of an Azure `url`, Google's. At a numeric address Azure's account is the first "
            + "segment of the path, as emulators want it.")
    static let region = Setting.text(
        "region", .any, .default("us-east-1"), for: s3, "Region that requests are signed for.")
    static let credentials: Setting<S3Configuration.CredentialSource> = .choice(
        "credentials", .default("auto"), for: s3,
        "Where credentials come from: these keys, the environment (`AWS_…`), the instance's metadata service; "
            + "`auto` tries them in that order.")
    static let accessKey = Setting.secret(
        "access_key", for: s3 + gcs, "Access key id; for `gcs` that of an HMAC key.")
    static let secretKey = Setting.secret("secret_key", for: s3 + gcs, "Secret access key.")
    static let sessionToken = Setting.secret(
        "session_token", for: s3, "Session token of temporary credentials.")
    static let pathStyle = Setting.boolean(
        "path_style", .optional, for: s3,
        "`endpoint/bucket/key` instead of `bucket.endpoint/key`. Default: true when `endpoint` is set "
            + "or the bucket's name has a dot."
    )
    static let multipartAbove = Setting.size(
        "multipart_above", .default("16MB"), from: "5MiB", to: "5GB", for: s3 + azure + gcs,
        "Objects larger than this are uploaded in parts.")

    static let accountKey = Setting.secret(
        "account_key", for: azure,
        "Key of the storage account (SharedKey). Without it, `sas_token` and `client_secret`, the machine's managed "
            + "identity is taken.")
    static let sasToken = Setting.secret(
        "sas_token", for: azure,
        "Shared access signature; it must allow to read, create, write, delete and list.")
    static let tenantID = Setting.text(
        "tenant_id", .any, .optional, for: azure, "Tenant of the application whose `client_secret` is given.")
    static let clientID = Setting.text(
        "client_id", .any, .optional, for: azure + ["mqtt"],
        "`azure`: the application whose `client_secret` is given; without one, which of several managed identities. "
            + "`mqtt`: the client's name at the broker, nobody else's. Default: `weir-AGENT-sink-NAME`.")
    static let clientSecret = Setting.secret(
        "client_secret", for: azure, "Secret of an application of Entra ID.")
    static let authority = Setting.text(
        "authority", .serviceURL, .optional, for: azure,
        "Where applications get tokens. Default: `https://login.microsoftonline.com`.")
    static let serviceAccountKey = Setting.secret(
        "service_account_key", for: gcs,
        "JSON key of a service account, usually as `file:PATH`. Without it and `access_key`, the service account of "
            + "the machine (metadata server) is taken.")

    static let auth: Setting<WebHDFSConfiguration.Authentication> = .choice(
        "auth", .optional, for: hdfs,
        "`simple` sends `user`, `spnego` uses Kerberos, `token` sends `delegation_token`. "
            + "Default: `token` when there is one, else `simple`.")
    static let user = Setting.text(
        "user", .any, .default("weir"), for: hdfs, "User name, which owns the files.")
    static let delegationToken = Setting.secret("delegation_token", for: hdfs, "Delegation token.")

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

    static let uploadRate = Setting.rate(
        "max_upload_rate", .optional, from: "1KB/s", to: "100GB/s", for: remote,
        "Bandwidth cap. Default: none.")
    static let connectTimeout = Setting.duration(
        "connect_timeout", .default("10s"), from: "100ms", to: "10m", for: remote + ["mqtt"],
        "Longest wait for a connection.")
    static let stallTimeout = Setting.duration(
        "stall_timeout", .default("60s"), from: "1s", to: "1h", for: remote + ["mqtt"],
        "A request in which nothing moves for so long is given up and repeated; a broker that acknowledges nothing "
            + "for so long is left.")
    static let timeout = Setting.duration(
        "timeout", .optional, from: "1s", to: "1d", for: remote,
        "Longest time for a whole request; an upload over a slow line needs its time. Default: no bound.")
    static let interface = Setting.text(
        "interface", .any, .optional, for: remote,
        "Network interface or source address to send from, where there are several uplinks.")
    static let proxy = Setting.text(
        "proxy", .proxyURL, .optional, for: remote,
        "`http://`, `https://`, `socks5://` or `socks5h://` proxy. Default: what the environment says."
    )
    static let proxyUsername = Setting.text(
        "proxy_username", .any, .optional, for: remote, "User at the proxy.")
    static let proxyPassword = Setting.secret(
        "proxy_password", for: remote, "Password at the proxy.")
    static let retryMin = Setting.duration(
        "retry_min", .default("1s"), from: "10ms", to: "1h",
        "Pause after the first failure; it doubles, with jitter, up to `retry_max`.")
    static let retryMax = Setting.duration(
        "retry_max", .default("5m"), from: "10ms", to: "1d",
        "Longest pause between two attempts; of sinks that take rows 30s, unless it is given.")

    static let caFile = Setting.text(
        "tls.ca_file", .path, .optional, for: remote + ["mqtt"], "CAs to trust (PEM). Default: the system's.")
    static let certificateFile = Setting.text(
        "tls.cert_file", .path, .optional, for: remote + ["mqtt"],
        "Client certificate (PEM).")
    static let keyFile = Setting.text(
        "tls.key_file", .path, .optional, for: remote + ["mqtt"],
        "Key of the client certificate (PEM), unless `tls.cert_file` holds it too.")

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

    static let section = SectionDeclaration(
        "sink", isList: true,
        "Where results go. Rows wait in the outbox until the sink seals them into an object.",
        fields: [
            name.declaration, type.declaration, url.declaration, endpoint.declaration,
            region.declaration, credentials.declaration, accessKey.declaration,
            secretKey.declaration,
            sessionToken.declaration, pathStyle.declaration, multipartAbove.declaration,
            accountKey.declaration, sasToken.declaration, tenantID.declaration,
            clientID.declaration, clientSecret.declaration, authority.declaration,
            serviceAccountKey.declaration,
            auth.declaration, user.declaration, delegationToken.declaration, format.declaration,
            compression.declaration, parquetEncodings.declaration, bloomFilter.declaration,
            rowGroupSize.declaration, schedule.declaration, timeZone.declaration, rowsMax.declaration,
            bytesMax.declaration, ageMax.declaration, partitionBy.declaration,
            uploadRate.declaration,
            connectTimeout.declaration, stallTimeout.declaration, timeout.declaration,
            interface.declaration, proxy.declaration,
            proxyUsername.declaration, proxyPassword.declaration, retryMin.declaration,
            retryMax.declaration, caFile.declaration, certificateFile.declaration,
            keyFile.declaration,
            outboxBytesMax.declaration, outboxAgeMax.declaration, onFull.declaration,
            outboxFiles.declaration,
            CoarsenFields.widths.declaration, CoarsenFields.then.declaration,
        ] + DeltaFields.declarations + RowSinkFields.declarations + PlannerFields.sink,
        refusals: TLSRefusals.all.merging(PlannerFields.refusals) { first, _ in first })
}
