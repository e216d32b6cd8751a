// When what waits will be sent, why then, and what it costs: the planner's rules asked ahead of time. Pure,
// so that `weir outbox plan` says the same beside a running agent and without one.

import WeirCore

/// What waits for one sink, and the rules that it goes by.
struct UploadForecast {
    let sink: String
    let rules: UploadRules
    /// Rows that wait, and the bytes that they will be on the wire.
    let rows: UInt64
    let bytes: Int64
    /// When the oldest was committed, ms since the epoch.
    let oldest: Int64
    /// When something of it is sealed: an instant that has passed where something is.
    let sealedAt: Int64
    /// Bytes a second at most; nil for no bound.
    let rateMax: Int64?
    /// Why `only_when` does not hold now; nil when it does, or there is none.
    let unmet: String?

    /// What is foretold.
    struct Outcome: Equatable {
        /// When the next upload begins, ms since the epoch; nil when that depends on a condition.
        var at: Int64?
        var reason: String
        /// Seconds that all of it takes at the rate; nil without one.
        var seconds: Int64?
        /// Whether the budgets that hold then have room for all of it.
        var fitsBudget = true
    }

    /// The outcomes, in the order in which sinks will send: by class, then by the age of their rows.
    ///
    /// - Parameter budget: what was sent so far and may be; nil without `[uplink]`.
    static func outcomes(
        of forecasts: [UploadForecast], budget: UploadBudget?, now: Int64
    ) -> [(forecast: UploadForecast, outcome: Outcome)] {
        var budget = budget
        var earlier: [(sink: String, priority: UploadPriority, at: Int64, ends: Int64)] = []
        var outcomes: [(UploadForecast, Outcome)] = []
        let order = forecasts.sorted {
            ($1.rules.planner.priority, $0.oldest, $0.sink)
                < ($0.rules.planner.priority, $1.oldest, $1.sink)
        }
        for forecast in order {
            var outcome = forecast.outcome(budget: forecast.rules.usesUplink ? budget : nil, now: now)
            if let at = outcome.at, forecast.rules.usesUplink, budget != nil {
                let before = earlier.first { $0.at <= at && at < $0.ends }
                if let before, !forecast.rules.planner.isOverdue(oldest: forecast.oldest, now: at) {
                    outcome.at = before.ends
                    outcome.reason = "after sink \(before.sink)"
                }
                if let periods = budget?.periods(at: at) { budget?.add(forecast.bytes, to: periods) }
                earlier.append(
                    (
                        forecast.sink, forecast.rules.planner.priority, outcome.at ?? at,
                        (outcome.at ?? at) + (outcome.seconds ?? 0) * 1000
                    ))
            }
            outcomes.append((forecast, outcome))
        }
        return outcomes
    }

    /// As if no other sink were there.
    private func outcome(budget: UploadBudget?, now: Int64) -> Outcome {
        let planner = rules.planner
        var outcome = Outcome(at: max(now, sealedAt), reason: "")
        outcome.reason = sealedAt > now ? "when its rows are sealed" : "now"
        outcome.seconds = rateMax.map { (bytes + $0 - 1) / $0 }
        let due = max(now, sealedAt)
        let deadline = planner.deadlineMilliseconds.map { oldest + $0 }
        if deadline ?? .max > due {
            if let windows = planner.windows, windows.opening(at: due) == nil {
                let opens = windows.nextOpening(after: due)
                let isDeadline = (deadline ?? .max) < opens
                outcome.at = isDeadline ? deadline : opens
                outcome.reason = isDeadline ? "at its deadline" : "when its window opens"
            } else if let unmet {
                outcome.at = deadline
                outcome.reason = deadline == nil ? "when only_when holds: \(unmet)" : "at its deadline: \(unmet)"
            }
        } else {
            outcome.reason = "past its deadline"
        }
        if let budget, let at = outcome.at {
            let isHigh = planner.priority == .high
            if let short = budget.shortage(of: bytes, isHigh: isHigh, at: at) {
                outcome.at = short.until
                outcome.reason = "when there is a new budget: \(short.period) is spent"
            }
            let left = budget.left(at: outcome.at ?? at)
            outcome.fitsBudget = bytes <= min(left.day ?? .max, left.month ?? .max)
        }
        return outcome
    }
}
