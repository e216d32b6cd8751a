// What an operator wants to find in the journal afterwards: when a source lost its broker and why, when
// it came back, when the intake paused and went on. Each change is one line; what stays is not repeated.

import Logging
import WeirCore

/// Logs changes of sources and intake.
struct ChangeLog {
    private var states: [String: String] = [:]
    private var pauseReason = ""

    /// Looks at all sources and the intake, and logs what is new.
    mutating func note(_ sources: [any Source], pauseReason: String, _ logger: Logger) {
        for source in sources {
            let report = source.report
            guard states[source.name] != report.state else { continue }
            states[source.name] = report.state
            // An attempt is worth a line when it has succeeded or failed.
            let isAttempt = !report.isConnected && report.state.hasPrefix("connecting")
            let level: Logger.Level = isAttempt ? .debug : report.isConnected ? .info : .warning
            logger.log(level: level, "\(report.state)", metadata: ["source": "\(source.name)"])
        }
        guard pauseReason != self.pauseReason else { return }
        self.pauseReason = pauseReason
        if pauseReason.isEmpty {
            logger.info("the intake goes on")
        } else {
            logger.warning("the intake is paused: \(pauseReason)")
        }
    }
}
