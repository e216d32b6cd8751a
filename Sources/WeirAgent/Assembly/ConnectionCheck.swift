// `weir check --connect`: asks every server that a configuration names whether it would work with us,
// and compares clocks, since a wrong clock breaks signatures, lateness and schedules alike. Then it looks at
// the state directory, as the user that it runs as, so it should be run as the agent's.

import WeirConnectors
import WeirCore
import WeirStore

/// Tries brokers and stores.
public enum ConnectionCheck {
    /// What one try found.
    public struct Outcome: Sendable {
        /// `source sensors` or `sink lake`.
        public let subject: String
        /// Whether it can be worked with; a warning does not make it false.
        public let isRight: Bool
        /// What was found, and where something is wrong, what to do.
        public let sentence: String
    }

    /// A server's clock may differ from this machine's by so much, ms.
    private static let clockOffsetMillisecondsMax: Int64 = 60_000

    /// Tries everything, one after the other.
    public static func run(
        _ configuration: AgentConfiguration, environment: [String: String]
    ) -> [Outcome] {
        configuration.sources.map(check)
            + configuration.sinks.map { sink in
                let queries = configuration.queries.filter { $0.sinks.contains(sink.name) }
                return check(sink, queries.map(\.name), environment)
            } + checkState(configuration)
    }

    // MARK: The state directory

    private static func checkState(_ configuration: AgentConfiguration) -> [Outcome] {
        do throws(Failure) {
            let found = try StateInspection(configuration.agent.stateDirectory)
            let findings = found.findings.map { finding in
                Outcome(
                    subject: "state_dir \(finding.subject)", isRight: finding.isRight,
                    sentence: finding.sentence)
            }
            let warning = found.fileSystemWarning.map { "; \($0)" } ?? ""
            let disk = Outcome(
                subject: "state_dir disk", isRight: true,
                sentence: "\(configuration.agent.stateDirectory) is on \(found.fileSystem)\(warning)")
            return findings + [disk, room(found, configuration)]
        } catch {
            return [Outcome(subject: "state_dir", isRight: false, sentence: "\(error)")]
        }
    }

    /// Whether the disk has room for what may have to wait.
    private static func room(_ found: StateInspection, _ configuration: AgentConfiguration) -> Outcome {
        let reserve = UInt64(clamping: configuration.agent.freeSpaceReserveBytes)
        let outboxes = configuration.sinks.reduce(UInt64(0)) { sum, sink in
            let (total, isOver) = sum.addingReportingOverflow(UInt64(clamping: sink.outbox.bytesMax))
            return isOver ? .max : total
        }
        let free = StatusText.bytes(found.freeBytes)
        var sentence = "\(free) are free"
        if found.freeBytes < reserve {
            sentence += ", less than free_space_reserve (\(StatusText.bytes(reserve))): intake would pause; "
                + "free space there"
        } else if found.freeBytes - reserve + found.usedBytes < outboxes {
            let used = found.usedBytes > 0 ? ", \(StatusText.bytes(found.usedBytes)) are in use," : ""
            sentence += "\(used) and free_space_reserve (\(StatusText.bytes(reserve))) stays free, while the "
                + "outboxes may take \(StatusText.bytes(outboxes)): intake would pause before they are full"
        } else {
            sentence += ", enough for the outboxes (\(StatusText.bytes(outboxes)) at most)"
        }
        return Outcome(subject: "state_dir room", isRight: found.freeBytes >= reserve, sentence: sentence)
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

    private static func check(
        _ sink: SinkConfiguration, _ queries: [String], _ environment: [String: String]
    ) -> Outcome {
        let subject = "sink \(sink.name)"
        do throws(Failure) {
            let report = try access(sink, queries, environment)
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
        _ sink: SinkConfiguration, _ queries: [String], _ environment: [String: String]
    ) throws(Failure) -> AccessReport {
        if let rows = sink.rowOptions { return try rows.checkAccess() }
        guard let options = sink.storeOptions(environment: environment) else {
            preconditionFailure("a sink takes rows or files")
        }
        let store = try options.makeStore(ObjectStoreContext())
        var report = try store.checkAccess()
        if sink.type != .file, !queries.isEmpty {
            let probe = WriteProbe(store: store, hasFolders: options.hasFolders, streams: queries)
            if let warning = try probe.warning() {
                report.warnings.append(warning)
            } else {
                report.summary += " and takes objects"
            }
        }
        if sink.format == .delta, let warning = try CommitRace(options: options).warning() {
            report.warnings.append(warning)
        }
        return report
    }
}
