// The agent as a service: build, serve its status, run the loop, take everything down in order.

import Logging
import WeirCore

/// A running agent.
public enum Agent {
    /// Runs the agent of `configuration` until SIGTERM; throws what must end the process.
    public static func run(
        _ configuration: AgentConfiguration, environment: [String: String]
    ) throws(Failure) {
        ProcessMemory.limitArenas()
        let logger = AgentLog.make(level: configuration.agent.logLevel)
        logger.info("weir \(version) starts", metadata: ["agent": "\(configuration.agent.id)"])
        let parts = try AgentBuilder(
            configuration: configuration, environment: environment, logger: logger
        ).build()
        var server: StatusServer?
        if let address = configuration.agent.http {
            server = StatusServer(
                host: address.host, port: address.port, routes: StatusRoutes.make(parts.reporter.board),
                limits: StatusServerLimits(), actions: parts.outboxControl.actions,
                token: try ControlToken.make(in: configuration.agent.stateDirectory))
            try server?.start()
        }
        defer {
            server?.stop()
            parts.outboxControl.close()
        }
        try AgentLoop(parts).run()
        logger.info("stopped")
    }
}
