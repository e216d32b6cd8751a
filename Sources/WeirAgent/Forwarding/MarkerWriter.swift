// Writes the markers of hours that are complete: an empty object in the hour's folder, after the last object
// of the hour. What is due is known from committed records alone (WeirStore/OutboxClosing.swift); a crash
// between the object and the record of it leads to the same empty object again.
//
// An agent knows of its own rows only. So a marker whose name does not say whose it is, is written only to
// folders in which no other agent has an object: two agents that share a folder by mistake are told so, and
// nobody takes an hour for complete that is not.

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
    /// Why nothing is marked, for people; nil while all is well.
    private(set) var complaint: String?
    /// When folders with objects of others are looked at again, ns.
    private var nextLook: Int64 = .min
    private var hasWarnedOfListing = false
    /// Markers written in one go, so that bounds are looked at in between.
    private static let atOnceMax = 64
    private static let lookAgainNanoseconds: Int64 = 600_000_000_000

    init(
        _ marker: HourMarker, sink: SinkID, _ settings: ForwarderSettings, outbox: Outbox,
        clock: any MachineClock, logger: Logger
    ) {
        self.marker = marker
        self.sink = sink
        sinkName = settings.sinkName
        agentID = settings.agentID
        self.outbox = outbox
        self.clock = clock
        self.logger = logger
    }

    /// Writes the markers that are due by `delivery`; throws what the other side answered.
    func writeDue(by delivery: any SegmentDelivery) throws(Failure) {
        var left = Self.atOnceMax
        var met: String?
        for stream in outbox.streams(of: sink) {
            while met == nil, left > 0, let hour = outbox.completeHour(of: stream.id) {
                let folder = ObjectNaming.hourFolder(stream: stream.name, hour: hour)
                met = other(in: folder, delivery)
                if met != nil { break }
                let key = "\(folder)/\(marker.name)"
                try delivery.mark(ObjectKey(path: key))
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
        complaint = met
        nextLook = met == nil ? .min : clock.monotonicNanoseconds() + Self.lookAgainNanoseconds
    }

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
        return outbox.streams(of: sink).contains { outbox.hasNewsOfHours(of: $0.id) }
    }
}
