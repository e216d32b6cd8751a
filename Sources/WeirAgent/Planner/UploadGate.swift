// The gate that a sink's sealed segments pass: it asks the planner with what is true now, keeps the volume
// that rows become on the wire, and tells the shared uplink of what begins and ends. Belongs to the sink's
// thread, as the forwarder does.

import WeirCore
import WeirStore

/// One sink's settings for when, how much and how fast it uploads.
struct UploadRules: Sendable {
    var planner = UploadPlanner()
    var condition: UploadConditionSettings?
    /// Bytes that a file should have; nil for as much as the bounds allow.
    var targetBytes: Int64?
    /// Whether uploads leave over `[uplink]`.
    var usesUplink = false
    /// Bytes on the wire for one in the outbox, before anything was sent.
    var expectedRatio = 1.0
}

/// Decides for one sink whether a segment may leave.
final class UploadGate {
    private let sinkName: String
    private let rules: UploadRules
    private let line: UplinkLine?
    private let probe: UploadConditionProbe?
    private let records: UplinkRecords
    private let clock: any MachineClock
    private var volumes: [String: UplinkRecords.Volume] = [:]
    /// What the last upload took beside its files or rows: heads of requests, topics. nil before it was read.
    private var knownHeadBytes: Int64?
    /// Heads may be as much as the rest, or this.
    private static let headBytesMin: Int64 = 4096
    /// Volumes are halved when they reach this, so that they follow what rows are like now.
    private static let remembered: Int64 = 256 << 20
    /// Of a day's budget no piece takes more than this part.
    private static let piecesOfBudget: Int64 = 4

    init(
        sinkName: String, rules: UploadRules, line: UplinkLine?, outbox: Outbox, clock: any MachineClock,
        isCancelled: @escaping () -> Bool
    ) {
        self.sinkName = sinkName
        self.rules = rules
        self.line = line
        self.clock = clock
        records = outbox.uplinkRecords
        probe = rules.condition.map {
            UploadConditionProbe($0, clock: clock, isCancelled: isCancelled)
        }
    }

    // MARK: Sealing

    /// Bytes of the outbox that a piece of `stream` should have, as far as files of a target size and
    /// budgets say so.
    func pieceBytes(of stream: String) throws(Failure) -> SegmentBytes {
        let piece = line?.budget.perDay.map { max(1, $0 / Self.piecesOfBudget) }
        var bytes = SegmentBytes(wanted: .max)
        guard let wanted = [rules.targetBytes, piece].compactMap(\.self).min() else { return bytes }
        let ratio = try ratio(of: stream)
        bytes.wanted = max(1, Int(clamping: Int64(Double(wanted) / ratio)))
        if let piece { bytes.limit = max(1, Int(clamping: Int64(Double(piece) / ratio))) }
        return bytes
    }

    /// Whether rows that are due may be sealed: while they could not leave, they gather instead, so that
    /// what goes in the end is not many small files.
    func holdsSealing(oldest: Int64) -> UploadPlanner.Verdict {
        rules.planner.timeAllows(
            oldest: oldest, now: clock.nowMilliseconds(), condition: unmetCondition)
    }

    // MARK: Passing

    /// Whether a segment of `stream` may leave now.
    func verdict(
        stream: String, oldest: Int64?, size: UploadSize
    ) throws(Failure) -> UploadPlanner.Verdict {
        let now = clock.nowMilliseconds()
        let estimate = try self.estimate(stream, size)
        let verdict = rules.planner.verdict(
            oldest: oldest, bytes: estimate, now: now, budget: line?.budget, condition: unmetCondition,
            holder: { line?.holder(oldest: oldest ?? now) })
        if case .wait(let hindrance, _, _) = verdict, hindrance != .priority { line?.withdraw() }
        return verdict
    }

    /// An upload begins.
    func begin(stream: String, size: UploadSize) throws(Failure) {
        try line?.begin(estimate: try estimate(stream, size))
    }

