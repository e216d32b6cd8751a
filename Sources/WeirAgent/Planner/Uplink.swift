// The uplink that sinks share: one rate, one budget, and an order of who goes first. Each sink has a line
// on it (UplinkLine), and each sink's thread asks here before it sends.
//
// Bytes are counted before they are sent: an upload is charged its estimate in one synced write, and what
// it really took corrects that when it ends, sent or failed. So a crash forgets nothing; it counts the
// upload under way as sent whole.
//
// The rate is shared by weight among the lines that are asking for bytes, so that an alert beside a long
// upload of raw data gets nearly all of it at once, and the raw data trickles on, which keeps its
// connection alive. A line whose upload has ended takes no share, nor does one that has not asked for a
// while. What all lines send together is bounded by itself: shares that change do not add up to more.

import Synchronization
import WeirCore
import WeirStore

/// `[uplink]`.
struct UplinkConfiguration: Sendable {
    /// Bytes a second of all sinks together; nil for no limit.
    let bytesPerSecondMax: Int64?
    let perDay: Int64?
    let perMonth: Int64?
    /// Of each budget, what only sinks of high priority may use.
    let reserve: Int64
    /// Whose days and months count.
    let zone: TimeZoneRules
}

/// The uplink of an agent, shared by its sinks' threads.
final class Uplink: Sendable {
    private enum Phase {
        case idle
        /// Something could leave now, were nobody before it.
        case due(oldest: Int64)
        case sending(since: Int64)
    }

    private struct Line {
        let sink: String
        let priority: UploadPriority
        let control: ForwarderControl
        /// Whether what it is charged is synced at once, or with the next commit.
        let isSynced: Bool
        var phase = Phase.idle
        /// Whether what is under way is upkeep, for which nobody waits and which waits for everybody.
        var isUpkeep = false
        /// The share of the rate that it has beside others.
        var weight: Int64 { (isUpkeep ? .low : priority).weight }
        /// Whether its upload is under way and has asked for bytes.
        var isAsking = false
        /// When it last asked for bytes, and had its credit reckoned, ns.
        var askedAt: Int64 = 0
        /// Bytes that it may send now, by its share of the rate.
        var credit: Int64 = 0
        /// Bytes sent since the last charge.
        var sent: Int64 = 0
        /// What the upload under way is charged for.
        var charged: Int64 = 0
        var periods = (day: 0, month: 0)
    }

    private struct State {
        var lines: [Line] = []
        var budget: UploadBudget
        /// Bytes that all lines together may send now, and when that was reckoned, ns.
        var credit: Int64 = 0
        var creditedAt: Int64 = 0
    }

    let configuration: UplinkConfiguration
    private let state: Mutex<State>
    /// Held across the writes, so that the greater count is written last.
    private let writing = Mutex(())
    private let records: UplinkRecords
    private let clock: any MachineClock

    /// An upload that has not moved for so long holds up nobody, ns.
    private static let stuckNanoseconds: Int64 = 10_000_000_000
    /// A line that has not asked for so long takes no share of the rate, ns.
    private static let askingNanoseconds: Int64 = 500_000_000
    private static let pieceBytes: ClosedRange<Int64> = 512...(64 << 10)

    /// Takes back the counts of `database`.
    init(
        _ configuration: UplinkConfiguration, _ database: Database, clock: any MachineClock
    ) throws(Failure) {
        self.configuration = configuration
        self.clock = clock
        records = UplinkRecords(database)
        var budget = UploadBudget(
            perDay: configuration.perDay, perMonth: configuration.perMonth,
            reserve: configuration.reserve, zone: configuration.zone)
        (budget.days, budget.months) = try records.counts()
        state = Mutex(State(budget: budget))
    }

    /// A line for one more sink.
    ///
    /// - Parameter isSynced: false for a sink of many small uploads: of what it was charged since the last
    ///   commit a power cut, but no crash, may forget.
    func makeLine(
        sink: String, priority: UploadPriority, control: ForwarderControl, isSynced: Bool = true
    ) -> UplinkLine {
        let index = state.withLock { state in
            state.lines.append(
                Line(sink: sink, priority: priority, control: control, isSynced: isSynced))
            return state.lines.count - 1
        }
        return UplinkLine(self, index)
    }

