// The status snapshot as Prometheus metrics. Names follow Prometheus' rules: base units (seconds,
// bytes), `_total` on counters. Row counters are the durable ledger's, so they go on after a restart.

/// Writes all metrics of one snapshot.
public enum AgentMetrics {
    /// The page that `/metrics` serves.
    public static func text(_ status: StatusSnapshot) -> String {
        var page = MetricsText()
        agent(status, &page)
        sources(status, &page)
        queries(status, &page)
        tables(status, &page)
        streams(status, &page)
        uploads(status, &page)
        uplink(status, &page)
        storage(status, &page)
        return page.text
    }

    private static func agent(_ status: StatusSnapshot, _ page: inout MetricsText) {
        page.gauge(
            "weir_info", "Always 1; the labels say what runs.",
            [([("agent", status.agent), ("version", status.version)], 1)])
        page.gauge(
            "weir_start_time_seconds", "When the process started, Unix time.",
            [([], Double(status.startedAt) / 1000)])
        page.gauge(
            "weir_intake_paused", "1 while intake is paused (outbox full or disk reserve reached).",
            [([], status.phase == "paused" ? 1 : 0)])
        page.gauge(
            "weir_ledger_balanced", "1 while every identity of the ledger holds.",
            [([], status.isLedgerBalanced ? 1 : 0)])
        page.histogram(
            "weir_commit_duration_seconds", "Group commits: from the first write to the synced log.",
            bounds: status.commits.buckets, counts: status.commits.counts,
            sum: status.commits.sumSeconds, count: status.commits.count)
    }

    private static func sources(_ status: StatusSnapshot, _ page: inout MetricsText) {
        func each(_ value: (StatusSnapshot.SourceStatus) -> UInt64) -> [(MetricsText.Labels, UInt64)] {
            status.sources.map { ([("source", $0.name)], value($0)) }
        }
        page.counter("weir_source_rows_received_total", "Rows received.", each { $0.rows.received })
        page.counter("weir_source_rows_decoded_total", "Rows decoded.", each { $0.rows.decoded })
        page.counter("weir_source_rows_rejected_total", "Rows rejected.", each { $0.rows.rejected })
        page.counter(
            "weir_source_messages_total", "Messages read since the start.", each { $0.messages })
        page.counter(
            "weir_source_bytes_total", "Payload bytes read since the start.", each { $0.bytes })
        page.counter(
            "weir_source_duplicates_total", "Redelivered messages recognised and dropped.",
            each { $0.duplicates })
        page.counter("weir_source_reconnects_total", "Lost connections.", each { $0.reconnects })
        page.gauge(
            "weir_source_connected", "1 while the source is connected.",
            status.sources.map { ([("source", $0.name)], $0.isConnected ? 1 : 0) })
        page.gauge(
            "weir_source_unacknowledged_messages", "Messages read and not acknowledged yet.",
            status.sources.map { ([("source", $0.name)], Double($0.unacknowledged)) })
        page.gauge(
            "weir_source_watermark_seconds", "The watermark, Unix time.",
            status.sources.compactMap { source in
                source.watermark.map { ([("source", source.name)], Double($0) / 1000) }
            })
        page.gauge(
            "weir_source_watermark_lag_seconds", "How far the watermark is behind the clock.",
            status.sources.compactMap { source in
                source.watermark.map {
                    ([("source", source.name)], Double(status.writtenAt - $0) / 1000)
                }
            })
    }

    private static func queries(_ status: StatusSnapshot, _ page: inout MetricsText) {
        func each(_ value: (StatusSnapshot.QueryStatus) -> UInt64) -> [(MetricsText.Labels, UInt64)] {
            status.queries.map { ([("query", $0.name)], value($0)) }
        }
        page.counter("weir_query_rows_in_total", "Rows read.", each { $0.rows.in })
        page.counter("weir_query_rows_used_total", "Rows used.", each { $0.rows.used })
        page.counter("weir_query_rows_filtered_total", "Rows filtered.", each { $0.rows.filtered })
        page.counter("weir_query_rows_late_total", "Rows late for all windows.", each { $0.rows.late })
        page.counter("weir_query_rows_emitted_total", "Result rows.", each { $0.rows.emitted })
        page.counter(
            "weir_query_evaluation_errors_total", "Values that gave NULL for an error.",
            each { $0.evaluationErrors })
        page.gauge(
            "weir_query_state_bytes", "State in memory.",
            status.queries.map { ([("query", $0.name)], Double($0.stateBytes)) })
        page.gauge(
            "weir_query_state_spilled",
            "Groups and rows of state beyond state_cache, in RocksDB alone.",
            status.queries.map { ([("query", $0.name)], Double($0.spilled)) })
        page.counter(
            "weir_query_state_dropped_total",
            "What limits of state have left out since the start: partial matches of patterns.",
            status.queries.map { ([("query", $0.name)], $0.dropped) })
    }

