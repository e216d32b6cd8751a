// What an operator wants to find in the journal afterwards: when a source lost its broker and why, when
// it came back, why rows were rejected, when the intake paused and went on. Each change is one line; what
// stays is not repeated.

import Logging
import WeirCore

/// Logs changes of sources and intake.
struct ChangeLog {
    private var states: [String: String] = [:]
    /// Reasons of rejection that have been told, by source.
    private var rejections: [String: Set<String>] = [:]
    private var pauseReason = ""

    /// More kinds of bad rows than this are found in the rejected output alone.
    private static let rejectionsMax = 20

    /// Looks at all sources and the intake, and logs what is new.
    mutating func note(_ tasks: [SourceTask], pauseReason: String, _ logger: Logger) {
        for task in tasks {
            if let reason = task.lastRejection { note(rejection: reason, of: task.name, logger) }
            let source = task.source
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

    private mutating func note(rejection reason: String, of source: String, _ logger: Logger) {
        guard rejections[source, default: []].count < Self.rejectionsMax,
            rejections[source, default: []].insert(reason).inserted
        else { return }
        logger.warning("rejects rows: \(reason)", metadata: ["source": "\(source)"])
    }
}
