// `weir outbox discard`: rows that somebody gives up by hand, because their file is damaged, because a
// store will never take them, or because they were carried away on a stick. They are counted as expired,
// so that the ledger still adds up, and named in the log.

import WeirCore
import WeirStore

/// Which rows to give up.
struct OutboxDiscard {
    let sink: String
    /// nil for all streams of the sink.
    let stream: String?
    /// nil for all rows that wait.
    let rows: ClosedRange<UInt64>?

    /// What goes.
    enum Victim {
        case segment(Segment)
        case unsealed(StreamID, name: String, first: UInt64, last: UInt64)

        /// The stream and its rows, for people.
        var text: String {
            switch self {
            case .segment(let segment): "rows \(segment.first)–\(segment.last) of \(segment.streamName)"
            case .unsealed(_, let name, let first, let last): "rows \(first)–\(last) of \(name)"
            }
        }
    }

    /// What would go; throws when a segment would have to be cut.
    func victims(in outbox: Outbox) throws(Failure) -> [Victim] {
        guard let id = outbox.sink(named: sink) else { throw unknown("sink \(sink)") }
        let reports = outbox.reports().filter {
            $0.sinkName == sink && (stream == nil || $0.streamName == stream)
        }
        guard !reports.isEmpty else { throw unknown("stream \(stream ?? "")") }
        var victims: [Victim] = []
        for segment in outbox.segments(of: id) where reports.contains(where: { $0.stream == segment.stream }) {
            guard let rows else {
                victims.append(.segment(segment))
                continue
            }
            guard rows.overlaps(segment.first...segment.last) else { continue }
            guard rows.contains(segment.first), rows.contains(segment.last) else {
                throw wrongRange("a segment goes as a whole, and one has rows \(segment.first)–\(segment.last)")
            }
            victims.append(.segment(segment))
        }
        for report in reports where report.pending.unsealedRows > 0 {
            let first = report.appended + 1 - report.pending.unsealedRows
            let last = min(rows?.upperBound ?? .max, report.appended)
            guard last >= first, (rows?.lowerBound ?? 0) <= report.appended else { continue }
            if let rows, rows.lowerBound > first {
                throw wrongRange("rows that are not sealed go from the oldest on, which is row \(first)")
            }
            victims.append(.unsealed(report.stream, name: report.streamName, first: first, last: last))
        }
        return victims
    }

    /// Gives them up; returns what went, each durable by then.
    func run(in outbox: Outbox) throws(Failure) -> [ExpiredRange] {
        var ranges: [ExpiredRange] = []
        for victim in try victims(in: outbox) {
            let range =
                switch victim {
                case .segment(let segment): try outbox.discard(segment)
                case .unsealed(let stream, _, _, let last):
                    try outbox.discardUnsealed(of: stream, through: last)
                }
            if let range { ranges.append(range) }
        }
        return ranges
    }

    private func unknown(_ what: String) -> Failure {
        Failure(
            .configuration, "discarding rows of", what, "there is none",
            advice: "`weir outbox list` names them")
    }

    private func wrongRange(_ reason: String) -> Failure {
        Failure(
            .configuration, "discarding rows of", sink, reason, advice: "`weir outbox show` lists segments")
    }
}

/// Ranges of rows that were given up, a line each, or as JSON.
func discardText(_ ranges: [ExpiredRange], asJSON: Bool) -> String {
    guard asJSON else {
        if ranges.isEmpty { return "no rows waited\n" }
        return ranges.map {
            "discarded rows \($0.first)–\($0.last) of \($0.streamName) (\($0.rowCount))\n"
        }.joined()
    }
    return jsonArray(
        ranges.map { range in
            var members = JSONMembers()
            members.put("stream", range.streamName)
            members.put("first", range.first)
            members.put("last", range.last)
            members.put("rows", range.rowCount)
            return members.object
        })
}
