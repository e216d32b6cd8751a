// `weir check --connect`: asks every server that a configuration names whether it would work with us,
// and compares clocks, since a wrong clock breaks signatures, lateness and schedules alike.

import WeirConnectors
import WeirCore

/// Tries brokers and stores.
public enum ConnectionCheck {
    /// What one try found.
    public struct Outcome: Sendable {
        /// `source sensors` or `sink lake`.
        public let subject: String
        public let isRight: Bool
        public let sentence: String
    }

    /// A server's clock may differ from this machine's by so much, ms.
    private static let clockOffsetMillisecondsMax: Int64 = 60_000

    /// Tries everything, one after the other.
    public static func run(
        _ configuration: AgentConfiguration, environment: [String: String]
    ) -> [Outcome] {
        configuration.sources.map(check) + configuration.sinks.map { check($0, environment) }
    }

    /// `{"accepted":…,"problems":[…],"connections":[{"subject":…,"ok":…,"message":…}]}`.
    public static func json(_ report: ConfigurationReport, _ outcomes: [Outcome]) -> String {
        let connections = outcomes.map { outcome in
            #"{"subject":\#(jsonString(outcome.subject)),"ok":\#(outcome.isRight),"#
                + #""message":\#(jsonString(outcome.sentence))}"#
        }
        return #"{"accepted":\#(report.isAccepted),"problems":\#(report.json),"#
            + #""connections":[\#(connections.joined(separator: ","))]}"#
    }

    private static func check(_ source: SourceConfiguration) -> Outcome {
        let subject = "source \(source.name)"
        do throws(Failure) {
            switch source.input {
            case .mqtt(let mqtt):
                try MQTTSource.checkAccess(mqtt.options(name: source.name))
                return Outcome(
                    subject: subject, isRight: true,
                    sentence: "the broker \(mqtt.broker) lets us in and grants the topics")
            case .file(let path):
                try FileSource(source.fileOptions(paths: [path])).start()
                return Outcome(subject: subject, isRight: true, sentence: "\(path) can be read")
            }
        } catch {
            return Outcome(subject: subject, isRight: false, sentence: "\(error)")
        }
    }

    private static func check(_ sink: SinkConfiguration, _ environment: [String: String]) -> Outcome {
        let subject = "sink \(sink.name)"
        do throws(Failure) {
            let report = try access(sink, environment)
            let sentence = ([report.summary] + report.warnings).joined(separator: "; ")
            if let offset = report.clockOffsetMilliseconds, abs(offset) > clockOffsetMillisecondsMax {
                let direction = offset > 0 ? "behind" : "ahead of"
                return Outcome(
                    subject: subject, isRight: false,
                    sentence: "\(sentence); this machine's clock is \(StatusText.duration(abs(offset))) "
                        + "\(direction) the server's: set it (chrony, systemd-timesyncd)")
            }
            return Outcome(subject: subject, isRight: true, sentence: sentence)
        } catch {
            return Outcome(subject: subject, isRight: false, sentence: "\(error)")
        }
    }

    private static func access(
        _ sink: SinkConfiguration, _ environment: [String: String]
    ) throws(Failure) -> AccessReport {
        if let rows = sink.rowOptions { return try rows.checkAccess() }
        guard let options = sink.storeOptions(environment: environment) else {
            preconditionFailure("a sink takes rows or files")
        }
        var report = try options.makeStore(ObjectStoreContext()).checkAccess()
        if sink.format == .delta, let warning = try CommitRace(options: options).warning() {
            report.warnings.append(warning)
        }
        return report
    }
}
