// Dropping rows while they wait: where an operator takes the first N of each partition, rows that are not
// among the first N of those that wait cannot be in its result any more.
//
// What is dropped depends on when one looks, the result does not. New chunks are looked at together with
// chunks before them that are not much larger, so that each row is looked at a few times only, and what is
// left lies in a few chunks.

import WeirCore

extension WaitingRows {
    /// Rows that are in no commit yet may be so many before they are looked at.
    static let unsavedRowsMax = 16_384
    /// Chunks are looked at together up to so many rows.
    private static let joinedRowsMax = 65_536

    /// Rows that are in no commit yet.
    var unsavedRows: Int {
        var count = 0
        for chunk in chunks.reversed() {
            if chunk.isSaved { break }
            count += chunk.waitingCount
        }
        return count
    }

    /// Drops rows among those that came since the last time, and others.
    func dropWhatIsNotNeeded() {
        guard let needed, let last = chunks.last, !last.isSaved, !last.isReduced else { return }
        var first = chunks.count
        var rows = 0
        while first > 0, let batch = chunks[first - 1].batch {
            let chunk = chunks[first - 1]
            let isNew = !chunk.isSaved && !chunk.isReduced
            guard isNew || (batch.rowCount <= 2 * rows && rows <= Self.joinedRowsMax) else { break }
            rows += chunk.waitingCount
            first -= 1
        }
        let parts = chunks[first...].compactMap { chunk in
            chunk.batch.map { Part(batch: $0, rows: chunk.taken..<chunk.rowCount) }
        }
        let waiting = joined(parts)
        guard let kept = needed(waiting) else { return }
        retired += chunks[first...].filter(\.isSaved).map(\.number)
        chunks.removeSubrange(first...)
        guard !kept.isEmpty else { return }
        add(
            kept.count == waiting.rowCount
                ? waiting : kept.withUnsafeBufferPointer { waiting.gather($0) })
        chunks[chunks.count - 1].isReduced = true
    }
}
