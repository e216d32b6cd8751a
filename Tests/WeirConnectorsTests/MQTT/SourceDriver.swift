// Plays the loop for a source under test: polls, waits as the source asks, commits and acknowledges.
// What is committed survives the "death" of the source, which is simply to be let go of.

import Glibc
import Testing
import WeirCore

/// A message as a test looks at it.
struct ReceivedMessage: Equatable {
    var topic: String
    var payload: String
    var isRetained = false
    var userProperties: [String] = []
}

/// A source in the hands of a test's loop.
final class SourceDriver {
    let source: any Source
    let batch: MessageBatch
    /// Polled, not yet committed.
    private(set) var pending: [ReceivedMessage] = []
    private let disk: Disk

    /// What a state directory would hold.
    final class Disk {
        var position: [[UInt8]: [UInt8]] = [:]
        var messages: [ReceivedMessage] = []
        var payloads: [String] { messages.map(\.payload) }

        /// Records an issue unless exactly these payloads are there in this order; says where they part.
        func expect(_ wanted: [String], _ note: String = "", at location: SourceLocation = #_sourceLocation) {
            let found = payloads
            let parting = zip(found, wanted).enumerated().first { $0.element.0 != $0.element.1 }
            #expect(
                found.count == wanted.count && parting == nil,
                "\(found.count) of \(wanted.count); first difference: \(String(describing: parting)); \(note)",
                sourceLocation: location)
        }
    }

    init(_ source: any Source, _ disk: Disk = Disk(), batch: MessageBatch = MessageBatch()) throws {
        self.source = source
        self.disk = disk
        self.batch = batch
        try source.restore(position: disk.position.map { (key: $0.key, value: $0.value) })
        try source.start()
    }

    var messages: [ReceivedMessage] { disk.messages }
    var state: String { source.report.state }

    /// One poll; true when it brought something or there may be more.
    @discardableResult
    func poll() throws -> PollResult {
        batch.removeAll()
        let result = try source.poll(into: batch)
        for index in 0..<batch.count {
            let payload = UnsafeBufferPointer(start: batch.bytes + batch.starts[index], count: batch.lengths[index])
            pending.append(
                ReceivedMessage(
                    topic: batch.topics.string(index), payload: String(decoding: payload, as: UTF8.self),
                    isRetained: batch.retained[index],
                    userProperties: batch.userProperties[index]?.map { "\($0.name)=\($0.value)" } ?? []))
        }
        return result
    }

    /// The first half of a commit's round: the state is durable, the broker does not know it yet.
    func commitOnly() {
        source.savePosition { disk.position[$0] = $1 }
        disk.messages += pending
        pending = []
    }

    func commit() throws {
        commitOnly()
        try source.acknowledge()
    }

    /// Polls and commits until `condition` holds, at most so long.
    func run(seconds: Int = 20, committing: Bool = true, until condition: () -> Bool) throws {
        let end = time(nil) + seconds
        while !condition() {
            guard time(nil) <= end else {
                Issue.record("not within \(seconds) s; \(state), \(messages.count) messages")
                return
            }
            let result = try poll()
            if committing { try commit() }
            if result == .dry { wait() }
        }
    }

    func wait() {
        let request = source.waitRequest()
        let events = Int16(POLLIN | (request.wantsWrite ? POLLOUT : 0))
        var descriptor = pollfd(fd: request.fileDescriptor, events: events, revents: 0)
        Glibc.poll(&descriptor, 1, Int32(min(request.timeoutMilliseconds, 50)))
    }

    /// Until connected and subscribed, which the saved position says.
    func connect() throws {
        try run { source.report.isConnected && disk.position[[UInt8(ascii: "s")]]?.dropFirst().first == 1 }
    }
}
