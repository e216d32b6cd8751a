// The directory that holds everything durable of one agent: `lock`, `format` and RocksDB's `db`.
//
// One process at a time uses it: an exclusive flock on `lock`, which the kernel takes back however
// the process ends; the pid in the file is only there to be named to the next one. `format` says
// which version of weir's layout is inside, and is checked before RocksDB touches a byte, so that
// an older weir never half-understands what a newer one wrote (2: segments may be in files). It also says whether the database
// was created completely: from then on a database that is missing is damage and never silently
// replaced by an empty one.

import WeirCore

#if canImport(Glibc)
import Glibc
#endif

/// An exclusively locked state directory.
public final class StateDirectory: Sendable {
    /// The newest layout that this weir reads and the one it writes.
    public static let formatVersion = 2

    /// The directory as it was given.
    public let path: String
    /// Whether the database in it was created completely by an earlier opening.
    let isEstablished: Bool
    /// Whether an older weir wrote what is in it.
    let isOlder: Bool
    /// Whether it was opened to look into it, without a lock.
    let isReadOnly: Bool
    private let lockDescriptor: Int32

    /// Creates the directory if there is none, and locks it until this object goes.
    ///
    /// A process that was killed holds its lock until its last disk write is through, so a lock
    /// that is taken is waited for, `lockWaitMilliseconds` at most. Throws `.state` when another
    /// weir holds it longer, a newer weir wrote it, it is damaged, or fewer than `freeBytesMin`
    /// bytes are free; `.storage` when the file system refuses.
    public init(
        _ path: String, freeBytesMin: UInt64 = 0, lockWaitMilliseconds: Int32 = 1000
    ) throws(Failure) {
        self.path = path
        try makeDirectories(path)
        let descriptor = try lock(path, waitMilliseconds: lockWaitMilliseconds)
        do throws(Failure) {
            let format = try readFormat(path)
            isEstablished = format.isComplete
            isOlder = format.version < Self.formatVersion
            let free = try freeBytesOfFileSystem(at: path)
            guard free >= freeBytesMin else {
                throw Failure(
                    .state, "opening the state directory", path,
                    "only \(free >> 20) MiB are free on its file system",
                    advice: "free at least \(freeBytesMin >> 20) MiB or use another state_dir")
            }
        } catch {
            close(descriptor)
            throw error
        }
        lockDescriptor = descriptor
        isReadOnly = false
    }

    /// A directory to look into while another process may be at work in it; nothing is changed.
    ///
    /// Throws `.state` when there is none, or it is damaged or of a newer format.
    public init(reading path: String) throws(Failure) {
        self.path = path
        var entry = stat()
        guard stat("\(path)/format", &entry) == 0 else {
            let error = errno
            let isThere = error == ENOENT && stat(path, &entry) == 0
            throw Failure(
                .state, "reading the state directory", path,
                isThere
                    ? "there is nothing of weir in it; no agent has run with it yet"
                    : error == ENOENT ? "there is none" : String(cString: strerror(error)),
                advice: error == EACCES
                    ? "ask as the user that weir runs as, or as root"
                    : "look at agent.state_dir; a relative one begins at the working directory")
        }
        isEstablished = try readFormat(path).isComplete
        guard isEstablished else {
            throw Failure(.state, "reading the state directory", path, "it has no database yet")
        }
        isOlder = false
        isReadOnly = true
        lockDescriptor = -1
    }

    deinit { if lockDescriptor >= 0 { close(lockDescriptor) } }

    /// Bytes that an unprivileged process can still write to the file system, by statvfs. The loop stops the
    /// intake when they become few, because RocksDB does not come back from a full disk.
    public func freeBytes() throws(Failure) -> UInt64 { try freeBytesOfFileSystem(at: path) }

    /// The version of the layout in a directory, which is left as it is. Throws `.state` when it is damaged or
    /// newer than this weir.
    static func format(reading path: String) throws(Failure) -> Int {
        try readFormat(path, writesFirst: false).version
    }

    var databasePath: String { "\(path)/db" }

    /// Eight letters and digits that tell this directory from one that was in its place before or will
    /// be after it: of the random identity that RocksDB gives a new database.
    public func identity() throws(Failure) -> String {
        let name = "\(databasePath)/IDENTITY"
        let descriptor = open(name, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw failed("opening", name) }
        defer { close(descriptor) }
        let letters = readAll(descriptor)?.filter { $0.isASCII && ($0.isLetter || $0.isNumber) } ?? ""
        guard letters.count >= 8 else {
            throw Failure(.state, "reading", name, "it is damaged", advice: "restore it from a backup")
        }
        return String(letters.prefix(8))
    }

    /// Notes that the database now exists as a whole, in the layout of this weir.
    func markEstablished() throws(Failure) {
        try writeFormat(path, "weir state format \(Self.formatVersion)\n")
    }
}

private func failed(_ action: String, _ path: String) -> Failure {
    Failure(.storage, action, path, String(cString: strerror(errno)))
}

