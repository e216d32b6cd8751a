// `weir outbox verify`: whether what waits can still be read. Of a segment at rest each file is compared with
// the checksum that was kept of it; rows in the database, sealed or not, are read as they would be for an
// upload, which checks their blocks. Nothing is changed.

import WeirConnectors
import WeirCore
import WeirStore

extension OutboxReader {
    /// Reads all that waits, and tells what is damaged.
    public func verify(sink: String?, asJSON: Bool) throws(Failure) -> OutboxFindings {
        var findings = OutboxFindings()
        var damaged: [(segment: Segment, sink: String, problems: [String])] = []
        for stream in try streams(sink: sink) {
            let name = stream.report.sinkName
            for segment in stream.segments + outbox.openTail(of: stream.report.stream) {
                var entry = OutboxFindings.Entry(state: "whole")
                let problems = verify(segment, &entry)
                if problems.isEmpty {
                    findings.add(segment, sink: name, entry, asJSON: asJSON)
                } else {
                    damaged.append((segment, name, problems))
                }
            }
        }
        guard !damaged.isEmpty else { return findings }
        // What is gone by now has been delivered.
        let left = try fate(of: damaged.map(\.segment)).still
        for (segment, sink, problems) in damaged where left.contains(segment) {
            findings.problems += problems
            findings.add(segment, sink: sink, OutboxFindings.Entry(state: "damaged"), asJSON: asJSON)
        }
        return findings
    }

    /// What is wrong with a segment, a sentence each.
    private func verify(_ segment: Segment, _ entry: inout OutboxFindings.Entry) -> [String] {
        var problems: [String] = []
        do throws(Failure) {
            guard segment.staged != nil else {
                try outbox.readRows(of: segment) { (_) throws(Failure) in }
                entry.byteCount = outbox.byteCount(of: segment)
                return []
            }
            for file in try outbox.files(of: segment) {
                do throws(Failure) {
                    entry.byteCount += try SegmentFile(file, in: outbox.folder).body.length
                    entry.fileCount += 1
                } catch {
                    problems.append("\(error)")
                }
            }
        } catch {
            problems.append("\(error)")
        }
        return problems
    }
}
