// A connection lives for a bounded time, whatever its client does: one that sends a request letter
// by letter or never reads its answer would otherwise keep one of the few places for ever, and with
// it the health checks out. Clients that keep connections open simply make a new one. The same
// handlers let the server close what is still open when it stops.

import NIOCore
import Synchronization

/// The connections that are open.
final class OpenConnections: Sendable {
    private let channels = Mutex<[ObjectIdentifier: any Channel]>([:])

    func insert(_ channel: any Channel) {
        channels.withLock { $0[ObjectIdentifier(channel)] = channel }
    }

    func remove(_ channel: any Channel) {
        channels.withLock { _ = $0.removeValue(forKey: ObjectIdentifier(channel)) }
    }

    /// Closes them all, whatever they are at.
    func closeAll() {
        for channel in channels.withLock({ Array($0.values) }) { channel.close(promise: nil) }
    }
}

/// Closes its connection when its time is over, and lists it while it is open.
///
/// The handler is used by its channel's event loop alone.
final class ConnectionDeadline: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = NIOAny
    typealias InboundOut = NIOAny

    private let lifetime: TimeAmount
    private let connections: OpenConnections
    private var timer: Scheduled<Void>?

    init(lifetime: TimeAmount, connections: OpenConnections) {
        self.lifetime = lifetime
        self.connections = connections
    }

    func handlerAdded(context: ChannelHandlerContext) {
        if context.channel.isActive { start(context) }
    }

    func channelActive(context: ChannelHandlerContext) {
        start(context)
        context.fireChannelActive()
    }

    func channelInactive(context: ChannelHandlerContext) {
        end(context)
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) { end(context) }

    private func start(_ context: ChannelHandlerContext) {
        guard timer == nil else { return }
        let channel = context.channel
        connections.insert(channel)
        timer = context.eventLoop.scheduleTask(in: lifetime) { channel.close(promise: nil) }
    }

    private func end(_ context: ChannelHandlerContext) {
        timer?.cancel()
        connections.remove(context.channel)
    }
}
