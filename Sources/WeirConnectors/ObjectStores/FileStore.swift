// Objects as files below a local folder: a disk, a stick, an NFS mount. An object is written under a
// temporary name in its own folder, synced, renamed, and the folder is synced, so that a power cut
// leaves either no object or the whole one. Its disk is the sink's, not weir's own: when it is full or
// gone, that is an outage of the sink, and the forwarder tries again.

import Glibc
import WeirCore

/// Settings of a FileStore.
public struct FileStoreOptions: Sendable {
    /// The folder that holds the objects; made when it is missing.
    public var directory: String
    /// Permission bits of the objects' files, before the umask.
    public var fileMode: UInt32 = 0o644
    /// Permission bits of folders, before the umask.
    public var directoryMode: UInt32 = 0o755

    public init(directory: String) { self.directory = directory }

    /// From `file:///srv/lake`. Throws `Failure(.configuration, …)` for anything else.
    public init(url: String) throws(Failure) {
        guard url.hasPrefix("file:///"), url.utf8.count > "file:///".utf8.count else {
            throw Failure(
                .configuration, "reading", "the url \(url)", "it is not file:// and an absolute path",
                advice: "write file:///srv/lake")
        }
        directory = String(url.dropFirst("file://".count))
    }
}

/// Objects in a local folder.
public final class FileStore: ObjectStore {
    /// Temporary files older than this were left by a crash; a younger one may be another process's.
    static let staleAfterMilliseconds: Int64 = 3_600_000

    let root: FolderTree
    private let options: FileStoreOptions
    private let context: ObjectStoreContext
    private var folderInUse: String?

    public var location: String { "file://\(root.path)" }
    public var canRename: Bool { true }

    public init(_ options: FileStoreOptions, _ context: ObjectStoreContext) {
        self.options = options
        self.context = context
        root = FolderTree(path: options.directory, mode: mode_t(options.directoryMode))
    }

    public func put(_ key: ObjectKey, _ body: ObjectBody) throws(Failure) {
        context.crashPoint.pass("put.before")
        let temporary = try write(body, of: key, marker: "")
        context.crashPoint.pass("put.before-rename")
        try root.rename(temporary, to: root.path(of: key))
        try root.sync(folder: root.folder(of: key))
        context.crashPoint.pass("put.after")
    }

    public func putIfAbsent(_ key: ObjectKey, _ body: ObjectBody) throws(Failure) -> Bool {
        // Others may want the same key at the same time, in this process or elsewhere on a shared disk, so
        // each has a temporary file of its own.
        let unique = ".\(getpid())-\(UInt32.random(in: 0 ... .max))"
        let temporary = try write(body, of: key, marker: unique)
        let target = root.path(of: key)
        guard try root.renameUnlessPresent(temporary, to: target) else {
            unlink(temporary)
            guard let present = try root.contents(of: target, bytesMax: body.length),
                try body.hasBytes(present)
            else { return false }
            try root.sync(folder: root.folder(of: key))
            return true
        }
        try root.sync(folder: root.folder(of: key))
        return true
    }

    public func get(_ key: ObjectKey, bytesMax: Int) throws(Failure) -> [UInt8]? {
        guard let info = try head(key) else { return nil }
        guard info.length <= bytesMax,
            let bytes = try root.contents(of: root.path(of: key), bytesMax: bytesMax)
        else {
            throw Failure(
                .external, "reading", "\(location)/\(key)",
                "it has \(info.length) bytes, and at most \(bytesMax) are read")
        }
        return bytes
    }

    public func get(_ key: ObjectKey, range: Range<Int>) throws(Failure) -> [UInt8]? {
        try root.contents(of: root.path(of: key), range: range)
    }

    public func head(_ key: ObjectKey) throws(Failure) -> ObjectInfo? {
        guard let entry = try root.entry(at: root.path(of: key), name: ""), !entry.isFolder else {
            return nil
        }
        return ObjectInfo(
            key: key, length: entry.length, modifiedMilliseconds: entry.modifiedMilliseconds)
    }

    public func list(prefix: String, startAfter: ObjectKey?, max: Int) throws(Failure) -> [ObjectInfo] {
        let root = root
        var listing = TreeListing(prefix: prefix, startAfter: startAfter, max: max) {
            (folder) throws(Failure) in try root.entries(of: "\(root.path)/\(folder)")
        }
        return try listing.run()
    }

    public func delete(_ key: ObjectKey) throws(Failure) {
        guard unlink(root.path(of: key)) == 0 else {
            if errno == ENOENT || errno == ENOTDIR { return }
            throw root.failure("removing", root.path(of: key))
        }
        try root.sync(folder: root.folder(of: key))
    }

    public func rename(_ key: ObjectKey, to newKey: ObjectKey) throws(Failure) {
        try root.makeFolder(of: newKey)
        try root.rename(root.path(of: key), to: root.path(of: newKey))
        try root.sync(folder: root.folder(of: newKey))
        if key.folder != newKey.folder { try root.sync(folder: root.folder(of: key)) }
    }

    public func checkAccess() throws(Failure) -> AccessReport {
        let probe = ObjectKey(segments: [TemporaryName.of("check")])
        let temporary = try write(.bytes(Array("weir".utf8)), of: probe, marker: "")
        guard unlink(temporary) == 0 else { throw root.failure("removing", temporary) }
        return AccessReport(summary: "\(location) can be written to")
    }

    /// Writes and syncs a body under a temporary name in its object's folder; returns the path.
    private func write(_ body: ObjectBody, of key: ObjectKey, marker: String) throws(Failure) -> String
    {
        let folder = root.folder(of: key)
        if folder != folderInUse {
            try root.makeFolder(of: key)
            try removeStaleTemporaries(in: folder)
            folderInUse = folder
        }
        let path = folder + "/" + TemporaryName.of(key.name, marker: marker)
        let reader = try ObjectBodyReader(body, 0..<body.length)
        let flags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC
        var file = open(path, flags, mode_t(options.fileMode))
        if file < 0, errno == ENOENT {
            // The folder was removed behind our back (an unmounted disk, a cleaned lake).
            try root.makeFolder(of: key)
            file = open(path, flags, mode_t(options.fileMode))
        }
        guard file >= 0 else { throw root.failure("creating", path) }
        defer { close(file) }
        do throws(Failure) {
            try copy(reader, to: file, path)
            context.crashPoint.pass("put.after-temporary")
            guard fsync(file) == 0 else { throw root.failure("syncing", path) }
        } catch {
            unlink(path)  // gives the space of a half-written file back
            throw error
        }
        return path
    }

    private func copy(_ reader: ObjectBodyReader, to file: Int32, _ path: String) throws(Failure) {
        while var rest = try reader.next() {
            if context.abort.isRaised {
                throw Failure(.external, "writing", path, "weir is stopping", retry: .backoff)
            }
            while !rest.isEmpty {
                let count = Glibc.write(file, rest.baseAddress, rest.count)
                if count < 0, errno == EINTR { continue }
                guard count > 0 else { throw root.failure("writing", path) }
                rest = UnsafeRawBufferPointer(rebasing: rest[count...])
            }
        }
    }

    private func removeStaleTemporaries(in folder: String) throws(Failure) {
        let now = context.clock.nowMilliseconds()
        for entry in try root.entries(of: folder) where TemporaryName.isTemporary(entry.name) {
            guard let modified = entry.modifiedMilliseconds,
                now - modified > Self.staleAfterMilliseconds
            else {
                continue
            }
            unlink(folder + "/" + entry.name)
        }
    }
}
