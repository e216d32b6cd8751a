// `weir outbox retry` and `discard` from the command's side: through the agent when it runs, in the
// database itself when it does not. Which of the two holds is what the lock on the state directory says.

import WeirConnectors
import WeirCore
import WeirStore

/// Asks for changes of an agent's outbox.
public enum OutboxRequests {
    /// Has the sinks, or one, try again now.
    public static func retry(
        _ configuration: AgentConfiguration, sink: String?
    ) throws(Failure) -> String {
        let (agent, sinks) = (configuration.agent, configuration.sinks.map(\.name))
        if let sink, !sinks.contains(sink) {
            throw Failure(
                .configuration, "asking for a try of sink", sink, "there is none",
                advice: "there is \(alternatives(sinks, "and"))")
        }
        guard try lock(agent) == nil else {
            return "the agent is not running; it tries when it starts\n"
        }
        return try post(agent, "retry", sink.map { [("sink", $0)] } ?? [])
    }

    /// What `discard` would give up, a line each or as JSON.
    public static func discardPlan(
        _ reader: OutboxReader, sink: String, stream: String?, rows: ClosedRange<UInt64>?, asJSON: Bool
    ) throws(Failure) -> String {
        let victims = try OutboxDiscard(sink: sink, stream: stream, rows: rows).victims(in: reader.outbox)
        return discardText(victims.ranges.joiningNeighbours, asJSON: asJSON, verb: "would discard")
    }

    /// Gives rows up; returns what went, a line each or as JSON.
    public static func discard(
        _ agent: AgentSettings, sink: String, stream: String?, rows: ClosedRange<UInt64>?, asJSON: Bool
    ) throws(Failure) -> String {
        if let directory = try lock(agent) {
            let outbox = try Outbox(try Database(directory))
            let ranges = try OutboxDiscard(sink: sink, stream: stream, rows: rows).run(in: outbox)
            return discardText(ranges, asJSON: asJSON)
        }
        var parameters = [("sink", sink)]
        if let stream { parameters.append(("stream", stream)) }
        if let rows {
            parameters += [("first", "\(rows.lowerBound)"), ("last", "\(rows.upperBound)")]
        }
        if asJSON { parameters.append(("json", "1")) }
        return try post(agent, "discard", parameters)
    }

    /// The state directory, locked; nil when an agent is at work in it.
    private static func lock(_ agent: AgentSettings) throws(Failure) -> StateDirectory? {
        _ = try StateDirectory(reading: agent.stateDirectory)
        do throws(Failure) {
            return try StateDirectory(agent.stateDirectory, lockWaitMilliseconds: 200)
        } catch where error.domain == .state && error.reason.hasPrefix("it is in use") {
            return nil
        }
    }

    private static func post(
        _ agent: AgentSettings, _ name: String, _ parameters: [(String, String)]
    ) throws(Failure) -> String {
        let query = parameters.map { "\($0)=\(ObjectKey(segments: [$1]))" }.joined(separator: "&")
        let token = try ControlToken.read(from: agent.stateDirectory)
        let answer = try StatusClient.perform(
            "POST", "/v1/outbox/\(name)?\(query)", agent,
            headers: [("authorization", "Bearer \(token)")])
        guard answer.isSuccess else {
            let text = answer.text.split(separator: "\n").first.map(String.init) ?? ""
            throw Failure(
                .external, "asking the agent", agent.id,
                text.isEmpty ? "it answered \(answer.status)" : text)
        }
        return answer.text
    }
}
