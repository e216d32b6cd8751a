// Asking a running agent how it is, for `weir status`, or to do something, for `weir outbox`.

import WeirConnectors
import WeirCore

/// Reads the status of the agent that a configuration describes.
public enum StatusClient {
    /// The JSON of `/v1/status`. Throws when no agent answers there.
    public static func fetch(_ settings: AgentSettings) throws(Failure) -> String {
        let answer = try perform("GET", "/v1/status", settings)
        guard answer.isSuccess else {
            throw Failure(
                .external, "asking the agent", settings.id, "it answered \(answer.status)",
                advice: "is it weir that listens there?")
        }
        return answer.text
    }

    /// The status; nil when no agent answers.
    static func status(of settings: AgentSettings) -> StatusSnapshot? {
        (try? fetch(settings)).flatMap(StatusText.parse)
    }

    /// One request of an agent. Throws when none answers.
    static func perform(
        _ method: String, _ path: String, _ settings: AgentSettings,
        headers: [(name: String, value: String)] = []
    ) throws(Failure) -> HTTPResponse {
        guard let address = settings.http else {
            throw Failure(
                .configuration, "asking the agent", settings.id, "agent.http is off",
                advice: "give it an address to serve its status on")
        }
        var options = HTTPClientOptions()
        options.proxy = .none
        options.connectTimeoutMilliseconds = 2000
        options.totalTimeoutMilliseconds = 10_000
        let client = try HTTPClient(options)
        var request = HTTPRequest(
            method, "http://\(reachable(address))\(path)", action: "asking the agent",
            subject: settings.id)
        request.headers = headers
        request.responseBytesMax = 16 << 20
        do throws(Failure) {
            return try client.perform(request)
        } catch {
            throw Failure(
                error.domain, error.action, error.subject, error.reason, advice: "is weir running?")
        }
    }

    /// An agent that listens on all addresses is asked on the loopback.
    private static func reachable(_ address: HostPort) -> HostPort {
        switch address.host {
        case "0.0.0.0": HostPort(host: "127.0.0.1", port: address.port)
        case "::": HostPort(host: "::1", port: address.port)
        default: address
        }
    }
}
