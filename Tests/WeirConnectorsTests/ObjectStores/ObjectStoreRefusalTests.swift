// What goes wrong with stores in the field, each named in one sentence that says what to look at: wrong
// secrets, missing places, tokens that ended, clocks, quotas, certificates. And after each, the same store
// goes on by itself when it is mended.

import Glibc
import Testing
import WeirCore

@testable import WeirConnectors

@Suite(.serialized) struct ObjectStoreRefusalTests {
    private let object = ObjectKey(path: "q/a-1-2.ndjson")
    private let folder = "refused-\(SystemClock().nowMilliseconds())"

    private func refusal(_ store: any ObjectStore) -> Failure? {
        failure { () throws(Failure) in try store.put(object, .bytes([1])) }
    }

    @Test(arguments: StoreKind.clouds) func aWrongSecretIsNamed(_ kind: StoreKind) throws {
        let store = try kind.store(folder, StoreChange(hasWrongSecret: true))
        let said = try #require(refusal(store))
        let setting: String =
            switch kind {
            case .azureBlob, .azureFiles: "account_key"
            case .gcsJSON: "service_account_key"
            default: "secret_key"
            }
        #expect(said.advice.contains("look at \(setting)") && said.domain == .external, "\(said)")
        #expect(failure { () throws(Failure) in _ = try store.checkAccess() }?.advice == said.advice)
        #expect(!"\(said)".contains("PRIVATE") && !"\(said)".contains(azureAccountKey))
    }

    @Test(arguments: StoreKind.clouds) func aMissingPlaceIsNamed(_ kind: StoreKind) throws {
        let store = try kind.store(folder, StoreChange(isPlaceMissing: true))
        let said = try #require(refusal(store))
        #expect(said.advice.hasPrefix("create the ") && said.advice.contains("`url`"), "\(said)")
        #expect(failure { () throws(Failure) in _ = try store.checkAccess() }?.advice == said.advice)
        #expect(failure { () throws(Failure) in _ = try store.get(object, bytesMax: 1) } != nil)
    }

    @Test(arguments: StoreKind.clouds) func aClockTwentyMinutesOffIsNamedUntilItIsSet(_ kind: StoreKind) throws {
        for (offset, direction) in [(-1_230_000, "behind"), (1_230_000, "ahead of")] {
            let clock = SettableClock(offsetMilliseconds: Int64(offset))
            let store = try kind.store(folder, StoreChange(context: ObjectStoreContext(clock: clock)))
            if kind == .gcsJSON, offset < 0 {
                // An assertion of twenty minutes ago is good for forty more.
                try store.put(object, .bytes([1]))
                continue
            }
            let said = try #require(refusal(store))
            // The Date header has whole seconds.
            #expect(said.reason.hasPrefix("this machine's clock is 20 min "), "\(said)")
            #expect(said.reason.contains(" \(direction) that of 127.0.0.1"), "\(said)")
            #expect(said.advice == "set the clock (NTP)" && said.retry == .backoff)
            clock.set(offsetMilliseconds: 0)
            try store.put(object, .bytes([1]))
        }
    }

    @Test(arguments: [StoreKind.azureBlob, .azureFiles, .gcsJSON])
    func aTokenThatEndedIsReplaced(_ kind: StoreKind) throws {
        let server = kind == .gcsJSON ? SharedServers.gcs : SharedServers.azure
        let store = try tokenStore(kind)
        for _ in 0..<3 {
            try store.put(object, .bytes([1]))
            try server.control("forget-tokens")
        }
        #expect(try store.get(object, bytesMax: 1) == [1])
    }

    private func tokenStore(_ kind: StoreKind, secret: String = "weir-client-secret") throws -> any ObjectStore {
        guard kind != .gcsJSON else { return try kind.store(folder) }
        var options = kind.azureOptions(folder, SharedServers.azure.url)
        options.credentials = .clientSecret(tenant: "weir-tenant", client: "weir-client", secret: secret)
        options.authority = SharedServers.azure.url
        return try ObjectStoreOptions.azure(options).makeStore(ObjectStoreContext())
    }

    @Test func aWrongClientSecretIsNamed() throws {
        let said = try #require(refusal(tokenStore(.azureBlob, secret: "s3cr3t")))
        #expect(said.reason.contains("AADSTS7000215") && said.advice.contains("client_secret"), "\(said)")
        #expect(!"\(said)".contains("s3cr3t") && !said.reason.contains("Trace"))
    }

