// The configurations that come with weir must load, and say what they seem to say; the reference
// page must be that of the declarations.

import Glibc
import Testing
import WeirCore
import WeirSQL

@testable import WeirAgent

private let keys = [
    "AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "s3cr3t", "HOOK_SECRET": "s3cr3t", "INFLUX_TOKEN": "t0k3n",
]

private func sample(_ name: String) throws -> AgentConfiguration {
    try ConfigurationLoader.load(path: "\(repositoryRoot)/configs/\(name).toml", environment: keys)
        .get()
}

@Suite struct SampleConfigurationTests {
    @Test(arguments: ["sensors", "tweets", "minimal", "alerts", "bad-link"])
    func samplesLoadWithoutAWarning(name: String) throws {
        #expect(try sample(name).warnings == [])
    }

    @Test func theSensorsSampleSaysWhatItSeemsTo() throws {
        let configuration = try sample("sensors")
        #expect(configuration.agent.id == "gateway-7")
        #expect(configuration.agent.stateDirectory == "/var/lib/weir")
        #expect(configuration.agent.commitIntervalMilliseconds == 100)
        #expect(configuration.agent.memoryLimitBytes == 256_000_000)
        #expect(configuration.agent.http == HostPort(host: "127.0.0.1", port: 8080))
        let source = try #require(configuration.sources.first)
        guard case .mqtt(let mqtt) = source.input else {
            Issue.record("the source is MQTT")
            return
        }
        #expect(mqtt.broker == HostPort(host: "127.0.0.1", port: 1883))
        #expect(mqtt.topics == ["plant/+/telemetry"])
        #expect(mqtt.clientID == "weir-gateway-7")
        #expect(mqtt.tls == nil)
        #expect(mqtt.protocolVersion == .v5)
        #expect(
            source.columns.map(\.name) == [
                "device", "ts", "temperature", "humidity", "battery", "line",
            ])
        #expect(
            source.columns.map(\.type) == [
                .string, .timestampLTZ, .double, .double, .double, .string,
            ])
        #expect(source.columns[1].timestampFormat == .epochMilliseconds)
        #expect(source.columns[4].origin == .payload(try JSONPointer.parse("/power/battery").get()))
        #expect(source.columns[5].origin == .topicLevel(1))
        #expect(
            source.time
                == TimeConfiguration(
                    column: "ts", watermarkDelayMilliseconds: 5000, watermarkBy: nil,
                    maxAheadMilliseconds: 600_000, idleTimeoutMilliseconds: 60_000))
        #expect(configuration.queries.map(\.name) == ["device_minute", "too_hot"])
        #expect(configuration.queries.map(\.sinks) == [["lake"], ["lake"]])
        #expect(
            configuration.queries[1].plan.schema.fields.map(\.name) == [
                "ts", "device", "line", "temperature",
            ])
        #expect(configuration.queries[0].plan.sources == ["sensors"])
    }

    @Test func theSensorsSinkIsS3() throws {
        let sink = try #require(sample("sensors").sinks.first)
        guard case .s3(let s3) = sink.destination else {
            Issue.record("the sink is S3")
            return
        }
        #expect(s3.bucket == "weir" && s3.prefix == "plant")
        #expect(s3.endpoint == "http://127.0.0.1:18080" && s3.usesPathStyle)
        #expect(s3.accessKey?.reveal() == "AKIA" && s3.secretKey?.reveal() == "s3cr3t")
        #expect(sink.compression == .gzip && sink.format == .ndjson)
        #expect(
            sink.rowsMax == 1_000_000 && sink.bytesMax == 64_000_000
                && sink.ageMaxMilliseconds == 900_000)
        #expect(sink.schedule?.nextAfter(1) == 300_000)
        #expect(
            sink.outbox
                == OutboxConfiguration(
                    bytesMax: 1_000_000_000, ageMaxMilliseconds: nil, onFull: .pause,
                    files: .waiting))
    }

    @Test func theTweetsSampleReadsAnArrayThroughAView() throws {
        let configuration = try sample("tweets")
        #expect(configuration.views.map(\.name) == ["post_tags"])
        let hashtags = try #require(configuration.sources.first?.columns.last)
        #expect(hashtags.type == .array(.string))
        #expect(
            hashtags.origin == .payload(try JSONPointer.parse("/entities/hashtags/*/text").get()))
        guard case .webhdfs(let hdfs)? = configuration.sinks.first?.destination else {
            Issue.record("the sink is WebHDFS")
            return
        }
        #expect(hdfs.nameNodes == [HostPort(host: "127.0.0.1", port: 19_870)])
        #expect(hdfs.directory == "/feeds" && hdfs.user == "weir" && hdfs.authentication == .simple)
        guard case .mqtt(let mqtt)? = configuration.sources.first?.input else { return }
        #expect(mqtt.clientID == "weir-press-box-posts")
    }

    @Test func theCloudsSampleNamesTwoClouds() throws {
        // Its secrets are files that are not here.
        let loaded = try ConfigurationLoader.load(
            path: "\(repositoryRoot)/configs/clouds.toml", environment: [:], resolvesSecrets: false
        ).get()
        #expect(loaded.warnings == [] && loaded.sinks.map(\.type) == [.azure, .gcs])
        guard case .azure(let azure)? = loaded.sinks.first?.destination else { return }
        #expect(azure.place.isFileSystem && azure.place.container == "lake")
        #expect(azure.place.prefix == "line-7")
    }

    @Test func theBadLinkSampleKeepsATableAndCoarsens() throws {
        let configuration = try sample("bad-link")
        #expect(configuration.sinks.map(\.format) == [.delta, .parquet])
        #expect(configuration.sinks.map { $0.outbox.coarsening?.widthsMilliseconds } == [[600_000, 3_600_000], nil])
    }

    @Test func theMinimalSampleIsShort() throws {
        let text = try #require(fileText("\(repositoryRoot)/configs/minimal.toml"))
        let lines = text.split(separator: "\n").filter { !$0.hasPrefix("#") }
        #expect(lines.count <= 20)
        guard case .file(let directory)? = try sample("minimal").sinks.first?.destination else {
            Issue.record("the sink is a folder")
            return
        }
        #expect(directory == "./lake")
    }

    @Test func theReferencePageIsThatOfTheDeclarations() {
        let path = "\(repositoryRoot)/docs/configuration.md"
        if getenv("WEIR_UPDATE_CASES") != nil { write(ConfigurationReference.markdown(), to: path) }
        let isCurrent = fileText(path) == ConfigurationReference.markdown()
        #expect(isCurrent, "run: weir config reference > docs/configuration.md")
    }

    @Test func theReferenceNamesEveryKeyOfTheSamples() throws {
        let reference = ConfigurationReference.markdown()
        for name in ["sensors", "tweets", "minimal"] {
            for line in try sample(name).redactedDescription.split(separator: "\n")
            where line.contains(" = ") {
                let key = line.prefix { $0 != " " }
                if key.hasPrefix("columns.") { continue }
                #expect(reference.contains("| `\(key)` |"), "\(key)")
            }
        }
    }
}
