// Commits of a table rest on the store's put-if-absent: of all agents that want a number, one gets it. Some
// S3-compatible servers take `If-None-Match: *` and still let several writers win when they come at once
// (OpenStack Swift looks first and writes then), which shows as commits lost months later. So
// `weir check --connect` lets writers race for names of its own and tells who won.
//
// A race that one writer wins proves nothing for ever, but a server that only looks first loses it nearly
// each time: the writers start together, and there are several rounds.

import Synchronization
import WeirConnectors
import WeirCore

/// Writers that want the same name at once.
struct CommitRace {
    private static let writers = 8
    private static let rounds = 3

    let options: ObjectStoreOptions

    /// Runs it, and removes what it wrote. Throws what the store refuses.
    ///
    /// - Returns: a sentence when more than one writer got a name, or when the names cannot be removed.
    func warning() throws(Failure) -> String? {
        let store = try options.makeStore(ObjectStoreContext())
        let run = "\(SystemClock().nowMilliseconds())-\(UInt32.random(in: 0 ... .max))"
        var most = 0
        for round in 0..<Self.rounds where most < 2 {
            let key = ObjectKey(segments: ["_weir_check-\(run)-\(round)"])
            let outcomes = try race(for: key)
            var unremoved: Failure?
            do throws(Failure) { try store.delete(key) } catch { unremoved = error }
            var winners = 0
            for outcome in outcomes where try outcome.get() { winners += 1 }
            if let unremoved {
                return "\(key) was written to \(store.location) by this check and cannot be removed: "
                    + "\(unremoved)"
            }
            most = max(most, winners)
        }
        guard most > 1 else { return nil }
        return "\(most) of \(Self.writers) writers got one name at once: this store's put-if-absent "
            + "is not atomic, so let no two agents write one Delta table here"
    }

    private func race(for key: ObjectKey) throws(Failure) -> [Result<Bool, Failure>] {
        let outcomes = Outcomes()
        var threads: [WorkerThread] = []
        defer { for thread in threads { thread.join() } }
        for number in 0..<Self.writers {
            threads.append(
                try WorkerThread(name: "commit race") { [options] in
                    let outcome = Result { () throws(Failure) in
                        try options.makeStore(ObjectStoreContext())
                            .putIfAbsent(key, .bytes(Array("writer \(number)".utf8)))
                    }
                    outcomes.list.withLock { $0.append(outcome) }
                })
        }
        for thread in threads { thread.join() }
        return outcomes.list.withLock { $0 }
    }

    private final class Outcomes: Sendable {
        let list = Mutex<[Result<Bool, Failure>]>([])
    }
}
