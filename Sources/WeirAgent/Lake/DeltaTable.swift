// One table as a writer that only appends knows it: the version, protocol, columns, and how far its own
// rows have come. Between commits all of it is kept in memory. After a failure, whose outcome is unknown,
// only what the log has beyond the last known entry is read, since entries never change.

import WeirCore
import WeirFormats

/// What a segment adds to a table.
struct TableAppend {
    /// The columns of the files, as the log writes them.
    let schemaString: String
    let files: [DeltaAdd]
    /// The number of the last row.
    let last: Int64
    /// When the commit is made, ms since the epoch.
    let timestamp: Int64
}

/// The head of a table.
final class DeltaTable {
    let log: DeltaLog
    private let application: String
    private let isPartitioned: Bool
    /// The identity that the table gets if it is made here: a UUID.
    private let newID: String
    private var head: DeltaSnapshot?
    /// The entries that were read, when there may be more.
    private var stale: DeltaSnapshot?

    /// - Parameters:
    ///   - application: under which name the log says how far this writer has come.
    ///   - isPartitioned: whether files are parted by UTC date and hour.
    init(log: DeltaLog, application: String, isPartitioned: Bool, newID: String) {
        self.log = log
        self.application = application
        self.isPartitioned = isPartitioned
        self.newID = newID
    }

    /// The version of the newest entry that is known; -1 when there is no table, nil when nothing is known.
    var version: Int64? { head?.version }

    /// The table's own wish of commits between checkpoints.
    var checkpointInterval: Int? {
        head?.metadata?.configuration["delta.checkpointInterval"].flatMap { Int($0) }
    }

    /// Whether a checkpoint of weir's would hold all that the table has.
    var canBeCheckpointed: Bool { head?.versions?.canBeHeld ?? false }

    /// There may be more entries than are known: they must be read before the next commit.
    func expectMore() {
        stale = head ?? stale
        head = nil
    }

    /// The table may be another one by now: nothing of what is known is used any more.
    func forget() {
        head = nil
        stale = nil
    }

    /// Takes in entries that others have added, or all if nothing is known.
    func refresh() throws(Failure) {
        expectMore()
        var known = stale ?? DeltaSnapshot(headFor: application)
        do throws(Failure) {
            // A long log is not read from its beginning again because of one lost answer.
            if known.version < 0 { try log.load(&known) } else { try log.advance(&known) }
        } catch {
            stale = known.version < 0 ? nil : known
            throw error
        }
        stale = nil
        head = known
    }

    /// Whether rows `first` to `last` are in the table already, by a commit whose end was not seen.
    ///
    /// Throws when the table is ahead of them: then they are others under old numbers, and to leave them
    /// out would lose them, to add them might bring rows twice.
    func holds(_ first: UInt64, through last: UInt64) throws(Failure) -> Bool {
        guard let committed = head?.transactions[application]?.version else { return false }
        if committed == Int64(last) { return true }
        guard committed < Int64(first) else {
            throw Failure(
                .configuration, "adding rows \(first)–\(last) to", log.location,
                "it has rows of this agent up to \(committed) already: the state directory is older than the "
                    + "table",
                advice: "use a new state_dir, which begins a new numbering, or restore the newest one",
                retry: .backoff)
        }
        return false
    }

    /// Stops here if files of these columns cannot be added.
    func check(_ schemaString: String) throws(Failure) {
        _ = try changes(for: schemaString, at: 0)
    }

    /// The actions of the next entry.
    func actions(of append: TableAppend) throws(Failure) -> [DeltaAction] {
        let transaction = DeltaTransaction(
            appId: application, version: append.last, lastUpdated: append.timestamp)
        return try changes(for: append.schemaString, at: append.timestamp)
            + [.transaction(transaction)] + append.files.map(DeltaAction.add)
    }

    /// The entry of the next version is in the log.
    func committed(_ actions: [DeltaAction]) {
        for action in actions { head?.apply(action) }
        head?.version += 1
    }

    // MARK: Columns

    /// What must change in the table so that it takes files of these columns.
    private func changes(
        for schemaString: String, at timestamp: Int64
    ) throws(Failure) -> [DeltaAction] {
        guard let columns = DeltaSchema(parsing: schemaString) else {
            preconditionFailure("weir's own schemas can be read")
        }
        if let problem = columns.nameProblem(isPartitioned: isPartitioned) { throw refused(problem) }
        var wanted = columns
        if isPartitioned { wanted.addDateAndHour() }
        guard let metadata = head?.metadata, let versions = head?.versions else {
            return [
                .versions(.new(for: wanted)),
                .metadata(
                    DeltaMetadata(
                        id: newID, schemaString: wanted.text,
                        partitionColumns: isPartitioned ? Self.partitionColumns : [],
                        createdTime: timestamp)),
            ]
        }
        guard let present = DeltaSchema(parsing: metadata.schemaString) else {
            throw refused("its schema cannot be read")
        }
        if let reason = versions.refusal(metadata, present) { throw refused(reason) }
        try checkPartition(metadata.partitionColumns)
        switch present.fit(wanted) {
        case .fits: return []
        case .refused(let reason): throw refused(reason)
        case .needs(let widened):
            var changed = metadata
            changed.schemaString = widened.text
            guard widened.hasLocalTimes, let newer = versions.addingLocalTimes() else {
                return [.metadata(changed)]
            }
            return [.versions(newer), .metadata(changed)]
        }
    }

    private static let partitionColumns = ["date", "hour"]

    private func checkPartition(_ columns: [String]) throws(Failure) {
        let wanted = isPartitioned ? Self.partitionColumns : []
        guard columns != wanted else { return }
        let text = { (names: [String]) in
            names.isEmpty ? "not partitioned" : "partitioned by " + names.joined(separator: ", ")
        }
        throw refused(
            "it is \(text(columns)), and the sink's tables are \(text(wanted))",
            advice: isPartitioned
                ? "remove partition_by, or use another prefix" : "set partition_by, or use another prefix")
    }

    private func refused(
        _ reason: String, advice: String = "change the query or the table, or use another prefix"
    ) -> Failure {
        Failure(
            .configuration, "adding files to", log.location, reason,
            advice: "\(advice); rows wait until then", retry: .backoff)
    }
}
