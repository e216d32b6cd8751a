// A tiny blocking HTTP server on a free loopback port, for tests that need a server to misbehave: each
// request is handed to a closure, whose answer may also be a dropped or a silent connection.

import Glibc
import Synchronization

/// A request as the stub received it.
struct StubRequest: Sendable {
    var method: String
    /// As on the request line, still percent-encoded.
    var target: String
    /// Names in lower case.
    var headers: [String: String]
    var body: [UInt8]

    var path: String { percentDecoded(String(target.prefix { $0 != "?" })) }

    /// The query's items, decoded; without a value: empty.
    var query: [String: String] {
        let items = target.drop { $0 != "?" }.dropFirst().split(separator: "&")
        return items.reduce(into: [:]) { query, item in
            let parts = item.split(separator: "=", maxSplits: 1).map { percentDecoded(String($0)) }
            query[parts[0]] = parts.count > 1 ? parts[1] : ""
        }
    }

    var isWhole: Bool { headers["content-length"].flatMap { Int($0) } ?? 0 == body.count }
}

/// What the stub does with a request.
enum StubReply: Sendable {
    case answer(Int, headers: [String: String] = [:], body: [UInt8] = [])
    /// Closes the connection without a word: the reply is lost.
    case drop
    /// Says nothing until the client gives up.
    case silence

    static func answer(_ status: Int, _ text: String, headers: [String: String] = [:]) -> StubReply {
        .answer(status, headers: headers, body: Array(text.utf8))
    }
}

/// Answers that take the place of a fake server's own, each once: for the next request that matches.
struct StubFaults: Sendable {
    struct Fault: Sendable {
        let matches: @Sendable (StubRequest) -> Bool
        let reply: StubReply
        /// Whether the request takes effect although the reply is another.
        let takesEffect: Bool
    }

    private var faults: [Fault] = []

    mutating func add(_ fault: Fault) { faults.append(fault) }

    /// The reply to a request.
    ///
    /// - Parameter serve: does what the request asks for, and answers it.
    mutating func answer(_ request: StubRequest, _ serve: () -> StubReply) -> StubReply {
        guard let index = faults.firstIndex(where: { $0.matches(request) }) else { return serve() }
        let fault = faults.remove(at: index)
        if fault.takesEffect { _ = serve() }
        return fault.reply
    }
}

/// The server; it serves until the test process ends, so that no test depends on when it is released.
final class StubServer: Sendable {
    typealias Handler = @Sendable (StubRequest) -> StubReply

    let port: Int
    private let state: StubState
    var url: String { "http://127.0.0.1:\(port)" }
    /// All requests so far, in the order in which they were complete.
    var requests: [StubRequest] { state.requests.withLock { $0 } }

    init(_ handler: @escaping Handler) {
        let listening = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                precondition(bind(listening, address, length) == 0 && listen(listening, 64) == 0)
                getsockname(listening, address, &length)
            }
        }
        port = Int(UInt16(bigEndian: address.sin_port))
        state = StubState(handler)
        let state = state
        runThread {
            while true {
                let connection = accept(listening, nil, nil)
                guard connection >= 0 else { return }
                runThread { StubConnection(connection, state).serve() }
            }
        }
    }

}

private final class StubState: Sendable {
    let handler: StubServer.Handler
    let requests = Mutex<[StubRequest]>([])
    init(_ handler: @escaping StubServer.Handler) { self.handler = handler }
}

private final class StubConnection {
    private let connection: Int32
    private let state: StubState
    private var buffer: [UInt8] = []

    init(_ connection: Int32, _ state: StubState) {
        self.connection = connection
        self.state = state
    }

    func serve() {
        defer { close(connection) }
        while let request = nextRequest() {
            state.requests.withLock { $0.append(request) }
            switch state.handler(request) {
            case .answer(let status, let headers, let body):
                var head = "HTTP/1.1 \(status) Stub\r\n"
                if headers["Content-Length"] == nil { head += "Content-Length: \(body.count)\r\n" }
                for (name, value) in headers { head += "\(name): \(value)\r\n" }
                send(Array((head + "\r\n").utf8) + (request.method == "HEAD" ? [] : body))
            case .drop:
                return
            case .silence:
                while isOpen() { usleep(20_000) }
                return
            }
        }
    }

