// The status server over real sockets: its answers, its limits against slow and hostile clients,
// and that starting and stopping work from plain threads.

import Glibc
import Testing
import WeirCore

@testable import WeirAgent

/// Nobody listens.
private struct Refused: Error {}

/// Runs what blocks on a thread of its own: the pool that tests and server run on has as many
/// threads as the machine has cores, which can be one.
private func blocking<Value: Sendable>(
    _ body: @escaping @Sendable () throws -> Value
) async throws -> Value {
    try await withCheckedThrowingContinuation { continuation in
        do {
            _ = try WorkerThread(name: "test") { continuation.resume(with: Result { try body() }) }
        } catch {
            continuation.resume(throwing: error)
        }
    }
}

/// A TCP connection to a port of this machine.
private final class Client: Sendable {
    private let descriptor: Int32

    init(port: Int) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        let size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(descriptor, $0, size) }
        }
        if result != 0 { throw Refused() }
        var wait = timeval(tv_sec: 10, tv_usec: 0)
        setsockopt(
            descriptor, SOL_SOCKET, SO_RCVTIMEO, &wait, socklen_t(MemoryLayout<timeval>.size))
    }

    deinit { close(descriptor) }

    func send(_ text: String) {
        _ = Glibc.send(descriptor, text, text.utf8.count, Int32(MSG_NOSIGNAL))
    }

    /// Everything until the other side closes or `end` has come; nil after 10 s without either.
    func receive(until end: String? = nil) async throws -> String? {
        try await blocking { self.receiveBlocking(until: end) }
    }

    func receiveBlocking(until end: String? = nil) -> String? {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = recv(descriptor, &chunk, chunk.count, 0)
            if count < 0, errno != ECONNRESET { return nil }
            if count <= 0 { return String(decoding: bytes, as: UTF8.self) }
            bytes += chunk[0..<count]
            if let end, bytes.suffix(end.utf8.count).elementsEqual(end.utf8) {
                return String(decoding: bytes, as: UTF8.self)
            }
        }
    }

    /// One request and its answer on a connection of its own.
    static func request(_ line: String, port: Int, headers: String = "") async throws -> String {
        let client = try Client(port: port)
        client.send("\(line) HTTP/1.1\r\nhost: x\r\n\(headers)connection: close\r\n\r\n")
        return try #require(await client.receive())
    }
}

private let healthy: [String: StatusServer.Route] = ["/healthz": { StatusResponse(body: "ok\n") }]

private func withServer(
    _ routes: [String: StatusServer.Route] = healthy,
    limits: StatusServerLimits = StatusServerLimits(), _ body: (Int) async throws -> Void
) async throws {
    let server = StatusServer(host: "127.0.0.1", port: 0, routes: routes, limits: limits)
    let port = try await blocking { try server.start() }
    let result: Result<Void, any Error>
    do {
        result = .success(try await body(port))
    } catch {
        result = .failure(error)
    }
    try await blocking { server.stop() }
    try result.get()
}

/// Milliseconds that `body` takes.
private func milliseconds(_ body: () async throws -> Void) async throws -> Int64 {
    let start = SystemClock().monotonicNanoseconds()
    try await body()
    return (SystemClock().monotonicNanoseconds() - start) / 1_000_000
}

@Suite(.serialized) struct StatusServerTests {
    @Test func routesAreAnswered() async throws {
        let json = StatusResponse(code: 503, contentType: "application/json", body: "{}")
        try await withServer(["/a": { StatusResponse(body: "größe\n") }, "/v1/status": { json }]) {
            let text = try await Client.request("GET /a?x=1", port: $0).lowercased()
            #expect(text.hasPrefix("http/1.1 200 ok\r\n"))
            #expect(text.contains("content-type: text/plain; charset=utf-8\r\n"))
            #expect(text.contains("content-length: 8\r\n") && text.hasSuffix("\r\n\r\ngröße\n"))
            let status = try await Client.request("GET /v1/status", port: $0).lowercased()
            #expect(status.hasPrefix("http/1.1 503 ") && status.contains("application/json"))
            let missing = try await Client.request("GET /../etc/passwd", port: $0)
            #expect(missing.hasPrefix("HTTP/1.1 404 "))
            let refused = try await Client.request("DELETE /a", port: $0)
            #expect(refused.hasPrefix("HTTP/1.1 405 "))
            let head = try await Client.request("HEAD /a", port: $0).lowercased()
            #expect(head.contains("content-length: 8\r\n") && head.hasSuffix("\r\n\r\n"))
        }
    }

