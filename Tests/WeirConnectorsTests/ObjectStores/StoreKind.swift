// Every kind of store that weir has, and how a test gets one that works, or one with something wrong. The
// clouds are the servers of Tests/Servers, which verify what they are asked; S3 and HDFS are real servers,
// where the environment names them (ObjectStoresRealServerTests.swift says how).

import Glibc
import Synchronization
import Testing
import WeirCore

@testable import WeirConnectors

private func environment(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }

/// A clock that a test sets.
final class SettableClock: MachineClock {
    private let offset: Mutex<Int64>
    init(offsetMilliseconds: Int64 = 0) { offset = Mutex(offsetMilliseconds) }
    func set(offsetMilliseconds: Int64) { offset.withLock { $0 = offsetMilliseconds } }
    func nowMilliseconds() -> Int64 { SystemClock().nowMilliseconds() + offset.withLock { $0 } }
    func monotonicNanoseconds() -> Int64 { SystemClock().monotonicNanoseconds() }
}

/// What is different from a store that works.
struct StoreChange: Sendable {
    /// Instead of the server's own: a proxy before it.
    var port: Int?
    var hasWrongSecret = false
    var isPlaceMissing = false
    /// Above this, objects go up in parts.
    var multipartAboveBytes = 1 << 20
    var partBytes = 1 << 20
    /// `https://127.0.0.1:PORT` of a server with a certificate, and its authority.
    var secureURL: String?
    var caFile: String?
    var context = ObjectStoreContext()
}

enum StoreKind: String, CaseIterable, Sendable {
    case file, webHDFS, s3, azureBlob, azureFiles, gcsJSON, gcsHMAC

    /// Whether put-if-absent has one winner here, unless WEIR_TEST_RACES is `no`, as for OpenStack Swift.
    static let hasAtomicCommits = environment("WEIR_TEST_RACES") != "no"

    /// Those that WEIR_TEST_KINDS names, `s3,webHDFS`; all where it is not set.
    private static let chosen = environment("WEIR_TEST_KINDS").map { names in
        names.split(separator: ",").compactMap { StoreKind(rawValue: String($0)) }
    } ?? allCases

    /// Those that there is a server for.
    static let present = chosen.filter { kind in
        switch kind {
        case .webHDFS: environment("WEIR_TEST_WEBHDFS") != nil
        case .s3: environment("WEIR_TEST_S3") != nil
        default: true
        }
    }

    private static let hdfs = environment("WEIR_TEST_WEBHDFS") ?? "webhdfs://127.0.0.1:0"

    /// Those that a proxy can stand before without changing what their servers answer.
    static let proxied = present.filter { $0 != .file && $0 != .webHDFS }

    static let clouds = chosen.filter { [.azureBlob, .azureFiles, .gcsJSON, .gcsHMAC].contains($0) }

    /// The port of the kind's server.
    var port: Int {
        switch self {
        case .file: 0
        case .webHDFS:
            // The first NameNode's.
            ServerAddress("http://" + Self.hdfs.split(separator: "/")[1].prefix { $0 != "," })?.port ?? 0
        case .s3: ServerAddress(environment("WEIR_TEST_S3") ?? "")?.port ?? 0
        case .azureBlob, .azureFiles: SharedServers.azure.port
        case .gcsJSON, .gcsHMAC: SharedServers.gcs.port
        }
    }

    /// The request with which an object appears: "METHOD TARGET".
    var finalRequest: String {
        switch self {
        case .azureBlob: "^PUT [^?]*( |$)"
        case .azureFiles: "^PUT [^?]*( |$)"
        case .gcsJSON: "^POST /upload/"
        default: "^PUT "
        }
    }

    /// The request that carries an object's bytes.
    var bodyRequest: String { self == .azureFiles ? "^PATCH .*action=append" : finalRequest }

