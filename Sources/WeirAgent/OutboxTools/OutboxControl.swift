// What may be asked of a running agent's outbox: to try again now, and to give rows up. The requests come
// over the status server, which others than the device's owner may reach: a page in somebody's browser, a
// neighbour in the network. So they must carry a secret that the agent writes anew at each start to
// `control` in the state directory, where only those can read it who could change the state anyway.

import Glibc
import Logging
import Synchronization
import WeirCore
import WeirStore

/// The forwarders that run, by the names of their sinks.
final class ForwarderRegistry: Sendable {
    private let controls = Mutex<[String: ForwarderControl]>([:])

    func insert(_ control: ForwarderControl, sink: String) {
        controls.withLock { $0[sink] = control }
    }

    func removeAll() { controls.withLock { $0.removeAll() } }

    /// The sinks whose pause ends now: those of the name, or all.
    func retry(sink: String?) -> [String] {
        let found = controls.withLock { controls in
            controls.filter { sink == nil || $0.key == sink }
        }
        for control in found.values { control.requestRetry() }
        return found.keys.sorted()
    }
}

/// The requests that the outbox of a running agent answers.
final class OutboxControl: Sendable {
    /// Nil when the agent is at its end: RocksDB must be closed before the process ends.
    private let outbox: Mutex<Outbox?>
    private let registry: ForwarderRegistry
    private let logger: Logger

    init(outbox: Outbox, registry: ForwarderRegistry, logger: Logger) {
        self.outbox = Mutex(outbox)
        self.registry = registry
        self.logger = logger
    }

    /// Lets the outbox go; what is asked for from now on is refused.
    func close() { outbox.withLock { $0 = nil } }

    /// The requests by their paths.
    var actions: [String: StatusServer.Action] {
        [
            "/v1/outbox/retry": { self.retry($0) },
            "/v1/outbox/discard": { self.discard($0) },
        ]
    }

    private func retry(_ parameters: [String: String]) -> StatusResponse {
        let sinks = registry.retry(sink: parameters["sink"])
        guard !sinks.isEmpty else {
            return StatusResponse(code: 404, body: "no such sink is being forwarded\n")
        }
        return StatusResponse(body: sinks.map { "sink \($0) tries now\n" }.joined())
    }

    private func discard(_ parameters: [String: String]) -> StatusResponse {
        guard let outbox = outbox.withLock(\.self) else {
            return StatusResponse(code: 409, body: "weir is stopping\n")
        }
        guard let sink = parameters["sink"] else {
            return StatusResponse(code: 400, body: "sink is missing\n")
        }
        var rows: ClosedRange<UInt64>?
        if let first = parameters["first"], let last = parameters["last"] {
            guard let first = UInt64(first), let last = UInt64(last), first <= last else {
                return StatusResponse(code: 400, body: "first and last are no range of rows\n")
            }
            rows = first...last
        }
        do throws(Failure) {
            let ranges = try OutboxDiscard(sink: sink, stream: parameters["stream"], rows: rows)
                .run(in: outbox)
            for range in ranges {
                logger.error(
                    "dropped rows \(range.first)–\(range.last) of \(range.streamName): they were discarded by hand",
                    metadata: ["sink": "\(sink)", "rows": "\(range.rowCount)"])
            }
            _ = registry.retry(sink: sink)
            return StatusResponse(body: discardText(ranges, asJSON: parameters["json"] != nil))
        } catch {
            return StatusResponse(code: 409, body: "\(error)\n")
        }
    }
}

/// The secret of requests to a running agent.
enum ControlToken {
    static func path(_ stateDirectory: String) -> String { "\(stateDirectory)/control" }

    /// Writes a new one, for the owner's eyes alone.
    static func make(in stateDirectory: String) throws(Failure) -> String {
        var random = SystemRandomNumberGenerator()
        let token = hexadecimal((0..<32).map { _ in UInt8.random(in: 0...255, using: &random) })
        let path = path(stateDirectory)
        unlink(path)
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw failure("creating", path) }
        defer { close(descriptor) }
        let error = Array(token.utf8).withUnsafeBytes { writeAll(descriptor, $0).error }
        guard error == nil else { throw failure("writing", path) }
        return token
    }

    /// That of the agent that runs on this state directory.
    static func read(from stateDirectory: String) throws(Failure) -> String {
        let path = path(stateDirectory)
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw failure("reading", path) }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 128)
        let count = Glibc.read(descriptor, &bytes, bytes.count)
        return String(decoding: bytes[..<max(0, count)], as: UTF8.self)
    }

    /// Whether a request's Authorization is that of `token`; takes the same time whatever differs.
    static func matches(_ header: String?, _ token: String) -> Bool {
        let (given, wanted) = (Array((header ?? "").utf8), Array("Bearer \(token)".utf8))
        guard given.count == wanted.count else { return false }
        return zip(given, wanted).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) } == 0
    }

    private static func failure(_ action: String, _ path: String) -> Failure {
        Failure(.storage, action, path, String(cString: strerror(errno)))
    }
}
