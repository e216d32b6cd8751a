// The pages of the status server.

import WeirCore

/// What is answered under which path.
enum StatusRoutes {
    static func make(_ board: StatusBoard) -> [String: StatusServer.Route] {
        [
            "/healthz": { health(board.snapshot()) },
            "/readyz": { readiness(board.snapshot()) },
            "/metrics": {
                StatusResponse(
                    contentType: "text/plain; version=0.0.4; charset=utf-8",
                    body: AgentMetrics.text(board.snapshot()))
            },
            "/v1/status": {
                StatusResponse(
                    contentType: "application/json", body: StatusText.json(board.snapshot()))
            },
        ]
    }

    /// Alive: the loop has reported at all. A loop that hangs is systemd's watchdog's business.
    private static func health(_ status: StatusSnapshot) -> StatusResponse {
        status.phase == "starting"
            ? StatusResponse(code: 503, body: "starting\n") : StatusResponse(body: "ok\n")
    }

    /// Ready: recovered, reading, and every source connected.
    private static func readiness(_ status: StatusSnapshot) -> StatusResponse {
        if status.phase != "running" {
            let reason = status.pauseReason.isEmpty ? "" : ": \(status.pauseReason)"
            return StatusResponse(code: 503, body: "\(status.phase)\(reason)\n")
        }
        let missing = status.sources.filter { !$0.isConnected }
        if missing.isEmpty { return StatusResponse(body: "ok\n") }
        let lines = missing.map { "\($0.name): \($0.state)\n" }
        return StatusResponse(code: 503, body: lines.joined())
    }
}
