// `weir outbox list` and `show`: what waits, for whom, where it is, and why it waits.

import WeirCore
import WeirStore

extension OutboxReader {
    /// What waits in each stream, as a page of text or as JSON.
    ///
    /// - Parameter sink: the one sink to show; nil for all.
    public func list(sink: String?, asJSON: Bool) throws(Failure) -> String {
        let streams = try streams(sink: sink)
        let status = StatusClient.status(of: configuration.agent)
        let now = SystemClock().nowMilliseconds()
        if asJSON {
            var objects: [String] = []
            for stream in streams {
                objects.append(
                    json(
                        stream, state(of: stream.report.sinkName, status),
                        try outbox.takenSinceSeal(of: stream.report.stream)))
            }
            return jsonArray(objects)
        }
        guard !streams.isEmpty else {
            return sink.map { "nothing was ever sent to sink \($0)\n" } ?? "the outbox has never held a row\n"
        }
        var lines: [String] = []
        // Streams are numbered as they first came; those of one sink need not be neighbours.
        var names: [String] = []
        for stream in streams where !names.contains(stream.report.sinkName) {
            names.append(stream.report.sinkName)
        }
        for name in names {
            lines.append("sink \(name): \(state(of: name, status).text)")
            lines += streams.filter { $0.report.sinkName == name }.map { line($0, at: now) }
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private func state(
        of sink: String, _ status: StatusSnapshot?
    ) -> (text: String, isFailing: Bool?) {
        guard configuration.sinks.contains(where: { $0.name == sink }) else {
            return ("not configured any more; its rows are kept", nil)
        }
        guard let found = status?.sinks.first(where: { $0.name == sink }) else {
            return ("the agent does not answer", nil)
        }
        return (found.state, found.isFailing)
    }

    private func line(_ stream: Stream, at now: Int64) -> String {
        let (pending, segments) = (stream.report.pending, stream.segments)
        guard pending.rows > 0 else { return "  \(stream.report.streamName): nothing waits" }
        var line = "  \(stream.report.streamName): \(pending.rows) rows wait"
        line += ", \(StatusText.bytes(UInt64(pending.bytes)))"
        if !segments.isEmpty {
            let noun = segments.count == 1 ? "segment" : "segments in order"
            line += "; \(segments.count) \(noun) from row \(segments[0].first)"
            let count = segments.count { $0.staged != nil }
            if count > 0 {
                line += ", \(count) of them in \(pending.fileCount) files "
                line += "(\(StatusText.bytes(UInt64(pending.fileBytes))))"
            }
        }
        if pending.unsealedRows > 0 { line += "; \(pending.unsealedRows) rows not sealed" }
        if let oldest = pending.oldestAppendedAt {
            line += "; the oldest for \(StatusText.duration(now - oldest))"
        }
        return line
    }

    private func json(
        _ stream: Stream, _ state: (text: String, isFailing: Bool?), _ taken: [TakenCount]
    ) -> String {
        let (report, pending) = (stream.report, stream.report.pending)
        var members = JSONMembers()
        members.put("sink", report.sinkName)
        members.put("stream", report.streamName)
        members.put("state", state.text)
        members.put("is_failing", raw: state.isFailing.map { "\($0)" } ?? "null")
        members.put("appended", report.appended)
        members.put("forwarded", report.forwarded)
        members.put("expired", report.expired)
        members.put("rows", pending.rows)
        members.put("bytes", pending.bytes)
        members.put("segments", stream.segments.count)
        members.put("files", pending.fileCount)
        members.put("file_bytes", pending.fileBytes)
        members.put("unsealed_rows", pending.unsealedRows)
        members.put("oldest_appended_at", time: pending.oldestAppendedAt)
        members.put("taken_since_seal", raw: taken.json)
        return members.object
    }

    // MARK: Segments

    /// The segments of a stream, or one of them with its files.
    ///
    /// - Parameter row: a row of the segment to show; nil for all segments.
    public func show(
        sink: String, stream: String, row: UInt64?, asJSON: Bool
    ) throws(Failure) -> String {
        let streams = try streams(sink: sink, stream: stream)
        var found = streams.flatMap(\.segments)
        if let row {
            found = found.filter { $0.first <= row && row <= $0.last }
            guard !found.isEmpty else {
                let open = streams.compactMap {
                    outbox.unsealedRange(of: $0.report.stream, through: $0.report.appended)
                }
                let isOpen = open.contains { $0.first <= row && row <= $0.last }
                throw Failure(
                    .configuration, "looking into the outbox for", "row \(row) of \(stream)",
                    isOpen ? "it is not sealed yet" : "no segment holds it",
                    advice: "`weir outbox show` without a row lists them")
            }
        }
        var lines: [String] = []
        for segment in found {
            let files = row == nil ? [] : try outbox.files(of: segment)
            let taken = try outbox.taken(of: segment)
            lines.append(
                asJSON
                    ? json(segment, row == nil ? nil : files, taken) : describe(segment, files, taken))
        }
        if asJSON { return jsonArray(lines) }
        if lines.isEmpty { lines.append("no segments wait\n") }
        if row == nil {
            for stream in streams { lines.append(try describeTail(of: stream.report)) }
        }
        return lines.joined()
    }

    /// What no segment holds yet: its rows, and what was taken in for them.
    private func describeTail(of report: OutboxStreamReport) throws(Failure) -> String {
        let taken = try outbox.takenSinceSeal(of: report.stream)
        let head = "\(report.pending.unsealedRows) rows not sealed"
        guard !taken.isEmpty else { return head + "\n" }
        return head + "; since the last seal\n" + taken.lines.map { "  \($0)\n" }.joined()
    }

    private func describe(
        _ segment: Segment, _ files: [StagedFile], _ taken: [TakenCount]
    ) -> String {
        var text = "rows \(segment.first)–\(segment.last) (\(segment.rowCount)), sealed "
        text += "\(TimestampFormatter.isoString(segment.sealedAt)), "
        text += StatusText.bytes(UInt64(outbox.byteCount(of: segment)))
        text += segment.staged.map { " in \($0.fileCount) files\n" } ?? " in the database\n"
        text += taken.lines.map { "  taken in by \($0)\n" }.joined()
        for file in files {
            text += "  \(file.key)\n    \(file.rowCount) rows, \(file.length) bytes, "
            text += "SHA-256 \(hexadecimal(file.sha256))\n    in \(outbox.folder.path(of: file.name))\n"
        }
        return text
    }

    private func json(_ segment: Segment, _ files: [StagedFile]?, _ taken: [TakenCount]) -> String {
        var members = JSONMembers()
        members.put("first", segment.first)
        members.put("last", segment.last)
        members.put("rows", segment.rowCount)
        members.put("sealed_at", time: segment.sealedAt)
        members.put("bytes", outbox.byteCount(of: segment))
        members.put("is_in_files", raw: "\(segment.staged != nil)")
        members.put("file_count", segment.staged?.fileCount ?? 0)
        members.put("taken", raw: taken.json)
        guard let files else { return members.object }
        let objects = files.map { file in
            var members = JSONMembers()
            members.put("key", file.key)
            members.put("path", outbox.folder.path(of: file.name))
            members.put("rows", file.rowCount)
            members.put("bytes", file.length)
            members.put("sha256", hexadecimal(file.sha256))
            return members.object
        }
        members.put("files", raw: "[" + objects.joined(separator: ", ") + "]")
        return members.object
    }
}

/// Bytes as hexadecimal digits.
func hexadecimal(_ bytes: [UInt8]) -> String {
    bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
}
