// When checkpoints of a sink's tables are written: every so many versions the agent whose commit it was gathers
// the log, right behind that commit. Where the link may not be used for it now (a spent budget, others who
// send), the checkpoint stays due and is written as soon as it may, in whatever version the table has by then.
//
// That a checkpoint cannot be written holds nothing up: the log says all that it would.

import Logging
import WeirConnectors
import WeirCore
import WeirFormats

/// Writes the checkpoints of one sink's tables. Belongs to the sink's thread.
final class TableCheckpoints {
    private struct Due {
        let table: DeltaTable
        let since: Int64
    }

    private let settings: ForwarderSettings
    private let tableSettings: TableSettings
    private let environment: ForwarderEnvironment
    /// In the order in which they became due.
    private var due: [Due] = []
    /// Bytes of the last checkpoint of each table, by its place, as far as known.
    private var lengths: [String: Int64] = [:]

    /// What is read and sent beside the checkpoint.
    private static let besideBytes: Int64 = 16 << 10

    init(
        _ settings: ForwarderSettings, _ tableSettings: TableSettings, _ environment: ForwarderEnvironment
    ) {
        self.settings = settings
        self.tableSettings = tableSettings
        self.environment = environment
    }

    /// What has been due for longest; nil when nothing is.
    var overdue: UpkeepTask? {
        due.first.map { UpkeepTask(what: "checkpoint", since: $0.since, bytes: estimate($0.table)) }
    }

    /// A commit of ours is in the table's log.
    func note(_ table: DeltaTable) {
        let interval = table.checkpointInterval.map { Int64($0) } ?? tableSettings.checkpointInterval
        guard let version = table.version, version > 0, interval > 0, version % interval == 0,
            !due.contains(where: { $0.table === table })
        else { return }
        due.append(Due(table: table, since: environment.clock.nowMilliseconds()))
    }

    /// Writes what is due, as far as that may be now. Returns what it waits for; `.go` when nothing is left.
    func write() throws(Failure) -> UploadPlanner.Verdict {
        while let next = due.first {
            let verdict: UploadPlanner.Verdict
            if let gate = environment.gate {
                verdict = try gate.upkeep(bytes: estimate(next.table)) { write(next.table, gate) }
            } else {
                write(next.table, nil)
                verdict = .go
            }
            guard verdict == .go else { return verdict }
            due.removeFirst()
        }
        return .go
    }

    private func estimate(_ table: DeltaTable) -> Int64 {
        (lengths[table.log.location] ?? 0) + Self.besideBytes
    }

    private func write(_ table: DeltaTable, _ gate: UploadGate?) {
        // After a failure it is not known what the table is; the next commit that is due tries again.
        guard let version = table.version, table.canBeCheckpointed else { return }
        let log = table.log
        do throws(Failure) {
            environment.crashPoint.pass("delta.before-checkpoint")
            let checkpoint = try log.writeCheckpoint(
                version, now: environment.clock.nowMilliseconds(),
                tombstonesKeptMilliseconds: tableSettings.upkeep.vacuumAfterMilliseconds,
                stagingPath: "\(settings.stagingDirectory)/checkpoint"
            ) { (length) throws(Failure) in
                try gate?.chargeUpkeep(Int64(length))
            }
            environment.crashPoint.pass("delta.after-checkpoint")
            guard let checkpoint else { return }
            lengths[log.location] = Int64(checkpoint.length)
            try log.point(to: checkpoint)
            environment.logger.info(
                "wrote checkpoint \(version) of \(log.location)",
                metadata: ["files": "\(checkpoint.fileCount)", "bytes": "\(checkpoint.length)"])
        } catch {
            environment.logger.warning(
                "no checkpoint of version \(version): \(error)",
                metadata: ["sink": "\(settings.sinkName)"])
        }
    }
}
