// Loading as a whole: defaults, references, warnings, the report for programs, and odd files.

import Glibc
import Testing
import WeirCore
import WeirSQL

@testable import WeirAgent

private let sections = """
    [agent]
    id = "edge-1"
    [[source]]
    name = "sensors"
    type = "mqtt"
    url = "mqtt://h"
    topics = ["a"]
    columns = { device = "STRING", ts = { type = "TIMESTAMP_LTZ(3)", from = "rfc3339" } }
    [[query]]
    name = "q"
    sql = "SELECT device, ts FROM sensors"
    sinks = ["lake"]
    [[sink]]
    name = "lake"
    type = "file"
    url = "file:./lake"

    """

@Suite struct ConfigurationLoaderTests {
    @Test func defaultsAreThoseOfTheDeclarations() throws {
        let loaded = try #require(configuration(sections))
        #expect(loaded.agent.stateDirectory == "/var/lib/weir")
        #expect(loaded.agent.commitIntervalMilliseconds == 100)
        #expect(loaded.agent.http == HostPort(host: "127.0.0.1", port: 8080))
        #expect(loaded.agent.timeZone.identifier == "UTC")
        let sink = try #require(loaded.sinks.first)
        #expect(sink.retryMilliseconds == 1000...300_000)
        #expect(sink.schedule?.description == "every 5m")
        #expect(sink.ageMaxMilliseconds == nil)
        #expect(loaded.sources.first?.time == nil)
        #expect(loaded.sources.first?.payloadBytesMax == 1_000_000)
    }

    @Test func theRedactedTextLoadsToTheSame() throws {
        let loaded = try #require(configuration(sections))
        let again = try #require(configuration(loaded.redactedDescription))
        #expect(again.redactedDescription == loaded.redactedDescription)
    }