    private func isOpen() -> Bool {
        var byte: UInt8 = 0
        let count = recv(connection, &byte, 1, Int32(MSG_PEEK | MSG_DONTWAIT))
        return count > 0 || (count < 0 && errno == EAGAIN)
    }

    private func nextRequest() -> StubRequest? {
        let blank = Array("\r\n\r\n".utf8)
        while buffer.firstIndex(of: 13) == nil || !buffer.contains(blank) {
            guard receive() else { return nil }
        }
        guard
            let end = (0...buffer.count - 4).first(where: { buffer[$0..<$0 + 4].elementsEqual(blank) })
        else {
            return nil
        }
        let lines = String(decoding: buffer[..<end], as: UTF8.self).split(separator: "\r\n")
        buffer.removeFirst(end + 4)
        let words = lines[0].split(separator: " ").map(String.init)
        let headers = lines.dropFirst().reduce(into: [String: String]()) { headers, line in
            let parts = line.split(separator: ":", maxSplits: 1)
            headers[parts[0].lowercased()] = parts.count > 1 ? String(parts[1].drop { $0 == " " }) : ""
        }
        let length = headers["content-length"].flatMap { Int($0) } ?? 0
        if headers["expect"] != nil { send(Array("HTTP/1.1 100 Continue\r\n\r\n".utf8)) }
        while buffer.count < length, receive() {}
        let body = Array(buffer.prefix(length))
        buffer.removeFirst(body.count)
        return StubRequest(method: words[0], target: words[1], headers: headers, body: body)
    }

    private func receive() -> Bool {
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        let count = recv(connection, &chunk, chunk.count, 0)
        if count > 0 { buffer += chunk[..<count] }
        return count > 0
    }

    private func send(_ bytes: [UInt8]) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes {
                Glibc.send(connection, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return }
            rest = rest.dropFirst(count)
        }
    }
}

private final class ThreadBody {
    let run: () -> Void
    init(_ run: @escaping () -> Void) { self.run = run }
}

/// Runs a closure on a thread of its own, since a blocked one must not hold a task's thread.
func runThread(_ body: @escaping @Sendable () -> Void) {
    var thread = pthread_t()
    let context = Unmanaged.passRetained(ThreadBody(body)).toOpaque()
    pthread_create(
        &thread, nil,
        { context in
            guard let context else { return nil }
            Unmanaged<ThreadBody>.fromOpaque(context).takeRetainedValue().run()
            return nil
        }, context)
    pthread_detach(thread)
}

func percentDecoded(_ text: String) -> String {
    var decoded: [UInt8] = []
    let bytes = Array(text.utf8)
    var index = 0
    while index < bytes.count {
        if bytes[index] == UInt8(ascii: "%"), index + 2 < bytes.count,
            let value = UInt8(String(decoding: bytes[index + 1...index + 2], as: UTF8.self), radix: 16)
        {
            decoded.append(value)
            index += 3
        } else {
            decoded.append(bytes[index])
            index += 1
        }
    }
    return String(decoding: decoded, as: UTF8.self)
}

/// Runs a test's body with a folder of its own, and removes it afterwards.
func withScratchFolder(_ body: (ScratchFolder) throws -> Void) rethrows {
    var template = Array(("/tmp/weir-test-" + String(repeating: "X", count: 6)).utf8CString)
    precondition(mkdtemp(&template) != nil)
    let path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    defer { ScratchFolder.removeAll(path) }
    try body(ScratchFolder(path: path))
}

/// A folder of a test's own.
struct ScratchFolder {
    let path: String

    fileprivate static func removeAll(_ path: String) {
        for name in names(in: path) { removeAll("\(path)/\(name)") }
        remove(path)
    }

    /// The names in a folder, in byte order; none for a link or a file.
    static func names(in path: String) -> [String] {
        var status = stat()
        guard lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR, let folder = opendir(path)
        else {
            return []
        }
        defer { closedir(folder) }
        var names: [String] = []
        while let entry = readdir(folder) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    /// Writes a file and returns its path.
    func file(_ name: String, _ bytes: [UInt8]) -> String {
        let path = "\(path)/\(name)"
        if let file = fopen(path, "w") {
            fwrite(bytes, 1, bytes.count, file)
            fclose(file)
        }
        return path
    }
}
