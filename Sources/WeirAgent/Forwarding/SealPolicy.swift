// When waiting rows become a segment: at the sink's schedule, or earlier when a bound is reached.
// Everything is decided from the rows themselves (when the oldest was appended), so a restart or days
// without power need no extra state: a tick that passed meanwhile is due at once.

/// A sink's rules for closing segments.
struct SealPolicy: Sendable {
    /// The next tick of the schedule strictly after an instant, ms since the epoch.
    let nextTick: @Sendable (Int64) -> Int64
    /// Rows, encoded bytes and age (ms) at which a segment is closed before its tick.
    let rowsMax: Int
    let bytesMax: Int
    let ageMaxMilliseconds: Int64

    /// What waits in a stream.
    struct Waiting {
        var rows: Int
        var bytes: Int
        /// When the oldest row was appended, ms since the epoch.
        var oldestAppendedAt: Int64
    }

    /// A clock that goes back by less is being slewed, not set.
    private static let clockStepMilliseconds: Int64 = 5000

    /// Whether the time of `waiting` has come at `now`.
    func isDue(_ waiting: Waiting, now: Int64) -> Bool {
        // The clock was set back: rows of its future must not wait until it is there again.
        dueTime(waiting) <= now || waiting.oldestAppendedAt > now + Self.clockStepMilliseconds
    }

    /// Whether `waiting` has as many rows or bytes as a segment may have, `bytesMax` being the least bound.
    func isFull(_ waiting: Waiting, bytesMax: Int) -> Bool {
        waiting.rows >= rowsMax || waiting.bytes >= bytesMax || ageMaxMilliseconds == 0
    }

    /// When `waiting` will be due if nothing more comes, ms since the epoch.
    func dueTime(_ waiting: Waiting) -> Int64 {
        let (byAge, overflow) = waiting.oldestAppendedAt.addingReportingOverflow(ageMaxMilliseconds)
        return min(nextTick(waiting.oldestAppendedAt), overflow ? .max : byAge)
    }
}
