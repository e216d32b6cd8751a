// Writing to standard error, and asking whether somebody looks on.

import Glibc

/// Writes text to standard error at once.
func writeError(_ text: String) {
    let bytes = Array(text.utf8)
    _ = write(STDERR_FILENO, bytes, bytes.count)
}

/// Whether standard error is a terminal.
var isErrorATerminal: Bool { isatty(STDERR_FILENO) == 1 }
