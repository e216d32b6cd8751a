// Runs a program to its end, for at most some time: no shell, no input, no output, and of the environment
// PATH and HOME alone, so that no secret of weir's reaches it. When its time is over, its whole process
// group is killed.

import CLinux
import Glibc
import WeirCore

/// One run of a program.
enum CommandRun {
    /// How it ended.
    enum Outcome: Equatable {
        case exited(Int32)
        case killed(signal: Int32)
        case timedOut
        case notStarted(String)
    }

    /// Runs `words`, the program and its arguments.
    ///
    /// - Parameter isCancelled: asked now and then; the program is then killed as if its time were over.
    static func run(
        _ words: [String], timeoutMilliseconds: Int64, clock: any MachineClock, isCancelled: () -> Bool
    ) -> Outcome {
        var process = pid_t()
        let code = spawn(words, &process)
        guard code == 0 else { return .notStarted(String(cString: strerror(code))) }
        let end = clock.monotonicNanoseconds() + timeoutMilliseconds * 1_000_000
        var status: Int32 = 0
        var pause: Int32 = 1
        while true {
            let found = waitpid(process, &status, WNOHANG)
            if found == process { break }
            if found < 0, errno != EINTR { return .notStarted(String(cString: strerror(errno))) }
            if clock.monotonicNanoseconds() >= end || isCancelled() {
                kill(-process, SIGKILL)
                waitpid(process, &status, 0)
                return .timedOut
            }
            poll(nil, 0, pause)
            pause = min(20, pause * 2)
        }
        // As WIFEXITED and its like, which are macros.
        let signal = status & 0x7F
        return signal == 0 ? .exited((status >> 8) & 0xFF) : .killed(signal: signal)
    }

    private static func spawn(_ words: [String], _ process: inout pid_t) -> Int32 {
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        sigemptyset(&none)
        var all = sigset_t()
        sigfillset(&all)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setsigdefault(&attributes, &all)
        posix_spawnattr_setpgroup(&attributes, 0)
        posix_spawnattr_setflags(
            &attributes,
            Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP))
        var files = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&files)
        defer { posix_spawn_file_actions_destroy(&files) }
        for descriptor in Int32(0)...2 {
            posix_spawn_file_actions_addopen(&files, descriptor, "/dev/null", O_RDWR, 0)
        }
        weir_spawn_close_others(&files)
        let kept = ["PATH", "HOME"].compactMap { (name: String) -> String? in
            getenv(name).map { "\(name)=\(String(cString: $0))" }
        }
        let arguments = words.map { strdup($0) } + [nil]
        let environment = kept.map { strdup($0) } + [nil]
        defer { for text in arguments + environment { free(text) } }
        return posix_spawnp(&process, words[0], &files, &attributes, arguments, environment)
    }
}
