// Open sessions and where their rows are. Sessions wait for their ends in a heap; one that was prolonged
// is found there under an earlier end and put back, one that was merged into another is gone.

import WeirCore

/// The sessions of all keys.
final class SessionRowSet {
    /// A row: its time, and where it lies. In the order of arrival by (chunk, row).
    struct Place {
        let time: Int64
        let chunk: UInt64
        let row: Int32
    }

    /// A session.
    final class Session {
        fileprivate(set) var key: Int32
        fileprivate(set) var start: Int64
        /// The last row's time and the gap: the first time that would be another session's.
        fileprivate(set) var end: Int64
        /// In the order of arrival.
        fileprivate(set) var rows: [Place]
        fileprivate var isOpen = true

        fileprivate init(_ row: Place, key: Int32, gap: Int64) {
            (self.key, start, end, rows) = (key, row.time, row.time + gap, [row])
        }
    }

    private typealias Waiting = (end: Int64, session: Session)

    private(set) var keys: KeyInterner
    private let gap: Int64
    /// The open sessions of each key, mostly one.
    private var ofKey: [Int32: [Session]] = [:]
    /// Ends, or earlier ends, of sessions, the least first.
    private var heap = BinaryHeap<Waiting>()
    private var rowCount = 0
    private var keysKeptMax = SessionRowSet.keysKeptMin

    private static let keysKeptMin = 8_192

    init(gap: Int64, keys: KeyInterner) { (self.gap, self.keys) = (gap, keys) }

    var memoryBytes: Int {
        rowCount * MemoryLayout<Place>.stride + heap.count * 208 + keys.byteCount
    }
    /// All open sessions.
    var all: some Sequence<Session> { ofKey.values.joined() }
    /// A time at or before the first end of a session; Int64.max when there is none.
    var nextEnd: Int64 { heap.first?.end ?? .max }
    /// The last end of a session; Int64.min when there is none.
    var lastEnd: Int64 { all.reduce(.min) { max($0, $1.end) } }

    func bytes(of key: Int32) -> [UInt8] { Array(keys.key(key)) }

    // MARK: Rows

    /// Adds a row to its session. False when it is late at `mark`.
    func add(_ row: Place, key: Int32, mark: Int64) -> Bool {
        let end = row.time + gap
        var found: Session?
        for session in ofKey[key] ?? []
        where session.end - 1 > mark && session.start <= end && session.end >= row.time {
            if let found {
                merge(session, into: found)
            } else {
                found = session
                session.start = min(session.start, row.time)
                session.end = max(session.end, end)
            }
        }
        if let found {
            found.rows.append(row)
            rowCount += 1
            return true
        }
        if end - 1 <= mark { return false }
        begin(row, key)
        return true
    }

    private func begin(_ row: Place, _ key: Int32) {
        let session = Session(row, key: key, gap: gap)
        ofKey[key, default: []].append(session)
        wait(session)
        rowCount += 1
    }

    private func wait(_ session: Session) { heap.push((session.end, session), by: Self.isEarlier) }

    private static func isEarlier(_ a: Waiting, _ b: Waiting) -> Bool { a.end < b.end }

    private func merge(_ gone: Session, into kept: Session) {
        take(gone)
        kept.start = min(kept.start, gone.start)
        kept.end = max(kept.end, gone.end)
        kept.rows += gone.rows
        kept.rows.sort { ($0.chunk, $0.row) < ($1.chunk, $1.row) }
        rowCount += gone.rows.count
        gone.rows = []
    }

    /// Takes out a session and its rows.
    private func take(_ session: Session) {
        session.isOpen = false
        rowCount -= session.rows.count
        ofKey[session.key]?.removeAll { $0 === session }
        if ofKey[session.key]?.isEmpty == true { ofKey[session.key] = nil }
    }

    // MARK: Ends

    /// Takes out the sessions that are over at `mark`, in the order of (end, key).
    func takeDue(_ mark: Int64) -> [Session] {
        var due: [Session] = []
        while let first = heap.first, first.end - 1 <= mark {
            heap.removeFirst(by: Self.isEarlier)
            let session = first.session
            guard session.isOpen else { continue }
            if session.end - 1 > mark {
                wait(session)
            } else {
                take(session)
                due.append(session)
            }
        }
        due.sort { a, b in
            a.end != b.end ? a.end < b.end : KeyBytes.compare(keys.key(a.key), keys.key(b.key)) < 0
        }
        return due
    }

    /// Gives back the memory of keys without sessions, when they are the greater part.
    func forgetUnusedKeys() {
        guard keys.count > keysKeptMax else { return }
        var isUsed = [UInt8](repeating: 0, count: keys.count)
        for key in ofKey.keys { isUsed[Int(key)] = 1 }
        let renumbered = keys.keep(isUsed)
        let old = ofKey
        ofKey.removeAll()
        for (key, sessions) in old {
            for session in sessions { session.key = renumbered[Int(key)] }
            ofKey[renumbered[Int(key)]] = sessions
        }
        keysKeptMax = max(Self.keysKeptMin, keys.count * 2)
    }

    // MARK: After a restart

    /// Adds a row that came in an earlier run. Of sessions that have come out not all rows need be there;
    /// one of them may seem late.
    func readd(_ row: Place, key: Int32, mark: Int64) {
        if !add(row, key: key, mark: mark) { begin(row, key) }
    }

    /// Removes the sessions that have come out.
    func finishRestoring(_ isGone: (_ end: Int64, _ key: [UInt8]) -> Bool) {
        for session in Array(all) where isGone(session.end, bytes(of: session.key)) { take(session) }
    }
}
