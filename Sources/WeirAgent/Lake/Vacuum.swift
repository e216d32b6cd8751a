// Clean-up of what this agent has left in a table's folder: files that the log removed long enough ago, and
// files that no entry ever named, because a crash came before it. What others have written is never
// touched, nor what is younger than the time that readers of older versions are given.
//
// A page of the listing at a time; before its files go the log is read up to its end, so that a file which
// somebody has restored meanwhile stays.

import WeirConnectors
import WeirCore
import WeirFormats

/// Cleans up one table, page by page.
struct Vacuum {
    let log: DeltaLog
    let store: any ObjectStore
    /// Files removed, or written and never named, after this instant stay, ms since the epoch.
    let cutoff: Int64
    let crashPoint: CrashPoint
    private(set) var own: OwnFiles
    private(set) var deletedCount = 0
    private(set) var deletedBytes = 0
    private var last: ObjectKey?

    private static let pageObjects = 1000

    init(
        _ log: DeltaLog, _ store: any ObjectStore, _ own: OwnFiles, cutoff: Int64, crashPoint: CrashPoint
    ) {
        self.log = log
        self.store = store
        self.own = own
        self.cutoff = cutoff
        self.crashPoint = crashPoint
    }

    /// Does one page; false when it was the last.
    mutating func step() throws(Failure) -> Bool {
        let page = try store.list(prefix: log.folder, startAfter: last, max: Self.pageObjects)
        last = page.last?.key
        var live: Set<ObjectKey>?
        var removals: [ObjectKey: Int64] = [:]
        for object in page {
            guard isOwn(object.key), let modified = object.modifiedMilliseconds, modified < cutoff else {
                continue
            }
            if live == nil {
                try own.advance(log)
                guard own.canBeKept else { return false }
                live = Set(own.files.keys.compactMap { log.objectKey(ofPath: $0) })
                for (path, time) in own.removed {
                    if let key = log.objectKey(ofPath: path) { removals[key] = time }
                }
            }
            guard live?.contains(object.key) == false, removals[object.key].map({ $0 < cutoff }) ?? true else {
                continue
            }
            crashPoint.pass("delta.vacuum.before-delete")
            try store.delete(object.key)
            deletedCount += 1
            deletedBytes += object.length
        }
        return page.count == Self.pageObjects
    }

    /// Whether an object is a data file of this agent in this table, and not in one whose folder lies below.
    private func isOwn(_ key: ObjectKey) -> Bool {
        let segments = key.text.dropFirst(log.folder.count).split(separator: "/")
        guard segments.count == 3, segments[0].hasPrefix("date="), segments[1].hasPrefix("hour=") else {
            return false
        }
        let path = segments[2].split(separator: "%", omittingEmptySubsequences: false).joined(separator: "%25")
        return own.rows(ofName: path[...]) != nil
    }
}
