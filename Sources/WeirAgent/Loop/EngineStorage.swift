// The durable side of a running agent or replay, opened together and committed together: state,
// outbox, ledger, query registry.

import WeirCore
import WeirStore

/// What one group commit is made of.
final class EngineStorage {
    let directory: StateDirectory
    let database: Database
    let commit: Commit
    let ledger: Ledger
    let registry: QueryRegistry
    let outbox: Outbox
    let appender: OutboxAppender

    /// Opens or creates the state in `path`.
    init(
        path: String, isDurable: Bool, memoryBudgetBytes: Int, freeBytesMin: UInt64,
        crashPoint: CrashPoint
    ) throws(Failure) {
        directory = try StateDirectory(path, freeBytesMin: freeBytesMin)
        var options = DatabaseOptions()
        options.isDurable = isDurable
        options.memoryBudgetBytes = memoryBudgetBytes
        options.crashPoint = crashPoint
        crashPoint.pass("recovery.before-open")
        database = try Database(directory, options)
        crashPoint.pass("recovery.after-open")
        commit = database.makeCommit()
        ledger = try Ledger(database)
        registry = try QueryRegistry(database)
        outbox = try Outbox(database)
        appender = OutboxAppender(outbox)
        crashPoint.pass("recovery.after-load")
    }

    /// Makes everything put so far durable, as one. `isSettled` says that the ledger's identities hold.
    func write(appendedAt: Int64, isSettled: Bool) throws(Failure) {
        registry.flush(into: commit)
        appender.flush(into: commit, appendedAt: appendedAt)
        ledger.flush(into: commit)
        try database.commit(commit)
        if isSettled { ledger.settle() }
        appender.didCommit(counts: isSettled ? ledger.settledValues : nil)
    }
}
