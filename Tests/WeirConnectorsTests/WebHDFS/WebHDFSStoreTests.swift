// The WebHDFS store against an HDFS in this process: the contract, and what real clusters do on bad days.

import Synchronization
import Testing
import WeirCore

@testable import WeirConnectors

@Suite struct WebHDFSStoreTests {
    private let fake = FakeWebHDFS()
    private let object = ObjectKey(path: "q/date=2026-11-21/a-1-2.ndjson.gz")

    private func store(
        _ servers: [StubServer], _ authentication: WebHDFSOptions.Authentication = .userName("weir"),
        context: ObjectStoreContext = ObjectStoreContext()
    ) throws -> WebHDFSStore {
        var options = WebHDFSOptions(
            nameNodes: servers.map { "127.0.0.1:\($0.port)" }, basePath: "/lake/")
        options.authentication = authentication
        return try WebHDFSStore(options, context)
    }

    private var files: [String: [UInt8]] { fake.contents.withLock { $0.files } }
    private var stored: [UInt8]? { files["/lake/\(object.text)"] }

    @Test func keepsTheContract() throws {
        try ObjectStoreContract(store: store([fake.start()]), folder: "stream").run()
    }

    @Test func everyRequestSaysWhoAsks() throws {
        let server = fake.start()
        try store([server]).put(object, .bytes([1]))
        #expect(server.requests.allSatisfy { $0.query["user.name"] == "weir" })
        let other = fake.start()
        try store([other], .delegationToken("TOKEN+/=")).put(object, .bytes([1]))
        #expect(
            other.requests.allSatisfy {
                $0.query["delegation"] == "TOKEN+/=" && $0.query["user.name"] == nil
            })
    }

    @Test func dataNodesNeverSeeAPercentSign() throws {
        let server = fake.start()
        let odd = ObjectKey(segments: ["line=a b", "x:y"])
        try store([server]).put(odd, .bytes([1]))
        #expect(files["/lake/line=a%20b/x%3Ay"] == [1])
        #expect(!server.requests.contains { $0.path.hasPrefix("/dn") && $0.path.contains("%") })
    }

    @Test func quotaThatAnswers201IsSeenByTheLength() throws {
        let store = try store([fake.start()])
        try store.put(object, .bytes([9]))
        fake.contents.withLock { $0.isOverQuota = true }
        let failed = failure { () throws(Failure) in try store.put(object, .bytes([1, 2, 3])) }
        #expect(failed?.retry == .backoff && failed?.reason.contains("0 of 3 bytes") == true)
        #expect(
            files.count == 1 && stored == [9], "the object of before is whole, nothing else is left")
        fake.contents.withLock { $0.isOverQuota = false }
        try store.put(object, .bytes([1, 2, 3]))
        #expect(stored == [1, 2, 3])
    }

    @Test(arguments: ["CREATE", "MKDIRS", "RENAME", "GETFILESTATUS"])
    func lostReplyEndsWithOneWholeObject(_ operation: String) throws {
        let store = try store([fake.start()])
        fake.fail(.drop, takesEffect: true, when: FakeWebHDFS.isOperation(operation))
        do throws(Failure) {
            try store.put(object, .bytes([1, 2, 3]))
        } catch {
            #expect(error.retry == .backoff)
            try store.put(object, .bytes([1, 2, 3]))
        }
        #expect(files == ["/lake/\(object.text)": [1, 2, 3]])
    }

    @Test func lostReplyToTheRenameNeedsNoSecondUpload() throws {
        let server = fake.start()
        fake.fail(.drop, takesEffect: true, when: FakeWebHDFS.isOperation("RENAME"))
        try store([server]).put(object, .bytes([1, 2, 3]))
        #expect(stored == [1, 2, 3])
        #expect(server.requests.filter(FakeWebHDFS.isOperation("CREATE")).count == 1)
    }

    @Test func lostReplyToAConditionalRenameIsRecognisedAsOurs() throws {
        let server = fake.start()
        let store = try store([server])
        fake.fail(.drop, takesEffect: true, when: FakeWebHDFS.isOperation("RENAME"))
        // libcurl repeats a request by itself when a kept connection ends without an answer.
        #expect(try store.putIfAbsent(object, .bytes([1])))
        #expect(server.requests.filter(FakeWebHDFS.isOperation("RENAME")).count == 2)
        #expect(try store.putIfAbsent(object, .bytes([1])))
        #expect(try !store.putIfAbsent(object, .bytes([2])))
        #expect(files.count == 1)
    }

    @Test func standbyAndDeadNameNodesArePassedOverAtOnce() throws {
        let standby = StubServer { _ in FakeWebHDFS.exception(403, "StandbyException") }
        let active = fake.start()
        let pair = try store([standby, active])
        try pair.put(object, .bytes([1]))
        #expect(stored == [1])
        #expect(standby.requests.count == 1, "the active one is remembered")
        let dead = WebHDFSOptions(
            nameNodes: ["127.0.0.1:1", "127.0.0.1:\(active.port)"], basePath: "/lake")
        try WebHDFSStore(dead, ObjectStoreContext()).put(object, .bytes([2]))
        #expect(stored == [2])
    }

    @Test func failoverInTheMiddleOfAPutIsFollowed() throws {
        let (first, second) = (fake.start(), fake.start())
        let store = try store([first, second])
        fake.fail(FakeWebHDFS.exception(403, "StandbyException")) { request in
            request.query["op"] == "RENAME" && request.headers["host"] == "127.0.0.1:\(first.port)"
        }
        try store.put(object, .bytes([1, 2]))
        #expect(stored == [1, 2])
        #expect(second.requests.map { $0.query["op"] } == ["RENAME"])
    }

    @Test func noActiveNameNodeNamesThemAll() throws {
        let standby = StubServer { _ in FakeWebHDFS.exception(403, "StandbyException") }
        let other = StubServer { _ in .drop }
        let store = try store([standby, other])
        let failed = failure { () throws(Failure) in try store.put(object, .bytes([1])) }
        #expect(failed?.retry == .backoff)
        #expect(
            failed?.reason.contains(
                "127.0.0.1:\(standby.port): is on standby; 127.0.0.1:\(other.port): ") == true)
    }

    @Test(arguments: [
        ("SafeModeException", "Cannot create file. Name node is in safe mode.", Failure.Retry.backoff),
        ("RetriableException", "later", .backoff),
        ("IOException", "Failed to find datanode, suggest to check cluster health.", .backoff),
        ("DSQuotaExceededException", "The DiskSpace quota is exceeded", .backoff),
        ("RemoteException", "org.apache.hadoop.hdfs.server.namenode.SafeModeException: x", .backoff),
        ("AccessControlException", "Permission denied: user=weir", .never),
        ("SecurityException", "Failed to obtain user group information", .never),
        ("IllegalArgumentException", "Invalid value", .never),
    ])
    func exceptionsSayWhetherToTryAgain(_ name: String, _ message: String, _ retry: Failure.Retry)
        throws
    {
        let store = try store([fake.start()])
        fake.fail(FakeWebHDFS.exception(403, name, message), when: FakeWebHDFS.isOperation("CREATE"))
        let failed = failure { () throws(Failure) in try store.put(object, .bytes([1])) }
        #expect(failed?.retry == retry && failed?.domain == .external)
        #expect(failed?.reason == "\(name): \(message)")
    }

    @Test func tokensAreNotRepeated() throws {
        let store = try store([fake.start()], .delegationToken("SECRETTOKEN"))
        let reply = FakeWebHDFS.exception(403, "InvalidToken", "token SECRETTOKEN is expired\\nstack")
        fake.fail(reply, when: FakeWebHDFS.isOperation("CREATE"))
        let failed = failure { () throws(Failure) in try store.put(object, .bytes([1])) }
        #expect(failed?.reason == "InvalidToken: token … is expired" && failed?.retry == .never)
        let silent = StubServer { _ in .drop }
        let lost = try self.store([silent], .delegationToken("SECRETTOKEN"))
        let dropped = failure { () throws(Failure) in try lost.put(object, .bytes([1])) }
        #expect(dropped?.description.contains("SECRET") == false)
    }

    @Test func unreachableDataNodeIsExplained() throws {
        let store = try store([fake.start()])
        fake.fail(
            .answer(
                307,
                headers: ["Location": "http://127.0.0.1:1/webhdfs/v1/x?op=CREATE&delegation=SECRET"]),
            when: FakeWebHDFS.isOperation("CREATE"))
        let failed = failure { () throws(Failure) in try store.put(object, .bytes([1])) }
        #expect(failed?.advice.contains("reach the DataNodes") == true)
        #expect(failed?.description.contains("SECRET") == false)
    }

    @Test func redirectToAnotherProtocolIsRefused() throws {
        let store = try store([fake.start()])
        let reply = StubReply.answer(307, headers: ["Location": "https://127.0.0.1:1/webhdfs/v1/x"])
        fake.fail(reply, when: FakeWebHDFS.isOperation("CREATE"))
        let failed = failure { () throws(Failure) in try store.put(object, .bytes([1])) }
        #expect(failed?.reason.contains("by https, not http") == true)
    }

    @Test func captivePortalIsNotMistakenForTheStore() throws {
        let store = try store([StubServer { _ in .answer(200, "<html>Please log in</html>") }])
        #expect(failure { () throws(Failure) in try store.put(object, .bytes([1])) } != nil)
        #expect(
            failure { () throws(Failure) in _ = try store.list(prefix: "", startAfter: nil, max: 1) }
                != nil)
        #expect(failure { () throws(Failure) in _ = try store.head(object) } != nil)
    }

    @Test func endedTicketIsTriedAgainAndNamed() throws {
        let server = StubServer { _ in .answer(401, headers: ["WWW-Authenticate": "Negotiate"]) }
        let store = try store([server], .kerberos)
        let failed = failure { () throws(Failure) in try store.put(object, .bytes([1])) }
        #expect(failed?.retry == .backoff && failed?.advice.contains("ticket") == true)
    }

    @Test func oldTemporariesAreRemovedOnce() throws {
        fake.contents.withLock {
            $0.files = ["/lake/.weir-tmp/old": [1]]
            $0.folders.formUnion(["/lake", "/lake/.weir-tmp"])
        }
        let store = try store([fake.start()])
        try store.put(object, .bytes([1]))
        #expect(files.keys.sorted() == ["/lake/\(object.text)"])
    }

    @Test func folderRemovedBehindOurBackIsMadeAgain() throws {
        let store = try store([fake.start()])
        try store.put(object, .bytes([1]))
        fake.contents.withLock {
            $0.files = [:]
            $0.folders = ["/", "/lake", "/lake/.weir-tmp"]
        }
        #expect(
            failure { () throws(Failure) in try store.put(object, .bytes([1])) }?.domain == .external)
        try store.put(object, .bytes([1]))
        #expect(stored == [1])
    }

    @Test func accessCheckLooksAtTheNearestFolderThatExists() throws {
        let server = fake.start()
        _ = try store([server]).checkAccess()
        #expect(
            server.requests.last?.path == "/webhdfs/v1/"
                && server.requests.last?.query["fsaction"] == "-wx")
    }

    @Test func urlsAreReadOrRefused() throws {
        let pair = try WebHDFSOptions(url: "webhdfs://nn1:9000,nn2/feeds/a")
        #expect(
            pair.nameNodes == ["nn1:9000", "nn2:9870"] && pair.basePath == "/feeds/a" && !pair.usesTLS)
        #expect(try WebHDFSOptions(url: "swebhdfs://nn1").nameNodes == ["nn1:9871"])
        for url in [
            "http://nn1", "webhdfs://", "webhdfs:///x", "webhdfs://nn1,,nn2/x", "webhdfs://u@nn1/x",
        ] {
            #expect(
                failure { () throws(Failure) in _ = try WebHDFSOptions(url: url) }?.domain
                    == .configuration, "\(url)")
        }
        for path in ["/a/../b", "/a:b"] {
            let options = WebHDFSOptions(nameNodes: ["nn1:1"], basePath: path)
            let failed = failure { () throws(Failure) in
                _ = try WebHDFSStore(options, ObjectStoreContext())
            }
            #expect(failed?.domain == .configuration)
        }
    }
}