    /// A store below a prefix of the test's own.
    func store(_ folder: String, _ change: StoreChange = StoreChange()) throws -> any ObjectStore {
        let url = change.secureURL ?? "http://127.0.0.1:\(change.port ?? port)"
        switch self {
        case .file: return FileStore(FileStoreOptions(directory: folder), change.context)
        case .webHDFS:
            let secure = change.secureURL.map { "swebhdfs" + $0.dropFirst("https".count) }
            var options = try WebHDFSOptions(url: (secure ?? Self.hdfs) + folder)
            options.http.caFile = change.caFile
            let user = environment("WEIR_TEST_WEBHDFS_USER") ?? "root"
            options.authentication = .userName(change.hasWrongSecret ? "stranger" : user)
            return try WebHDFSStore(options, change.context)
        case .s3, .gcsHMAC:
            return try S3Store(s3Options(folder, url, change), change.context)
        case .azureBlob, .azureFiles:
            let options = azureOptions(folder, url, change)
            return try ObjectStoreOptions.azure(options).makeStore(change.context)
        case .gcsJSON:
            var options = GCSOptions(bucket: change.isPlaceMissing ? "absent" : "weir", prefix: folder)
            options.endpoint = url
            options.multipartAboveBytes = change.multipartAboveBytes
            options.partBytes = change.partBytes
            options.http.caFile = change.caFile
            var key = SharedServers.gcsKey
            if change.hasWrongSecret { key = try Self.withAnotherKey(key) }
            options.credentials = .serviceAccount(key)
            return try GCSStore(options, change.context)
        }
    }

    private func s3Options(_ folder: String, _ url: String, _ change: StoreChange) -> S3Options {
        var options = S3Options(bucket: change.isPlaceMissing ? "absent-bucket" : "weir", prefix: folder)
        options.endpoint = url
        options.addressing = .path
        options.multipartAboveBytes = max(change.multipartAboveBytes, 5 << 20)
        options.partBytes = max(change.partBytes, 5 << 20)
        options.http.caFile = change.caFile
        var key = environment("AWS_ACCESS_KEY_ID") ?? ""
        var secret = environment("AWS_SECRET_ACCESS_KEY") ?? ""
        if self == .gcsHMAC {
            (options.dialect, options.region) = (.google, "auto")
            (key, secret) = ("GOOGWEIRTESTKEY", "weirtestsecret0123456789abcdef")
        }
        if change.hasWrongSecret { secret = "wrong" }
        options.credentials = .fixed(S3Credentials(accessKey: key, secretKey: secret))
        return options
    }

    /// Options for the test server; its account key is in the script.
    func azureOptions(_ folder: String, _ url: String, _ change: StoreChange = StoreChange()) -> AzureOptions {
        let isBlob = self == .azureBlob
        var options = AzureOptions(
            host: "weiracct.\(isBlob ? "blob" : "dfs").core.windows.net",
            container: change.isPlaceMissing ? "absent" : isBlob ? "weir" : "weirfs", prefix: folder,
            interface: isBlob ? .blob : .fileSystem)
        options.endpoint = url
        options.credentials = .accountKey(
            change.hasWrongSecret ? Base64.encoded("another key".utf8) : azureAccountKey)
        options.multipartAboveBytes = change.multipartAboveBytes
        options.partBytes = change.partBytes
        options.http.caFile = change.caFile
        return options
    }

    /// The key file with a private key that the account does not have.
    private static func withAnotherKey(_ file: String) throws -> String {
        var other = ""
        withScratchFolder { scratch in
            let pem = "\(scratch.path)/other.pem"
            let arguments = ["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", pem]
            #expect(ChildProcess(["openssl"] + arguments)?.wait() == 0)
            other = contents(of: pem)
        }
        let document = try #require(JSONValue(parsing: Array(file.utf8)))
        let members = ["type", "client_email", "token_uri"].map { name in
            "\(jsonQuoted(name)):\(jsonQuoted(document[name]?.string ?? ""))"
        }
        return "{\(members.joined(separator: ",")),\"private_key\":\(jsonQuoted(other))}"
    }
}

let azureAccountKey = Base64.encoded("weir-test-account-key-0123456789abcdef".utf8)
