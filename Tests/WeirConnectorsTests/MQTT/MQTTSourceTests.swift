// What the MQTT source must hold against a real mosquitto: nothing lost, nothing twice, whatever breaks.

import Glibc
import Testing
import WeirCore

@testable import WeirConnectors

/// Options for a test's broker, with short back-offs.
func testOptions(
    _ port: Int, _ topics: String..., version: MQTTOptions.ProtocolVersion = .v5, clientID: String = "weir-test"
) -> MQTTOptions {
    var options = MQTTOptions(
        name: "sensors", address: MQTTAddress(host: "127.0.0.1", port: port, usesTLS: false), topics: topics,
        clientID: clientID, protocolVersion: version)
    options.reconnectMinimumMilliseconds = 20
    options.reconnectMaximumMilliseconds = 200
    return options
}

/// A small generator of reproducible numbers.
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return state ^ (state >> 29)
    }
}

@Suite(.enabled(if: MosquittoServer.isInstalled, "needs mosquitto and mosquitto-clients (apt)"))
struct MQTTSourceTests {
    @Test(arguments: MQTTOptions.ProtocolVersion.allCases)
    func fiveThousandMessagesComeOnceAndInOrder(version: MQTTOptions.ProtocolVersion) throws {
        try withScratchFolder { folder in
            let broker = MosquittoServer(folder)
            let driver = try SourceDriver(MQTTSource(testOptions(broker.port, "plant/+/telemetry", version: version)))
            try driver.connect()
            let lines = (0..<5000).map { "{\"n\":\($0)}" }
            broker.publish("plant/7/telemetry", lines: lines)
            try driver.run { driver.messages.count >= 5000 }
            #expect(driver.messages.map(\.payload) == lines)
            #expect(driver.messages.allSatisfy { $0.topic == "plant/7/telemetry" && !$0.isRetained })
            #expect(driver.source.report.duplicates == 0)
            #expect(driver.source.report.unacknowledged == 0)
            driver.source.stop()
        }
    }

    /// The process dies at every kind of moment: with messages polled, with a commit done and not
    /// acknowledged, right after the acknowledgement.
    @Test(arguments: MQTTOptions.ProtocolVersion.allCases, [1 as UInt64, 2])
    func nothingIsLostOrDoubledByDeaths(version: MQTTOptions.ProtocolVersion, seed: UInt64) throws {
        try withScratchFolder { folder in
            let broker = MosquittoServer(folder)
            var options = testOptions(broker.port, "t/#", version: version)
            options.receiveMaximum = 500
            let disk = SourceDriver.Disk()
            try SourceDriver(MQTTSource(options), disk).connect()
            // The same bytes again and again, and some that differ.
            let lines = (0..<3000).map { $0 % 3 == 0 ? "\($0)" : "ON" }
            broker.publish("t/x", lines: lines)
            var random = SeededGenerator(state: seed)
            var deaths = 0
            while disk.messages.count < lines.count, deaths < 400 {
                let driver = try SourceDriver(MQTTSource(options), disk, batch: MessageBatch(messagesMax: 64))
                deaths += 1
                try driver.run(committing: false) { driver.source.report.isConnected }
                for _ in 0..<Int.random(in: 3...60, using: &random) {
                    if try driver.poll() == .dry { driver.wait() }
                    switch Int.random(in: 0..<6, using: &random) {
                    case 0...1: driver.commitOnly()
                    case 2...4: try driver.commit()
                    default: break
                    }
                }
            }
            disk.expect(lines, "\(deaths) deaths")
        }
    }

    @Test func aConnectionBrokenBeforeTheCommitLosesAndDoublesNothing() throws {
        try withScratchFolder { folder in
            let broker = MosquittoServer(folder, keepsSessions: true)
            let driver = try SourceDriver(MQTTSource(testOptions(broker.port, "t")))
            try driver.connect()
            let first = (0..<500).map { "a\($0)" }
            broker.publish("t", lines: first)
            try driver.run(committing: false) { driver.pending.count >= 500 }
            broker.stop()
            try driver.run(committing: false) { !driver.source.report.isConnected }
            broker.start()
            // Redelivered while their first delivery is still not committed.
            try driver.run(committing: false) { driver.source.report.duplicates >= 500 }
            let second = (0..<500).map { "b\($0)" }
            broker.publish("t", lines: second)
            try driver.run { driver.messages.count >= 1000 }
            #expect(driver.messages.map(\.payload) == first + second)
            #expect(driver.source.report.reconnects == 1)
            #expect(driver.state.contains("session present"))
        }
    }

    @Test func aRedeliveryOfWhatIsNotCommittedIsNotAcknowledgedEither() throws {
        try withScratchFolder { folder in
            let broker = MosquittoServer(folder, keepsSessions: true)
            let disk = SourceDriver.Disk()
            let lines = (0..<200).map { "\($0)" }
            do {
                let driver = try SourceDriver(MQTTSource(testOptions(broker.port, "t")), disk)
                try driver.connect()
                broker.publish("t", lines: lines)
                try driver.run(committing: false) { driver.pending.count >= 200 }
                broker.stop()
                try driver.run(committing: false) { !driver.source.report.isConnected }
                broker.start()
                try driver.run(committing: false) { driver.source.report.duplicates >= 200 }
                for _ in 0..<5 { try driver.poll() }
            }
            let driver = try SourceDriver(MQTTSource(testOptions(broker.port, "t")), disk)
            try driver.run { driver.messages.count >= 200 }
            disk.expect(lines)
        }
    }

