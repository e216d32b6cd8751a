// What the footer of a compacted file says: the sum of what those of its inputs said. So the ledger of a
// stream can still be added up over the files that are part of its table, whatever has been compacted.
//
// Counts in footers are the ledger's before and at a seal, `[1000,1200]`: parts of a line of numbers, which
// the files of a stream cover without a gap. Brought together they are laid side by side; where they meet
// they become one, and where segments between them are in other files there are several, in one list:
// `[1000,1200,1500,1700]`. All files of one segment say the same of it, and it is taken once: whoever adds up
// the files of a table takes the union of the parts, and so counts nothing twice.

import WeirCore

/// A set of whole numbers as ranges that do not touch, each from its first number up to, not including, its
/// last.
struct NumberRanges: Equatable {
    private(set) var ranges: [(from: Int64, to: Int64)] = []

    static func == (one: NumberRanges, other: NumberRanges) -> Bool { one.flat == other.flat }

    /// Adds a range, which may be empty: an empty one is kept while there is nothing that it touches.
    mutating func insert(from: Int64, to: Int64) {
        guard from <= to else { return }
        var (from, to) = (from, to)
        var low = ranges.count
        while low > 0, ranges[low - 1].to >= from { low -= 1 }
        var high = low
        while high < ranges.count, ranges[high].from <= to { high += 1 }
        for range in ranges[low..<high] { (from, to) = (min(from, range.from), max(to, range.to)) }
        ranges.replaceSubrange(low..<high, with: [(from, to)])
    }

    /// `from` and `to` of each range, in their order.
    var flat: [Int64] { ranges.flatMap { [$0.from, $0.to] } }

    /// How many numbers there are.
    var count: Int64 { ranges.reduce(0) { $0 + $1.to - $1.from } }
}

/// Adds up the footers of the files of one stream.
struct FooterLedger {
    private let agent: String
    private let stream: String
    /// Numbers of rows that the segments of the files had.
    private var rows = NumberRanges()
    private var sealedAt = ""
    private var fileCount: Int64 = 0
    /// Rows of files that say nothing of what was taken in.
    private var uncounted: Int64 = 0
    /// By key of the footer, and in it by what was counted; each in the order in which it came.
    private var counts: [(key: String, members: [(what: String, numbers: NumberRanges)])] = []

    init(agent: String, stream: String) {
        self.agent = agent
        self.stream = stream
    }

    /// Takes in a file's footer.
    ///
    /// - Parameters:
    ///   - named: the first and the last row as the file's name has them, for files whose footers lack them.
    ///   - rowCount: rows of the file.
    mutating func add(
        _ footer: [(key: String, value: String)], named: (first: Substring, last: Substring), rowCount: Int
    ) {
        var values: [String: String] = [:]
        for (key, value) in footer { values[key] = value }
        fileCount += values["weir.files"].flatMap { Int64($0) } ?? 1
        if let seal = values["weir.sealed_at"] {
            // In the form of ISO 8601 the later one is the greater text.
            sealedAt = max(sealedAt, seal)
            uncounted += values["weir.uncounted_rows"].flatMap { Int64($0) } ?? 0
        } else {
            uncounted += Int64(rowCount)
        }
        let ranges = values["weir.ranges"].map(Self.ranges(parsing:)) ?? []
        for (first, last) in ranges { rows.insert(from: first, to: last + 1) }
        if ranges.isEmpty, let first = Int64(named.first), let last = Int64(named.last) {
            rows.insert(from: first, to: last + 1)
        }
        for (key, value) in footer where key.hasPrefix("weir.source.") || key.hasPrefix("weir.query.") {
            for (what, numbers) in JSONValue(parsing: Array(value.utf8))?.members ?? [] {
                add(numbers.elements?.compactMap(\.integer) ?? [], to: what, of: key)
            }
        }
    }

    private mutating func add(_ pairs: [Int64], to what: String, of key: String) {
        let owner = counts.firstIndex { $0.key == key } ?? counts.count
        if owner == counts.count { counts.append((key, [])) }
        let members = counts[owner].members
        let member = members.firstIndex { $0.what == what } ?? members.count
        if member == members.count { counts[owner].members.append((what, NumberRanges())) }
        for place in stride(from: 0, to: pairs.count - 1, by: 2) {
            counts[owner].members[member].numbers.insert(from: pairs[place], to: pairs[place + 1])
        }
    }

    /// `1-200,401-600`.
    private static func ranges(parsing text: String) -> [(Int64, Int64)] {
        text.split(separator: ",").compactMap { part in
            let ends = part.split(separator: "-").compactMap { Int64($0) }
            return ends.count == 2 ? (ends[0], ends[1]) : nil
        }
    }

    /// The footer of a file with all their rows.
    var metadata: [(key: String, value: String)] {
        var pairs: [(key: String, value: String)] = [
            ("weir.agent", agent), ("weir.stream", stream),
            ("weir.first", "\(rows.ranges.first?.from ?? 0)"),
            ("weir.last", "\((rows.ranges.last?.to ?? 1) - 1)"),
            ("weir.ranges", rows.ranges.map { "\($0.from)-\($0.to - 1)" }.joined(separator: ",")),
            ("weir.files", "\(fileCount)"),
        ]
        if !sealedAt.isEmpty { pairs.append(("weir.sealed_at", sealedAt)) }
        if uncounted > 0 { pairs.append(("weir.uncounted_rows", "\(uncounted)")) }
        for (key, members) in counts {
            let texts = members.map { member in
                "\(jsonString(member.what)):[\(member.numbers.flat.map(String.init).joined(separator: ","))]"
            }
            pairs.append((key, "{\(texts.joined(separator: ","))}"))
        }
        return pairs
    }
}
