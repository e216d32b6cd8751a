// Clean-up of what this agent has left in a table's folder: files that the log removed long enough ago, and
// files that no entry ever named, because a crash came before it. What others have written is never
// touched, nor what is younger than the time that readers of older versions are given.
//
// A page of the listing at a time, and then its files, some at a time; before they go the log is read up to
// its end, so that a file which somebody has restored meanwhile stays.

import WeirConnectors
import WeirCore
import WeirFormats

/// Cleans up one table, page by page.
final class Vacuum {
    let log: DeltaLog
    let store: any ObjectStore
    /// Files removed, or written and never named, after this instant stay, ms since the epoch.
    let cutoff: Int64
    let crashPoint: CrashPoint
    private(set) var own: OwnFiles
    private(set) var deletedCount = 0
    private(set) var deletedBytes = 0
    private var last: ObjectKey?
    private var isListed = false
    /// Files of the last page that may have to go.
    private var old: [ObjectInfo] = []

    private static let pageObjects = 1000
    /// Files that are deleted at a time, and what the request for one takes, bytes.
    private static let deletedMax = 100
    private static let requestBytes = 1024

    init(
        _ log: DeltaLog, _ store: any ObjectStore, _ own: OwnFiles, cutoff: Int64, crashPoint: CrashPoint
    ) {
        self.log = log
        self.store = store
        self.own = own
        self.cutoff = cutoff
        self.crashPoint = crashPoint
    }

    /// About the bytes that the next step sends.
    var nextBytes: Int64 { Int64((1 + min(Self.deletedMax, old.count)) * Self.requestBytes) }

    /// Lists one page, or looks at some files of it; false when there is no more to do.
    func step() throws(Failure) -> Bool {
        guard old.isEmpty else { return try deleteSome() }
        guard !isListed else { return false }
        let page = try store.list(prefix: log.folder, startAfter: last, max: Self.pageObjects)
        last = page.last?.key
        isListed = page.count < Self.pageObjects
        old = page.filter { object in
            isOwn(object.key) && object.modifiedMilliseconds.map { $0 < cutoff } ?? false
        }
        return !isListed || !old.isEmpty
    }

    private func deleteSome() throws(Failure) -> Bool {
        try own.advance(log)
        guard own.canBeKept, try !own.isLeftBehind(by: log) else { return false }
        let some = old.prefix(Self.deletedMax)
        old.removeFirst(some.count)
        for object in some {
            let path = log.path(of: object.key)
            guard !own.isLive(path), own.removalTime(of: path).map({ $0 < cutoff }) ?? true else { continue }
            crashPoint.pass("delta.vacuum.before-delete")
            try store.delete(object.key)
            deletedCount += 1
            deletedBytes += object.length
        }
        return !isListed || !old.isEmpty
    }

    /// Whether an object is a data file of this agent in this table, and not in one whose folder lies below.
    private func isOwn(_ key: ObjectKey) -> Bool {
        let segments = key.text.dropFirst(log.folder.count).split(separator: "/")
        guard segments.count == 3, segments[0].hasPrefix("date="), segments[1].hasPrefix("hour=") else {
            return false
        }
        let path = log.path(of: key)
        return own.rows(ofName: path[(path.lastIndex(of: "/").map(path.index(after:)) ?? path.startIndex)...]) != nil
    }
}
