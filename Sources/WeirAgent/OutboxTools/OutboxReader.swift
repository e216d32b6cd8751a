// Looking into the outbox of an agent, running or not: its database is opened to be read, beside the
// process that may be at work in it, and its files are read where they lie. What is seen is how it was
// at the opening; a segment may be delivered a moment later.

import Glibc
import WeirCore
import WeirStore

/// An outbox as it was a moment ago.
public final class OutboxReader {
    let configuration: AgentConfiguration
    let outbox: Outbox

    private static let triesMax = 10
    private static let pauseMilliseconds: Int32 = 50

    /// Opens the outbox of the agent that `configuration` describes.
    ///
    /// Throws `.state` when there is no state directory, or it is damaged or of a newer weir.
    public init(_ configuration: AgentConfiguration) throws(Failure) {
        self.configuration = configuration
        let directory = try StateDirectory(reading: configuration.agent.stateDirectory)
        var tries = 1
        while true {
            do throws(Failure) {
                outbox = try Outbox(try Database(reading: directory))
                return
            } catch {
                // The agent may have removed a file between the look at the list and the opening.
                guard tries < Self.triesMax else { throw error }
                tries += 1
                poll(nil, 0, Self.pauseMilliseconds)
            }
        }
    }

    /// A sink's stream, and what is known of its rows.
    struct Stream {
        let report: OutboxStreamReport
        let segments: [Segment]
    }

    /// The streams of all sinks, of one, or one of them; throws when there is none of the name.
    func streams(sink: String?, stream: String? = nil) throws(Failure) -> [Stream] {
        let reports = outbox.reports()
        let sinks = Set(reports.map(\.sinkName) + configuration.sinks.map(\.name))
        if let sink, !sinks.contains(sink) { throw unknown("sink \(sink)", of: sinks.sorted()) }
        let own = reports.filter { sink == nil || $0.sinkName == sink }
        if let stream, !own.contains(where: { $0.streamName == stream }) {
            throw unknown("stream \(stream)", of: own.map(\.streamName))
        }
        return own.filter { stream == nil || $0.streamName == stream }.map { report in
            Stream(report: report, segments: segments(of: report))
        }
    }

    /// The segments of a stream in the order of their rows.
    func segments(of report: OutboxStreamReport) -> [Segment] {
        guard let sink = outbox.sink(named: report.sinkName) else { return [] }
        return outbox.segments(of: sink).filter { $0.stream == report.stream }
    }

    private func unknown(_ what: String, of names: [String]) -> Failure {
        Failure(
            .configuration, "looking into the outbox for", what, "there is none",
            advice: names.isEmpty ? "nothing was ever sent" : "there is \(alternatives(names, "and"))")
    }

    /// What has become by now of segments that could not be read: `still` are where they were, so something
    /// is wrong with them; rows of `moved` wait on, but have been sealed or put into files. All others have
    /// been delivered.
    func fate(of segments: [Segment]) throws(Failure) -> (still: Set<Segment>, moved: [Segment]) {
        let now = try OutboxReader(configuration)
        var waiting: [StreamID: [Segment]] = [:]
        for report in now.outbox.reports() {
            waiting[report.stream] = now.segments(of: report) + now.outbox.openTail(of: report.stream)
        }
        let firsts = waiting.mapValues { Dictionary($0.map { ($0.first, $0) }) { $1 } }
        var (still, moved): (Set<Segment>, [Segment]) = ([], [])
        for segment in segments {
            let found = firsts[segment.stream]?[segment.first]
            if let found, found.isOpen == segment.isOpen, found.staged == segment.staged {
                still.insert(segment)
            } else if waiting[segment.stream, default: []].contains(where: {
                $0.first <= segment.last && segment.first <= $0.last
            }) {
                moved.append(segment)
            }
        }
        return (still, moved)
    }
}

/// One JSON object, member by member.
struct JSONMembers {
    private var text = "{"

    mutating func put(_ name: String, raw value: String) {
        if text.utf8.count > 1 { text += ", " }
        text += "\(jsonString(name)): \(value)"
    }

    mutating func put(_ name: String, _ value: String?) {
        put(name, raw: value.map(jsonString) ?? "null")
    }

    mutating func put(_ name: String, _ value: UInt64) { put(name, raw: String(value)) }

    mutating func put(_ name: String, _ value: Int) { put(name, raw: String(value)) }

    mutating func put(_ name: String, time milliseconds: Int64?) {
        put(name, raw: milliseconds.map { String($0) } ?? "null")
    }

    /// The object with its braces.
    var object: String { text + "}" }
}

/// `objects` as a JSON array, one a line.
func jsonArray(_ objects: [String]) -> String {
    objects.isEmpty ? "[]\n" : "[\n  " + objects.joined(separator: ",\n  ") + "\n]\n"
}
