// Whether a store takes objects, for `weir check --connect`. That a place can be listed says nothing of a right to
// write that is missing, nor of a quota that is full; so a small object is put where each query's would go, and
// removed again. Its name begins with `_`, which readers of lakes skip.
//
// In stores that have folders it is put beside the queries' folders, which it would otherwise leave behind.

import WeirConnectors
import WeirCore

/// Puts and removes small objects.
struct WriteProbe {
    let store: any ObjectStore
    let hasFolders: Bool
    /// The streams that objects will be put for.
    let streams: [String]

    /// More queries than this are taken to fare as these.
    private static let streamsMax = 20

    /// Throws what the store refuses.
    ///
    /// - Returns: a sentence when what was put cannot be removed.
    func warning() throws(Failure) -> String? {
        let name = "_weir_check-\(SystemClock().nowMilliseconds())-\(UInt32.random(in: 0 ... .max))"
        let places = hasFolders ? [[name]] : streams.prefix(Self.streamsMax).map { [$0, name] }
        for place in places {
            let key = ObjectKey(segments: place)
            try store.put(key, .bytes(Array("weir".utf8)))
            do throws(Failure) {
                try store.delete(key)
            } catch {
                return "\(key) was written to \(store.location) by this check and cannot be removed: \(error)"
            }
        }
        return nil
    }
}
