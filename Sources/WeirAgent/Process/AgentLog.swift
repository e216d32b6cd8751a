// The log: one line an event on standard error, which the journal keeps. Payloads and secrets never
// get here; what is logged is names, counts and sentences of failures.

import Glibc
import Logging
import WeirCore

/// Makes the agent's logger.
enum AgentLog {
    static func make(level: LogLevel) -> Logger {
        let threshold = Logger.Level(rawValue: level.rawValue) ?? .info
        return Logger(label: "weir") { _ in StandardErrorLog(logLevel: threshold) }
    }
}

/// Writes `2026-11-21T13:00:00.000Z info message key=value` lines, each in one write.
private struct StandardErrorLog: LogHandler {
    var logLevel: Logger.Level
    var metadata: Logger.Metadata = [:]

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let time = TimestampFormatter.isoString(SystemClock().nowMilliseconds())
        var line = "\(time) \(event.level) \(event.message)"
        let all = metadata.merging(event.metadata ?? [:]) { $1 }
        for (key, value) in all.sorted(by: { $0.key < $1.key }) { line += " \(key)=\(value)" }
        let bytes = Array((line.replacing("\n", with: " ") + "\n").utf8)
        _ = write(STDERR_FILENO, bytes, bytes.count)
    }
}