    @Test func variablesAreReplacedInAnyStringButSQL() throws {
        let text =
            sections.replacing("\"h\"", with: "\"${H}\"").replacing(
                "mqtt://h", with: "mqtt://${H}:${P}"
            )
            .replacing("[\"a\"]", with: "[\"${T}/x\", \"$share/g/$${T}\"]")
            .replacing("SELECT device, ts FROM", with: "SELECT '${H}' AS x, device FROM")
        let loaded = try #require(
            configuration(text, environment: ["H": "broker", "P": "1884", "T": "plant"]))
        guard case .mqtt(let mqtt)? = loaded.sources.first?.input else { return }
        #expect(mqtt.broker == HostPort(host: "broker", port: 1884))
        #expect(mqtt.topics == ["plant/x", "$share/g/${T}"])
        #expect(loaded.queries.first?.sql.contains("${H}") == true)
    }

    @Test func aValueFromTheEnvironmentIsNotExpandedAgain() throws {
        let text = sections.replacing("\"edge-1\"", with: "\"edge-1\"\nstate_dir = \"${A}\"")
        #expect(
            configuration(text, environment: ["A": "${B}", "B": "x"])?.agent.stateDirectory
                == "${B}")
    }

    @Test(arguments: ["\"off\"", "\"\""])
    func httpCanBeOff(value: String) throws {
        let loaded = try #require(
            configuration(sections.replacing("\"edge-1\"", with: "\"edge-1\"\nhttp = \(value)")))
        #expect(loaded.agent.http == nil)
    }

    @Test func whatIsProbablyNotMeantIsWarnedOf() {
        let text =
            sections.replacing("\"edge-1\"", with: "\"edge-1\"\nhttp = \"0.0.0.0:8080\"")
            + "[[view]]\nname = \"v\"\nsql = \"SELECT device FROM sensors\"\n"
            + "[[query]]\nname = \"nowhere\"\nsql = \"SELECT device FROM sensors\"\n"
            + "[[sink]]\nname = \"idle\"\ntype = \"webhdfs\"\nurl = \"webhdfs://n/x\"\n"
        let found = problems(text)
        #expect(found.allSatisfy { $0.severity == .warning })
        #expect(
            found.map(\.message) == [
                "http = \"0.0.0.0:8080\" answers other machines too, without a password",
                "no query reads view \"v\"",
                "the query has no sinks: only weir replay --output shows its result",
                "no query sends anything to sink \"idle\"",
            ])
    }

    @Test func viewsMayStandInAnyOrder() throws {
        let text =
            sections.replacing("FROM sensors", with: "FROM second")
            + "[[view]]\nname = \"second\"\nsql = \"SELECT device, ts FROM first\"\n"
            + "[[view]]\nname = \"first\"\nsql = \"SELECT device, ts FROM sensors\"\n"
        let loaded = try #require(configuration(text), "\(problems(text))")
        #expect(loaded.queries.first?.plan.sources == ["sensors"])
        #expect(loaded.warnings == [])
    }

    @Test func aPartitionColumnOfEveryQueryIsAccepted() throws {
        let loaded = try #require(configuration(sections + "partition_by = \"ts\"\n"))
        #expect(loaded.sinks.first?.partitionBy == "ts")
    }

    @Test func aCronScheduleTakesTheAgentsTimeZoneUnlessItHasItsOwn() throws {
        let agent = sections.replacing("\"edge-1\"", with: "\"edge-1\"\ntime_zone = \"Asia/Tokyo\"")
        let loaded = try #require(configuration(agent + "schedule = \"0 9 * * *\"\n"))
        #expect(loaded.sinks.first?.schedule?.nextAfter(0) == 86_400_000)
        let own = try #require(
            configuration(agent + "schedule = \"0 9 * * *\"\ntime_zone = \"UTC\"\n"))
        #expect(own.sinks.first?.schedule?.nextAfter(0) == 32_400_000)
    }

    @Test func aScheduleCanBeOff() throws {
        let loaded = try #require(
            configuration(sections + "schedule = \"off\"\nmax_age = \"1m\"\n"))
        #expect(loaded.sinks.first?.schedule == nil)
        #expect(loaded.sinks.first?.ageMaxMilliseconds == 60_000)
    }

    @Test func severalNameNodesMakeAList() throws {
        let text = sections.replacing("type = \"file\"", with: "type = \"webhdfs\"\nuser = \"u\"")
            .replacing("file:./lake", with: "swebhdfs://a,b:1234/x//y/")
        guard case .webhdfs(let hdfs)? = configuration(text)?.sinks.first?.destination else {
            Issue.record("\(problems(text))")
            return
        }
        #expect(
            hdfs.nameNodes == [HostPort(host: "a", port: 9871), HostPort(host: "b", port: 1234)])
        #expect(hdfs.usesTLS && hdfs.directory == "/x/y")
    }

    @Test(arguments: [("5", 10_000), ("3.1.1", 20)])
    func theReceiveMaximumFollowsTheProtocol(version: String, expected: Int) throws {
        let text = sections.replacing("type = \"mqtt\"", with: "type = \"mqtt\"\nprotocol = \"\(version)\"")
        guard case .mqtt(let mqtt)? = configuration(text)?.sources.first?.input else {
            Issue.record("\(problems(text))")
            return
        }
        #expect(mqtt.receiveMaximum == expected)
    }

    @Test(arguments: ["a", "a/b", "+", "#", "a/+/b/#", "/", "$share/g/a/#", "$SYS/#", "ü/é"])
    func topicFiltersThatMQTTAllows(filter: String) {
        #expect(TopicFilter.complaint(filter) == nil)
    }

    @Test(arguments: [
        "", "a/#/b", "a#", "a/b+", "+a/b", "$share/g", "$share/g/", "$share//a", "$share/+/a",
        "$share/g/a/#/b", "a\0b",
    ])
    func topicFiltersThatMQTTForbids(filter: String) {
        #expect(TopicFilter.complaint(filter) != nil)
    }

    /// A combining mark makes one character of itself and what stands before it; brokers see bytes.
    @Test func topicsAndPointersAreReadAsBytes() {
        #expect(TopicFilter.complaint("a/#\u{20E3}") != nil)
        #expect(TopicFilter.complaint("a/+\u{301}/b") != nil)
        #expect(TopicFilter.complaint("a\u{301}/b") == nil)
        #expect((try? JSONPointer.parse("/a~\u{301}").get()) == nil)
        #expect((try? JSONPointer.parse("/a/\u{301}b/~0~1").get())?.parts == ["a", "\u{301}b", "~/"])
        #expect(JSONPointer(member: "a/b~c").description == "/a~1b~0c")
    }

    // MARK: Reports

    @Test func theReportForProgramsIsJSON() {
        let found = problems(
            "a = \"\\u0001\"\n[agent]\n\"x\\\"\\n\" = 1\n", file: "dir/a \"b\".toml")
        let report = ConfigurationReport(problems: found)
        #expect(!report.isAccepted)
        #expect(
            report.json.hasPrefix(
                #"[{"file":"dir/a \"b\".toml","line":1,"column":1,"severity":"error","message":"#))
        #expect(report.json.contains(#"unknown key \"x\\\"\\n\" in [agent]"#))
        #expect(!report.json.contains("\u{1}"))
        #expect(ConfigurationReport(problems: []).json == "[]")
        #expect(ConfigurationReport(problems: []).isAccepted)
    }

    @Test func aFileThatCannotBeReadIsAProblemOfItsOwn() {
        let report = ConfigurationLoader.check(path: "/nonexistent/weir.toml", environment: [:])
        #expect(
            report.problems.map(\.description) == [
                "/nonexistent/weir.toml:1:1: error: cannot read the file: No such file or directory"
            ])
        #expect(!ConfigurationLoader.check(path: "/tmp", environment: [:]).isAccepted)
    }

    @Test func aHugeFileIsRefused() {
        let text = String(repeating: "# comment\n", count: 1 << 20)
        #expect(problems(text).map(\.message) == ["the file is larger than 1048576 bytes"])
    }

    @Test func thousandsOfErrorsAreAllReported() {
        let text = "[agent]\nid = \"a\"\n" + (0..<5000).map { "key\($0) = 1\n" }.joined()
        let found = problems(text)
        #expect(found.count == 5000 + 2)
        #expect(found.map(\.position) == found.map(\.position).sorted())
    }

    /// Random cuts and changes of a right file: never a crash, and always a reason when it is
    /// refused.
    @Test func damagedFilesAreRefusedWithAReason() throws {
        let bytes = Array(sections.utf8)
        var seed: UInt64 = 7
        func random(_ bound: Int) -> Int {
            seed = seed &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(seed >> 33) % bound
        }
        for _ in 0..<400 {
            var damaged = bytes
            for _ in 0...random(3) {
                switch random(3) {
                case 0:
                    damaged.removeSubrange(
                        random(damaged.count / 2)..<(damaged.count / 2 + random(damaged.count / 2)))
                case 1: damaged[random(damaged.count)] = UInt8(random(256))
                default:
                    damaged.insert(
                        contentsOf: bytes[random(100)..<(100 + random(100))],
                        at: random(damaged.count))
                }
            }
            let result = ConfigurationLoader.load(text: damaged, path: "f", environment: [:])
            if case .failure(let errors) = result { #expect(errors.errorCount > 0) }
        }
    }
}
