// Looks at a state directory for `weir check --connect`, beside a running agent and without one, and changes
// nothing: who may write there, on what kind of disk it lies, who has it, and whether this weir reads what is
// in it. Each of these is found out late otherwise: a directory on tmpfs shows what it is at the next power
// cut, files that root has left in it when the service starts under its own user.

import WeirCore

#if canImport(Glibc)
import Glibc
#endif

/// What there is to say of a state directory.
public struct StateInspection: Sendable {
    /// One aspect and what was found.
    public struct Finding: Sendable {
        /// What the sentence is about: access, format, lock.
        public let subject: String
        /// Whether an agent would run there.
        public let isRight: Bool
        public let sentence: String
    }

    public private(set) var findings: [Finding] = []
    /// The process that has it; nil when none has.
    public private(set) var holder: Int32?
    /// The kind of file system that it is on or would be on, and why it is none for this; nil when it is.
    public let fileSystem: String
    public let fileSystemWarning: String?
    public let freeBytes: UInt64
    /// What the files in it take.
    public let usedBytes: UInt64

    /// Throws when its file system cannot be asked.
    public init(_ path: String) throws(Failure) {
        var place = path
        while !isFolder(place), place.count > 1, place != "." {
            place = place.lastIndex(of: "/").map { $0 == place.startIndex ? "/" : String(place[..<$0]) } ?? "."
        }
        freeBytes = try freeBytesOfFileSystem(at: place)
        fileSystem = fileSystemKind(of: place)
        fileSystemWarning = warning(on: fileSystem)
        usedBytes = place == path ? bytesBelow(path) : 0
        findings.append(place == path ? Self.access(to: path) : Self.access(toMake: path, in: place))
        guard place == path else { return }
        findings.append(Self.format(of: path))
        holder = Self.holder(of: path)
        if let holder {
            let who = holder > 0 ? "process \(holder)" : "another process"
            let sentence = "\(path) is in use by \(who), as it is while an agent runs"
            findings.append(Finding(subject: "lock", isRight: true, sentence: sentence))
        }
    }

    // MARK: Access

    private static func access(toMake path: String, in place: String) -> Finding {
        var entry = stat()
        if stat(path, &entry) == 0 {
            return Finding(
                subject: "access", isRight: false,
                sentence: "\(path) is no folder; move it away, or set another agent.state_dir")
        }
        let mayMake = mayWrite(place)
        return Finding(
            subject: "access", isRight: mayMake,
            sentence: mayMake
                ? "\(path) will be made in \(place)"
                : "\(path) cannot be made: \(place) may not be written to by user \(geteuid()); "
                    + "make the folder and give it to that user")
    }

    private static func access(to path: String) -> Finding {
        var entry = stat()
        _ = stat(path, &entry)
        let owner = "user \(entry.st_uid), mode \(String(entry.st_mode & 0o7777, radix: 8))"
        let parts = ["", "/lock", "/format", "/db", "/db/CURRENT", "/db/LOCK", "/outbox"].map { path + $0 }
        // What a weir that ran as somebody else has left stops this one as much as the folder itself.
        let refused = parts.first { part in
            var found = stat()
            return stat(part, &found) == 0 && !mayWrite(part)
        }
        if let refused {
            var found = stat()
            _ = stat(refused, &found)
            let mode = String(found.st_mode & 0o7777, radix: 8)
            return Finding(
                subject: "access", isRight: false,
                sentence: "\(refused) may not be written to by user \(geteuid()): it belongs to user "
                    + "\(found.st_uid) and has the mode \(mode); run weir as its owner, or give it to the user "
                    + "that weir runs as (chown -R)")
        }
        var sentence = "\(path) can be written to (\(owner))"
        if geteuid() == 0, entry.st_uid != 0 {
            sentence += "; this check ran as root, run it as user \(entry.st_uid) to know that the agent may, too"
        }
        if entry.st_mode & 0o007 != 0 {
            sentence += "; every user of the machine can look into it: chmod 750 keeps waiting rows private"
        }
        return Finding(subject: "access", isRight: true, sentence: sentence)
    }

    private static func mayWrite(_ path: String) -> Bool {
        faccessat(AT_FDCWD, path, isFolder(path) ? W_OK | X_OK : W_OK, AT_EACCESS) == 0
    }

