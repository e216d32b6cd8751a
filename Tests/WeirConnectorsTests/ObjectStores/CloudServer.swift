// The test servers of Azure storage and Google Cloud Storage (Tests/Servers) as processes of a test, and
// the proxy that breaks the way to a server. Each listens on a free loopback port and ends with this
// process at the latest.

import Glibc
import Testing
import WeirCore

@testable import WeirConnectors

/// The folder of the servers' scripts.
let serverScripts =
    #filePath.split(separator: "/").dropLast(4).reduce(into: "") { $0 += "/" + $1 } + "/Tests/Servers"

/// A server that verifies what it is asked.
final class CloudServer: @unchecked Sendable {  // set in init, and the process is only ever ended
    let port: Int
    /// `http://127.0.0.1:PORT`.
    let url: String
    private let process: ChildProcess?

    /// - Parameter script: `azure_server.py`, `gcs_server.py` or `tls_front.py`.
    init(_ script: String, _ arguments: [String], _ folder: String) {
        let output = "\(folder)/\(script)-\(UInt32.random(in: 0 ... .max)).out"
        process = ChildProcess(["python3", "\(serverScripts)/\(script)"] + arguments, output: output)
        let end = time(nil) + 20
        while !contents(of: output).contains("\n"), time(nil) < end { usleep(5000) }
        url = String(contents(of: output).prefix { $0 != "\n" })
        port = ServerAddress(url)?.port ?? 0
        #expect(port != 0, "\(script) did not start: \(contents(of: output))")
    }

    /// Sends a command of the tests' own: "forget-tokens", "clock?seconds=1200".
    func control(_ command: String) throws {
        let request = HTTPRequest("POST", "\(url)/_control/\(command)", action: "telling", subject: url)
        _ = try HTTPClient().perform(request)
    }
}

/// The servers that most tests share, each started when it is first wanted.
enum SharedServers {
    private static let folder = {
        var template = Array(("/tmp/weir-clouds-" + String(repeating: "X", count: 6)).utf8CString)
        precondition(mkdtemp(&template) != nil)
        atexit { SharedServers.removeFolder() }
        return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }()

    private static func removeFolder() {
        for name in ScratchFolder.names(in: folder) { unlink("\(folder)/\(name)") }
        rmdir(folder)
    }

    /// Small pages, so that every list goes over several.
    static let azure = CloudServer("azure_server.py", ["--page-max", "3"], folder)
    static let gcs = CloudServer(
        "gcs_server.py", ["--page-max", "3", "--account", "\(folder)/account.json"], folder)
    private static let azureProxy = FaultProxy(upstream: azure.port)
    private static let gcsProxy = FaultProxy(upstream: gcs.port)

    /// A proxy before the server of a kind; tests of one kind run one after the other.
    static func proxy(_ kind: StoreKind) -> FaultProxy {
        switch kind {
        case .azureBlob, .azureFiles: azureProxy
        case .gcsJSON, .gcsHMAC: gcsProxy
        default: FaultProxy(upstream: kind.port)
        }
    }

    /// The key file of the service account of `gcs`.
    static var gcsKey: String {
        _ = gcs
        return contents(of: "\(folder)/account.json")
    }
}

/// A proxy that misbehaves on demand (Tests/Servers/fault_proxy.py).
final class FaultProxy: @unchecked Sendable {  // set in init, and the process is only ever ended
    let port = freePort()
    private let control = freePort()
    private let process: ChildProcess?

    init(upstream: Int) {
        process = ChildProcess([
            "python3", "\(serverScripts)/fault_proxy.py", "--listen", "\(port)", "--upstream",
            "127.0.0.1:\(upstream)", "--control", "\(control)",
        ])
        let end = time(nil) + 20
        while !(canConnect(port) && canConnect(control)), time(nil) < end { usleep(5000) }
    }

    /// Sets the one rule: the next request that matches meets the fault.
    func fail(_ fault: String, when pattern: String, _ more: String = "") throws {
        var request = HTTPRequest("PUT", "http://127.0.0.1:\(control)/", action: "setting", subject: "rules")
        let rule = "[{\"match\": \(jsonQuoted(pattern)), \"fault\": \"\(fault)\"\(more)}]"
        request.body = .bytes(Array(rule.utf8))
        #expect(try HTTPClient().perform(request).isSuccess)
    }

    /// Whether the rule has been used.
    func isUsed() throws -> Bool {
        let request = HTTPRequest("GET", "http://127.0.0.1:\(control)/", action: "reading", subject: "rules")
        return try JSONValue(parsing: HTTPClient().perform(request).body)?["rules"]?.elements?.isEmpty == true
    }
}