    private static func tables(_ status: StatusSnapshot, _ page: inout MetricsText) {
        func each(_ value: (StatusSnapshot.TableStatus) -> Double) -> [(MetricsText.Labels, Double)] {
            status.tables.map { ([("table", $0.name)], value($0)) }
        }
        page.gauge("weir_table_rows", "Rows of the table in force.", each { Double($0.rows) })
        page.gauge("weir_table_file_bytes", "Bytes of its file.", each { Double($0.fileBytes) })
        page.gauge("weir_table_memory_bytes", "Bytes of its rows in memory.", each { Double($0.memoryBytes) })
        page.gauge(
            "weir_table_loaded_time_seconds", "When it was put into force, Unix time.",
            each { Double($0.loadedAt) / 1000 })
        page.gauge(
            "weir_table_stale", "1 while its file cannot be taken and what came before is in force.",
            each { $0.problem.isEmpty ? 0 : 1 })
        page.counter(
            "weir_table_loads_total", "Versions put into force since the start.",
            status.tables.map { ([("table", $0.name)], $0.loads) })
        page.counter(
            "weir_table_load_failures_total", "Files refused since the start.",
            status.tables.map { ([("table", $0.name)], $0.failures) })
    }

    private static func streams(_ status: StatusSnapshot, _ page: inout MetricsText) {
        func each(_ value: (StatusSnapshot.StreamStatus) -> UInt64) -> [(MetricsText.Labels, UInt64)] {
            status.sinks.flatMap { sink in
                sink.streams.map { ([("sink", sink.name), ("stream", $0.name)], value($0)) }
            }
        }
        page.counter("weir_outbox_rows_appended_total", "Rows appended.", each { $0.appended })
        page.counter(
            "weir_outbox_rows_forwarded_total", "Rows in finished objects.", each { $0.forwarded })
        page.counter("weir_outbox_rows_expired_total", "Rows dropped by a bound.", each { $0.expired })
        page.counter(
            "weir_outbox_rows_merged_total", "Rows that went into coarser ones.", each { $0.merged })
        page.counter(
            "weir_outbox_rows_coarse_total", "Coarser rows made of them.", each { $0.made })
        page.gauge(
            "weir_outbox_rows", "Rows waiting.", each { $0.pending }.map { ($0.0, Double($0.1)) })
        page.gauge(
            "weir_outbox_bytes", "Bytes waiting.",
            each { $0.pendingBytes }.map { ($0.0, Double($0.1)) })
        page.gauge(
            "weir_outbox_age_seconds", "Age of the oldest waiting row.",
            status.sinks.flatMap { sink in
                sink.streams.map { stream in
                    let age = stream.oldestAppendedAt.map { Double(status.writtenAt - $0) / 1000 }
                    return ([("sink", sink.name), ("stream", stream.name)], max(0, age ?? 0))
                }
            })
    }

    private static func uploads(_ status: StatusSnapshot, _ page: inout MetricsText) {
        func each(_ value: (StatusSnapshot.SinkStatus) -> UInt64) -> [(MetricsText.Labels, UInt64)] {
            status.sinks.map { ([("sink", $0.name)], value($0)) }
        }
        page.counter(
            "weir_sink_uploads_total", "Objects written, by result.",
            status.sinks.flatMap {
                [
                    ([("sink", $0.name), ("result", "ok")], $0.uploads),
                    ([("sink", $0.name), ("result", "failed")], $0.uploadFailures),
                ]
            })
        page.counter("weir_sink_uploaded_bytes_total", "Bytes of objects.", each { $0.uploadedBytes })
        page.gauge(
            "weir_sink_failing", "1 while the last try failed.",
            status.sinks.map { ([("sink", $0.name)], $0.isFailing ? 1 : 0) })
        page.gauge(
            "weir_sink_end_to_end_seconds", "Oldest row's append to its object, last segment.",
            status.sinks.compactMap { sink in
                sink.lastEndToEndMilliseconds.map { ([("sink", sink.name)], Double($0) / 1000) }
            })
    }

    private static func uplink(_ status: StatusSnapshot, _ page: inout MetricsText) {
        page.gauge(
            "weir_sink_waiting", "1 while due rows wait for the window, condition, budget or priority named.",
            status.sinks.flatMap { sink in
                ["window", "condition", "budget", "priority"].map {
                    ([("sink", sink.name), ("for", $0)], sink.waitingFor == $0 ? 1 : 0)
                }
            })
        guard let uplink = status.uplink else { return }
        page.gauge(
            "weir_uplink_sent_bytes", "Bytes sent this calendar day and month, retries included.",
            [
                ([("period", "day")], Double(uplink.sentToday)),
                ([("period", "month")], Double(uplink.sentThisMonth)),
            ])
        page.gauge(
            "weir_uplink_left_bytes", "What is left of each budget.",
            [("day", uplink.leftToday), ("month", uplink.leftThisMonth)].compactMap { period, left in
                left.map { ([("period", period)], Double($0)) }
            })
    }

    private static func storage(_ status: StatusSnapshot, _ page: inout MetricsText) {
        let storage = status.storage
        page.gauge(
            "weir_disk_free_bytes", "Free on the state's disk.", [([], Double(storage.freeBytes))])
        page.gauge(
            "weir_disk_reserve_bytes", "Intake pauses below this.", [([], Double(storage.reserveBytes))])
        page.gauge(
            "weir_state_directory_bytes", "Bytes of the state directory.",
            [([], Double(storage.stateDirectoryBytes))])
        page.gauge(
            "process_resident_memory_bytes", "Resident memory.", [([], Double(storage.residentBytes))])
        page.counter(
            "process_cpu_seconds_total", "User and system time.", seconds: [([], storage.cpuSeconds)])
        page.gauge("process_open_fds", "Open file descriptors.", [([], Double(storage.openFiles))])
        page.gauge(
            "weir_rocksdb", "RocksDB's own figures, by property.",
            storage.database.sorted { $0.key < $1.key }.map { ([("property", $0.key)], Double($0.value)) })
    }
}
