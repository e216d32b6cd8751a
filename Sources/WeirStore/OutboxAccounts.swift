// What was taken in between two seals of a stream: for each source that feeds it, and for its query, the
// ledger's counts at both. They go into the files of the segment, so that somebody who has nothing but the
// files can add them up and finds the ledger again, or the gap where rows were given up.
//
//     'c' stream          → the counts when it was last sealed       written by the loop once, then with each seal
//     't' stream first    → the counts at the two seals              written with the segment, gone with it
//
// The counts are those that were settled with the commit that brought the stream's newest rows: they become
// visible together. A seal writes where it begins and ends in the same synced write as its boundary, so a
// segment says the same however often it is written. From the end of one segment the next begins: over all
// segments of a stream nothing is counted twice or left out.
//
// Segments of an older weir have no counts; a stream that it made begins with those at the first start.

import Synchronization
import WeirCore

/// One count of the ledger at the seal before a segment's and at its own.
public struct TakenCount: Hashable, Sendable {
    /// What counts: `source` or `query`.
    public let owner: String
    /// The owner's name.
    public let name: String
    /// What is counted, as the ledger calls it: `received`, `late`.
    public let what: String
    /// The count at the seal before.
    public let from: UInt64
    /// The count at the seal.
    public let to: UInt64
}

/// The counters that tell what was taken in for one stream, and what they were when it was last sealed.
struct StreamAccount: Sendable {
    struct Entry: Sendable {
        let owner: String
        let name: String
        let what: String
        var sealed: UInt64
        /// The counter's place in the ledger; nil before it is known.
        var index: Int?

        var counterName: String { "\(owner)_rows_\(what)" }

        func isSame(as other: Entry) -> Bool {
            what == other.what && name == other.name && owner == other.owner
        }
    }

    var entries: [Entry] = []

    /// What was counted since the last seal, if the ledger's counts are `counts` now.
    func taken(_ counts: [UInt64]) -> [TakenCount] {
        entries.map { entry in
            let now = entry.index.flatMap { $0 < counts.count ? counts[$0] : nil }
            return TakenCount(
                owner: entry.owner, name: entry.name, what: entry.what, from: entry.sealed,
                to: max(entry.sealed, now ?? entry.sealed))
        }
    }

    /// The stream was sealed.
    mutating func seal(at taken: [TakenCount]) {
        for (index, count) in taken.enumerated() { entries[index].sealed = count.to }
    }
}

extension OutboxKey {
    static func account(_ stream: Int) -> [UInt8] { [UInt8(ascii: "c")] + bigEndian(UInt32(stream)) }
    static func taken(_ stream: Int, _ first: UInt64) -> [UInt8] {
        [UInt8(ascii: "t")] + bigEndian(UInt32(stream)) + bigEndian(first)
    }
}

extension WriteBatch {
    /// What a stream's counters were when it was last sealed.
    func put(_ account: StreamAccount, of stream: Int) {
        var fields = ByteWriter()
        for entry in account.entries {
            fields.put(entry.owner)
            fields.put(entry.name)
            fields.put(entry.what)
            fields.put(entry.sealed)
        }
        put(.outbox, OutboxKey.account(stream), fields.bytes)
    }

    /// What was taken in for a segment that begins with row `first`; nothing when nobody counts.
    func put(_ taken: [TakenCount], of stream: Int, first: UInt64) {
        guard !taken.isEmpty else { return }
        var fields = ByteWriter()
        for count in taken {
            fields.put(count.owner)
            fields.put(count.name)
            fields.put(count.what)
            fields.put(count.from)
            fields.put(count.to)
        }
        put(.outbox, OutboxKey.taken(stream, first), fields.bytes)
    }
}

extension StreamAccount {
    init(from fields: inout ByteReader) throws(Malformed) {
        while fields.remaining > 0 {
            entries.append(
                Entry(
                    owner: try fields.getString(), name: try fields.getString(),
                    what: try fields.getString(), sealed: try fields.get(UInt64.self)))
        }
    }
}

extension Outbox {
    /// What was taken in between the seal before this segment's and its own; empty when it is not known.
    public func taken(of segment: Segment) throws(Failure) -> [TakenCount] {
        let key = OutboxKey.taken(segment.stream.index, segment.first)
        let record = try key.withBytes { (key) throws(Failure) in try database.get(.outbox, key) }
        guard let record else { return [] }
        return try record.withBytes { (record) throws(Failure) in
            try reading("the outbox", in: database.directory, record) {
                (fields) throws(Malformed) in
                var taken: [TakenCount] = []
                while fields.remaining > 0 {
                    taken.append(
                        TakenCount(
                            owner: try fields.getString(), name: try fields.getString(),
                            what: try fields.getString(), from: try fields.get(UInt64.self),
                            to: try fields.get(UInt64.self)))
                }
                return taken
            }
        }
    }

    /// What was taken in since the stream was last sealed, by the ledger as it is on disk. For those who
    /// look into the state; who counts knows more.
    public func takenSinceSeal(of stream: StreamID) throws(Failure) -> [TakenCount] {
        let ledger = try Ledger(database)
        var account = state.withLock { $0.streams[stream.index].account }
        account.bind(to: ledger)
        return account.taken(ledger.settledValues)
    }
}

extension StreamAccount {
    /// Finds the counters' places in the ledger.
    mutating func bind(to ledger: Ledger) {
        for index in entries.indices where entries[index].index == nil {
            let entry = entries[index]
            entries[index].index =
                ledger.register(entry.counterName, [.init(entry.owner, entry.name)]).index
        }
    }
}

extension OutboxAppender {
    /// Says by which counters the ledger counts what is taken in for `stream`. A counter is named
    /// `OWNER_rows_WHAT` and has the one label `OWNER`. One that the stream did not have begins with its
    /// value now.
    public func account(_ stream: StreamID, by counters: [Ledger.CounterID], of ledger: Ledger) {
        let wanted = counters.map { counter in
            let (counterName, labels) = ledger.name(of: counter)
            let owner = labels.first?.name ?? ""
            precondition(counterName.hasPrefix("\(owner)_rows_"), "a counter of an owner's rows")
            return StreamAccount.Entry(
                owner: owner, name: labels.first?.value ?? "",
                what: String(counterName.dropFirst("\(owner)_rows_".count)),
                sealed: ledger.value(counter), index: counter.index)
        }
        let isOther = outbox.state.withLock { state in
            let known = state.streams[stream.index].account.entries
            state.streams[stream.index].account.entries = wanted.map { entry in
                var entry = entry
                if let old = known.first(where: { $0.isSame(as: entry) }) { entry.sealed = old.sealed }
                return entry
            }
            return known.count != wanted.count || !zip(known, wanted).allSatisfy { $0.isSame(as: $1) }
        }
        if isOther { changedAccounts.insert(stream.index) }
    }

    /// Finds the counters of streams that nobody accounts for any more, such as those of removed queries:
    /// what is left of their rows is sealed with them.
    public func bindAccounts(to ledger: Ledger) {
        outbox.state.withLock { state in
            for index in state.streams.indices { state.streams[index].account.bind(to: ledger) }
        }
    }
}
