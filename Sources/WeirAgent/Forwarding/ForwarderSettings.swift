// What a forwarder is made from: the sink's settings, and the parts of the agent that it works with.

import Logging
import WeirConnectors
import WeirCore
import WeirFormats
import WeirStore

/// One sink's settings, in the units that their names end with.
struct ForwarderSettings: Sendable {
    let sinkName: String
    let agentID: String
    /// Where objects go; nil for a sink that takes rows.
    let store: ObjectStoreOptions?
    /// How rows are sent as they come; nil for a sink that takes files.
    let rows: RowSinkOptions?
    var naming: ObjectNaming
    let format: FileFormat
    let seal: SealPolicy
    /// The timestamp column by whose UTC date and hour objects are split; nil = the seal's.
    let partitionBy: String?
    let retryMilliseconds: ClosedRange<Int64>
    let outbox: OutboxConfiguration
    /// Which streams' rows can be merged when the outbox is full; nil when the sink merges none.
    let coarsening: CoarseningSettings?
    /// A folder for objects that are too large to be held in memory; on the state's disk.
    let stagingDirectory: String
    /// Free bytes of the state's disk that files of waiting rows leave alone.
    let stagingReserveBytes: Int64
    /// How the sink's tables are kept; nil where segments become plain objects.
    var table: TableSettings?
    /// When, how much and in what order segments leave.
    var uploads = UploadRules()
    /// The empty object that tells that an hour's folder is complete; nil for none.
    var marker: HourMarker?

    /// How files of tables are called: with the identity of the state directory behind the agent's.
    func tableNaming(of outbox: Outbox) throws(Failure) -> ObjectNaming {
        ObjectNaming(
            agentID: "\(agentID)-\(try outbox.identity())", fileExtension: naming.fileExtension)
    }

    /// The way that this sink's segments take. Throws `Failure(.configuration, …)` for settings that
    /// cannot work.
    func makeDelivery(
        outbox: Outbox, _ environment: ForwarderEnvironment
    ) throws(Failure) -> any SegmentDelivery {
        if let rows { return try rows.makeDelivery(self, outbox: outbox, environment) }
        guard let options = store else { preconditionFailure("a sink takes rows or files") }
        let store = try options.makeStore(
            ObjectStoreContext(
                clock: environment.clock, abort: environment.abort, crashPoint: environment.crashPoint,
                meter: environment.line))
        if let table {
            return try DeltaDelivery(
                settings: self, table, store: store, outbox: outbox, environment)
        }
        return ObjectDelivery(store: store, writer: SegmentWriter(settings: self, outbox: outbox))
    }
}

/// What surrounds a forwarder.
struct ForwarderEnvironment {
    let control: ForwarderControl
    let board: StatusBoard
    let clock: any MachineClock
    let abort: AbortFlag
    let crashPoint: CrashPoint
    let logger: Logger
    /// The sink's line on the shared uplink; nil when it shares none.
    let line: UplinkLine?
    let random: any RandomNumberGenerator & Sendable
    /// Where upkeep asks whether it may use the link; nil for without asking.
    var gate: UploadGate?

    /// The same with a gate.
    func with(_ gate: UploadGate) -> ForwarderEnvironment {
        var changed = self
        changed.gate = gate
        return changed
    }
}
