// The order of interned keys, kept from window to window. Devices report again and again, so a
// window's keys have mostly been ordered before: only keys that are new since the last time are
// sorted, and the others are walked in the order known.

/// Ranks of a KeyInterner's keys.
struct KeyRanking {
    /// Key numbers in key order; all numbers below `ordered.count` are in it.
    private var ordered: [Int32] = []
    private var rankOf: [Int32] = []
    private var marks: [UInt8] = []

    /// Puts `numbers`, each at most once, in the order of their keys.
    mutating func sort(_ numbers: UnsafeMutableBufferPointer<Int32>, of keys: KeyInterner) {
        let isMajority = numbers.count >= keys.count / 8
        if ordered.count < keys.count {
            guard isMajority else {
                Self.sortByBytes(numbers, keys)
                return
            }
            rankNewKeys(keys)
        }
        if isMajority {
            pickInOrder(numbers)
        } else {
            let rankOf = rankOf
            var list = numbers
            list.sort { rankOf[Int($0)] < rankOf[Int($1)] }
        }
    }

    /// Follows a clean-up that renumbered the keys.
    mutating func renumber(_ renumbered: [Int32], count: Int) {
        // Ranked keys are those with the lowest numbers, and renumbering keeps the order of
        // numbers.
        ordered = ordered.compactMap { renumbered[Int($0)] < 0 ? nil : renumbered[Int($0)] }
        rebuildRanks()
    }

    private mutating func pickInOrder(_ numbers: UnsafeMutableBufferPointer<Int32>) {
        if marks.count < ordered.count {
            marks = [UInt8](repeating: 0, count: max(ordered.count, marks.count * 2))
        }
        for number in numbers { marks[Int(number)] = 1 }
        var filled = 0
        for number in ordered where marks[Int(number)] != 0 {
            marks[Int(number)] = 0
            numbers[filled] = number
            filled += 1
        }
        precondition(filled == numbers.count, "a key number was given twice")
    }

    private mutating func rankNewKeys(_ keys: KeyInterner) {
        var new = (ordered.count..<keys.count).map { Int32($0) }
        new.withUnsafeMutableBufferPointer { Self.sortByBytes($0, keys) }
        var merged: [Int32] = []
        merged.reserveCapacity(keys.count)
        var taken = 0
        for number in new {
            let key = keys.key(number)
            var (low, high) = (taken, ordered.count)
            while low < high {
                let middle = (low + high) / 2
                if KeyBytes.compare(keys.key(ordered[middle]), key) < 0 {
                    low = middle + 1
                } else {
                    high = middle
                }
            }
            merged.append(contentsOf: ordered[taken..<low])
            merged.append(number)
            taken = low
        }
        merged.append(contentsOf: ordered[taken...])
        ordered = merged
        rebuildRanks()
    }

    private mutating func rebuildRanks() {
        rankOf = [Int32](repeating: 0, count: ordered.count)
        for (rank, number) in ordered.enumerated() { rankOf[Int(number)] = Int32(rank) }
    }

    /// A key with the eight bytes that follow what all keys to be sorted start with.
    private struct Sortable {
        let head: UInt64
        let number: Int32
    }

    private static func sortByBytes(
        _ numbers: UnsafeMutableBufferPointer<Int32>, _ keys: KeyInterner
    ) {
        guard numbers.count > 1 else { return }
        let first = keys.key(numbers[0])
        var shared = first.count
        for number in numbers {
            let key = keys.key(number)
            var same = 0
            while same < shared, same < key.count, key[same] == first[same] { same += 1 }
            shared = same
        }
        var sortable = numbers.map { Sortable(head: head(keys.key($0), from: shared), number: $0) }
        sortable.sort { a, b in
            a.head != b.head
                ? a.head < b.head : KeyBytes.compare(keys.key(a.number), keys.key(b.number)) < 0
        }
        for (index, entry) in sortable.enumerated() { numbers[index] = entry.number }
    }

    private static func head(_ key: UnsafeBufferPointer<UInt8>, from start: Int) -> UInt64 {
        var word: UInt64 = 0
        for i in start..<start + 8 { word = word << 8 | (i < key.count ? UInt64(key[i]) : 0) }
        return word
    }
}
