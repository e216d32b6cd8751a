// Matches of one key, the one that started first at the front. Among matches with the same start the
// order is that of java.util.PriorityQueue, step for step: a binary heap in an array, in which equal
// elements lie as sifting has left them. Flink keeps its matches in one, and which of two labellings of
// the same rows wins is decided by it.

/// A match by its number in the pool, or the way into the pattern.
struct QueuedMatch: Equatable {
    /// The number in the pool; -1 for the entry that new matches start from.
    let id: Int32
    /// The number of its first row among the rows of its key.
    let start: Int64

    /// What new matches start from: behind all others.
    static let entry = QueuedMatch(id: -1, start: .max)
}

/// A heap by start.
struct MatchQueue {
    /// The heap's array; its order is the order in which matches are taken further.
    private(set) var matches: [QueuedMatch] = []

    var first: QueuedMatch? { matches.first }
    var isEmpty: Bool { matches.isEmpty }

    mutating func removeAll() { matches.removeAll(keepingCapacity: true) }

    mutating func push(_ match: QueuedMatch) {
        matches.append(match)
        var place = matches.count - 1
        while place > 0 {
            let parent = (place - 1) / 2
            if match.start >= matches[parent].start { break }
            matches[place] = matches[parent]
            place = parent
        }
        matches[place] = match
    }

    /// Takes the first match out.
    mutating func pop() -> QueuedMatch? {
        guard let first = matches.first, let last = matches.popLast() else { return nil }
        if !matches.isEmpty { sift(last, from: 0) }
        return first
    }

    /// Takes out the matches for which `condition` is true, and hands each to `removed`.
    mutating func removeAll(
        where condition: (QueuedMatch) -> Bool, _ removed: (QueuedMatch) -> Void
    ) {
        guard matches.contains(where: condition) else { return }
        var kept: [QueuedMatch] = []
        for match in matches {
            if condition(match) { removed(match) } else { kept.append(match) }
        }
        matches = kept
        for place in stride(from: matches.count / 2 - 1, through: 0, by: -1) {
            sift(matches[place], from: place)
        }
    }

    /// Takes back what an earlier run had in its array.
    mutating func restore(_ saved: [QueuedMatch]) { matches = saved }

    private mutating func sift(_ match: QueuedMatch, from start: Int) {
        var place = start
        while place < matches.count / 2 {
            var child = 2 * place + 1
            if child + 1 < matches.count, matches[child].start > matches[child + 1].start {
                child += 1
            }
            if match.start <= matches[child].start { break }
            matches[place] = matches[child]
            place = child
        }
        matches[place] = match
    }
}
