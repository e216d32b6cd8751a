// The agent's loop, on one screen: poll every source, let time pass, commit when it is due, wait when
// there is nothing to do. Everything with state runs here, on one thread; the forwarders and the HTTP
// server run beside it and are only told and asked.

import Glibc
import Logging
import WeirCore
import WeirStore

/// Runs an engine over live sources until a stop is requested or something fails.
final class AgentLoop {
    private let engine: Engine
    private let forwarding: Forwarding
    private let reporter: StatusReporter
    private let gate: IntakeGate
    private let stopSignal: StopSignal
    private let wakeUp: WakeUp
    private let serviceManager: ServiceManager
    private let clock: any MachineClock
    private let logger: Logger
    private var changes = ChangeLog()

    /// The longest wait with nothing to do, ms: status and time-outs are looked at this often.
    private static let idleWaitMilliseconds = 250

    init(_ parts: AgentParts) {
        engine = parts.engine
        forwarding = parts.forwarding
        reporter = parts.reporter
        gate = parts.gate
        stopSignal = parts.stopSignal
        wakeUp = parts.wakeUp
        serviceManager = parts.serviceManager
        clock = parts.clock
        logger = parts.logger
    }

    /// Runs until SIGTERM; throws what must end the process.
    func run() throws(Failure) {
        try engine.recover()
        try forwarding.start()
        serviceManager.ready()
        while !stopSignal.isRequested() {
            serviceManager.beat(now: clock.monotonicNanoseconds())
            if let failure = reporter.board.fatalFailure { throw failure }
            let isReading = try gate.isOpen()
            var mayHaveMore = false
            for source in engine.sources {
                if isReading {
                    if try engine.turn(source) { mayHaveMore = true }
                } else {
                    try source.idle()
                }
            }
            try engine.tick(isReading: isReading)
            forwarding.notifyIfAppended()
            changes.note(engine.sources, pauseReason: gate.reason, logger)
            reporter.report(engine, pauseReason: gate.reason, phase: isReading ? "running" : "paused")
            serviceManager.status(reporter.line)
            if !mayHaveMore { wait(isReading: isReading) }
        }
        try stop()
    }

    /// Commits, leaves the brokers, and gives the uploads under way what is left of five seconds.
    private func stop() throws(Failure) {
        logger.info("stopping")
        serviceManager.stopping()
        reporter.report(engine, pauseReason: "", phase: "stopping")
        try engine.commit()
        for source in engine.sources { source.source.stop() }
        forwarding.stop(graceMilliseconds: 3000)
    }

    /// Waits until a socket, a thread, a signal or a time-out calls.
    private func wait(isReading: Bool) {
        var entries = [
            pollfd(fd: stopSignal.fileDescriptor, events: Int16(POLLIN), revents: 0),
            pollfd(fd: wakeUp.fileDescriptor, events: Int16(POLLIN), revents: 0),
        ]
        var timeout = Self.idleWaitMilliseconds
        if isReading {
            for source in engine.sources {
                let request = source.source.waitRequest()
                timeout = min(timeout, request.timeoutMilliseconds)
                guard request.fileDescriptor >= 0 else { continue }
                let events = Int16(POLLIN) | (request.wantsWrite ? Int16(POLLOUT) : 0)
                entries.append(pollfd(fd: request.fileDescriptor, events: events, revents: 0))
            }
        }
        if let commit = engine.millisecondsToCommit() { timeout = min(timeout, commit) }
        poll(&entries, nfds_t(entries.count), Int32(clamping: max(0, timeout)))
        wakeUp.clear()
    }
}
