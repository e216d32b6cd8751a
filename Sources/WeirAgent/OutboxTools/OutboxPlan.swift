// `weir outbox plan`: for each sink what waits, when it will leave and why then, what it costs in bytes and
// how long it takes, against what is left of the budgets. Read from the state directory, beside a running
// agent or without one; whether only_when holds is found out here and now.

import WeirCore
import WeirStore

extension OutboxReader {
    /// The plan as a page of text or as JSON.
    public func plan(asJSON: Bool) throws(Failure) -> String {
        let now = SystemClock().nowMilliseconds()
        var forecasts: [UploadForecast] = []
        for sink in configuration.sinks {
            if let forecast = try forecast(of: sink, now: now) { forecasts.append(forecast) }
        }
        let budget = try budget()
        let outcomes = UploadForecast.outcomes(of: forecasts, budget: budget, now: now)
        let lines = outcomes.map { asJSON ? json($0, $1) : line($0, $1, now: now) }
        guard !asJSON else { return "{\"sinks\": \(jsonArray(lines)), \"uplink\": \(json(budget, now))}\n" }
        let idle = configuration.sinks.filter { sink in !forecasts.contains { $0.sink == sink.name } }
        let all = lines + idle.map { "sink \($0.name): nothing waits" }
        return (all + text(of: budget, now)).joined(separator: "\n") + "\n"
    }

    private func budget() throws(Failure) -> UploadBudget? {
        guard let uplink = configuration.uplink else { return nil }
        var budget = UploadBudget(
            perDay: uplink.perDay, perMonth: uplink.perMonth, reserve: uplink.reserve,
            zone: uplink.zone)
        (budget.days, budget.months) = try outbox.uplinkRecords.counts()
        return budget
    }

    /// What waits for a sink; nil when nothing does.
    private func forecast(of sink: SinkConfiguration, now: Int64) throws(Failure) -> UploadForecast? {
        guard let id = outbox.sink(named: sink.name) else { return nil }
        let pending = outbox.pending(of: id)
        guard pending.rows > 0, let oldest = pending.oldestAppendedAt else { return nil }
        let (rules, seal) = (sink.uploadRules, sink.sealPolicy)
        var (bytes, sealedAt) = (Int64(0), Int64.max)
        for (stream, name) in outbox.streams(of: id) {
            let volume = try outbox.uplinkRecords.volume(sink: sink.name, stream: name)
            let ratio = UploadEstimate.ratio(volume, expected: rules.expectedRatio)
            for segment in outbox.segments(of: id) where segment.stream == stream {
                let size = outbox.byteCount(of: segment)
                bytes += segment.staged == nil ? Int64(Double(size) * ratio) : Int64(size)
                sealedAt = now
            }
            let waiting = outbox.pending(of: stream)
            guard let first = waiting.oldestUnsealedAt else { continue }
            bytes += Int64(Double(waiting.unsealedBytes) * ratio)
            let gathered = SealPolicy.Waiting(
                rows: Int(waiting.unsealedRows), bytes: waiting.unsealedBytes, oldestAppendedAt: first)
            let target = rules.targetBytes.map { Int(clamping: Int64(Double($0) / ratio)) } ?? .max
            let isFull = seal.isFull(gathered, bytesMax: min(seal.bytesMax, target))
            sealedAt = min(sealedAt, isFull ? now : seal.dueTime(gathered))
        }
        let probe = rules.condition.map {
            UploadConditionProbe($0, clock: SystemClock(), isCancelled: { false })
        }
        let shared = rules.usesUplink ? configuration.uplink?.bytesPerSecondMax : nil
        let rates = [sink.transfer?.uploadBytesPerSecondMax, shared]
        return UploadForecast(
            sink: sink.name, rules: rules, rows: pending.rows, bytes: bytes, oldest: oldest,
            sealedAt: sealedAt, rateMax: rates.compactMap(\.self).min(), unmet: probe?.unmet())
    }

    // MARK: Writing

    private func line(
        _ forecast: UploadForecast, _ outcome: UploadForecast.Outcome, now: Int64
    ) -> String {
        var line = "sink \(forecast.sink) (\(forecast.rules.planner.priority.rawValue)): \(forecast.rows) rows"
        line += ", about \(StatusText.bytes(UInt64(clamping: forecast.bytes)))"
        line += ", the oldest for \(StatusText.duration(now - forecast.oldest))"
        line += "\n  next upload \(outcome.reason)"
        if let at = outcome.at, at > now {
            line += ", at \(UploadPlanner.text(at)), in \(StatusText.duration(at - now))"
        }
        if let seconds = outcome.seconds { line += "; takes \(StatusText.duration(seconds * 1000)) at the rate" }
        if !outcome.fitsBudget { line += "; more than the budget that is left then: the rest goes later" }
        return line
    }

    private func json(_ forecast: UploadForecast, _ outcome: UploadForecast.Outcome) -> String {
        var members = JSONMembers()
        members.put("sink", forecast.sink)
        members.put("priority", forecast.rules.planner.priority.rawValue)
        members.put("rows", forecast.rows)
        members.put("bytes", Int(forecast.bytes))
        members.put("oldest_at", time: forecast.oldest)
        members.put("next_at", time: outcome.at)
        members.put("reason", outcome.reason)
        members.put("seconds", raw: outcome.seconds.map { String($0) } ?? "null")
        members.put("fits_budget", raw: outcome.fitsBudget ? "true" : "false")
        return members.object
    }

    private func json(_ budget: UploadBudget?, _ now: Int64) -> String {
        guard let budget else { return "null" }
        let (day, month) = budget.periods(at: now)
        let left = budget.left(at: now)
        var members = JSONMembers()
        members.put("sent_today", Int(budget.days[day, default: 0]))
        members.put("sent_this_month", Int(budget.months[month, default: 0]))
        members.put("left_today", raw: left.day.map { String($0) } ?? "null")
        members.put("left_this_month", raw: left.month.map { String($0) } ?? "null")
        return members.object
    }

    private func text(of budget: UploadBudget?, _ now: Int64) -> [String] {
        guard let budget else { return [] }
        var status = StatusSnapshot.UplinkStatus()
        let (day, month) = budget.periods(at: now)
        status.sentToday = budget.days[day, default: 0]
        status.sentThisMonth = budget.months[month, default: 0]
        (status.leftToday, status.leftThisMonth) = budget.left(at: now)
        return [StatusText.describe(status)]
    }
}

extension SinkConfiguration {
    /// How its requests travel; nil where there are none.
    fileprivate var transfer: TransferConfiguration? {
        switch destination {
        case .file: nil
        case .webhdfs(let sink): sink.transfer
        case .s3(let sink): sink.transfer
        case .azure(let sink): sink.transfer
        case .gcs(let sink): sink.transfer
        case .rows(let sink): sink.transfer
        }
    }
}