    /// It has ended after `sent` bytes of files; whole, or broken off.
    func end(stream: String, size: UploadSize, sent: Int, isWhole: Bool) throws(Failure) {
        let taken = try line?.end(reported: Int64(sent))
        if isWhole, let taken {
            // Durable, since a segment that did not fit into the budget must not do so after a restart.
            let headBytes = max(0, taken - Int64(sent))
            if headBytes != knownHeadBytes { try records.write(headBytes: headBytes, sink: sinkName) }
            knownHeadBytes = headBytes
        }
        if isWhole, case .encoded(let encodedBytes) = size {
            try learn(stream: stream, encodedBytes: encodedBytes, sent: sent)
        }
    }

    /// Rows that took `encodedBytes` in the outbox have become files of `sent` bytes.
    func learn(stream: String, encodedBytes: Int, sent: Int) throws(Failure) {
        guard encodedBytes > 0, sent > 0 else { return }
        var volume = try volume(of: stream)
        volume.sent += Int64(sent)
        volume.encoded += Int64(encodedBytes)
        if volume.encoded > Self.remembered {
            volume.sent /= 2
            volume.encoded /= 2
        }
        volumes[stream] = volume
        try records.write(volume, sink: sinkName, stream: stream)
    }

    /// Charges what was sent in no upload: markers, the upkeep of tables.
    func settle() throws(Failure) { try line?.settle() }

    // MARK: Upkeep

    /// Does `body`, which nobody waits for, if the link may be used for it now, and charges it `bytes` until
    /// it is known what it took. Returns what it has to wait for otherwise.
    func upkeep(bytes: Int64, _ body: () -> Void) throws(Failure) -> UploadPlanner.Verdict {
        let verdict = rules.planner.upkeepVerdict(
            bytes: bytes, now: clock.nowMilliseconds(), budget: line?.budget, condition: unmetCondition,
            holder: { line?.busySink })
        guard verdict == .go else { return verdict }
        try line?.begin(estimate: bytes, isUpkeep: true)
        body()
        try line?.end(reported: 0)
        return .go
    }

    /// More that the upkeep under way is about to send; durable on return.
    func chargeUpkeep(_ bytes: Int64) throws(Failure) { try line?.charge(bytes) }

    /// Bytes that one slice of upkeep should take at most; nil for any.
    var upkeepPieceBytes: Int64? { line?.budget.upkeepPieceBytes }

    /// Nothing is due for now, or its sink cannot be reached: others need not wait.
    func withdraw() { line?.withdraw() }

    private func unmetCondition() -> String? { probe?.unmet() }

    private func estimate(_ stream: String, _ size: UploadSize) throws(Failure) -> Int64 {
        let bytes =
            switch size {
            case .encoded(let bytes): Int64(Double(bytes) * (try ratio(of: stream)))
            case .files(let bytes): Int64(bytes)
            }
        return bytes + min(try headBytes(), max(bytes, Self.headBytesMin))
    }

    private func headBytes() throws(Failure) -> Int64 {
        if let knownHeadBytes { return knownHeadBytes }
        let kept = try records.headBytes(sink: sinkName) ?? 0
        knownHeadBytes = kept
        return kept
    }

    private func ratio(of stream: String) throws(Failure) -> Double {
        UploadEstimate.ratio(try volume(of: stream), expected: rules.expectedRatio)
    }

    private func volume(of stream: String) throws(Failure) -> UplinkRecords.Volume {
        if let known = volumes[stream] { return known }
        let kept = try records.volume(sink: sinkName, stream: stream) ?? .init(sent: 0, encoded: 0)
        volumes[stream] = kept
        return kept
    }
}

/// How large a segment is: what its rows take in the outbox, or the files that it is in.
enum UploadSize {
    case encoded(Int)
    case files(Int)
}

/// What rows of the outbox will be on the wire.
enum UploadEstimate {
    /// Bytes on the wire for one in the outbox: by what was sent so far, or as expected of the format.
    static func ratio(_ volume: UplinkRecords.Volume?, expected: Double) -> Double {
        guard let volume, volume.encoded > 0, volume.sent > 0 else { return expected }
        return Double(volume.sent) / Double(volume.encoded)
    }
}
