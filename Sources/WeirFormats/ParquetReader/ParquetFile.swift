// A Parquet file on a disk of this machine, read where the reader wants it and never as a whole.

import WeirCore

#if canImport(Glibc)
import Glibc
#endif

/// A file that stays as it is while it is read.
public final class ParquetFile: ParquetSource {
    /// Its path.
    public let name: String
    /// Bytes, when it was opened.
    public let length: Int
    private let descriptor: Int32

    /// Opens the file at `path`.
    public init(path: String) throws(Failure) {
        name = path
        descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw Self.failure(path) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else {
            let failure = Self.failure(path)
            close(descriptor)
            throw failure
        }
        length = Int(status.st_size)
    }

    deinit { close(descriptor) }

    public func read(_ range: Range<Int>) throws(Failure) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: range.count)
        var done = 0
        while done < range.count {
            let count = bytes.withUnsafeMutableBytes {
                pread(descriptor, $0.baseAddress.map { $0 + done }, range.count - done, range.lowerBound + done)
            }
            if count < 0, errno == EINTR { continue }
            if count < 0 { throw Self.failure(name) }
            if count == 0 { throw Failure(.input, "reading", name, "it has become shorter") }
            done += count
        }
        return bytes
    }

    private static func failure(_ path: String) -> Failure {
        Failure(.input, "reading", path, String(cString: strerror(errno)))
    }
}
