// All forwarders of an agent: started together, told of new rows, stopped together.

import Logging
import WeirConnectors
import WeirCore
import WeirStore

/// The forwarders, one thread a sink.
final class Forwarding {
    private struct Running {
        let sink: SinkID
        let thread: WorkerThread
        let control: ForwarderControl
    }

    private let settings: [ForwarderSettings]
    private let outbox: Outbox
    private let uplink: Uplink?
    private let board: StatusBoard
    private let loopWakeUp: WakeUp
    private let clock: any MachineClock
    private let crashPoint: CrashPoint
    private let logger: Logger
    private let abort = AbortFlag()
    private var running: [Running] = []
    /// The forwarders that run, for requests from outside.
    let registry = ForwarderRegistry()
    private var rowsSeen: [UInt64] = []

    init(
        settings: [ForwarderSettings], outbox: Outbox, uplink: Uplink? = nil, board: StatusBoard,
        loopWakeUp: WakeUp,
        clock: any MachineClock, crashPoint: CrashPoint, logger: Logger
    ) {
        self.settings = settings
        self.outbox = outbox
        self.uplink = uplink
        self.board = board
        self.loopWakeUp = loopWakeUp
        self.clock = clock
        self.crashPoint = crashPoint
        self.logger = logger
    }

    /// Starts a thread for each sink that has streams.
    func start() throws(Failure) {
        for settings in settings {
            guard let sink = outbox.sink(named: settings.sinkName) else { continue }
            let control = try ForwarderControl()
            let line = settings.uploads.usesUplink
                ? uplink?.makeLine(
                    sink: settings.sinkName, priority: settings.uploads.planner.priority,
                    control: control, isSynced: settings.rows == nil) : nil
            let (outbox, board, wakeUp) = (outbox, board, loopWakeUp)
            let (clock, abort, crashPoint, logger) = (clock, abort, crashPoint, logger)
            let thread = try WorkerThread(name: "sink \(settings.sinkName)") {
                do throws(Failure) {
                    let forwarder = try Forwarder(
                        sink: sink, settings: settings, outbox: outbox,
                        environment: ForwarderEnvironment(
                            control: control, board: board, clock: clock, abort: abort,
                            crashPoint: crashPoint, logger: logger, line: line,
                            random: SystemRandomNumberGenerator()))
                    if let failure = forwarder.run() { throw failure }
                } catch {
                    board.fail(error)
                    wakeUp.signal()
                }
            }
            registry.insert(control, sink: settings.sinkName)
            running.append(Running(sink: sink, thread: thread, control: control))
            rowsSeen.append(0)
        }
    }

    /// Tells forwarders whose outbox has grown since the last call.
    func notifyIfAppended() {
        for index in running.indices {
            // A count that only grows: of the rows that wait, as many may have gone as have come.
            let rows = outbox.appendedRows(of: running[index].sink)
            if rows > rowsSeen[index] { running[index].control.notify() }
            rowsSeen[index] = rows
        }
    }

    /// Seals and forwards everything that waits, however long it takes, then ends the threads.
    /// `isCancelled` is asked now and then.
    func drain(onProgress: (UInt64) -> Void, isCancelled: () -> Bool) throws(Failure) {
        for forwarder in running { forwarder.control.request(.draining) }
        while true {
            let left = running.reduce(0) { $0 + outbox.pending(of: $1.sink).rows }
            onProgress(left)
            if let failure = board.fatalFailure { throw failure }
            if left == 0 || isCancelled() { break }
            loopWakeUp.wait(milliseconds: 20)
        }
        stop(graceMilliseconds: 1000)
    }

    /// Lets each upload under way end within the grace, then aborts it; it is repeated at the next start.
    func stop(graceMilliseconds: Int) {
        for forwarder in running { forwarder.control.request(.stopping) }
        let (abort, joined) = (abort, try? WakeUp())
        let grace = try? WorkerThread(name: "stop grace") {
            joined?.wait(milliseconds: graceMilliseconds)
            abort.raise()
        }
        for forwarder in running { forwarder.thread.join() }
        joined?.signal()
        grace?.join()
        running.removeAll()
        registry.removeAll()
    }
}
