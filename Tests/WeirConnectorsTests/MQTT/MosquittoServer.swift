// A private mosquitto for a test: on a free loopback port, writing below the test's folder, stopped by
// its process id. And its command-line clients, to publish with.

import Glibc
import Testing

/// Runs a program to its end or keeps it; its output goes to a file.
final class ChildProcess {
    let identifier: pid_t
    private var hasEnded = false

    /// Starts `arguments[0]`, looked up in PATH and /usr/sbin. nil when there is no such program.
    init?(_ arguments: [String], input: String = "/dev/null", output: String = "/dev/null") {
        guard let program = Self.find(arguments[0]) else { return nil }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, input, O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_APPEND, 0o644)
        posix_spawn_file_actions_adddup2(&actions, 1, 2)
        // Test threads block signals, and a child would inherit that and never see its SIGTERM.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
        var copies = arguments.map { strdup($0) } + [nil]
        defer { for copy in copies { free(copy) } }
        var child: pid_t = 0
        guard posix_spawn(&child, program, &actions, &attributes, &copies, environ) == 0 else { return nil }
        identifier = child
    }

    deinit { terminate() }

    static func find(_ name: String) -> String? {
        ["/usr/bin", "/usr/local/bin", "/usr/sbin", "/usr/local/sbin"].map { "\($0)/\(name)" }
            .first { access($0, X_OK) == 0 }
    }

    /// Ends it by SIGTERM (or another signal) and waits until it is gone.
    func terminate(_ signal: Int32 = SIGTERM) {
        guard !hasEnded else { return }
        kill(identifier, signal)
        _ = wait()
    }

    /// Waits for its end; its exit code.
    @discardableResult
    func wait() -> Int32 {
        var status: Int32 = 0
        if !hasEnded { waitpid(identifier, &status, 0) }
        hasEnded = true
        return (status >> 8) & 0xFF
    }
}

/// A broker of the test's own.
final class MosquittoServer {
    static let isInstalled = ChildProcess.find("mosquitto") != nil && ChildProcess.find("mosquitto_pub") != nil

    let port: Int
    private let folder: String
    private var process: ChildProcess?

    /// Starts it. `settings` are further lines of its configuration; `keepsSessions`: over a restart.
    init(_ folder: ScratchFolder, keepsSessions: Bool = false, anonymous: Bool = true, settings: String = "") {
        port = freePort()
        self.folder = folder.path
        let configuration = """
            listener \(port) 127.0.0.1
            allow_anonymous \(anonymous)
            user root
            max_queued_messages 0
            max_inflight_messages 0
            persistence \(keepsSessions)
            persistence_location \(folder.path)/
            log_type all
            \(settings)

            """
        _ = folder.file("mosquitto.conf", Array(configuration.utf8))
        start()
    }

    func start() {
        process = ChildProcess(["mosquitto", "-c", "\(folder)/mosquitto.conf"], output: "\(folder)/mosquitto.log")
        let end = time(nil) + 10
        while !canConnect(port), time(nil) < end { usleep(5000) }
        #expect(canConnect(port), "mosquitto did not start")
    }

    func stop() { process?.terminate() }

    func signal(_ number: Int32) { if let process { kill(process.identifier, number) } }

    /// What it has logged so far.
    var log: String { contents(of: "\(folder)/mosquitto.log") }

    /// Publishes by mosquitto_pub: one message, or with `lines` each line of a text.
    func publish(
        _ topic: String, _ payload: String = "", qos: Int = 1, lines: [String]? = nil, extra: [String] = []
    ) {
        var arguments = [
            "mosquitto_pub", "-h", "127.0.0.1", "-p", "\(port)", "-q", "\(qos)", "-t", topic, "-V", "5",
        ]
        arguments += extra
        var input = "/dev/null"
        if let lines {
            input = "\(folder)/lines-\(UInt32.random(in: 0 ... .max))"
            if let file = fopen(input, "w") {
                fputs(lines.map { "\($0)\n" }.joined(), file)
                fclose(file)
            }
            arguments.append("-l")
        } else if payload.isEmpty {
            arguments.append("-n")
        } else {
            arguments += ["-m", payload]
        }
        let code = ChildProcess(arguments, input: input, output: "\(folder)/publish.log")?.wait()
        #expect(code == 0, "mosquitto_pub failed: \(contents(of: "\(folder)/publish.log"))")
    }
}

extension MosquittoServer {
    /// Publishes a file's bytes as one message.
    func publishFile(_ topic: String, _ path: String) {
        run("mosquitto_pub", "-h", "127.0.0.1", "-p", "\(port)", "-q", "1", "-t", topic, "-f", path)
    }
}

/// Runs a program to its end; its exit code must be 0.
func run(_ arguments: String..., output: String = "/dev/null") {
    let code = ChildProcess(arguments, output: output)?.wait()
    #expect(code == 0, "\(arguments.joined(separator: " ")) failed")
}

/// A port that nobody listens on, below those that the system hands out to connections.
func freePort() -> Int {
    while true {
        let port = Int.random(in: 12_000..<32_000)
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        if withLoopbackAddress(port, { bind(descriptor, $0, $1) }) == 0 { return port }
    }
}

/// Calls `body` with 127.0.0.1 and a port.
func withLoopbackAddress<Result>(_ port: Int, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    address.sin_port = UInt16(port).bigEndian
    return withUnsafePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
        }
    }
}

func canConnect(_ port: Int) -> Bool {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(descriptor) }
    return withLoopbackAddress(port) { connect(descriptor, $0, $1) } == 0
}

func contents(of path: String) -> String {
    guard let file = fopen(path, "r") else { return "" }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65_536)
    while true {
        let count = fread(&chunk, 1, chunk.count, file)
        if count == 0 { return String(decoding: bytes, as: UTF8.self) }
        bytes += chunk[0..<count]
    }
}
