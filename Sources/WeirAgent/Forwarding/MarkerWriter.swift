// Writes the markers of hours that are complete: an empty object in the hour's folder, after the last object
// of the hour. What is due is known from committed records alone (WeirStore/OutboxClosing.swift); a crash
// between the object and the record of it leads to the same empty object again.
//
// An agent knows of its own rows only. So a marker whose name does not say whose it is, is written only to
// folders in which no other agent has an object: two agents that share a folder by mistake are told so, and
// nobody takes an hour for complete that is not.
//
// A marker that is refused waits alone, with those of its stream behind it: rows and other streams go on.

import Logging
import WeirConnectors
import WeirCore
import WeirStore

/// How a sink's markers are called.
struct HourMarker: Sendable, Equatable {
    /// The object's name.
    let name: String
    /// Whether the name says whose rows it tells of.
    let namesAgent: Bool

    /// - Parameter pattern: as it is configured, with `{agent}` in it or not.
    init(_ pattern: String, agentID: String) {
        let parts = pattern.split(separator: "{agent}", omittingEmptySubsequences: false)
        name = parts.joined(separator: agentID)
        namesAgent = parts.count > 1
    }
}

/// One sink's markers. Belongs to the sink's thread.
final class MarkerWriter {
    private let marker: HourMarker
    private let sink: SinkID
    private let sinkName: String
    private let agentID: String
    private let outbox: Outbox
    private let clock: any MachineClock
    private let logger: Logger
    private let faults: FaultLog
    /// Streams whose next marker was refused.
    private var holds: StreamHolds
    private var random: any RandomNumberGenerator & Sendable
    /// Why nothing is marked, for people; nil while all is well.
    var complaint: String? {
        if let folderComplaint { return folderComplaint }
        return held.first.map { "the marker of \($0.name) waits: \($0.problem)" }
    }
    private var folderComplaint: String?
    /// When folders with objects of others are looked at again, ns.
    private var nextLook: Int64 = .min
    private var hasWarnedOfListing = false
    /// Markers written in one go, so that bounds are looked at in between.
    private static let atOnceMax = 64
    private static let lookAgainNanoseconds: Int64 = 600_000_000_000

    init(
        _ marker: HourMarker, sink: SinkID, _ settings: ForwarderSettings, outbox: Outbox, faults: FaultLog,
        _ environment: ForwarderEnvironment
    ) {
        self.marker = marker
        self.sink = sink
        sinkName = settings.sinkName
        agentID = settings.agentID
        self.outbox = outbox
        self.faults = faults
        clock = environment.clock
        logger = environment.logger
        random = environment.random
        holds = StreamHolds(retryMilliseconds: settings.retryMilliseconds)
    }

    /// Writes the markers that are due by `delivery`; throws what the other side answered, unless it is of one
    /// stream's markers, which then wait alone. Returns whether any was written.
    func writeDue(by delivery: any SegmentDelivery, isStopping: () -> Bool) throws(Failure) -> Bool {
        var left = Self.atOnceMax
        var met: String?
        for stream in outbox.streams(of: sink) {
            while met == nil, left > 0, !isHeld(stream.id), let hour = outbox.completeHour(of: stream.id) {
                let folder = ObjectNaming.hourFolder(stream: stream.name, hour: hour)
                met = other(in: folder, delivery)
                if met != nil { break }
                let key = "\(folder)/\(marker.name)"
                do throws(Failure) {
                    try delivery.mark(ObjectKey(path: key))
                } catch where StreamHolds.concernsOneStream(error) {
                    if isStopping() { return false }
                    hold(stream.id, stream.name, error)
                    break
                }
                holds.end(stream.id)
                faults.mended(.marker(ofStream: stream.name))
                try outbox.didMark(hour, of: stream.id, sink: sink)
                left -= 1
                logger.info("marked", metadata: ["sink": "\(sinkName)", "object": "\(key)"])
            }
            for hour in try outbox.takeStragglers(of: stream.id, sink: sink) {
                let (date, clock) = ObjectNaming.folder(of: hour)
                logger.warning(
                    "rows of \(stream.name) came for date=\(date)/hour=\(clock) after its marker was due",
                    metadata: ["sink": "\(sinkName)"])
            }
        }
        folderComplaint = met
        nextLook = met == nil ? .min : clock.monotonicNanoseconds() + Self.lookAgainNanoseconds
        return left < Self.atOnceMax
    }

    private func isHeld(_ stream: StreamID) -> Bool {
        holds.isHeld(stream, at: clock.monotonicNanoseconds())
    }

    private func hold(_ stream: StreamID, _ name: String, _ failure: Failure) {
        let wait = holds.hold(stream, named: name, after: failure, clock: clock, using: &random)
        faults.note(.marker(ofStream: name), failure, retryIn: wait)
    }

    /// Whether the marker of a stream was refused and waits.
    var isAnyHeld: Bool { !holds.isEmpty }

    /// What the status says of the streams whose markers wait.
    var held: [StatusSnapshot.HeldStream] {
        holds.status.map { hold in
            var held = hold
            held.marker = marker.name
            return held
        }
    }

    /// How long until a marker that was refused is to be tried again, ms; nil when none waits.
    func millisecondsToNext(at now: Int64) -> Int64? { holds.millisecondsToNext(at: now) }

    /// Every marker is tried at once.
    func release() { holds.release() }

    /// Why `folder` may not be marked: another agent has objects there. Said in the log.
    private func other(in folder: String, _ delivery: any SegmentDelivery) -> String? {
        guard !marker.namesAgent else { return nil }
        do throws(Failure) {
            guard let other = try delivery.otherAgent(than: agentID, in: folder) else { return nil }
            let complaint =
                "hours are not marked: agent \(other) writes to \(folder), too, and \(marker.name) would speak "
                + "for both; put {agent} into marker and wait for all names"
            logger.error("\(complaint)", metadata: ["sink": "\(sinkName)"])
            return complaint
        } catch {
            // Who may write need not be allowed to list; an outage shows with the marker itself.
            if !hasWarnedOfListing {
                hasWarnedOfListing = true
                logger.warning(
                    "whether other agents write to \(folder) was not seen: \(error)",
                    metadata: ["sink": "\(sinkName)"])
            }
            return nil
        }
    }

    /// Whether there is anything to write or to say.
    var isDue: Bool {
        guard clock.monotonicNanoseconds() >= nextLook else { return false }
        return outbox.streams(of: sink).contains { !isHeld($0.id) && outbox.hasNewsOfHours(of: $0.id) }
    }
}