    // MARK: What is in it

    private static func format(of path: String) -> Finding {
        let version = StateDirectory.formatVersion
        var entry = stat()
        let isEmpty = stat("\(path)/format", &entry) != 0 && stat("\(path)/db", &entry) != 0
        if isEmpty { return Finding(subject: "format", isRight: true, sentence: "\(path) holds no state yet") }
        do throws(Failure) {
            let found = try StateDirectory.format(reading: path)
            let older = found < version
                ? ", which this weir makes \(version) when it starts; an older one reads it no more then" : ""
            return Finding(
                subject: "format", isRight: true, sentence: "\(path) holds state of format \(found)\(older)")
        } catch {
            return Finding(subject: "format", isRight: false, sentence: "\(error)")
        }
    }

    /// Who has the lock: its process, 0 when that does not say who it is, nil when nobody has it.
    private static func holder(of path: String) -> Int32? {
        let descriptor = open("\(path)/lock", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        guard flock(descriptor, LOCK_SH | LOCK_NB) != 0, errno == EWOULDBLOCK else { return nil }
        var buffer = [UInt8](repeating: 0, count: 32)
        let count = pread(descriptor, &buffer, buffer.count, 0)
        return Int32(String(decoding: buffer.prefix(max(0, count)), as: UTF8.self).prefix { $0 != "\n" }) ?? 0
    }
}

/// The kind of file system that a folder is on, as /proc/self/mountinfo has it (proc(5)): that of the longest
/// mount point above it, and of those the last.
private func fileSystemKind(of folder: String) -> String {
    guard let resolved = realpath(folder, nil) else { return "an unknown file system" }
    defer { free(resolved) }
    let path = String(cString: resolved)
    var best: (point: String, kind: String) = ("", "an unknown file system")
    for line in text(of: "/proc/self/mountinfo").split(separator: "\n") {
        let fields = line.split(separator: " ")
        guard let dash = fields.firstIndex(of: "-"), fields.count > dash + 1, dash > 4 else { continue }
        let point = String(fields[4]).replacing("\\040", with: " ")
        let isAbove = point == "/" || path == point || path.hasPrefix(point + "/")
        if isAbove, point.utf8.count >= best.point.utf8.count { best = (point, String(fields[dash + 1])) }
    }
    return best.kind
}

/// What is wrong with a file system as the place of a state directory; nil when nothing is.
private func warning(on kind: String) -> String? {
    switch kind {
    case "tmpfs", "ramfs": "it is in memory: all state and every waiting row is gone after a restart of the machine"
    case "overlay", "aufs":
        "it goes with its container, or at a restart of a machine with a read-only system: mount a volume there"
    case "nfs", "nfs4", "cifs", "smb3", "9p", "ceph":
        "state wants a local disk: locks and syncs over a network hold less than they say"
    case "vfat", "exfat", "msdos": "it has no owners and is easily damaged by a power cut: use ext4"
    case _ where kind.hasPrefix("fuse"): "what its program promises of synced files is not known"
    default: nil
    }
}

private func text(of path: String) -> String {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return "" }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 16 << 10)
    while true {
        let count = read(descriptor, &chunk, chunk.count)
        guard count > 0 else { return String(decoding: bytes, as: UTF8.self) }
        bytes += chunk[..<count]
    }
}

private func isFolder(_ path: String) -> Bool {
    var entry = stat()
    return stat(path, &entry) == 0 && entry.st_mode & S_IFMT == S_IFDIR
}

/// Bytes of the files in a folder and below it, links left out; what cannot be read counts for nothing.
private func bytesBelow(_ folder: String) -> UInt64 {
    guard let directory = opendir(folder) else { return 0 }
    defer { closedir(directory) }
    var sum: UInt64 = 0
    while let item = readdir(directory) {
        let name = withUnsafePointer(to: &item.pointee.d_name) { pointer in
            pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        }
        var entry = stat()
        guard name != ".", name != "..", lstat("\(folder)/\(name)", &entry) == 0 else { continue }
        if entry.st_mode & S_IFMT == S_IFDIR {
            sum += bytesBelow("\(folder)/\(name)")
        } else {
            sum += UInt64(entry.st_blocks) * 512
        }
    }
    return sum
}
