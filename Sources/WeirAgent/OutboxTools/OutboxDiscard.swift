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
    struct Victims {
        var segments: [Segment] = []
        /// Rows that no segment holds, from the oldest on.
        var unsealed: [ExpiredRange] = []

        /// All of it, a range each.
        var ranges: [ExpiredRange] { segments.map(ExpiredRange.init) + unsealed }
    }

    /// Segments that are given up with one write.
    private static let segmentsAtOnceMax = 1000

    /// What would go; throws when a segment would have to be cut.
    func victims(in outbox: Outbox) throws(Failure) -> Victims {
        guard let id = outbox.sink(named: sink) else { throw unknown("sink \(sink)") }
        let reports = outbox.reports().filter {
            $0.sinkName == sink && (stream == nil || $0.streamName == stream)
        }
        guard !reports.isEmpty else { throw unknown("stream \(stream ?? "")") }
        var victims = Victims()
        for segment in outbox.segments(of: id) where reports.contains(where: { $0.stream == segment.stream }) {
            guard let rows else {
                victims.segments.append(segment)
                continue
            }
            guard rows.overlaps(segment.first...segment.last) else { continue }
            guard rows.contains(segment.first), rows.contains(segment.last) else {
                throw wrongRange("a segment goes as a whole, and one has rows \(segment.first)–\(segment.last)")
            }
            victims.segments.append(segment)
        }
        for report in reports {
            guard let found = outbox.unsealedRange(of: report.stream, through: rows?.upperBound ?? .max),
                (rows?.lowerBound ?? 0) <= found.last
            else { continue }
            if let rows, rows.lowerBound > found.first {
                throw wrongRange(
                    "rows that are not sealed go from the oldest on, which is row \(found.first)")
            }
            victims.unsealed.append(found)
        }
        return victims
    }

    /// Gives them up; returns what went, durable by then.
    func run(in outbox: Outbox) throws(Failure) -> [ExpiredRange] {
        let victims = try victims(in: outbox)
        var ranges: [ExpiredRange] = []
        var rest = victims.segments[...]
        while !rest.isEmpty {
            ranges += try outbox.discard(Array(rest.prefix(Self.segmentsAtOnceMax)))
            rest = rest.dropFirst(Self.segmentsAtOnceMax)
        }
        for range in victims.unsealed {
            let gone = try outbox.discardUnsealed(of: range.stream, through: range.last)
            if let gone { ranges.append(gone) }
        }
        return ranges.joiningNeighbours
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

/// Ranges of rows that were given up, or would be, a line each, or as JSON.
func discardText(_ ranges: [ExpiredRange], asJSON: Bool, verb: String = "discarded") -> String {
    guard asJSON else {
        if ranges.isEmpty { return "no rows waited\n" }
        return ranges.map {
            "\(verb) rows \($0.first)–\($0.last) of \($0.streamName) (\($0.rowCount))\n"
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