    @Test func aLostSessionIsReportedAndNewMessagesOfOldIDsCome() throws {
        try withScratchFolder { folder in
            let broker = MosquittoServer(folder)
            let driver = try SourceDriver(MQTTSource(testOptions(broker.port, "t")))
            try driver.connect()
            broker.publish("t", lines: ["same", "same", "same"])
            try driver.run { driver.messages.count >= 3 }
            broker.stop()
            broker.start()
            try driver.run { driver.source.report.reconnects == 1 && driver.source.report.isConnected }
            #expect(driver.state.contains("the broker has lost the session"), "\(driver.state)")
            // Subscribed anew.
            try driver.run { broker.log.components(of: "Sending SUBACK") >= 2 }
            broker.publish("t", lines: ["same", "same", "same"])
            try driver.run { driver.messages.count >= 6 }
            #expect(driver.messages.count == 6)
        }
    }

    @Test func whatComesWhileAwayWaitsInTheSession() throws {
        try withScratchFolder { folder in
            let broker = MosquittoServer(folder)
            let disk = SourceDriver.Disk()
            do {
                let driver = try SourceDriver(MQTTSource(testOptions(broker.port, "t")), disk)
                try driver.connect()
                driver.source.stop()
            }
            // The broker writes its log line by line, after publishing it is all there.
            broker.publish("t", lines: (0..<2000).map { "\($0)" })
            let driver = try SourceDriver(MQTTSource(testOptions(broker.port, "t")), disk)
            try driver.run { driver.messages.count >= 2000 }
            #expect(broker.log.contains("Received DISCONNECT from weir-test"))
            disk.expect((0..<2000).map { "\($0)" })
            #expect(driver.state.contains("session present"))
            driver.source.stop()
            // The subscription was there already.
            #expect(broker.log.components(of: "Received SUBSCRIBE from weir-test") == 1)
        }
    }

    @Test func wildcardsRetainedMessagesAndUserPropertiesArrive() throws {
        try withScratchFolder { folder in
            let broker = MosquittoServer(folder)
            broker.publish("site/a/state", "old", extra: ["-r"])
            let driver = try SourceDriver(MQTTSource(testOptions(broker.port, "site/+/state", "deep/#")))
            try driver.connect()
            try driver.run { driver.messages.count >= 1 }
            broker.publish(
                "deep/1/2/3", "new",
                extra: ["-D", "publish", "user-property", "unit", "°C", "-D", "publish", "user-property", "unit", "K"])
            broker.publish("site/b/state", "live", extra: ["-r"])
            broker.publish("site/b/c/state", "not ours")
            broker.publish("deep", "")
            try driver.run { driver.messages.count >= 4 }
            #expect(
                driver.messages == [
                    ReceivedMessage(topic: "site/a/state", payload: "old", isRetained: true),
                    ReceivedMessage(topic: "deep/1/2/3", payload: "new", userProperties: ["unit=°C", "unit=K"]),
                    ReceivedMessage(topic: "site/b/state", payload: "live"),
                    ReceivedMessage(topic: "deep", payload: ""),
                ])
        }
    }

    @Test func qualitiesZeroAndTwoOfAPublisherAreTakenIn() throws {
        try withScratchFolder { folder in
            let broker = MosquittoServer(folder)
            let driver = try SourceDriver(MQTTSource(testOptions(broker.port, "t")))
            try driver.connect()
            for qos in 0...2 { broker.publish("t", "q\(qos)", qos: qos) }
            try driver.run { driver.messages.count >= 3 }
            #expect(driver.messages.map(\.payload) == ["q0", "q1", "q2"])
        }
    }

    @Test func aSharedSubscriptionIsSplitAmongItsMembers() throws {
        try withScratchFolder { folder in
            let broker = MosquittoServer(folder)
            let drivers = try (0..<2).map {
                try SourceDriver(MQTTSource(testOptions(broker.port, "$share/weir/t/#", clientID: "weir-\($0)")))
            }
            for driver in drivers { try driver.connect() }
            let lines = (0..<1000).map { "\($0)" }
            broker.publish("t/x", lines: lines)
            let end = time(nil) + 20
            while drivers.map(\.messages.count).reduce(0, +) < 1000, time(nil) < end {
                for driver in drivers {
                    if try driver.poll() == .dry { driver.wait() }
                    try driver.commit()
                }
            }
            #expect(Set(drivers.flatMap { $0.messages.map(\.payload) }) == Set(lines))
            #expect(drivers.map(\.messages.count).reduce(0, +) == 1000)
            #expect(drivers.allSatisfy { $0.messages.count > 100 })
        }
    }

    @Test func aTopicThatWasTakenOutOfTheConfigurationIsUnsubscribed() throws {
        try withScratchFolder { folder in
            let broker = MosquittoServer(folder)
            let disk = SourceDriver.Disk()
            let first = try SourceDriver(MQTTSource(testOptions(broker.port, "a", "b")), disk)
            try first.connect()
            first.source.stop()
            let second = try SourceDriver(MQTTSource(testOptions(broker.port, "b", "c")), disk)
            try second.connect()
            try second.run { broker.log.contains("Received UNSUBSCRIBE from weir-test") }
            for topic in ["a", "b", "c"] { broker.publish(topic, topic) }
            try second.run { second.messages.count >= 2 }
            #expect(second.messages.map(\.payload) == ["b", "c"])
        }
    }
}

extension String {
    /// How often a text is in this one.
    func components(of part: String) -> Int {
        var count = 0
        var rest = self[...]
        while let range = rest.firstRange(of: part) {
            count += 1
            rest = rest[range.upperBound...]
        }
        return count
    }
}
