// Writing to the standard streams, and asking whether somebody looks on.

import Glibc

/// Writes text to standard error at once.
func writeError(_ text: String) {
    let bytes = Array(text.utf8)
    _ = write(STDERR_FILENO, bytes, bytes.count)
}

/// Whether standard error is a terminal.
var isErrorATerminal: Bool { isatty(STDERR_FILENO) == 1 }

/// Writes bytes to standard output; ends the process quietly when nobody reads on.
func writeOutput(_ bytes: UnsafeRawBufferPointer) {
    var done = 0
    while done < bytes.count {
        let count = write(STDOUT_FILENO, bytes.baseAddress.map { $0 + done }, bytes.count - done)
        if count < 0, errno == EINTR { continue }
        guard count > 0 else { exit(0) }
        done += count
    }
}
