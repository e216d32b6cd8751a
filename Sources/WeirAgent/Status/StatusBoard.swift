// Where the loop and the forwarders write what they are doing, and the HTTP server reads it: the one
// place that threads share besides the outbox. Writers replace whole values under a lock held for the
// copy alone, so a slow scrape never holds up the loop.

import Synchronization
import WeirCore

/// The latest status of the agent's parts.
public final class StatusBoard: Sendable {
    private struct Parts {
        var agent = StatusSnapshot()
        var sinks: [String: StatusSnapshot.SinkStatus] = [:]
        var fatal: Failure?
    }

    private let parts = Mutex(Parts())

    public init() {}

    /// The loop's part: everything but the sinks.
    public func publish(agent: StatusSnapshot) { parts.withLock { $0.agent = agent } }

    /// A forwarder's part: how its uploads fare.
    public func publish(sink: StatusSnapshot.SinkStatus) { parts.withLock { $0.sinks[sink.name] = sink } }

    /// The state of one sink's uploads, as its forwarder last said.
    public func sink(_ name: String) -> StatusSnapshot.SinkStatus? { parts.withLock { $0.sinks[name] } }

    /// A forwarder's failure that must end the process.
    public func fail(_ failure: Failure) {
        parts.withLock { if $0.fatal == nil { $0.fatal = failure } }
    }

    /// The first failure that must end the process.
    public var fatalFailure: Failure? { parts.withLock { $0.fatal } }

    /// All parts together.
    public func snapshot() -> StatusSnapshot {
        parts.withLock { parts in
            var snapshot = parts.agent
            snapshot.sinks = snapshot.sinks.map { sink in
                guard var merged = parts.sinks[sink.name] else { return sink }
                merged.streams = sink.streams
                merged.type = sink.type
                return merged
            }
            return snapshot
        }
    }
}
