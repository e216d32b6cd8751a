// How long commits take: counts by upper bound, for the histogram in /metrics. A dozen fixed bounds
// are enough to tell a good disk from a bad one, and cost one addition a commit.

import WeirCore

/// A histogram of commit durations since the process started.
struct CommitTimes {
    /// Upper bounds, seconds.
    static let bounds: [Double] = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 5]

    private var counts = [UInt64](repeating: 0, count: bounds.count)
    private var count: UInt64 = 0
    private var sumSeconds = 0.0

    mutating func add(nanoseconds: Int64) {
        let seconds = Double(nanoseconds) / 1e9
        count += 1
        sumSeconds += seconds
        for index in Self.bounds.indices where seconds <= Self.bounds[index] { counts[index] += 1 }
    }

    var status: StatusSnapshot.CommitStatus {
        var status = StatusSnapshot.CommitStatus()
        status.count = count
        status.buckets = Self.bounds
        status.counts = counts
        status.sumSeconds = sumSeconds
        return status
    }
}
