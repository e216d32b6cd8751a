// The HTTP face of an agent: health, readiness, metrics, status. It reads the status board and nothing
// else, so a slow or hostile client can cost memory (bounded by the connection limit and short
// timeouts) but never hold up the loop.

import Glibc
import HTTPTypes
import HummingbirdCore
import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle
import Synchronization
import WeirCore

/// An answer to a GET.
public struct StatusResponse: Sendable {
    public var code: Int
    public var contentType: String
    public var body: String

    public init(code: Int = 200, contentType: String = "text/plain; charset=utf-8", body: String) {
        self.code = code
        self.contentType = contentType
        self.body = body
    }
}

/// Serves GET requests of `routes` on one address, on one thread.
public final class StatusServer: Sendable {
    public typealias Route = @Sendable () -> StatusResponse

    private static let connectionsMax = 32
    private static let idleSeconds: Int64 = 10

    private let host: String
    private let port: Int
    private let routes: [String: Route]
    private let group: MultiThreadedEventLoopGroup
    private let running = Mutex<Task<Void, Never>?>(nil)

    /// - Parameters:
    ///   - host: the address to listen on; 127.0.0.1 unless the configuration says otherwise.
    ///   - port: the TCP port.
    ///   - routes: what to answer, by path.
    public init(host: String, port: Int, routes: [String: Route]) {
        self.host = host
        self.port = port
        self.routes = routes
        group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    }

    /// Listens, and returns once connections are accepted.
    ///
    /// Throws when the address cannot be bound.
    public func start() throws(Failure) {
        let box = Outcome(settled: try WakeUp())
        let service: any Service
        do {
            service = try makeService(onRunning: { box.settle(nil) })
        } catch {
            throw bindFailure("\(error)")
        }
        let task = Task.detached { [self] in
            do {
                try await service.run()
            } catch {
                box.settle(bindFailure(Self.reason(of: error)))
            }
        }
        running.withLock { $0 = task }
        if let failure = box.wait(milliseconds: 10_000) { throw failure }
    }

    /// Closes the listening socket and all connections.
    public func stop() {
        running.withLock { $0?.cancel() }
        try? group.syncShutdownGracefully()
    }

    private func makeService(onRunning: @escaping @Sendable () -> Void) throws -> any Service {
        let routes = self.routes
        return try HTTPServerBuilder.http1(
            configuration: .init(idleTimeout: .seconds(Self.idleSeconds))
        ).buildServer(
            configuration: ServerConfiguration(
                address: .hostname(host, port: port), serverName: nil, backlog: 16,
                availableConnectionsDelegate: MaximumAvailableConnections(Self.connectionsMax)),
            eventLoopGroup: group,
            logger: Logger(label: "weir.http") { _ in SwiftLogNoOpLogHandler() },
            responder: { request, writer, _ in
                let path = request.uri.path
                let isRead = request.method == .get || request.method == .head
                let answer =
                    isRead
                    ? routes[path]?() ?? StatusResponse(code: 404, body: "no such page\n")
                    : StatusResponse(code: 405, body: "only GET is answered here\n")
                var head = HTTPResponse(status: .init(code: answer.code))
                head.headerFields[.contentType] = answer.contentType
                head.headerFields[.contentLength] = String(answer.body.utf8.count)
                head.headerFields[.cacheControl] = "no-store"
                let body =
                    request.method == .head
                    ? ResponseBody() : ResponseBody(byteBuffer: ByteBuffer(string: answer.body))
                try await writer.write(response: head, body: body)
            },
            onServerRunning: { _ in onRunning() })
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

/// The result of a start, handed from the server's task to the thread that waits for it.
private final class Outcome: Sendable {
    private let state = Mutex<(isSettled: Bool, failure: Failure?)>((false, nil))
    private let settled: WakeUp

    init(settled: WakeUp) { self.settled = settled }

    func settle(_ failure: Failure?) {
        state.withLock { if !$0.isSettled { $0 = (true, failure) } }
        settled.signal()
    }

    func wait(milliseconds: Int) -> Failure? {
        settled.wait(milliseconds: milliseconds)
        return state.withLock { $0.failure }
    }
}
