// What is known of windows that late rows have changed: for each window and key which revision was emitted
// last, and whether that is out of date.
//
// Entries lie in memory by the end of their window, so that a window's all go at once. Beyond their share of
// the memory those that are up to date leave it with a commit, and are looked up where they are saved.

import WeirCore
import WeirStore

/// The corrections of a windowed grouping.
final class WindowRevisions {
    /// How long after its end a window takes rows, ms.
    let allowance: Int64

    /// One key of one window.
    struct Place: Hashable {
        let end: Int64
        let key: [UInt8]
    }

    /// What has been emitted last, and whether that is out of date.
    private struct State: Equatable {
        /// -1: nothing yet.
        var revision: Int32
        var isPending: Bool
    }

    private var states: [Int64: [[UInt8]: State]] = [:]
    /// Those of them that are to be emitted.
    private var pending: Set<Place> = []
    /// The watermark at which the first of `pending` was noted.
    private var notedAt = Watermark.none
    private var changed: Set<Place> = []
    /// Entries that are in durable state alone, by their windows' ends.
    private var spilled: [Int64: Int] = [:]
    /// Windows that end at or before it are gone; not yet from durable state, if `isForgetting`.
    private var goneThrough = Int64.min
    private var isForgetting = false
    private let keyspace: WindowKeyspace
    private let memoryBytesMax: Int
    private(set) var memoryBytes = 0
    private var reader: (any StateReader)?

    private static let bytesPerEntry = 112

    /// - Parameter memoryBytesMax: what entries that are up to date may take of memory after a commit.
    init(allowance: Int64, keyspace: WindowKeyspace, memoryBytesMax: Int) {
        (self.allowance, self.keyspace, self.memoryBytesMax) = (allowance, keyspace, memoryBytesMax)
    }

    /// The watermark at which corrections are emitted; Int64.max when there are none.
    var due: Int64 { pending.isEmpty ? .max : notedAt + 1 }
    /// Entries that are in durable state alone.
    var spilledCount: Int { spilled.values.reduce(0, +) }

    /// The greatest time that is over for good at a watermark.
    func closed(at mark: Int64) -> Int64 {
        mark == Watermark.none || mark == Watermark.end ? mark : mark - allowance
    }

    private func set(_ place: Place, _ state: State) {
        if states[place.end, default: [:]].updateValue(state, forKey: place.key) == nil {
            memoryBytes += place.key.count + Self.bytesPerEntry
        }
    }

    private func state(_ place: Place) throws(Failure) -> State? {
        if let known = states[place.end]?[place.key] { return known }
        guard spilled[place.end] != nil, let reader,
            let saved = try reader.get(keyspace.revision(place.end, place.key))
        else { return nil }
        spilled[place.end, default: 0] -= 1
        let read = try saved.withBytes { (bytes) throws(Failure) in try Self.read(bytes).state }
        set(place, read)
        return read
    }

    /// Notes that a late row has changed a place. `wasEmitted` says whether it had been emitted before.
    func note(
        _ place: Place, at mark: Int64, wasEmitted: () throws(Failure) -> Bool
    ) throws(Failure) {
        if pending.contains(place) { return }
        let known = try state(place)
        if pending.isEmpty { notedAt = mark }
        let revision = if let known { known.revision } else { try wasEmitted() ? Int32(0) : -1 }
        set(place, State(revision: revision, isPending: true))
        pending.insert(place)
        changed.insert(place)
    }

    /// What is to be emitted, in order.
    var inOrder: [Place] {
        pending.sorted { a, b in
            a.end != b.end ? a.end < b.end : a.key.lexicographicallyPrecedes(b.key)
        }
    }

    /// `place` is emitted now, as the revision that comes back.
    func take(_ place: Place) -> Int64 {
        guard pending.remove(place) != nil, let state = states[place.end]?[place.key] else {
            preconditionFailure("a correction that was not noted")
        }
        set(place, State(revision: state.revision + 1, isPending: false))
        changed.insert(place)
        return Int64(state.revision + 1)
    }

    /// Forgets windows that take no rows any more.
    func forget(through mark: Int64) {
        guard mark != Watermark.none else { return }
        let limit = mark == Watermark.end ? mark : mark - allowance + 1
        guard limit > goneThrough else { return }
        goneThrough = limit
        for end in states.keys where end <= limit {
            for key in states[end, default: [:]].keys {
                let place = Place(end: end, key: key)
                precondition(!pending.contains(place), "a correction is emitted before its window goes")
                memoryBytes -= key.count + Self.bytesPerEntry
                changed.remove(place)
            }
            states[end] = nil
            isForgetting = true
        }
        for end in spilled.keys where end <= limit {
            spilled[end] = nil
            isForgetting = true
        }
    }

    // MARK: Durable state

    func checkpoint(into writer: any StateWriter) {
        if isForgetting {
            let (start, end) = keyspace.allRevisions
            writer.deleteRange(
                start, goneThrough == .max ? end : keyspace.revision(goneThrough + 1, []))
            isForgetting = false
        }
        if memoryBytes > memoryBytesMax, reader != nil { shrink() }
        for place in changed.sorted(by: { ($0.end, $0.key.count) < ($1.end, $1.key.count) }) {
            guard let state = states[place.end]?[place.key] else { continue }
            var value = ByteWriter()
            value.write(state.revision)
            value.write(UInt8(state.isPending ? 1 : 0))
            value.write(notedAt)
            value.bytes.withUnsafeBytes { writer.put(keyspace.revision(place.end, place.key), $0) }
        }
        changed.removeAll()
    }

    /// Lets go of what the last commit holds and nothing waits for.
    private func shrink() {
        for end in states.keys {
            let kept = states[end, default: [:]].filter { key, state in
                state.isPending || changed.contains(Place(end: end, key: key))
            }
            for key in states[end, default: [:]].keys where kept[key] == nil {
                memoryBytes -= key.count + Self.bytesPerEntry
                spilled[end, default: 0] += 1
            }
            states[end] = kept.isEmpty ? nil : kept
        }
    }

    private static func read(
        _ value: UnsafeRawBufferPointer
    ) throws(Failure) -> (state: State, notedAt: Int64) {
        var bytes = ByteReader(value)
        let revision: Int32 = try bytes.read()
        let isPending = try bytes.read(UInt8.self) == 1
        return (State(revision: revision, isPending: isPending), try bytes.read())
    }

    /// Takes back what an earlier run saved, as much of it as may be in memory.
    func restore(from reader: any StateReader) throws(Failure) {
        self.reader = reader
        let (start, end) = keyspace.allRevisions
        try reader.scan(start, end) { key, value throws(Failure) in
            guard let (end, suffix) = self.keyspace.parseRevision(key) else { throw ByteReader.damaged }
            let place = Place(end: end, key: suffix)
            let (state, noted) = try Self.read(value)
            // All that are pending were noted at one watermark, or above the first one's.
            if state.isPending {
                self.pending.insert(place)
                self.notedAt = noted
            }
            if state.isPending || self.memoryBytes < self.memoryBytesMax {
                self.set(place, state)
            } else {
                self.spilled[end, default: 0] += 1
            }
            return true
        }
    }
}
