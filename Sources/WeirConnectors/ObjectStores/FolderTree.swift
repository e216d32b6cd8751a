// System calls on the files and folders of a FileStore, each with its failure in words.

import Glibc
import WeirCore

/// A folder and what lies below it.
struct FolderTree: Sendable {
    /// Absolute or relative, without a slash at the end.
    let path: String
    let mode: mode_t

    init(path: String, mode: mode_t) {
        var path = path[...]
        while path.count > 1, path.hasSuffix("/") { path.removeLast() }
        self.path = String(path)
        self.mode = mode
    }

    func path(of key: ObjectKey) -> String { "\(path)/\(key.text)" }

    /// The folder that a key's file lies in, without a slash at the end.
    func folder(of key: ObjectKey) -> String {
        key.folder.isEmpty ? path : "\(path)/\(key.folder.dropLast())"
    }

    /// The last system call's error about a path. Trying again does not help where one place below the root is
    /// refused while the root is there: others may be fine.
    func failure(_ action: String, _ path: String) -> Failure {
        let code = errno
        return Failure(
            .external, action, path, systemErrorText(code), advice: advice(on: code, path),
            retry: isOfOnePlace(code, path) ? .never : .backoff)
    }

    private func isOfOnePlace(_ code: Int32, _ path: String) -> Bool {
        let refusals = [EACCES, EPERM, ENOTDIR, EISDIR, EEXIST, ENOTEMPTY, ENAMETOOLONG, ELOOP]
        return refusals.contains(code) && path.hasPrefix(self.path + "/") && Self.isFolder(self.path)
            && faccessat(AT_FDCWD, self.path, X_OK, AT_EACCESS) == 0
    }

    private func advice(on code: Int32, _ path: String) -> String {
        switch code {
        case ENOSPC, EDQUOT: return "free space on the sink's disk"
        case EROFS: return "mount the sink's disk for writing"
        case EACCES:
            // What is asked for is the nearest folder above that does not let us in.
            var folder = path
            while !Self.isFolder(folder), folder.count > 1 { folder = parent(of: folder) }
            return "give user \(geteuid()) the right to write to \(folder)"
        case ENOTDIR, EEXIST, EISDIR: return "move away what is there"
        default: return ""
        }
    }

    private static func isFolder(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    /// Makes the folder of a key and those above it, each synced into its parent.
    func makeFolder(of key: ObjectKey) throws(Failure) {
        try makeFolder(folder(of: key))
    }

    private func makeFolder(_ folder: String) throws(Failure) {
        var missing: [String] = []
        var path = folder
        var isNew = true
        while mkdir(path, mode) != 0 {
            let code = errno
            if code == EEXIST {
                isNew = false
                break
            }
            guard code == ENOENT, let slash = path.lastIndex(of: "/"), slash > path.startIndex else {
                throw failure("making the folder", path)
            }
            missing.append(path)
            path = String(path[..<slash])
        }
        // One that was there already may be of a run that crashed before it was synced; what lies outside
        // of the tree is not ours to open.
        if isNew || path.hasPrefix(self.path + "/") { try sync(folder: parent(of: path)) }
        for path in missing.reversed() {
            guard mkdir(path, mode) == 0 || errno == EEXIST else {
                throw failure("making the folder", path)
            }
            try sync(folder: parent(of: path))
        }
        if !Self.isFolder(folder) {
            errno = ENOTDIR
            throw failure("making the folder", folder)
        }
    }

    private func parent(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    /// Makes the names in a folder durable.
    func sync(folder: String) throws(Failure) {
        let file = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard file >= 0 else { throw failure("opening", folder) }
        defer { close(file) }
        // File systems without synced folders (FAT, some network ones) say EINVAL; there is no more to do.
        guard fsync(file) == 0 || errno == EINVAL || errno == ENOTSUP || errno == EROFS else {
            throw failure("syncing", folder)
        }
    }

    func rename(_ old: String, to new: String) throws(Failure) {
        guard Glibc.rename(old, new) == 0 else { throw failure("renaming to", new) }
    }

    /// Renames unless the new name is taken; returns whether it was free. By a hard link, which is made
    /// in one step or not at all; file systems without links (FAT) cannot do it.
    func renameUnlessPresent(_ old: String, to new: String) throws(Failure) -> Bool {
        guard link(old, new) == 0 else {
            if errno == EEXIST { return false }
            throw failure("creating", new)
        }
        unlink(old)
        return true
    }

    /// What lies at a path; nil when nothing does.
    func entry(at path: String, name: String) throws(Failure) -> TreeEntry? {
        var status = stat()
        guard lstat(path, &status) == 0 else {
            if errno == ENOENT || errno == ENOTDIR { return nil }
            throw failure("looking at", path)
        }
        let kind = status.st_mode & S_IFMT
        guard kind == S_IFDIR || kind == S_IFREG else { return nil }
        return TreeEntry(
            name: name, isFolder: kind == S_IFDIR, length: Int(status.st_size),
            modifiedMilliseconds: Int64(status.st_mtim.tv_sec) * 1000
                + Int64(status.st_mtim.tv_nsec) / 1_000_000)
    }

    /// The files and folders in a folder; none when there is no such folder. Links are left out.
    func entries(of folder: String) throws(Failure) -> [TreeEntry] {
        guard let directory = opendir(folder) else {
            if errno == ENOENT || errno == ENOTDIR { return [] }
            throw failure("listing", folder)
        }
        defer { closedir(directory) }
        var found: [TreeEntry] = []
        while true {
            errno = 0
            guard let item = readdir(directory) else {
                guard errno == 0 else { throw failure("listing", folder) }
                return found
            }
            let name = withUnsafePointer(to: &item.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            guard name != ".", name != ".." else { continue }
            if let entry = try entry(at: "\(folder)/\(name)", name: name) { found.append(entry) }
        }
    }

    /// The bytes of a file, nil when there is none or it has more than `bytesMax`.
    func contents(of path: String, bytesMax: Int) throws(Failure) -> [UInt8]? {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else {
            if errno == ENOENT { return nil }
            throw failure("reading", path)
        }
        defer { close(file) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = read(file, &chunk, chunk.count)
            guard count >= 0 else { throw failure("reading", path) }
            if count == 0 { return bytes }
            guard bytes.count + count <= bytesMax else { return nil }
            bytes += chunk[..<count]
        }
    }

    /// The bytes of a file that lie in `range`, fewer where it ends before; nil when there is none.
    func contents(of path: String, range: Range<Int>) throws(Failure) -> [UInt8]? {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else {
            if errno == ENOENT || errno == ENOTDIR { return nil }
            throw failure("reading", path)
        }
        defer { close(file) }
        var status = stat()
        guard fstat(file, &status) == 0 else { throw failure("looking at", path) }
        let wanted = max(0, min(range.upperBound, Int(status.st_size)) - range.lowerBound)
        var bytes = [UInt8](repeating: 0, count: wanted)
        var done = 0
        while done < wanted {
            let count = bytes.withUnsafeMutableBytes {
                pread(file, $0.baseAddress.map { $0 + done }, wanted - done, off_t(range.lowerBound + done))
            }
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw failure("reading", path) }
            if count == 0 { break }
            done += count
        }
        bytes.removeLast(wanted - done)
        return bytes
    }
}
