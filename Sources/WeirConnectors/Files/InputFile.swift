// One opened input: a file that can be read again from an offset, or standard input, which may be a
// pipe and then can only be read on. Owns the descriptor.

import Glibc
import WeirCore

/// An open file or standard input.
final class InputFile {
    /// Which file it is, however it is called.
    struct Identity: Equatable {
        var device: UInt64
        var inode: UInt64
    }

    let path: String
    let identity: Identity
    /// Whether it can be read again from an offset and never makes a reader wait.
    let isRegular: Bool
    /// Bytes in it when it was opened; nil for a pipe.
    let size: Int64?
    let descriptor: Int32
    private let closesDescriptor: Bool

    /// Opens a path, or standard input for "-". Throws `Failure(.input, …)`.
    init(path: String) throws(Failure) {
        self.path = path
        if path == "-" {
            descriptor = STDIN_FILENO
            closesDescriptor = false
        } else {
            descriptor = open(path, O_RDONLY | O_CLOEXEC)
            closesDescriptor = true
            if descriptor < 0 {
                throw Failure(.input, "opening", path, String(cString: strerror(errno)))
            }
        }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else {
            throw Failure(.input, "opening", path, String(cString: strerror(errno)))
        }
        let kind = status.st_mode & S_IFMT
        if kind == S_IFDIR {
            if closesDescriptor { close(descriptor) }
            throw Failure(.input, "opening", path, "it is a folder", advice: "name the files in it")
        }
        isRegular = kind == S_IFREG
        size = isRegular ? Int64(status.st_size) : nil
        identity = Identity(device: UInt64(status.st_dev), inode: UInt64(status.st_ino))
        if isRegular { posix_fadvise(descriptor, 0, 0, Int32(POSIX_FADV_SEQUENTIAL)) }
    }

    /// Throws `Failure(.input, …)` for a path that cannot be read; opens nothing, as that would break a pipe.
    static func check(_ path: String) throws(Failure) {
        guard path == "-" || access(path, R_OK) == 0 else {
            throw Failure(.input, "opening", path, String(cString: strerror(errno)))
        }
    }

    deinit { if closesDescriptor { close(descriptor) } }

    /// What a message's topic says: the file's name without its folders.
    var name: String { path.split(separator: "/").last.map(String.init) ?? path }

    /// Whether a read would come back at once.
    var isReady: Bool {
        if isRegular { return true }
        var request = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return poll(&request, 1, 0) > 0
    }

    /// Reads up to `count` bytes; 0 is the end.
    func read(_ target: UnsafeMutablePointer<UInt8>, _ count: Int) throws(Failure) -> Int {
        while true {
            let got = Glibc.read(descriptor, target, count)
            if got >= 0 { return got }
            if errno != EINTR {
                throw Failure(.input, "reading", path, String(cString: strerror(errno)))
            }
        }
    }

    /// Moves to an offset of a regular file. Throws when the file is shorter.
    func seek(to offset: Int64) throws(Failure) {
        precondition(isRegular, "a pipe cannot be moved in")
        guard offset <= size ?? 0, lseek(descriptor, off_t(offset), SEEK_SET) == off_t(offset) else {
            throw Failure(
                .input, "going on in", path, "it is shorter than what was read of it already (\(offset) bytes)",
                advice: "start with a new state directory to read it from the beginning")
        }
    }
}
