// Rows of a segment become bodies of HTTP requests. Where one body ends and the next begins is a function of
// the segment and the sink's settings, and the segment's borders are durable before the first byte leaves:
// so the same rows come again under the same Idempotency-Key, also after a kill -9.
//
// A body that is too long is halved until it passes. Rows that are refused for what they are, are waited
// for, or, where the sink may drop, found by halving, dropped, counted as expired and logged.

import Logging
import WeirConnectors
import WeirCore
import WeirFormats
import WeirStore

/// Posts segments.
final class PostDelivery: SegmentDelivery {
    private let poster: RowPoster
    private let texts: RowTexts
    private let options: RowSinkOptions
    private let isCompressed: Bool
    private let settings: ForwarderSettings
    private let crashPoint: CrashPoint
    private let logger: Logger
    /// How far each stream has come: one that was refused goes on where it was, whatever its neighbours
    /// have sent meanwhile.
    private var progress: [StreamID: Progress] = [:]
    private var next: UInt64 = 0
    private(set) var refusedRowCount: UInt64 = 0
    /// Rows gathered for a body: their texts one behind the other, and where each ends.
    private var gathered: [UInt8] = []
    private var ends: [Int] = []

    /// The segment under way, its next row, and how many of its rows were refused for good.
    private struct Progress {
        let segment: Segment
        let next: UInt64
        let refusedRowCount: UInt64
    }

    init(
        _ poster: RowPoster, isCompressed: Bool, texts: RowTexts, _ settings: ForwarderSettings,
        _ options: RowSinkOptions, _ environment: ForwarderEnvironment
    ) {
        self.poster = poster
        self.isCompressed = isCompressed
        self.texts = texts
        self.settings = settings
        self.options = options
        crashPoint = environment.crashPoint
        logger = environment.logger
    }

    func deliver(
        _ segment: Segment, onSent: (_ name: String, _ bytes: Int) -> Void
    ) throws(Failure) {
        let known = progress[segment.stream].flatMap { $0.segment == segment ? $0 : nil }
        next = known?.next ?? segment.first
        refusedRowCount = known?.refusedRowCount ?? 0
        defer {
            progress[segment.stream] = Progress(
                segment: segment, next: next, refusedRowCount: refusedRowCount)
        }
        forgetGathered()
        var first = segment.first
        // From the first row on, also when the first bodies are there already: the borders stay the same.
        try texts.forEachRow(of: segment, from: segment.first) { (row) throws(Failure) in
            let isFull =
                self.ends.count >= self.rowsMax
                || self.gathered.count + row.text.count > self.options.batchBytesMax
            if isFull, !self.ends.isEmpty {
                try self.send(0..<self.ends.count, from: first, segment, onSent)
                self.forgetGathered()
                first = row.number
            }
            self.gathered += row.text
            self.ends.append(self.gathered.count)
        }
        try send(0..<ends.count, from: first, segment, onSent)
        forgetGathered()
    }

    private func forgetGathered() {
        gathered.removeAll(keepingCapacity: true)
        ends.removeAll(keepingCapacity: true)
    }

    private var rowsMax: Int {
        if case .webhook(_, .single) = options.target { 1 } else { options.batchRowsMax }
    }

    /// Sends gathered rows `rows`, as far as they are not there; `first` is the number of the first that is
    /// gathered.
    private func send(
        _ rows: Range<Int>, from first: UInt64, _ segment: Segment,
        _ onSent: (_ name: String, _ bytes: Int) -> Void
    ) throws(Failure) {
        let numbers = (first + UInt64(rows.lowerBound), first + UInt64(rows.upperBound) - 1)
        let name = texts.idPrefix(segment.streamName)
            + (rows.count == 1 ? "\(numbers.0)" : "\(numbers.0)-\(numbers.1)")
        if numbers.1 < next { return }
        if numbers.0 < next { return try sendHalves(rows, from: first, segment, onSent) }
        let body = body(rows)
        crashPoint.pass("post.before")
        let outcome = try poster.post(body, key: name)
        crashPoint.pass("post.after")
        switch outcome {
        case .taken:
            next = numbers.1 + 1
            onSent(name, body.count)
        case .tooLarge(let failure), .refused(let failure):
            var halves = options.dropsRefused
            if case .tooLarge = outcome { halves = true }
            if rows.count > 1, halves { return try sendHalves(rows, from: first, segment, onSent) }
            guard options.dropsRefused else { throw waiting(failure, name) }
            next = numbers.1 + 1
            refusedRowCount += 1
            logger.error(
                "dropped row \(numbers.0) of \(segment.streamName): \(failure)",
                metadata: ["sink": "\(settings.sinkName)"])
        }
    }

    private func sendHalves(
        _ rows: Range<Int>, from first: UInt64, _ segment: Segment,
        _ onSent: (_ name: String, _ bytes: Int) -> Void
    ) throws(Failure) {
        let middle = rows.lowerBound + rows.count / 2
        try send(rows.lowerBound..<middle, from: first, segment, onSent)
        try send(middle..<rows.upperBound, from: first, segment, onSent)
    }

    /// A refusal that is waited for, by its stream alone: it names the rows, so that somebody can look at them.
    private func waiting(_ failure: Failure, _ name: String) -> Failure {
        Failure(
            .configuration, failure.action, failure.subject, "\(name): \(failure.reason)",
            advice: "mend the receiver, or set on_reject = \"drop\" to go on without such rows",
            retry: failure.retry)
    }

    private func body(_ rows: Range<Int>) -> [UInt8] {
        let start = rows.lowerBound == 0 ? 0 : ends[rows.lowerBound - 1]
        var text: [UInt8] = []
        text.reserveCapacity(ends[rows.upperBound - 1] - start + 2 * rows.count)
        let (open, separator, close): (String, UInt8, String) =
            switch options.target {
            case .webhook(_, .array): ("[", UInt8(ascii: ","), "]")
            case .webhook(_, .single): ("", 0, "")
            default: ("", 0x0A, "\n")
            }
        text += open.utf8
        var from = start
        for row in rows {
            if row > rows.lowerBound { text.append(separator) }
            text += gathered[from..<ends[row]]
            from = ends[row]
        }
        text += close.utf8
        guard isCompressed else { return text }
        let compressor = Compressor(.gzip)
        let output = EncodedBytes(capacity: text.count / 2)
        text.withUnsafeBytes { compressor.append($0, to: output) }
        compressor.finish(to: output)
        return Array(output.bytes)
    }
}
