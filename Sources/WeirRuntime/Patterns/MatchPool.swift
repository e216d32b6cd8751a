// Partial and complete matches of all keys, in flat arrays. The rows of a match follow each other without
// a gap and the variables come in the order of the pattern, so a match is its first row and how many rows
// each variable has: nothing is kept a row, however long it gets.
//
// What is read and written several times a row is not watched for overlapping accesses at run time (here
// and in the classes around it): what is called while one of them changes does not touch it, and watching
// took a fifth of the time of a pattern.

import WeirCore

/// The matches of a query, by number. Numbers are used again; nothing depends on them.
final class MatchPool {
    let variableCount: Int
    @exclusivity(unchecked) private var states: [Int32] = []
    @exclusivity(unchecked) private var startTimes: [Int64] = []
    @exclusivity(unchecked) private var counts: [Int32] = []
    @exclusivity(unchecked) private var free: [Int32] = []

    init(variableCount: Int) { self.variableCount = variableCount }

    /// Matches in use.
    var liveCount: Int { states.count - free.count }
    /// Numbers given out: all are below it.
    var capacity: Int { states.count }
    var memoryBytes: Int { states.capacity * (12 + 4 * variableCount) + free.capacity * 4 }

    func state(_ id: Int32) -> Int { Int(states[Int(id)]) }
    func startTime(_ id: Int32) -> Int64 { startTimes[Int(id)] }

    func setState(_ id: Int32, _ state: Int) { states[Int(id)] = Int32(state) }

    /// A match without rows.
    func make(state: Int, startTime: Int64) -> Int32 {
        if let id = free.popLast() {
            states[Int(id)] = Int32(state)
            startTimes[Int(id)] = startTime
            let first = Int(id) * variableCount
            for place in first..<first + variableCount { counts[place] = 0 }
            return id
        }
        states.append(Int32(state))
        startTimes.append(startTime)
        for _ in 0..<variableCount { counts.append(0) }
        return Int32(states.count - 1)
    }

    /// A match with the rows of `id`.
    func copy(_ id: Int32, state: Int) -> Int32 {
        let other = make(state: state, startTime: startTimes[Int(id)])
        for variable in 0..<variableCount {
            counts[Int(other) * variableCount + variable] =
                counts[Int(id) * variableCount + variable]
        }
        return other
    }

    /// Maps the next row to `variable`.
    func take(_ id: Int32, _ variable: Int) { counts[Int(id) * variableCount + variable] += 1 }

    func setCount(_ id: Int32, _ variable: Int, _ count: Int32) {
        counts[Int(id) * variableCount + variable] = count
    }

    func count(_ id: Int32, _ variable: Int) -> Int32 {
        counts[Int(id) * variableCount + variable]
    }

    func release(_ id: Int32) { free.append(id) }

    /// The rows of a variable, counted from the first of the match; of all for nil.
    func rows(_ id: Int32, _ variable: Int?) -> Range<Int64> {
        let first = Int(id) * variableCount
        guard let variable else {
            var total: Int64 = 0
            for place in first..<first + variableCount { total += Int64(counts[place]) }
            return 0..<total
        }
        var start: Int64 = 0
        for place in first..<first + variable { start += Int64(counts[place]) }
        return start..<start + Int64(counts[first + variable])
    }
}
