// Gathers the loop's side of the status a few times a second and posts it on the board.

import Glibc
import WeirCore
import WeirStore

/// Posts the status of an engine.
final class StatusReporter {
    let board: StatusBoard
    private let agentID: String
    private let sinkTypes: [(name: String, type: String)]
    private let reserveBytes: UInt64
    private let freeBytes: () -> UInt64
    private let uplink: Uplink?
    private let clock: any MachineClock
    private let startedAt: Int64
    private var nextReport: Int64 = .min
    private var nextStorageLook: Int64 = .min
    private var lastPhase = ""
    private var lastConnections = 0
    private var storage = StatusSnapshot.StorageStatus()
    /// One line for the service manager.
    private(set) var line = "starting"

    private static let intervalNanoseconds: Int64 = 200_000_000
    private static let storageIntervalNanoseconds: Int64 = 5_000_000_000

    init(
        board: StatusBoard, agentID: String, sinkTypes: [(name: String, type: String)],
        reserveBytes: UInt64, freeBytes: @escaping () -> UInt64, uplink: Uplink?,
        clock: any MachineClock
    ) {
        self.board = board
        self.agentID = agentID
        self.sinkTypes = sinkTypes
        self.reserveBytes = reserveBytes
        self.freeBytes = freeBytes
        self.uplink = uplink
        self.clock = clock
        startedAt = clock.nowMilliseconds()
    }

    /// Posts the status if the last one is old, or the phase or a connection has changed.
    func report(_ engine: Engine, pauseReason: String, phase: String) {
        let now = clock.monotonicNanoseconds()
        let connections = engine.sources.count { $0.source.report.isConnected }
        guard now >= nextReport || phase != lastPhase || connections != lastConnections else { return }
        nextReport = now + Self.intervalNanoseconds
        lastPhase = phase
        lastConnections = connections
        var status = StatusSnapshot()
        status.agent = agentID
        status.version = version
        status.phase = phase
        status.pauseReason = pauseReason
        status.startedAt = startedAt
        status.writtenAt = clock.nowMilliseconds()
        status.sources = engine.sources.map(\.status)
        status.queries = engine.queries.map(\.status)
        status.tables = engine.tables.map(\.status)
        status.sinks = sinks(engine.storage.outbox)
        status.uplink = uplink?.status(at: status.writtenAt)
        status.commits = engine.commitTimes.status
        if now >= nextStorageLook {
            nextStorageLook = now + Self.storageIntervalNanoseconds
            storage = lookAtStorage(engine.storage)
        }
        storage.freeBytes = freeBytes()
        status.storage = storage
        status.balance()
        let connected = status.sources.count { $0.isConnected }
        line =
            pauseReason.isEmpty
            ? "\(connected) of \(status.sources.count) sources connected" : "intake paused: \(pauseReason)"
        board.publish(agent: status)
    }

    private func sinks(_ outbox: Outbox) -> [StatusSnapshot.SinkStatus] {
        let reports = outbox.reports()
        return sinkTypes.map { name, type in
            var sink = StatusSnapshot.SinkStatus()
            sink.name = name
            sink.type = type
            sink.streams = reports.filter { $0.sinkName == name }.map { report in
                var stream = StatusSnapshot.StreamStatus()
                stream.name = report.streamName
                stream.appended = report.appended
                stream.forwarded = report.forwarded
                stream.expired = report.expired
                stream.merged = report.merged
                stream.made = report.made
                stream.pending = report.pending.rows
                stream.pendingBytes = UInt64(report.pending.bytes)
                stream.oldestAppendedAt = report.pending.oldestAppendedAt
                return stream
            }
            return sink
        }
    }

    private func lookAtStorage(_ storage: EngineStorage) -> StatusSnapshot.StorageStatus {
        var status = StatusSnapshot.StorageStatus()
        status.reserveBytes = reserveBytes
        let figures = storage.database.statistics()
        status.stateDirectoryBytes = figures.fileBytes + figures.memoryTableBytes
        status.database = [
            "memory_table_bytes": figures.memoryTableBytes,
            "block_cache_bytes": figures.blockCacheBytes,
            "table_reader_bytes": figures.tableReaderBytes,
            "file_bytes": figures.fileBytes,
            "pending_compaction_bytes": figures.pendingCompactionBytes,
        ]
        let process = ProcessFigures.now()
        status.residentBytes = process.residentBytes
        status.cpuSeconds = process.cpuSeconds
        status.openFiles = process.openFiles
        return status
    }
}
