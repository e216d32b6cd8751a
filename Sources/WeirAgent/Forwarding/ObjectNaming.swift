// The name of an object is a pure function of its segment's seal, so that whoever uploads it, however
// often, after whatever crash, writes the same bytes under the same name.

import WeirCore

/// How the objects of one sink are called.
public struct ObjectNaming: Sendable {
    /// `agent.id` of the configuration.
    public let agentID: String
    /// `.ndjson.gz` and the like.
    public let fileExtension: String

    public init(agentID: String, fileExtension: String) {
        self.agentID = agentID
        self.fileExtension = fileExtension
    }

    /// `stream/date=2026-11-21/hour=13/agent-first-last.ndjson.gz`, below the sink's prefix.
    ///
    /// - Parameters:
    ///   - stream: the query's name, `_late/QUERY` or `_rejected/SOURCE`.
    ///   - milliseconds: the instant whose UTC date and hour the folder is called after: the seal's, or
    ///     that of the partition column.
    ///   - first: the first sequence number of the segment.
    ///   - last: its last.
    public func key(stream: String, at milliseconds: Int64, first: UInt64, last: UInt64) -> String {
        let (date, hour) = Self.folder(of: milliseconds)
        return "\(stream)/date=\(date)/hour=\(hour)/"
            + "\(agentID)-\(padded(first))-\(padded(last))\(fileExtension)"
    }

    /// `stream/date=2026-11-21/hour=13`, below the sink's prefix.
    static func hourFolder(stream: String, hour: Int64) -> String {
        let (date, hour) = folder(of: hour)
        return "\(stream)/date=\(date)/hour=\(hour)"
    }

    /// The folder of exported rows that nobody has sealed yet, beside those of the streams. Readers of
    /// lakes pass over names that begin so.
    static let openFolder = "_open"

    /// The agent in an object's name, without its folder; nil for names that are not as `key` makes them.
    static func agent(ofObject name: some StringProtocol) -> String? { parts(ofObject: name)?.agent }

    /// The agent and the rows in an object's name, without its folder; nil for other names.
    static func parts(
        ofObject name: some StringProtocol
    ) -> (agent: String, rows: ClosedRange<UInt64>)? {
        let bytes = Array((name.split(separator: ".").first ?? "").utf8)
        // AGENT-FIRST-LAST, with twenty digits for each number.
        let start = bytes.count - 42
        guard start > 0, bytes[start] == UInt8(ascii: "-"), bytes[start + 21] == UInt8(ascii: "-"),
            let first = UInt64(String(decoding: bytes[(start + 1)..<(start + 21)], as: UTF8.self)),
            let last = UInt64(String(decoding: bytes[(start + 22)...], as: UTF8.self)), first <= last
        else { return nil }
        return (String(decoding: bytes[..<start], as: UTF8.self), first...last)
    }

    /// The UTC date and hour of an instant, as folder names: ("2026-11-21", "13").
    static func folder(of milliseconds: Int64) -> (date: String, hour: String) {
        let civil = CivilCalendar.civilFromDays(CivilCalendar.day(ofMilliseconds: milliseconds))
        let time = CivilCalendar.floorModulo(milliseconds, by: CivilCalendar.millisecondsPerDay)
        return (
            "\(digits(civil.year, 4))-\(digits(civil.month, 2))-\(digits(civil.day, 2))",
            digits(Int(time / CivilCalendar.millisecondsPerHour), 2)
        )
    }

    /// The start of the UTC hour that an instant falls in, ms.
    static func hourStart(of milliseconds: Int64) -> Int64 {
        milliseconds - CivilCalendar.floorModulo(milliseconds, by: CivilCalendar.millisecondsPerHour)
    }

    private func padded(_ sequence: UInt64) -> String { Self.digits(Int(sequence), 20) }

    private static func digits(_ value: Int, _ width: Int) -> String {
        let text = String(value)
        return String(repeating: "0", count: max(0, width - text.utf8.count)) + text
    }
}