    /// What was sent and what is left.
    var budget: UploadBudget { state.withLock { $0.budget } }

    /// What the status says of it.
    func status(at now: Int64) -> StatusSnapshot.UplinkStatus {
        let budget = budget
        let (day, month) = budget.periods(at: now)
        var status = StatusSnapshot.UplinkStatus()
        status.sentToday = budget.days[day, default: 0]
        status.sentThisMonth = budget.months[month, default: 0]
        (status.leftToday, status.leftThisMonth) = budget.left(at: now)
        status.rateMax = configuration.bytesPerSecondMax
        return status
    }

    // MARK: Order

    /// The sink that goes before line `index`, which has something due since `oldest`; nil when none does.
    func holder(_ index: Int, oldest: Int64) -> String? {
        let now = clock.monotonicNanoseconds()
        return state.withLock { state in
            state.lines[index].phase = .due(oldest: oldest)
            let own = state.lines[index]
            return state.lines.indices.first { other in
                guard other != index, state.lines[other].priority >= own.priority else { return false }
                let line = state.lines[other]
                switch line.phase {
                case .idle: return false
                case .sending(let since):
                    return now - max(since, line.askedAt) < Self.stuckNanoseconds
                case .due(let theirs):
                    if line.priority > own.priority { return true }
                    return (theirs, other) < (oldest, index)
                }
            }.map { state.lines[$0].sink }
        }
    }

    // MARK: Charging

    /// A sink, other than that of line `index`, that sends or has something due; nil when there is none.
    func busySink(besides index: Int) -> String? {
        let now = clock.monotonicNanoseconds()
        return state.withLock { state in
            state.lines.indices.first { other in
                let line = state.lines[other]
                guard other != index else { return false }
                switch line.phase {
                case .idle: return false
                case .due: return true
                case .sending(let since): return now - max(since, line.askedAt) < Self.stuckNanoseconds
                }
            }.map { state.lines[$0].sink }
        }
    }

    /// Line `index` begins an upload of about `estimate` bytes; durable on return. Nobody waits for upkeep.
    func begin(_ index: Int, estimate: Int64, isUpkeep: Bool = false) throws(Failure) {
        let periods = state.withLock { state in
            let periods = state.budget.periods(at: clock.nowMilliseconds())
            if !isUpkeep { state.lines[index].phase = .sending(since: clock.monotonicNanoseconds()) }
            state.lines[index].isUpkeep = isUpkeep
            state.lines[index].periods = periods
            state.lines[index].charged = estimate
            state.budget.add(estimate, to: periods)
            return periods
        }
        try write(periods, of: index)
    }

    /// What is under way on line `index` takes `bytes` more than it was charged for; durable on return.
    func charge(_ index: Int, _ bytes: Int64) throws(Failure) {
        let periods = state.withLock { state in
            state.lines[index].charged += bytes
            state.budget.add(bytes, to: state.lines[index].periods)
            return state.lines[index].periods
        }
        try write(periods, of: index)
    }

    /// The upload of line `index` has ended, well or not; durable on return. Returns the bytes that it took.
    ///
    /// - Parameter reported: bytes that its delivery says have arrived, for ways that count none here.
    func end(_ index: Int, reported: Int64) throws(Failure) -> Int64 {
        let (periods, taken) = state.withLock { state in
            let line = state.lines[index]
            state.lines[index].phase = .idle
            state.lines[index].isUpkeep = false
            state.lines[index].isAsking = false
            state.lines[index].sent = 0
            state.lines[index].charged = 0
            let taken = max(line.sent, reported)
            state.budget.add(taken - line.charged, to: line.periods)
            return (line.periods, taken)
        }
        wakeOthers(than: index)
        try write(periods, of: index)
        return taken
    }

