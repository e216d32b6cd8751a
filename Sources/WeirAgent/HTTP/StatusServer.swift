// The HTTP face of an agent: health, readiness, metrics, status. It reads the status board and, for
// those who can read the agent's secret (OutboxControl), passes requests on; so a slow or hostile client can cost memory (bounded by the number of connections,
// the size of a request's head and the life of a connection) but never hold up the loop.

import Glibc
import HTTPTypes
import HummingbirdCore
import Logging
import NIOCore
import NIOPosix
import Synchronization
import WeirCore

/// An answer to a GET.
public struct StatusResponse: Sendable {
    /// The HTTP status.
    public var code: Int
    /// As the header has it.
    public var contentType: String
    /// Text in UTF-8.
    public var body: String

    public init(code: Int = 200, contentType: String = "text/plain; charset=utf-8", body: String) {
        self.code = code
        self.contentType = contentType
        self.body = body
    }
}

/// What a client may cost.
struct StatusServerLimits: Sendable {
    /// Connections at a time; more wait in the kernel.
    var connectionsMax = 32
    /// Silence after which a connection is closed, ms.
    var idleMilliseconds: Int64 = 10_000
    /// Age at which a connection is closed, busy or not, ms.
    var lifetimeMilliseconds: Int64 = 30_000
    /// Bytes of a request's head.
    var headBytesMax = 8 << 10
}

/// Serves GET requests of `routes` on one address, on one thread that all servers share.
public final class StatusServer: Sendable {
    /// Answers a GET; called on the server's thread, so it must not wait.
    public typealias Route = @Sendable () -> StatusResponse
    /// Answers a POST, given the parameters of its query; may take as long as a write to disk.
    typealias Action = @Sendable ([String: String]) -> StatusResponse

    /// Lives as long as the process, because NIO ends the process when a loop is shut down while
    /// any connection still has something to tell it.
    private static let eventLoop = MultiThreadedEventLoopGroup(numberOfThreads: 1)

    /// How long `start` waits for the address.
    private static let startMilliseconds = 10_000
    /// How long `stop` lets answers be finished.
    private static let stopMilliseconds = 500

    private let host: String
    private let port: Int
    private let routes: [String: Route]
    private let actions: [String: Action]
    /// What a POST must carry; without one there are none.
    private let token: String?
    private let limits: StatusServerLimits
    private let connections = OpenConnections()
    private let running = Mutex<Running?>(nil)

    /// The server, and what is settled when it has ended.
    private struct Running {
        let server: Server<HTTP1Channel>
        let end: Outcome
    }

    /// - Parameters:
    ///   - host: the address to listen on; 127.0.0.1 unless the configuration says otherwise.
    ///   - port: the TCP port; 0 for any that is free.
    ///   - routes: what to answer, by path; called on the server's thread, so they must not wait.
    public convenience init(host: String, port: Int, routes: [String: Route]) {
        self.init(host: host, port: port, routes: routes, limits: StatusServerLimits())
    }

    init(
        host: String, port: Int, routes: [String: Route], limits: StatusServerLimits,
        actions: [String: Action] = [:], token: String? = nil
    ) {
        self.actions = actions
        self.token = token
        self.host = host
        self.port = port
        self.routes = routes
        self.limits = limits
    }

    /// Listens, and returns the port once connections are accepted.
    ///
    /// Called once. Throws when the address cannot be bound.
    @discardableResult
    public func start() throws(Failure) -> Int {
        let outcome = Outcome(settled: try WakeUp())
        let end = Outcome(settled: try WakeUp())
        let server = makeServer { outcome.settle(.success($0 ?? 0)) }
        running.withLock { $0 = Running(server: server, end: end) }
        Task.detached { [self] in
            do {
                try await server.run()
            } catch {
                outcome.settle(.failure(bindFailure(Self.reason(of: error))))
            }
            end.settle(.success(0))
        }
        guard let result = outcome.wait(milliseconds: Self.startMilliseconds) else {
            throw bindFailure("it took longer than \(Self.startMilliseconds / 1000) s")
        }
        return try result.get()
    }

    /// Closes the listening socket and all connections, those in the middle of an answer after at
    /// most a second.
    public func stop() {
        guard let running = running.withLock({ $0 }), let closed = try? Outcome(settled: WakeUp())
        else { return }
        // In this order, because NIO ends the process over a connection that it has accepted and
        // that nobody takes: no new ones, the answers under way, then all that is left.
        Task.detached {
            try? await running.server.shutdownGracefully()
            closed.settle(.success(0))
        }
        if closed.wait(milliseconds: Self.stopMilliseconds) == nil { connections.closeAll() }
        _ = running.end.wait(milliseconds: Self.stopMilliseconds)
    }

