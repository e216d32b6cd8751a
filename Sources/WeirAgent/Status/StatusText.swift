// The status for people: what runs, what came in, what became of it, what waits, what is wrong.

import FoundationEssentials
import WeirCore

/// JSON and text forms of a status.
public enum StatusText {
    /// The snapshot as JSON, keys sorted.
    public static func json(_ status: StatusSnapshot) -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        encoder.keyEncodingStrategy = .convertToSnakeCase
        guard let bytes = try? encoder.encode(status) else { return "{}" }
        return String(decoding: bytes, as: UTF8.self) + "\n"
    }

    /// Reads what `json` wrote; nil when it is something else.
    public static func parse(_ json: String) -> StatusSnapshot? {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return try? decoder.decode(StatusSnapshot.self, from: Data(json.utf8))
    }

    /// The snapshot as a page of text.
    public static func page(_ status: StatusSnapshot) -> String {
        var lines: [String] = []
        let up = duration(status.writtenAt - status.startedAt)
        lines.append("\(status.agent): \(status.phase), up \(up), weir \(status.version)")
        if !status.pauseReason.isEmpty { lines.append("  intake is paused: \(status.pauseReason)") }
        for source in status.sources { lines += describe(source, at: status.writtenAt) }
        for query in status.queries { lines.append(describe(query)) }
        for table in status.tables { lines += describe(table, at: status.writtenAt) }
        for sink in status.sinks { lines += describe(sink, at: status.writtenAt) }
        if let uplink = status.uplink { lines.append(describe(uplink)) }
        let commits = status.commits
        let mean = commits.count == 0 ? 0 : commits.sumSeconds / Double(commits.count) * 1000
        lines.append("commits: \(commits.count), \(tenths(mean)) ms on average")
        lines.append(
            "disk: \(bytes(status.storage.freeBytes)) free, state \(bytes(status.storage.stateDirectoryBytes)); "
                + "memory \(bytes(status.storage.residentBytes))")
        lines.append(
            status.isLedgerBalanced
                ? "ledger: balanced" : "ledger: NOT BALANCED, please report this with `weir status --json`")
        return lines.joined(separator: "\n") + "\n"
    }

    private static func describe(_ source: StatusSnapshot.SourceStatus, at now: Int64) -> [String] {
        var line =
            "source \(source.name): \(source.rows.received) rows = \(source.rows.decoded) decoded "
            + "+ \(source.rows.rejected) rejected"
        if let reason = source.lastRejection { line += " (the last: \(reason))" }
        if source.duplicates > 0 { line += ", \(source.duplicates) redeliveries dropped" }
        if let watermark = source.watermark { line += "; watermark \(duration(now - watermark)) behind" }
        return [line, "  \(source.state)"]
    }

    private static func describe(_ query: StatusSnapshot.QueryStatus) -> String {
        var line =
            "query \(query.name): \(query.rows.in) rows = \(query.rows.used) used + "
            + "\(query.rows.filtered) filtered + \(query.rows.late) late; \(query.rows.emitted) results"
        if query.evaluationErrors > 0 { line += ", \(query.evaluationErrors) values could not be computed" }
        return line
    }

    private static func describe(_ table: StatusSnapshot.TableStatus, at now: Int64) -> [String] {
        let head =
            "table \(table.name): \(table.rows) rows, loaded \(duration(now - table.loadedAt)) ago, "
            + "version \(table.version)"
        return table.problem.isEmpty
            ? [head] : [head, "  the file cannot be taken, what came before is in force: \(table.problem)"]
    }

    private static func describe(_ sink: StatusSnapshot.SinkStatus, at now: Int64) -> [String] {
        var lines = ["sink \(sink.name) (\(sink.type)): \(sink.state)"]
        if let upkeep = sink.upkeep {
            lines.append(
                "  the tables' \(upkeep.what), due for \(duration(max(0, now - upkeep.since))), waits: "
                    + upkeep.reason)
        }
        if let problem = sink.mergingProblem { lines.append("  rows are not merged: \(problem)") }
        for stream in sink.streams {
            var line =
                "  \(stream.name): \(stream.appended) rows = \(stream.forwarded) forwarded + "
                + "\(stream.pending) pending + \(stream.expired) expired"
            if stream.merged > 0 {
                line += " + \(stream.merged) merged into \(stream.made) coarser ones, which count too"
            }
            if let oldest = stream.oldestAppendedAt, stream.pending > 0 {
                line += "; \(bytes(stream.pendingBytes)), oldest \(duration(now - oldest))"
            }
            lines.append(line)
            for held in sink.held where held.name == stream.name {
                let next = max(0, held.nextTryAt - now)
                let what = held.marker.map { "its marker \($0) waits" } ?? "waits alone"
                lines.append("    \(what): \(held.problem); next try in \(duration(next))")
            }
        }
        return lines
    }

    /// The uplink's line.
    static func describe(_ uplink: StatusSnapshot.UplinkStatus) -> String {
        func part(_ sent: Int64, _ left: Int64?, _ period: String) -> String {
            let budget = left.map { " (\(bytes(UInt64(clamping: $0))) left)" } ?? ""
            return "\(bytes(UInt64(clamping: sent))) sent \(period)\(budget)"
        }
        return "uplink: \(part(uplink.sentToday, uplink.leftToday, "today")), "
            + part(uplink.sentThisMonth, uplink.leftThisMonth, "this month")
    }

    static func duration(_ milliseconds: Int64) -> String {
        let sign = milliseconds < 0 ? "-" : ""
        let seconds = milliseconds.magnitude / 1000
        switch seconds {
        case 0..<60: return "\(sign)\(seconds)s"
        case 60..<3600: return "\(sign)\(seconds / 60)m\(seconds % 60)s"
        case 3600..<86_400: return "\(sign)\(seconds / 3600)h\(seconds % 3600 / 60)m"
        default: return "\(sign)\(seconds / 86_400)d\(seconds % 86_400 / 3600)h"
        }
    }

    static func bytes(_ count: UInt64) -> String {
        let units = ["B", "kB", "MB", "GB", "TB"]
        var value = Double(count)
        var unit = 0
        while value >= 1000, unit < units.count - 1 {
            value /= 1000
            unit += 1
        }
        return unit == 0 ? "\(count) B" : "\(tenths(value)) \(units[unit])"
    }

    private static func tenths(_ value: Double) -> String {
        let scaled = Int64((value * 10).rounded())
        return "\(scaled / 10).\(scaled % 10)"
    }
}