    @Test func aConnectionCanBeUsedAgain() async throws {
        try await withServer { port in
            let client = try Client(port: port)
            for _ in 0..<3 {
                client.send("GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
                let answer = try await client.receive(until: "ok\n")
                #expect(answer?.hasPrefix("HTTP/1.1 200") == true)
            }
        }
    }

    @Test func whatIsNoRequestIsRefused() async throws {
        try await withServer { port in
            for text in [
                "\u{16}\u{3}\u{1}\u{2}\r\n\r\n", "GET\r\n\r\n",
                String(repeating: "x", count: 100_000),
            ] {
                let client = try Client(port: port)
                client.send(text)
                let answer = try await client.receive()
                #expect(answer?.hasPrefix("HTTP/1.1 200") == false)
            }
            let long = "x: " + String(repeating: "y", count: 20_000) + "\r\n"
            let refused = try await Client.request("GET /healthz", port: port, headers: long)
            #expect(!refused.hasPrefix("HTTP/1.1 200"))
            let served = try await Client.request("GET /healthz", port: port)
            #expect(served.hasSuffix("ok\n"))
        }
    }

    @Test func hundredsOfRequestsInARowAreServed() async throws {
        try await withServer { port in
            for _ in 0..<200 {
                let answer = try await Client.request("GET /healthz", port: port)
                #expect(answer.hasSuffix("ok\n"))
            }
        }
    }

    // MARK: Clients that take their time

    @Test func silentClientsDoNotKeepOthersOut() async throws {
        var limits = StatusServerLimits()
        limits.connectionsMax = 2
        limits.idleMilliseconds = 300
        try await withServer(limits: limits) { port in
            let silent = try (0..<4).map { _ in try Client(port: port) }
            silent[0].send("GET /healthz HT")
            let answer = try await Client.request("GET /healthz", port: port)
            #expect(answer.hasSuffix("ok\n"))
            let last = try await silent[3].receive()
            #expect(last == "")
        }
    }

    @Test func aClientThatNeverReadsIsCutOff() async throws {
        let large = String(repeating: "x", count: 24 << 20)
        var limits = StatusServerLimits()
        limits.connectionsMax = 1
        limits.lifetimeMilliseconds = 500
        let routes = healthy.merging(["/large": { StatusResponse(body: large) }]) { $1 }
        try await withServer(routes, limits: limits) { port in
            let slow = try Client(port: port)
            slow.send("GET /large HTTP/1.1\r\nhost: x\r\n\r\n")
            let answer = try await Client.request("GET /healthz", port: port)
            #expect(answer.hasSuffix("ok\n"))
            try await blocking { _ = usleep(800_000) }
            let part = try await slow.receive()
            #expect((part?.utf8.count ?? 0) < large.utf8.count)
        }
    }

    @Test func lettersOneByOneDoNotProlongAConnection() async throws {
        var limits = StatusServerLimits()
        limits.lifetimeMilliseconds = 400
        try await withServer(limits: limits) { port in
            let client = try Client(port: port)
            client.send("GET /healthz HTTP/1.1\r\n")
            let taken = try await milliseconds {
                try await blocking {
                    for letter in 0..<30 {
                        client.send("h\(letter): x\r\n")
                        usleep(20_000)
                    }
                }
                let answer = try await client.receive()
                #expect(answer == "")
            }
            #expect(taken < 5000)
        }
    }

    // MARK: Starting and stopping

    @Test func anAddressInUseIsSaid() async throws {
        try await withServer { port in
            let second = StatusServer(host: "127.0.0.1", port: port, routes: [:])
            let failure = await #expect(throws: Failure.self) {
                try await blocking { try second.start() }
            }
            #expect(failure?.domain == .configuration)
            #expect(failure?.reason == "the address is in use")
            try await blocking { second.stop() }
        }
    }

    @Test func stoppingDoesNotWaitForClients() async throws {
        let large = String(repeating: "x", count: 24 << 20)
        let server = StatusServer(
            host: "127.0.0.1", port: 0, routes: ["/large": { StatusResponse(body: large) }])
        let port = try await blocking { try server.start() }
        let idle = try Client(port: port)
        let busy = try Client(port: port)
        busy.send("GET /large HTTP/1.1\r\nhost: x\r\n\r\n")
        let taken = try await milliseconds { try await blocking { server.stop() } }
        #expect(taken < 3000)
        let left = try await idle.receive()
        #expect(left == "")
        #expect(throws: Refused.self) { try Client(port: port) }
    }

    @Test func stoppingIsSafeWhileClientsCome() async throws {
        var served = 0
        for round in 0..<15 {
            let server = StatusServer(host: "127.0.0.1", port: 0, routes: healthy)
            let port = try await blocking { try server.start() }
            async let visits = blocking {
                var served = 0
                while let client = try? Client(port: port) {
                    client.send("GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
                    if client.receiveBlocking(until: "ok\n")?.isEmpty == false { served += 1 }
                }
                return served
            }
            try await blocking {
                usleep(UInt32(round) * 2000)
                server.stop()
            }
            served += try await visits
        }
        #expect(served > 0)
    }

    @Test func aServerThatWasNotStartedCanBeStopped() {
        StatusServer(host: "127.0.0.1", port: 0, routes: [:]).stop()
    }
}
