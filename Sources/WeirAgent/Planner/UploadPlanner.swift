// Whether a segment may leave now, and if not, why not and when to ask again. Pure: everything that it
// goes by is handed in, so that nights on which clocks change, ends of months and spent budgets are tested
// without waiting for them.
//
// The order of the questions: the window, the condition, the budget, the other sinks. A segment that is
// older than the deadline is asked about its budget alone: a deadline says how late data may be, a budget
// what it may cost, and cost is the harder bound.

import WeirCore

/// Which sinks go first where several share an uplink.
enum UploadPriority: String, Sendable, CaseIterable, Comparable {
    case high, normal, low

    /// The share of the uplink's rate that an upload of this class has beside others.
    var weight: Int64 {
        switch self {
        case .high: 64
        case .normal: 8
        case .low: 1
        }
    }

    /// `high` is the greatest.
    static func < (one: UploadPriority, other: UploadPriority) -> Bool { one.weight < other.weight }
}

/// One sink's rules for when sealed segments may leave.
struct UploadPlanner: Sendable {
    /// nil for always.
    var windows: UploadWindows?
    /// Age of a segment's oldest row from which it leaves anyway, ms.
    var deadlineMilliseconds: Int64?
    var priority = UploadPriority.normal
    /// How soon to ask again where nothing says when a hindrance ends, ms.
    static let lookAgainMilliseconds: Int64 = 10_000

    /// What a segment waits for.
    enum Hindrance: String, Sendable, Codable {
        case window, condition, budget, priority
    }

    /// The answer for one segment.
    enum Verdict: Equatable {
        case go
        /// `reason` follows "waiting: "; the question is worth asking again at `until`.
        case wait(Hindrance, reason: String, until: Int64)
    }

    /// Whether a segment whose oldest row was appended at `oldest` is past its deadline.
    func isOverdue(oldest: Int64?, now: Int64) -> Bool {
        guard let deadlineMilliseconds, let oldest else { return false }
        return now - oldest >= deadlineMilliseconds
    }

    /// Whether the window is open and the condition holds, or the deadline has passed.
    func timeAllows(
        oldest: Int64?, now: Int64, condition: () -> String?
    ) -> Verdict {
        if isOverdue(oldest: oldest, now: now) { return .go }
        if let windows, windows.opening(at: now) == nil {
            let opens = windows.nextOpening(after: now)
            return .wait(
                .window, reason: "the upload window opens at \(Self.text(opens))",
                until: earlier(opens, oldest))
        }
        if let unmet = condition() {
            return .wait(
                .condition, reason: unmet, until: earlier(now + Self.lookAgainMilliseconds, oldest))
        }
        return .go
    }

    /// Whether `bytes` may leave now.
    ///
    /// - Parameters:
    ///   - condition: why `only_when` does not hold, nil when it does; asked only when all before it allows.
    ///   - holder: the sink that goes first, if any; asked last.
    func verdict(
        oldest: Int64?, bytes: Int64, now: Int64, budget: UploadBudget?, condition: () -> String?,
        holder: () -> String?
    ) -> Verdict {
        let byTime = timeAllows(oldest: oldest, now: now, condition: condition)
        guard byTime == .go else { return byTime }
        if let short = budget?.shortage(of: bytes, isHigh: priority == .high, at: now) {
            return Self.wait(short, "has no room")
        }
        if !isOverdue(oldest: oldest, now: now), let sink = holder() {
            return .wait(
                .priority, reason: "sink \(sink) goes first", until: earlier(now + 1000, oldest))
        }
        return .go
    }

    /// Whether `bytes` may be spent on what nobody waits for: no deadline helps it, of each budget half is out
    /// of its reach, and every other sink goes first.
    func upkeepVerdict(
        bytes: Int64, now: Int64, budget: UploadBudget?, condition: () -> String?, holder: () -> String?
    ) -> Verdict {
        let byTime = timeAllows(oldest: nil, now: now, condition: condition)
        guard byTime == .go else { return byTime }
        if let short = budget?.shortage(of: bytes, isHigh: false, isUpkeep: true, at: now) {
            return Self.wait(short, "has no room in the half that upkeep may use")
        }
        guard let sink = holder() else { return .go }
        return .wait(.priority, reason: "sink \(sink) goes first", until: now + 1000)
    }

    private static func wait(_ short: UploadBudget.Shortage, _ what: String) -> Verdict {
        .wait(
            .budget,
            reason: "\(short.period) budget of \(Quantity.text(bytes: short.limit)) \(what) "
                + "(\(short.spent) bytes are spent), until \(text(short.until))",
            until: short.until)
    }

    /// The earlier of an instant and the deadline.
    private func earlier(_ instant: Int64, _ oldest: Int64?) -> Int64 {
        guard let deadlineMilliseconds, let oldest else { return instant }
        return min(instant, oldest + deadlineMilliseconds)
    }

    static func text(_ instant: Int64) -> String {
        "\(TimestampFormatter.isoString(instant).prefix(19))Z"
    }
}
