// When a sink seals what has gathered: "every 5m", on the multiples of the interval since the
// epoch, so that all agents seal together and a restart changes nothing; or a cron line in a time
// zone.
//
// Always true: `nextAfter` is a pure function of the schedule and the instant, and greater than it.

import WeirCore

/// A recurring moment.
public struct Schedule: Sendable, CustomStringConvertible {
    /// The shortest and the longest interval of "every …", ms.
    static let intervalRange: ClosedRange<Int64> = 1000...7 * 86_400_000

    private enum Rule: Sendable {
        case every(milliseconds: Int64)
        case cron(CronExpression)
    }

    private let rule: Rule
    private let timeZone: TimeZoneRules
    /// As it was written, with its time zone where that matters.
    public let description: String

    /// Parses "every 5m" or the five fields of a cron line: minute, hour, day of the month, month
    /// and day of the week.
    static func parse(_ text: String, timeZone: TimeZoneRules) -> Result<Schedule, Complaint> {
        let words = text.split(separator: " ", omittingEmptySubsequences: true).map(String.init)
        if words.first == "every" {
            guard words.count == 2, let interval = Quantity.milliseconds(of: words[1]) else {
                return .failure(Complaint("must be like \"every 5m\", not \(quoted(text))"))
            }
            guard intervalRange.contains(interval) else {
                return .failure(Complaint("must be every 1s to every 7d, not \(quoted(text))"))
            }
            return .success(
                Schedule(
                    rule: .every(milliseconds: interval), timeZone: timeZone, description: text))
        }
        return CronExpression.parse(words).map { cron in
            Schedule(
                rule: .cron(cron), timeZone: timeZone,
                description: "\(text) (\(timeZone.identifier))")
        }
    }

    private init(rule: Rule, timeZone: TimeZoneRules, description: String) {
        self.rule = rule
        self.timeZone = timeZone
        self.description = description
    }

    /// The first moment of the schedule after `milliseconds` since the epoch.
    public func nextAfter(_ milliseconds: Int64) -> Int64 {
        switch rule {
        case .every(let interval):
            milliseconds - CivilCalendar.floorModulo(milliseconds, by: interval) + interval
        case .cron(let cron): cron.next(after: milliseconds, in: timeZone)
        }
    }
}
