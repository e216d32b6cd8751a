// Whether there is room for more: the outbox of every sink that asks for a pause when full, and the
// reserve of free disk space. While the gate is closed nothing is read and so nothing acknowledged;
// the broker keeps the messages.

import WeirCore
import WeirStore

/// Decides whether the loop may read.
final class IntakeGate {
    /// A sink whose full outbox pauses the intake.
    struct Bound {
        let sinkName: String
        let bytesMax: Int
        /// Only while rows could be merged and the disk has no room for that: else the sink drops rows.
        var isForMergingOnly = false
    }

    private let bounds: [Bound]
    private let outbox: Outbox
    private let appender: OutboxAppender
    private let board: StatusBoard
    private let directory: StateDirectory
    private let reserveBytes: UInt64
    private let clock: any MachineClock
    private var nextLook: Int64 = .min
    private var isRoomOnDisk = true
    /// Why the gate is closed; empty while it is open.
    private(set) var reason = ""
    /// Free bytes on the state's disk at the last look.
    private(set) var freeBytes: UInt64 = 0

    private static let lookIntervalNanoseconds: Int64 = 200_000_000

    init(
        bounds: [Bound], outbox: Outbox, appender: OutboxAppender, board: StatusBoard,
        directory: StateDirectory, reserveBytes: UInt64, clock: any MachineClock
    ) {
        self.bounds = bounds
        self.outbox = outbox
        self.appender = appender
        self.board = board
        self.directory = directory
        self.reserveBytes = reserveBytes
        self.clock = clock
    }

    /// Looks at the bounds, and at the disk a few times a second. A bound can be exceeded by what one
    /// poll brings, not by more.
    func isOpen() throws(Failure) -> Bool {
        let now = clock.monotonicNanoseconds()
        if now >= nextLook {
            nextLook = now + Self.lookIntervalNanoseconds
            freeBytes = try directory.freeBytes()
            // Hysteresis: a gate that opens a little above the reserve would flap.
            let needed = isRoomOnDisk ? reserveBytes : reserveBytes + reserveBytes / 8
            isRoomOnDisk = freeBytes >= needed
        }
        reason = isRoomOnDisk ? fullOutbox() ?? "" : noRoom
        return reason.isEmpty
    }

    private var noRoom: String {
        "less than free_space_reserve, \(StatusText.bytes(reserveBytes)), is free on the disk of state_dir; "
            + "make room there"
    }

    private func fullOutbox() -> String? {
        for bound in bounds {
            guard let sink = outbox.sink(named: bound.sinkName) else { continue }
            guard outbox.pending(of: sink).bytes + appender.byteCount >= bound.bytesMax else { continue }
            let isHindered = board.sink(bound.sinkName)?.mergingProblem != nil
            if isHindered {
                return "the outbox of sink \(bound.sinkName) is full, and the disk of state_dir has no room "
                    + "to merge its rows; make room there"
            }
            if !bound.isForMergingOnly { return "the outbox of sink \(bound.sinkName) is full" }
        }
        return nil
    }
}
