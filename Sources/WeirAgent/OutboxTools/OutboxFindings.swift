// What `weir outbox verify` and `export` tell of what they met, a line for each segment and then in all,
// for people and, as JSON, for programs.

import WeirCore
import WeirStore

/// What `verify` or `export` found.
public struct OutboxFindings: Sendable {
    /// A line each, for people or, as objects, for programs.
    public private(set) var lines: [String] = []
    /// Sentences on what is damaged; empty when all is well.
    public var problems: [String] = []
    /// Files read or written.
    public private(set) var fileCount = 0
    /// Their bytes.
    public private(set) var byteCount = 0
    /// Rows read or written.
    public private(set) var rowCount: UInt64 = 0
    /// Of the rows, those that nobody has sealed yet.
    public private(set) var openRowCount: UInt64 = 0
    /// Rows of segments that could not be read; not among the others.
    public private(set) var lostRowCount: UInt64 = 0

    /// What was met of one segment.
    struct Entry {
        /// In a word or two: whole, damaged, exported, not exported.
        var state: String
        /// Whether it could be read.
        var isWhole: Bool { state == "whole" || state == "exported" }
        var fileCount = 0
        var byteCount = 0
        /// The names of files that were written.
        var keys: [String] = []
    }

    /// Adds a segment's line.
    mutating func add(_ segment: Segment, sink: String, _ entry: Entry, asJSON: Bool) {
        fileCount += entry.fileCount
        byteCount += entry.byteCount
        if entry.isWhole {
            rowCount += segment.rowCount
            if segment.isOpen { openRowCount += segment.rowCount }
        } else {
            lostRowCount += segment.rowCount
        }
        lines.append(asJSON ? json(segment, sink, entry) : text(segment, sink, entry))
    }

    private func text(_ segment: Segment, _ sink: String, _ entry: Entry) -> String {
        let what = segment.isOpen ? "\(entry.state), not sealed" : entry.state
        let head =
            "\(sink) \(segment.streamName) \(segment.first)–\(segment.last): \(what), "
            + "\(segment.rowCount) rows, \(StatusText.bytes(UInt64(entry.byteCount)))"
        return ([head] + entry.keys.map { "  \($0)" }).joined(separator: "\n")
    }

    private func json(_ segment: Segment, _ sink: String, _ entry: Entry) -> String {
        var members = JSONMembers()
        members.put("sink", sink)
        members.put("stream", segment.streamName)
        members.put("first", segment.first)
        members.put("last", segment.last)
        members.put("rows", segment.rowCount)
        members.put("is_sealed", raw: "\(!segment.isOpen)")
        members.put("state", entry.state)
        members.put("bytes", entry.byteCount)
        if !entry.keys.isEmpty {
            members.put("keys", raw: "[" + entry.keys.map(jsonString).joined(separator: ", ") + "]")
        }
        return members.object
    }

    /// All of it as one JSON object.
    public var json: String {
        var members = JSONMembers()
        members.put("files", fileCount)
        members.put("bytes", byteCount)
        members.put("rows", rowCount)
        members.put("open_rows", openRowCount)
        members.put("damaged_rows", lostRowCount)
        members.put("segments", raw: "[" + lines.joined(separator: ", ") + "]")
        members.put("problems", raw: "[" + problems.map(jsonString).joined(separator: ", ") + "]")
        return members.object + "\n"
    }
}