/// Makes the directory and those above it, their names durable: one whose name a power cut takes away is lost
/// with all that was synced in it.
private func makeDirectories(_ path: String) throws(Failure) {
    var made = path.hasPrefix("/") ? "/" : ""
    let parts = path.split(separator: "/")
    for (index, part) in parts.enumerated() {
        let parent = made.isEmpty ? "." : made
        made += made.isEmpty || made.hasSuffix("/") ? String(part) : "/\(part)"
        guard mkdir(made, 0o750) != 0 else {
            try syncNames(in: parent)
            continue
        }
        let reason = errno
        var entry = stat()
        // A parent that may be entered but not written (EACCES, EROFS) is fine as long as it is
        // there.
        guard reason == EEXIST || stat(made, &entry) == 0 else {
            errno = reason
            throw failed("creating the state directory", made)
        }
        // It may be of a run that ended before it had synced the name.
        if index == parts.count - 1, stat("\(path)/format", &entry) != 0 { try syncNames(in: parent) }
    }
}

/// Makes the names in a directory durable, where its file system can, and where it is ours to read.
private func syncNames(in path: String) throws(Failure) {
    let folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard folder >= 0 else {
        if errno == EACCES { return }
        throw failed("opening", path)
    }
    defer { close(folder) }
    guard fsync(folder) == 0 || [EINVAL, ENOTSUP, EROFS].contains(errno) else {
        throw failed("syncing", path)
    }
}

private func lock(_ path: String, waitMilliseconds: Int32) throws(Failure) -> Int32 {
    let name = "\(path)/lock"
    let descriptor = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0o640)
    guard descriptor >= 0 else { throw failed("opening", name) }
    var waited: Int32 = 0
    while flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
        let reason = errno
        if reason == EWOULDBLOCK, waited < waitMilliseconds {
            // flock has no time limit of its own, and nothing tells when a lock is let go.
            poll(nil, 0, 10)
            waited += 10
            continue
        }
        let holder = readAll(descriptor).flatMap { Int32($0.prefix { $0 != "\n" }) }
        close(descriptor)
        guard reason == EWOULDBLOCK else {
            errno = reason
            throw failed("locking", name)
        }
        let who = holder.map { "process \($0)" } ?? "another process"
        throw Failure(
            .state, "opening the state directory", path, "it is in use by \(who)",
            advice: "stop that weir first, or give this one a state_dir of its own")
    }
    let pid = Array("\(getpid())\n".utf8)
    guard ftruncate(descriptor, 0) == 0, pwrite(descriptor, pid, pid.count, 0) == pid.count else {
        let failure = failed("writing", name)
        close(descriptor)
        throw failure
    }
    return descriptor
}

/// The text of a small file, from its start.
private func readAll(_ descriptor: Int32) -> String? {
    var buffer = [UInt8](repeating: 0, count: 256)
    let count = pread(descriptor, &buffer, buffer.count, 0)
    return count < 0 ? nil : String(decoding: buffer[..<count], as: UTF8.self)
}

/// Checks the format file, or writes a first one; returns the layout's version and whether the
/// database is complete.
private func readFormat(
    _ path: String, writesFirst: Bool = true
) throws(Failure) -> (version: Int, isComplete: Bool) {
    let name = "\(path)/format"
    let descriptor = open(name, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
        guard errno == ENOENT else { throw failed("opening", name) }
        var entry = stat()
        guard stat("\(path)/db", &entry) != 0 else {
            throw Failure(
                .state, "opening the state directory", path, "it has a database but no format file",
                advice: "restore the file, or move the directory away to start empty")
        }
        if writesFirst {
            try writeFormat(path, "weir state format \(StateDirectory.formatVersion) creating\n")
        }
        return (StateDirectory.formatVersion, false)
    }
    defer { close(descriptor) }
    guard let text = readAll(descriptor) else { throw failed("reading", name) }
    let words = text.split { $0 == " " || $0 == "\n" }
    guard words.count >= 4, words[..<3].elementsEqual(["weir", "state", "format"]),
        let version = Int(words[3]), version > 0
    else {
        throw Failure(
            .state, "opening the state directory", path, "its format file is damaged",
            advice: "restore it, or move the directory away to start empty")
    }
    guard version <= StateDirectory.formatVersion else {
        throw Failure(
            .state, "opening the state directory", path,
            "this state directory was written by a newer weir (format \(version), this one reads "
                + "up to \(StateDirectory.formatVersion))",
            advice: "run that weir, or use another state_dir; nothing was changed")
    }
    return (version, words.count == 4)
}

/// Replaces the format file: written and synced under another name first, so it is never half
/// there.
private func writeFormat(_ path: String, _ text: String) throws(Failure) {
    let (name, fresh) = ("\(path)/format", "\(path)/format.new")
    let bytes = Array(text.utf8)
    let descriptor = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o640)
    guard descriptor >= 0 else { throw failed("creating", fresh) }
    let isWritten = write(descriptor, bytes, bytes.count) == bytes.count && fsync(descriptor) == 0
    let reason = errno
    close(descriptor)
    errno = reason
    guard isWritten, rename(fresh, name) == 0 else { throw failed("writing", fresh) }
    try syncNames(in: path)
}

func freeBytesOfFileSystem(at path: String) throws(Failure) -> UInt64 {
    var status = statvfs()
    guard statvfs(path, &status) == 0 else { throw failed("asking for the free space of", path) }
    return UInt64(status.f_bavail) * UInt64(status.f_frsize)
}