    /// Charges what line `index` has sent outside of uploads: markers, connections.
    func settle(_ index: Int) throws(Failure) {
        let periods = state.withLock { state -> (day: Int, month: Int)? in
            if case .sending = state.lines[index].phase { return nil }
            guard state.lines[index].sent > 0 else { return nil }
            let periods = state.budget.periods(at: clock.nowMilliseconds())
            state.budget.add(state.lines[index].sent, to: periods)
            state.lines[index].sent = 0
            return periods
        }
        if let periods { try write(periods, of: index) }
    }

    /// Line `index` has nothing to send for now.
    func withdraw(_ index: Int) {
        let wasDue = state.withLock { state in
            guard case .due = state.lines[index].phase else { return false }
            state.lines[index].phase = .idle
            return true
        }
        if wasDue { wakeOthers(than: index) }
    }

    private func wakeOthers(than index: Int) {
        let waiting = state.withLock { state in
            state.lines.indices.compactMap { other -> ForwarderControl? in
                guard other != index, case .due = state.lines[other].phase else { return nil }
                return state.lines[other].control
            }
        }
        for control in waiting { control.notify() }
    }

    private func write(_ periods: (day: Int, month: Int), of index: Int) throws(Failure) {
        try writing.withLock { (_) throws(Failure) in
            let (day, month, isSynced, forgotten) = state.withLock { state in
                let forgotten = state.budget.forgetOld(at: periods)
                return (
                    state.budget.days[periods.day, default: 0],
                    state.budget.months[periods.month, default: 0], state.lines[index].isSynced,
                    forgotten
                )
            }
            try records.write(
                day: (periods.day, day), month: (periods.month, month),
                forgottenDays: forgotten.days, forgottenMonths: forgotten.months, isSynced: isSynced)
        }
    }

    // MARK: Pacing

    /// The bytes that line `index` may send now, and else how long until there are some, ns.
    func permit(_ index: Int, _ wanted: Int) -> (bytes: Int, waitNanoseconds: Int64) {
        guard let rate = configuration.bytesPerSecondMax else {
            state.withLock { $0.lines[index].askedAt = clock.monotonicNanoseconds() }
            return (wanted, 0)
        }
        let now = clock.monotonicNanoseconds()
        return state.withLock { state in
            state.lines[index].isAsking = true
            let weights = state.lines.indices.reduce(Int64(0)) { sum, other in
                let line = state.lines[other]
                let isAsking =
                    other == index || line.isAsking && now - line.askedAt < Self.askingNanoseconds
                return isAsking ? sum + line.weight : sum
            }
            let share = max(1, rate * state.lines[index].weight / weights)
            let piece = max(Self.pieceBytes.lowerBound, min(Self.pieceBytes.upperBound, share / 8))
            var line = state.lines[index]
            Self.earn(&line.credit, &line.askedAt, now, share, atLeast: piece)
            state.lines[index] = line
            Self.earn(&state.credit, &state.creditedAt, now, rate, atLeast: piece)
            let granted = min(Int64(wanted), piece)
            let (own, all) = (granted - line.credit, granted - state.credit)
            guard own <= 0, all <= 0 else {
                let wait = max(Double(own) / Double(share), Double(all) / Double(rate))
                return (0, Int64(wait * 1e9))
            }
            state.lines[index].credit -= granted
            state.credit -= granted
            return (Int(granted), 0)
        }
    }

    /// Adds to `credit` what `rate` gives since `reckonedAt`, up to a quarter of a second's worth.
    private static func earn(
        _ credit: inout Int64, _ reckonedAt: inout Int64, _ now: Int64, _ rate: Int64,
        atLeast piece: Int64
    ) {
        let passed = min(now - reckonedAt, askingNanoseconds)
        let earned = Int64(Double(rate) * Double(passed) / 1e9)
        // What is earned while asking too often would be lost to rounding otherwise.
        if earned > 0 || passed >= askingNanoseconds { reckonedAt = now }
        credit = min(credit + earned, max(piece, rate / 4))
    }

    func count(_ index: Int, _ bytes: Int) {
        state.withLock { $0.lines[index].sent += Int64(bytes) }
    }
}
