// `weir outbox verify` and `export`: whether the files of waiting rows are what was written, and a copy
// of what waits in its final form, for a stick to be carried away. Neither changes anything: exported
// rows wait as before, until they are delivered or given up by `weir outbox discard`.

import Glibc
import WeirConnectors
import WeirCore
import WeirStore

/// What `verify` or `export` found.
public struct OutboxFindings: Sendable {
    /// A line each, for people or, as objects, for programs.
    public fileprivate(set) var lines: [String] = []
    /// Sentences on what is damaged; empty when all is well.
    public fileprivate(set) var problems: [String] = []
    /// Files that were looked at or written.
    public fileprivate(set) var fileCount = 0
    /// Bytes of these.
    public fileprivate(set) var byteCount = 0

    /// All of it as one JSON object.
    public var json: String {
        var members = JSONMembers()
        members.put("files", fileCount)
        members.put("bytes", byteCount)
        members.put("segments", raw: "[" + lines.joined(separator: ", ") + "]")
        members.put("problems", raw: "[" + problems.map(jsonString).joined(separator: ", ") + "]")
        return members.object + "\n"
    }
}

extension OutboxReader {
    /// Reads every file of waiting rows and compares it with its record.
    public func verify(sink: String?, asJSON: Bool) throws(Failure) -> OutboxFindings {
        var findings = OutboxFindings()
        for stream in try streams(sink: sink) {
            for segment in stream.segments where segment.staged != nil {
                var damages: [String] = []
                var bytes = 0
                do throws(Failure) {
                    for file in try outbox.files(of: segment) {
                        do throws(Failure) {
                            bytes += try SegmentFile(file, in: outbox.folder).body.length
                            findings.fileCount += 1
                        } catch {
                            damages.append("\(error)")
                        }
                    }
                } catch {
                    damages.append("\(error)")
                }
                if !damages.isEmpty, try !isStillThere(segment) { continue }
                findings.byteCount += bytes
                findings.problems += damages
                let state = damages.isEmpty ? "whole" : "damaged"
                findings.lines.append(line(stream, segment, state, bytes, [], asJSON: asJSON))
            }
        }
        return findings
    }

    /// Copies what is sealed into a folder of its own for each sink, under the names that it will have
    /// there.
    public func export(
        to folder: String, sink: String?, stream: String?, asJSON: Bool
    ) throws(Failure) -> OutboxFindings {
        var findings = OutboxFindings()
        for stream in try streams(sink: sink, stream: stream) {
            let store = FileStore(
                FileStoreOptions(directory: "\(folder)/\(ObjectKey(segments: [stream.report.sinkName]))"),
                ObjectStoreContext())
            for segment in stream.segments {
                var keys: [String] = []
                var bytes = 0
                do throws(Failure) {
                    try writer(for: stream.report.sinkName, segment, folder).forEachFile(of: segment) {
                        (file) throws(Failure) in
                        try store.put(file.key, file.body)
                        keys.append(file.key.text)
                        bytes += file.body.length
                    }
                } catch {
                    if try isStillThere(segment) { throw error }
                    continue
                }
                findings.fileCount += keys.count
                findings.byteCount += bytes
                findings.lines.append(line(stream, segment, "exported", bytes, keys, asJSON: asJSON))
            }
        }
        return findings
    }

    /// What makes or finds a segment's files. Rows in the database need the sink's format.
    private func writer(
        for sink: String, _ segment: Segment, _ folder: String
    ) throws(Failure) -> SegmentWriter {
        if let configured = configuration.sinks.first(where: { $0.name == sink }) {
            return SegmentWriter(
                settings: configured.forwarderSettings(
                    configuration.agent, stateDirectory: "\(folder)/.weir", queries: [], environment: [:]),
                outbox: outbox)
        }
        guard segment.staged != nil, let any = configuration.sinks.first else {
            throw Failure(
                .configuration, "exporting", "rows \(segment.first)–\(segment.last) for sink \(sink)",
                "it is not configured any more, so their format is not known",
                advice: "configure a sink of that name again")
        }
        return SegmentWriter(
            settings: any.forwarderSettings(
                configuration.agent, stateDirectory: "\(folder)/.weir", queries: [], environment: [:]),
            outbox: outbox)
    }

    private func line(
        _ stream: Stream, _ segment: Segment, _ state: String, _ bytes: Int, _ keys: [String],
        asJSON: Bool
    ) -> String {
        let report = stream.report
        guard asJSON else {
            let text =
                "\(report.sinkName) \(report.streamName) \(segment.first)–\(segment.last): \(state), "
                + StatusText.bytes(UInt64(bytes))
            return ([text] + keys.map { "  \($0)" }).joined(separator: "\n")
        }
        var members = JSONMembers()
        members.put("sink", report.sinkName)
        members.put("stream", report.streamName)
        members.put("first", segment.first)
        members.put("last", segment.last)
        members.put("state", state)
        members.put("bytes", bytes)
        if !keys.isEmpty {
            members.put("keys", raw: "[" + keys.map(jsonString).joined(separator: ", ") + "]")
        }
        return members.object
    }
}
