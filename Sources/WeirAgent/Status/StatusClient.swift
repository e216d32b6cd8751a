// Asking a running agent how it is, for `weir status`.

import WeirConnectors
import WeirCore

/// Reads the status of the agent that a configuration describes.
public enum StatusClient {
    /// The JSON of `/v1/status`. Throws when no agent answers there.
    public static func fetch(_ settings: AgentSettings) throws(Failure) -> String {
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
            "GET", "http://\(reachable(address))/v1/status", action: "asking the agent",
            subject: settings.id)
        request.responseBytesMax = 16 << 20
        let answer: HTTPResponse
        do throws(Failure) {
            answer = try client.perform(request)
        } catch {
            throw Failure(
                error.domain, error.action, error.subject, error.reason, advice: "is weir running?")
        }
        guard answer.isSuccess else {
            throw Failure(
                .external, "asking the agent", settings.id, "\(address) answered \(answer.status)",
                advice: "is it weir that listens there?")
        }
        return answer.text
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
