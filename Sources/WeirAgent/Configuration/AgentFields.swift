// The keys of [agent], [[view]] and [[query]].

/// The keys of `[agent]`.
enum AgentFields {
    static let id = Setting.text(
        "id", .agentName, .required,
        "Names the agent in every object, metric and log line. Two agents that write to one place need two ids."
    )
    static let stateDirectory = Setting.text(
        "state_dir", .path, .default("/var/lib/weir"),
        "Where RocksDB and the outbox live; one agent per directory. Relative paths start at the working directory."
    )
    static let commitInterval = Setting.duration(
        "commit_interval", .default("100ms"), from: "1ms", to: "1m",
        "Group commit: how long input may gather before one synced write makes it durable and it is acknowledged."
    )
    static let memoryLimit = Setting.size(
        "memory_limit", .default("256MB"), from: "16MB", to: "1TB",
        "What caches and buffers are sized by: RocksDB's get a sixteenth of it (8MB to 32MB), and "
            + "`state_cache` must fit. The hard ceiling is the service's MemoryMax.")
    static let stateCache = Setting.size(
        "state_cache", .default("64MB"), from: "1MB", to: "1TB",
        "Window state held in memory, shared evenly by the queries with windows; more spills to RocksDB. "
            + "Part of `memory_limit`.")
    static let freeSpaceReserve = Setting.size(
        "free_space_reserve", .default("128MB"), from: "0B", to: "1TB",
        "Intake pauses while the file system of `state_dir` has less room than this.")
    static let http = Setting.text(
        "http", .listenAddress, .default("127.0.0.1:8080"),
        "Address of health, metrics and status: `host:port`; `\"off\"` or `\"\"` for none.")
    static let logLevel: Setting<LogLevel> = .choice(
        "log_level", .default("info"), "The least important messages that are logged.")
    static let timeZone = Setting.text(
        "time_zone", .timeZone, .default("UTC"),
        "IANA time zone of cron schedules that name none of their own.")

    static let sentimentWords = Setting.text(
        "sentiment_words", .path, .optional,
        "The word list of `SENTIMENT(text)`: a file with a word and its weight from -1 to 1 a line "
            + "(`good,0.7`), `negation` as the weight of `not` and its like, comments behind `#`. It is read at "
            + "the start and is part of the queries that use it. Default: a list of English words.")

    static let section = SectionDeclaration(
        "agent", isList: false, "The process itself.",
        fields: [
            id.declaration, stateDirectory.declaration, commitInterval.declaration,
            memoryLimit.declaration, stateCache.declaration, freeSpaceReserve.declaration,
            http.declaration, logLevel.declaration, timeZone.declaration,
            sentimentWords.declaration,
        ])
}

/// The keys of `[[view]]`.
enum ViewFields {
    static let name = Setting.text("name", .name, .required, "The name that queries read it by.")
    static let sql = Setting.text("sql", .sql, .required, "A SELECT over sources and other views.")

    static let section = SectionDeclaration(
        "view", isList: true,
        "A named SELECT that queries and other views read as if it were a table. It computes nothing by itself.",
        fields: [name.declaration, sql.declaration])
}

/// The keys of `[[macro]]`.
enum MacroFields {
    static let name = Setting.text("name", .name, .required, "The name that queries call it by, as a function.")
    static let parameters = Setting.texts(
        "parameters", .parameter, .required,
        "The names of its arguments, in the order in which calls give them; each perhaps with a type, as in "
            + "`\"c DOUBLE\"`, which an argument must then have, or a narrower one.")
    static let sql = Setting.text(
        "sql", .sql, .required, "An expression over the parameters; it may call functions and other macros.")

    static let section = SectionDeclaration(
        "macro", isList: true,
        "A named expression with parameters. A call is replaced by the expression when the query is read.",
        fields: [name.declaration, parameters.declaration, sql.declaration])
}

/// The keys of `[[query]]`.
enum QueryFields {
    static let name = Setting.text(
        "name", .name, .required, "Names the query's result in objects, metrics and the status.")
    static let sql = Setting.text(
        "sql", .sql, .required,
        "One SELECT in the dialect of Flink SQL over sources and views. `${VAR}` is not replaced in SQL."
    )
    static let sinks = Setting.texts(
        "sinks", .name, .optional,
        "Names of the sinks that get the result. Without it only `weir replay --output` shows the result."
    )
    static let timeZone = Setting.text(
        "time_zone", .timeZone, .default("UTC"),
        "IANA time zone that the windows and calendar functions of TIMESTAMP_LTZ follow, as Flink's "
            + "`table.local-time-zone`; views are on the clocks of the query that reads them.")
    static let allowedLateness = Setting.duration(
        "allowed_lateness", .optional, from: "1s", to: "366d",
        "How long after its end a window still takes late rows. What they change comes again, with a higher number "
            + "in the column `revision`, which the result then has. Default: not at all.")
    static let stateTTL = Setting.duration(
        "state_ttl", .optional, from: "1s", to: "3660d",
        "How far apart in event time rows may be that an inner join without a condition on time brings together; and "
            + "how long after its last row an unbounded OVER, the first row of a key among them, knows a partition. "
            + "Default: such joins are refused, such partitions are kept for ever.")

    static let section = SectionDeclaration(
        "query", isList: true,
        "A continuous query. Its rejected and late rows go to its sinks as well, under `_rejected` and `_late`.",
        fields: [
            name.declaration, sql.declaration, sinks.declaration, timeZone.declaration,
            allowedLateness.declaration, stateTTL.declaration,
        ])
}
