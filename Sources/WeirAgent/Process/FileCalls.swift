// The two file operations that need a loop around the system call.

import Glibc

/// Writes all of `bytes`, going on after interruptions and short writes.
///
/// - Returns: how many were written, and the error number if that is not all.
func writeAll(_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer) -> (count: Int, error: Int32?) {
    var written = 0
    while written < bytes.count {
        let count = write(descriptor, bytes.baseAddress?.advanced(by: written), bytes.count - written)
        if count > 0 {
            written += count
        } else if errno != EINTR {
            return (written, errno)
        }
    }
    return (written, nil)
}

/// Makes the folders that a file at `path` lies in, where they are missing.
///
/// - Returns: the error number if one could not be made.
func makeFolders(ofFile path: String, mode: mode_t) -> Int32? {
    var folder = ""
    for part in path.split(separator: "/", omittingEmptySubsequences: false).dropLast() {
        folder += part + "/"
        if part.isEmpty || part == "." || part == ".." { continue }
        if mkdir(folder, mode) != 0, errno != EEXIST { return errno }
    }
    return nil
}