    private func makeServer(
        onRunning: @escaping @Sendable (_ port: Int?) -> Void
    ) -> Server<HTTP1Channel> {
        let (routes, actions, token) = (self.routes, self.actions, self.token)
        let lifetime = TimeAmount.milliseconds(limits.lifetimeMilliseconds)
        let channel = HTTP1Channel.Configuration(
            additionalChannelHandlers: [
                ConnectionDeadline(lifetime: lifetime, connections: self.connections)
            ],
            idleTimeout: .milliseconds(limits.idleMilliseconds),
            httpDecoderConfiguration: .init(
                maxHeaderFieldSize: limits.headBytesMax, maxHeaderListSize: limits.headBytesMax,
                maxHeaderFieldCount: 100))
        return Server(
            childChannelSetup: HTTP1Channel(
                responder: { request, writer, _ in
                    let answer =
                        request.method == .post
                        ? Self.act(on: request, actions, token) : Self.page(for: request, routes)
                    try await Self.respond(to: request, answer, writer)
                }, configuration: channel),
            configuration: ServerConfiguration(
                address: .hostname(host, port: port), serverName: nil, backlog: 16,
                availableConnectionsDelegate: MaximumAvailableConnections(limits.connectionsMax)),
            onServerRunning: { channel in onRunning(channel.localAddress?.port) },
            eventLoopGroup: Self.eventLoop,
            logger: Logger(label: "weir.http") { _ in SwiftLogNoOpLogHandler() })
    }

    /// A page of the agent.
    private static func page(for request: Request, _ routes: [String: Route]) -> StatusResponse {
        request.method == .head || request.method == .get
            ? routes[request.uri.path]?() ?? StatusResponse(code: 404, body: "no such page\n")
            : StatusResponse(code: 405, body: "only GET is answered here\n")
    }

    /// What was asked for, by somebody who has the secret.
    private static func act(
        on request: Request, _ actions: [String: Action], _ token: String?
    ) -> StatusResponse {
        guard let token, let action = actions[request.uri.path] else {
            return StatusResponse(code: 405, body: "only GET is answered here\n")
        }
        guard ControlToken.matches(request.headers[.authorization], token) else {
            return StatusResponse(
                code: 403, body: "the secret of the state directory's file `control` is wanted\n")
        }
        var parameters: [String: String] = [:]
        for (name, value) in request.uri.queryParameters { parameters[String(name)] = String(value) }
        return action(parameters)
    }

    private static func respond(
        to request: Request, _ answer: StatusResponse, _ writer: consuming ResponseWriter
    ) async throws {
        let isHead = request.method == .head
        var head = HTTPResponse(status: .init(code: answer.code))
        head.headerFields[.contentType] = answer.contentType
        head.headerFields[.contentLength] = String(answer.body.utf8.count)
        head.headerFields[.cacheControl] = "no-store"
        if answer.code == 405 { head.headerFields[.allow] = "GET, HEAD" }
        let body =
            isHead ? ResponseBody() : ResponseBody(byteBuffer: ByteBuffer(string: answer.body))
        try await writer.write(response: head, body: body)
    }

    private func bindFailure(_ reason: String) -> Failure {
        Failure(
            .configuration, "listening on", "\(host):\(port)", reason,
            advice: "choose another address as agent.http, or set it to \"off\"")
    }

    private static func reason(of error: any Error) -> String {
        guard let error = error as? IOError else { return "\(error)" }
        return error.errnoCode == EADDRINUSE
            ? "the address is in use" : String(cString: strerror(error.errnoCode))
    }
}

/// A result handed from the server's task to the thread that waits for it.
private final class Outcome: Sendable {
    private let result = Mutex<Result<Int, Failure>?>(nil)
    private let settled: WakeUp

    init(settled: WakeUp) { self.settled = settled }

    /// The first result counts.
    func settle(_ value: Result<Int, Failure>) {
        result.withLock { if $0 == nil { $0 = value } }
        settled.signal()
    }

    /// nil when nothing was settled in time.
    func wait(milliseconds: Int) -> Result<Int, Failure>? {
        let clock = SystemClock()
        let end = clock.monotonicNanoseconds() + Int64(milliseconds) * 1_000_000
        while true {
            if let result = result.withLock({ $0 }) { return result }
            let left = (end - clock.monotonicNanoseconds()) / 1_000_000
            guard left > 0 else { return nil }
            // A signal can end the wait early.
            settled.wait(milliseconds: Int(left))
        }
    }
}