    @Test func identitiesOfTheMachineAreTaken() throws {
        var azure = StoreKind.azureBlob.azureOptions(folder, SharedServers.azure.url)
        azure.credentials = .managedIdentity(client: nil)
        azure.environment = ["AZURE_POD_IDENTITY_AUTHORITY_HOST": SharedServers.azure.url]
        try AzureBlobStore(azure, ObjectStoreContext()).put(object, .bytes([1]))
        var gcs = GCSOptions(bucket: "weir", prefix: folder)
        gcs.endpoint = SharedServers.gcs.url
        gcs.environment = ["GCE_METADATA_HOST": "127.0.0.1:\(SharedServers.gcs.port)"]
        try GCSStore(gcs, ObjectStoreContext()).put(object, .bytes([1]))
        azure.environment = ["AZURE_POD_IDENTITY_AUTHORITY_HOST": "http://127.0.0.1:1"]
        gcs.environment = ["GCE_METADATA_HOST": "127.0.0.1:1"]
        for (store, word) in [
            (try AzureBlobStore(azure, ObjectStoreContext()) as any ObjectStore, "account_key"),
            (try GCSStore(gcs, ObjectStoreContext()), "service_account_key"),
        ] {
            let said = try #require(refusal(store))
            #expect(said.reason.contains("cannot connect") && said.advice.contains(word), "\(said)")
        }
    }

    @Test(arguments: [StoreKind.azureBlob, .azureFiles]) func accessSignaturesAreTakenAndTheirEndIsNamed(
        _ kind: StoreKind
    ) throws {
        func store(_ rights: String, until end: String) throws -> any ObjectStore {
            var options = kind.azureOptions(folder, SharedServers.azure.url)
            options.credentials = .sharedAccessSignature(accessSignature(kind, rights, until: end))
            return try ObjectStoreOptions.azure(options).makeStore(ObjectStoreContext())
        }
        let good = try store("racwdl", until: "2099-01-01T00:00:00Z")
        try good.put(object, .bytes([1]))
        #expect(try good.get(object, bytesMax: 1) == [1])
        #expect(try good.checkAccess().warnings.isEmpty)
        let ended = try #require(refusal(store("racwdl", until: "2026-01-02T00:00:00Z")))
        #expect(ended.reason.contains("takes sas_token only until 2026-01-02T00:00:00Z"), "\(ended)")
        #expect(!"\(ended)".contains("sig="))
        let blind = try store("racwd", until: "2099-01-01T00:00:00Z")
        #expect(try blind.checkAccess().warnings.count == 1)
        let reader = try store("rl", until: "2099-01-01T00:00:00Z")
        let weak = failure { () throws(Failure) in try reader.delete(object) }
        #expect(weak?.advice.contains("sas_token that may") == true, "\(weak as Any)")
    }

    /// A signature for one container, as "Create a service SAS" describes it.
    private func accessSignature(_ kind: StoreKind, _ rights: String, until end: String) -> String {
        let container = kind == .azureBlob ? "weir" : "weirfs"
        let text = [
            rights, "", end, "/blob/weiracct/\(container)", "", "", "", "2021-12-02", "c", "", "", "", "", "",
            "", "",
        ].joined(separator: "\n")
        let key = AzureSignature(account: "", key: Base64.decoded(azureAccountKey) ?? [])
        let items = [
            ("sp", rights), ("se", end), ("sv", "2021-12-02"), ("sr", "c"), ("sig", key.code(of: text)),
        ]
        return "?" + queryString(items.map { (name: $0.0, value: $0.1) })
    }

