// A refusal concerns one stream, an outage all of them. When a table does not take a stream's columns, a
// receiver its rows, a store its object, or a file of waiting rows is damaged, that stream waits alone, with
// a back-off of its own, and its neighbours go on; when the other side cannot be reached, the whole sink
// waits, since the next stream would only find the same; so it does where the other side answers, but does not
// know us or has no such bucket. Within a stream rows keep their order: while its
// oldest segment waits, no younger one goes.
//
// Nothing of this is durable: after a restart each stream is tried once more, and waits again if it must.

import WeirCore
import WeirStore

/// The streams of one sink that wait alone. Belongs to the sink's thread.
struct StreamHolds {
    private struct Hold {
        let streamName: String
        var backoff: Backoff
        var problem: String
        /// When it is tried again, monotonic ns, and, to be shown, ms since the epoch.
        var until: Int64
        var nextTryAt: Int64
    }

    private let retryMilliseconds: ClosedRange<Int64>
    private var holds: [StreamID: Hold] = [:]

    /// - Parameter retryMilliseconds: the first wait and the longest.
    init(retryMilliseconds: ClosedRange<Int64>) { self.retryMilliseconds = retryMilliseconds }

    /// Whether another stream of the sink may fare better than the one that met this failure.
    static func concernsOneStream(_ failure: Failure) -> Bool {
        guard !failure.concernsAll else { return false }
        return switch failure.domain {
        case .configuration, .input: true
        // What never can be read again ends the process.
        case .state: failure.retry != .never
        // The store has understood and refuses, and not for who we are or what all streams share.
        case .external: failure.retry == .never
        case .storage, .internalError: false
        }
    }

    var isEmpty: Bool { holds.isEmpty }

    /// Whether a stream has met a refusal that is not over, be it about to be tried again or not.
    func contains(_ stream: StreamID) -> Bool { holds[stream] != nil }

    /// Whether a stream is not to be tried now.
    func isHeld(_ stream: StreamID, at now: Int64) -> Bool { holds[stream].map { now < $0.until } ?? false }

    /// The stream waits from now on; returns for how long, ms.
    mutating func hold(
        _ stream: StreamID, named streamName: String, after failure: Failure, clock: any MachineClock,
        using random: inout any RandomNumberGenerator & Sendable
    ) -> Int64 {
        var backoff =
            holds[stream]?.backoff
            ?? Backoff(
                minimumMilliseconds: retryMilliseconds.lowerBound,
                maximumMilliseconds: retryMilliseconds.upperBound)
        let wait = backoff.next(after: failure.retry, using: &random)
        holds[stream] = Hold(
            streamName: streamName, backoff: backoff, problem: "\(failure)",
            until: clock.monotonicNanoseconds() + wait * 1_000_000,
            nextTryAt: clock.nowMilliseconds() + wait)
        return wait
    }

    /// The stream's segment has gone.
    mutating func end(_ stream: StreamID) { holds[stream] = nil }

    /// Forgets the streams that are not among `blocked`: what was refused was given up. Returns their names.
    mutating func keep(_ blocked: Set<StreamID>) -> [String] {
        let gone = holds.filter { !blocked.contains($0.key) }
        for stream in gone.keys { holds[stream] = nil }
        return gone.values.map(\.streamName)
    }

    /// Every stream is tried at once, and as if for the first time.
    mutating func release() {
        for stream in holds.keys {
            holds[stream]?.until = .min
            holds[stream]?.backoff.reset()
        }
    }

    /// How long until the next stream is to be tried, ms; nil when none waits.
    func millisecondsToNext(at now: Int64) -> Int64? {
        holds.values.map(\.until).min().map { $0 <= now ? 1 : ($0 - now) / 1_000_000 + 1 }
    }

    /// What the sink says of itself while nothing else is to be done; nil when no stream waits.
    var sentence: String? {
        guard let first = status.first else { return nil }
        let others = holds.count > 1 ? " and \(holds.count - 1) more streams wait" : " waits alone"
        return "\(first.name)\(others): \(first.problem)"
    }

    /// What the status says of them, by the names of the streams.
    var status: [StatusSnapshot.HeldStream] {
        holds.values.map { hold in
            var held = StatusSnapshot.HeldStream()
            held.name = hold.streamName
            held.problem = hold.problem
            held.nextTryAt = hold.nextTryAt
            return held
        }.sorted { $0.name < $1.name }
    }
}
