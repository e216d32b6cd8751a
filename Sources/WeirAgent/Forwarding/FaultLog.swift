// What the log is told of a sink that cannot go on. A fault lasts, and a try comes every few seconds: so it is
// told once when it begins, once more when it has ended, and in between only when it has become another or has
// lasted for an hour more. Each try is in the log at the level `debug`.
//
// Several streams often meet one fault, such as a right that the whole bucket lacks. Then the first tells the
// sentence, and the others that they wait, too. Faults are compared without their numbers, since a clock that
// is off is so by other seconds in each try.

import Logging
import WeirCore

/// The faults of one sink that the log knows of. Belongs to the sink's thread.
final class FaultLog {
    /// What a fault stops.
    enum Part: Hashable {
        case sink
        case rows(ofStream: String)
        case marker(ofStream: String)

        /// What it is called at the beginning of a sentence; empty for the sink, which the log names anyway.
        fileprivate var subject: String {
            switch self {
            case .sink: ""
            case .rows(let stream): stream
            case .marker(let stream): "the marker of \(stream)"
            }
        }
    }

    private struct Told {
        let essence: String
        var tries = 1
        var tellAgainAt: Int64
    }

    private let sinkName: String
    private let clock: any MachineClock
    private let logger: Logger
    private var told: [Part: Told] = [:]
    private static let tellAgainNanoseconds: Int64 = 3_600_000_000_000

    init(sinkName: String, clock: any MachineClock, logger: Logger) {
        self.sinkName = sinkName
        self.clock = clock
        self.logger = logger
    }

    /// A try of `part` has failed; the next comes in `wait` ms.
    func note(_ part: Part, _ failure: Failure, retryIn wait: Int64) {
        let now = clock.monotonicNanoseconds()
        let essence = (failure.reason + failure.advice).filter { !$0.isNumber }
        let known = told[part]
        let isNews = known?.essence != essence || now >= known?.tellAgainAt ?? .min
        let other = told.filter { $0.key != part && $0.value.essence == essence && now < $0.value.tellAgainAt }
            .keys.min { $0.subject < $1.subject }
        told[part] = Told(
            essence: essence, tries: (known?.tries ?? 0) + 1,
            tellAgainAt: isNews ? now + Self.tellAgainNanoseconds : known?.tellAgainAt ?? .max)
        var metadata: Logger.Metadata = ["sink": "\(sinkName)", "retry_in": "\(Self.seconds(wait))"]
        if let known { metadata["failed_before"] = "\(known.tries)" }
        var sentence = part == .sink ? "\(failure)" : "\(part.subject) waits: \(failure)"
        if isNews, part != .sink, let other {
            let first = other == .sink ? "the sink" : other.subject
            sentence = "\(part.subject) waits, too, for the same reason as \(first)"
        }
        logger.log(level: isNews ? .warning : .debug, "\(sentence)", metadata: metadata)
    }

    /// `part` goes on; says so if the log was told that it did not.
    func mended(_ part: Part) {
        guard let known = told.removeValue(forKey: part) else { return }
        let what = part == .sink ? "goes on" : "\(part.subject) goes on"
        logger.notice("\(what)", metadata: ["sink": "\(sinkName)", "failed_tries": "\(known.tries)"])
    }

    /// A wait as the log has it.
    static func seconds(_ milliseconds: Int64) -> String {
        "\(milliseconds / 1000).\(milliseconds % 1000 / 100) s"
    }
}