    @Test(arguments: [
        (StoreKind.azureBlob, 503, "<Error><Code>ServerBusy</Code></Error>", "ServerBusy"),
        (.azureFiles, 503, #"{"error":{"code":"ServerBusy","message":"busy"}}"#, "ServerBusy"),
        (
            .gcsJSON, 403,
            #"{"error":{"code":403,"message":"quota","errors":[{"reason":"quotaExceeded","message":"full"}]}}"#,
            "quotaExceeded"
        ),
        (.gcsHMAC, 403, "<Error><Code>QuotaExceeded</Code></Error>", "QuotaExceeded"),
    ])
    func fullQuotasAndBusyServersPass(_ kind: StoreKind, _ status: Int, _ body: String, _ code: String) throws {
        let proxy = SharedServers.proxy(kind)
        let store = try kind.store(folder, StoreChange(port: proxy.port))
        try proxy.fail(
            "status", when: kind.bodyRequest,
            ", \"times\": 3, \"status\": \(status), \"body\": \(jsonQuoted(body)), \"headers\": {\"Retry-After\": \"2\"}")
        let said = try #require(refusal(store))
        #expect(said.reason.contains("answered \(status) \(code)"), "\(said)")
        #expect(said.retry == .after(milliseconds: 2000), "\(said)")
        try proxy.fail("delay", when: "nothing", ", \"seconds\": 0")
        try store.put(object, .bytes([1]))
    }

    @Test(arguments: [
        (StoreKind.azureBlob, #"<Error><Code>AuthorizationPermissionMismatch</Code></Error>"#, "Storage Blob Data"),
        (.azureFiles, #"{"error":{"code":"AuthorizationPermissionMismatch","message":"no"}}"#, "Storage Blob Data"),
        (
            .gcsJSON, #"{"error":{"code":403,"message":"no","errors":[{"reason":"forbidden"}]}}"#,
            "Storage Object User"
        ),
        (.gcsHMAC, "<Error><Code>AccessDenied</Code></Error>", "give the key the right"),
    ])
    func missingRightsAreNamed(_ kind: StoreKind, _ body: String, _ advice: String) throws {
        let proxy = SharedServers.proxy(kind)
        let store = try kind.store(folder, StoreChange(port: proxy.port))
        // Tokens come from the server itself, so this is the only request through the proxy.
        try proxy.fail("status", when: ".", ", \"status\": 403, \"body\": \(jsonQuoted(body))")
        let said = try #require(refusal(store))
        #expect(said.advice.contains(advice) && said.retry == .never, "\(said)")
        try store.put(object, .bytes([1]))
    }

    @Test(arguments: StoreKind.clouds) func aPortalIsNotMistakenForTheStore(_ kind: StoreKind) throws {
        let portal = StubServer { _ in .answer(200, "<html>Please log in</html>") }
        let store = try kind.store(folder, StoreChange(port: portal.port))
        #expect(refusal(store)?.retry == .backoff)
        #expect(failure { () throws(Failure) in _ = try store.putIfAbsent(object, .bytes([1])) } != nil)
        #expect(failure { () throws(Failure) in _ = try store.checkAccess() } != nil)
    }

    @Test(arguments: StoreKind.present.filter { $0 != .file })
    func aCertificateForAnotherHostIsNamedUntilItIsRenewed(_ kind: StoreKind) throws {
        try withScratchFolder { scratch in
            func make(_ name: String, _ subject: String) {
                let made = ChildProcess([
                    "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-days", "2", "-subj", "/CN=weir-test", "-addext", "subjectAltName=\(subject)", "-keyout",
                    "\(scratch.path)/\(name).key", "-out", "\(scratch.path)/\(name).pem",
                ])
                #expect(made?.wait() == 0)
            }
            make("other", "DNS:other.example")
            make("own", "IP:127.0.0.1")
            func file(_ name: String) -> String { "\(scratch.path)/\(name)" }
            let authorities = scratch.file(
                "authorities.pem", Array((contents(of: file("other.pem")) + contents(of: file("own.pem"))).utf8))
            _ = scratch.file("shown.pem", Array(contents(of: file("other.pem")).utf8))
            _ = scratch.file("shown.key", Array(contents(of: file("other.key")).utf8))
            let front = CloudServer(
                "tls_front.py",
                ["--upstream", "\(kind.port)", "--cert", file("shown.pem"), "--key", file("shown.key")],
                scratch.path)
            let place = kind == .webHDFS ? "/\(folder)" : folder
            let store = try kind.store(place, StoreChange(secureURL: front.url, caFile: authorities))
            for said in [refusal(store), failure { () throws(Failure) in _ = try store.checkAccess() }] {
                let said = try #require(said)
                #expect(said.reason.contains("does not match") || said.reason.contains("no alternative"), "\(said)")
                #expect(said.advice.contains("certificate") && said.retry == .backoff, "\(said)")
            }
            let stranger = try kind.store(place, StoreChange(secureURL: front.url))
            #expect(refusal(stranger)?.advice.contains("tls.ca_file") == true)
            // HDFS sends the data on to an address without TLS, which is refused for another reason.
            guard kind != .webHDFS else { return }
            _ = scratch.file("shown.key", Array(contents(of: file("own.key")).utf8))
            _ = scratch.file("shown.pem", Array(contents(of: file("own.pem")).utf8))
            let end = time(nil) + 20
            while (try? store.put(object, .bytes([1]))) == nil, time(nil) < end { usleep(50_000) }
            #expect(try store.get(object, bytesMax: 1) == [1], "the same store goes on")
        }
    }
}
