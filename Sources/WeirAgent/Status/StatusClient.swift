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
            "GET", "http://\(reachable(address))/v1/status", action: "asking the agent at",
            subject: "\(address)")
        request.responseBytesMax = 16 << 20
        let answer = try client.perform(request)
        guard answer.isSuccess else {
            throw Failure(
                .external, "asking the agent at", "\(address)", "it answered \(answer.status)")
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
