// `weir outbox export`: a copy of what waits in its final form, for a stick to be carried away. It changes
// nothing: exported rows wait as before, until they are delivered or given up by `weir outbox discard`.
//
// What is sealed gets its final names and bytes, so a copy that was put into the lake by hand is
// overwritten by itself when the upload comes after all. What is damaged is left out and told, and all else
// is copied: who stands before a device with a stick wants what there is. Rows that are not sealed yet have
// no final names: they go to a folder `_open`, and FIRST and LAST in their names tell which rows they are.
// A later export to the same folder takes the place of what it holds again.

import WeirConnectors
import WeirCore
import WeirStore

extension OutboxReader {
    /// Copies what waits into a folder of its own for each sink.
    ///
    /// - Parameter sealedOnly: leaves out rows that no segment holds yet.
    public func export(
        to folder: String, sink: String?, stream: String?, sealedOnly: Bool = false, asJSON: Bool
    ) throws(Failure) -> OutboxFindings {
        var reader = self
        for _ in 1..<Self.attemptsMax {
            let run = try reader.copy(to: folder, sink, stream, sealedOnly: sealedOnly, asJSON: asJSON)
            if let findings = try findings(of: run, isLast: false) { return findings }
            // The agent has moved rows from under it: they are elsewhere now.
            reader = try OutboxReader(configuration)
        }
        let run = try reader.copy(to: folder, sink, stream, sealedOnly: sealedOnly, asJSON: asJSON)
        return try findings(of: run, isLast: true) ?? run.findings
    }

    private static let attemptsMax = 5

    private func copy(
        to folder: String, _ sink: String?, _ stream: String?, sealedOnly: Bool, asJSON: Bool
    ) throws(Failure) -> ExportRun {
        var run = ExportRun(asJSON: asJSON)
        for stream in try streams(sink: sink, stream: stream) where stream.report.pending.rows > 0 {
            let copy = ExportFolder(folder, sink: stream.report.sinkName)
            let writer = try writer(for: stream.report, folder)
            for segment in stream.segments { try export(segment, by: writer, to: copy, &run) }
            if sealedOnly { continue }
            run.openKeys.removeAll()
            let tail = outbox.openTail(
                of: stream.report.stream, rowsMax: writer.pieces.rowsMax,
                bytesMax: writer.pieces.bytesMax)
            for piece in tail { try export(piece, by: writer, to: copy, &run) }
            if let first = tail.first?.first, let last = tail.last?.last, run.problems.isEmpty {
                try copy.removeOpen(
                    of: stream.report.streamName, within: first...last, except: run.openKeys)
            }
        }
        return run
    }

    /// What an export has come to.
    private struct ExportRun {
        let asJSON: Bool
        var findings = OutboxFindings()
        /// Names of files of rows that are not sealed, of the stream that is being copied.
        var openKeys: Set<ObjectKey> = []
        /// What could not be read, and what was said of it.
        var problems: [(segment: Segment, sink: String, text: String)] = []
    }

    /// Copies a segment, or notes why it cannot be read; throws when it cannot be written.
    private func export(
        _ segment: Segment, by writer: ExportWriter, to copy: ExportFolder, _ run: inout ExportRun
    ) throws(Failure) {
        var entry = OutboxFindings.Entry(state: "exported")
        do throws(Failure) {
            guard segment.staged != nil || writer.knowsFormat else { throw unknownFormat(segment) }
            try writer.writer.forEachFile(of: segment) { (file) throws(Failure) in
                try copy.store.put(file.key, file.body)
                entry.keys.append(file.key.text)
                entry.byteCount += file.body.length
            }
        } catch where error.domain != .external {
            // Stores are external; all else is here.
            run.problems.append((segment, copy.sink, "\(error)"))
            return
        } catch {
            throw Failure(
                error.domain, error.action, error.subject,
                "\(error.reason), when \(run.findings.fileCount) files had been copied",
                advice: error.advice, retry: error.retry)
        }
        entry.fileCount = entry.keys.count
        if segment.isOpen { run.openKeys.formUnion(entry.keys.compactMap { ObjectKey(encoded: $0) }) }
        run.findings.add(segment, sink: copy.sink, entry, asJSON: run.asJSON)
    }

    /// What an export has found; nil when it should be made anew.
    private func findings(of run: ExportRun, isLast: Bool) throws(Failure) -> OutboxFindings? {
        var findings = run.findings
        guard !run.problems.isEmpty else { return findings }
        let (still, moved) = try fate(of: run.problems.map(\.segment))
        guard moved.isEmpty || isLast else { return nil }
        for (segment, sink, text) in run.problems where still.contains(segment) || moved.contains(segment) {
            findings.problems.append(text)
            findings.add(
                segment, sink: sink, OutboxFindings.Entry(state: "not exported"), asJSON: run.asJSON)
        }
        return findings
    }

    /// What makes a stream's files, and how large.
    private struct ExportWriter {
        let writer: SegmentWriter
        let pieces: (rowsMax: UInt64, bytesMax: Int)
        /// Whether rows in the database can be written: their sink is configured.
        let knowsFormat: Bool
    }

    /// What makes or finds the files of a stream's segments. Rows in the database need the sink's format.
    private func writer(for report: OutboxStreamReport, _ folder: String) throws(Failure) -> ExportWriter {
        let own = configuration.sinks.first { $0.name == report.sinkName }
        guard let sink = own ?? configuration.sinks.first else {
            throw Failure(.configuration, "exporting rows of sink", report.sinkName, "no sink is configured")
        }
        var settings = sink.forwarderSettings(
            configuration.agent, stateDirectory: "\(folder)/.weir", queries: [], environment: [:])
        if settings.table != nil { settings.naming = try settings.tableNaming(of: outbox) }
        return ExportWriter(
            writer: SegmentWriter(settings: settings, outbox: outbox),
            pieces: (UInt64(settings.seal.rowsMax), settings.seal.bytesMax), knowsFormat: own != nil)
    }

    private func unknownFormat(_ segment: Segment) -> Failure {
        Failure(
            .configuration, "exporting", "rows \(segment.first)–\(segment.last) of \(segment.streamName)",
            "their sink is not configured any more, so their format is not known",
            advice: "configure a sink of that name again, or name another by --sink")
    }
}

/// A sink's part of the folder that is exported to.
private struct ExportFolder {
    let sink: String
    let store: FileStore
    private static let listedAtOnceMax = 1000

    init(_ folder: String, sink: String) {
        self.sink = sink
        store = FileStore(
            FileStoreOptions(directory: "\(folder)/\(ObjectKey(segments: [sink]))"), ObjectStoreContext())
    }

    /// Removes files of an earlier export whose rows were all written once more, in `keys` among others.
    func removeOpen(
        of stream: String, within rows: ClosedRange<UInt64>, except keys: Set<ObjectKey>
    ) throws(Failure) {
        let agents = Set(keys.compactMap { ObjectNaming.agent(ofObject: $0.name) })
        let prefix = ObjectKey(path: "\(ObjectNaming.openFolder)/\(stream)").text + "/"
        var last: ObjectKey?
        while true {
            let page = try store.list(prefix: prefix, startAfter: last, max: Self.listedAtOnceMax)
            for object in page where !keys.contains(object.key) {
                guard let found = ObjectNaming.parts(ofObject: object.key.name),
                    agents.contains(found.agent), rows.contains(found.rows.lowerBound),
                    rows.contains(found.rows.upperBound)
                else { continue }
                try store.delete(object.key)
            }
            guard page.count == Self.listedAtOnceMax else { return }
            last = page.last?.key
        }
    }
}
