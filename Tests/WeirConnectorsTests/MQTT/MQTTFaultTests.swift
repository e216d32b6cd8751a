// What the MQTT source does when the broker refuses, is silent, is too slow or is not there.

import Glibc
import Testing
import WeirCore

@testable import WeirConnectors

/// Runs a source until its state says something.
private func runUntilState(_ options: MQTTOptions, contains text: String) throws {
    let driver = try SourceDriver(MQTTSource(options))
    try driver.run { driver.state.contains(text) }
    #expect(driver.state.contains(text), "\(driver.state)")
}

@Suite struct MQTTRefusalTests {
    @Test(arguments: [
        (0x86, "does not accept the user name or the password"), (0x87, "refuses clients without a user name"),
        (0x8A, "banned"), (0x84, "does not speak MQTT 5"), (0x85, "does not accept the client id weir-test"),
        (0x88, "not available"), (0x97, "quota"), (0xFE, "code 254"),
    ] as [(UInt8, String)])
    func aRefusalIsASentenceAndIsTriedAgain(code: UInt8, sentence: String) throws {
        let broker = ScriptedBroker(.init(connect: [0x20, 3, 0, code, 0]))
        let driver = try SourceDriver(MQTTSource(testOptions(broker.port, "t")))
        try driver.run { broker.count(of: 0x10) >= 2 }
        try driver.run { driver.state.contains(sentence) && driver.state.contains("next attempt in") }
        #expect(!driver.source.report.isConnected)
        let found = failure { () throws(Failure) in try MQTTSource.checkAccess(testOptions(broker.port, "t")) }
        #expect(found?.reason.contains(code == 0x85 ? "weir-test-check" : sentence) == true)
        #expect(found?.domain == .external)
    }

    @Test func theOldProtocolHasItsOwnCodes() throws {
        let broker = ScriptedBroker(.init(connect: [0x20, 2, 0, 5]))
        var options = testOptions(broker.port, "t", version: .v311)
        (options.username, options.password) = ("ann", "secret")
        try runUntilState(options, contains: "the user ann is not authorised")
    }

    @Test func aRefusedSubscriptionIsReportedAndTheConnectionStays() throws {
        let broker = ScriptedBroker(.init(subscribe: 0x87))
        let driver = try SourceDriver(MQTTSource(testOptions(broker.port, "secret/#")))
        try driver.run { driver.state.contains("refuses the subscription to secret/#: not authorised") }
        #expect(driver.source.report.isConnected)
        driver.source.stop()
        let found = failure { () throws(Failure) in try MQTTSource.checkAccess(testOptions(broker.port, "secret/#")) }
        #expect(found?.reason.contains("secret/#: not authorised") == true)
    }

    @Test func aGrantedCheckThrowsNothing() throws {
        let broker = ScriptedBroker()
        try MQTTSource.checkAccess(testOptions(broker.port, "t"))
        let end = time(nil) + 10
        while broker.receivedPackets.count < 3, time(nil) < end { usleep(1000) }
        #expect(broker.receivedPackets.map { $0 & 0xF0 } == [0x10, 0x80, 0xE0])
    }

    @Test func aSecondClientOfTheSameNameIsNamedAndBacksOff() throws {
        // DISCONNECT, reason "session taken over".
        let broker = ScriptedBroker(.init(afterwards: [0xE0, 2, 0x8E, 0]))
        let driver = try SourceDriver(MQTTSource(testOptions(broker.port, "t")))
        try driver.run { driver.state.contains("another client has connected with the client id weir-test") }
        try driver.run { driver.source.report.reconnects >= 3 }
    }

    @Test func aBrokerThatIsNotThereIsTriedAgainAndAgain() throws {
        let driver = try SourceDriver(MQTTSource(testOptions(freePort(), "t")))
        try driver.run { driver.state.contains("Connection refused; next attempt in 1 s") }
        let found = failure { () throws(Failure) in try MQTTSource.checkAccess(testOptions(freePort(), "t")) }
        #expect(found?.reason == "Connection refused")
    }

    @Test func aNameThatDoesNotExistIsSaid() throws {
        var options = testOptions(1883, "t")
        options.address.host = "no-such-host.invalid"
        try runUntilState(options, contains: "the name no-such-host.invalid was not found")
    }

    @Test func everyAddressOfANameIsTried() throws {
        // "localhost" may be ::1 first, where nobody listens.
        let broker = ScriptedBroker()
        var options = testOptions(broker.port, "t")
        options.address.host = "localhost"
        let driver = try SourceDriver(MQTTSource(options))
        try driver.run { driver.source.report.isConnected }
    }

    @Test func silenceIsGivenUpAfterTheTimeout() throws {
        let broker = ScriptedBroker(.init(connect: []))
        var options = testOptions(broker.port, "t")
        options.connectTimeoutMilliseconds = 1000
        try runUntilState(options, contains: "no answer within 1 s")
        let found = failure { () throws(Failure) in try MQTTSource.checkAccess(options) }
        #expect(found?.reason == "no answer within 1 s")
    }

    @Test func aConnectionThatIsClosedAtOnceAsksForThePort() throws {
        let broker = ScriptedBroker(.init(connect: nil))
        try runUntilState(testOptions(broker.port, "t"), contains: "is port \(broker.port) one for TLS?")
    }

    @Test func pollingNeverWaits() throws {
        // Nobody answers there: a packet to a reserved network is dropped or refused later.
        var options = testOptions(1883, "t")
        options.address.host = "192.0.2.1"
        let driver = try SourceDriver(MQTTSource(options))
        let clock = SystemClock()
        for _ in 0..<10 {
            let start = clock.monotonicNanoseconds()
            try driver.poll()
            #expect(clock.monotonicNanoseconds() - start < 100_000_000)
            driver.wait()
        }
    }
}

/// The broker asks for a sign of life every second: CONNACK with Server Keep Alive 1.
private let everySecond: [UInt8] = [0x20, 6, 0, 0, 3, 0x13, 0, 1]

@Suite struct MQTTStuckWriteTests {
    /// Acknowledgements that do not leave: as long as they are stuck, nothing may be read, because its
    /// PUBACK would be queued right behind them and leave uncommitted.
    @Test func nothingIsReadWhileAWriteIsStuck() throws {
        let one: [UInt8] = [0x32, 7, 0, 1, UInt8(ascii: "t"), 0, 9, 0, UInt8(ascii: "x")]
        let messages = Array([[UInt8]](repeating: one, count: 50_000).joined())
        let broker = ScriptedBroker(.init(afterwards: messages, readsOn: false))
        defer { broker.end() }
        var options = testOptions(broker.port, "t")
        options.receiveMaximum = 1000
        let source = MQTTSource(options)
        let batch = MessageBatch(messagesMax: 1000)
        try source.start()
        func isStuck() -> Bool { source.report.isConnected && source.waitRequest().fileDescriptor == -1 }
        let end = time(nil) + 20
        while !isStuck(), time(nil) < end {
            batch.removeAll()
            _ = try source.poll(into: batch)
            // The kernel would take megabytes.
            var small: Int32 = 4096
            let size = socklen_t(MemoryLayout<Int32>.size)
            setsockopt(source.waitRequest().fileDescriptor, SOL_SOCKET, SO_SNDBUF, &small, size)
            if !batch.isEmpty { try source.acknowledge() }
        }
        #expect(isStuck(), "after \(source.report.messages) messages")
        let before = source.report.messages
        batch.removeAll()
        for _ in 0..<10 { _ = try source.poll(into: batch) }
        #expect(batch.isEmpty && source.report.messages == before)
    }
}

@Suite struct MQTTKeepAliveTests {
    @Test func anIdleConnectionIsKeptAlive() throws {
        let broker = ScriptedBroker(.init(connect: everySecond))
        let driver = try SourceDriver(MQTTSource(testOptions(broker.port, "t")))
        try driver.run(committing: false) { broker.count(of: 0xC0) >= 1 }
        #expect(driver.source.report.isConnected)
        #expect(driver.source.report.reconnects == 0)
    }

    /// A QoS 1 message waits for a commit that does not come: pings go out, its PUBACK does not.
    @Test func anUncommittedMessageIsNotAcknowledgedAndThePingGoesOut() throws {
        let publish: [UInt8] = [0x32, 7, 0, 1, UInt8(ascii: "t"), 0, 9, 0, UInt8(ascii: "x")]
        let broker = ScriptedBroker(.init(connect: everySecond, afterwards: publish))
        let driver = try SourceDriver(MQTTSource(testOptions(broker.port, "t")))
        try driver.run(committing: false) { driver.pending.count == 1 }
        try driver.run(committing: false) { broker.count(of: 0xC0) >= 2 }
        #expect(broker.count(of: 0x40) == 0)
        try driver.commit()
        try driver.run { broker.count(of: 0x40) == 1 }
        #expect(driver.source.report.reconnects == 0)
    }

    @Test func aPausedIntakeIsKeptAlive() throws {
        let broker = ScriptedBroker(.init(connect: everySecond))
        let driver = try SourceDriver(MQTTSource(testOptions(broker.port, "t")))
        try driver.connect()
        let full = MessageBatch(messagesMax: 0)
        let start = time(nil)
        while broker.count(of: 0xC0) < 4, time(nil) - start < 15 {
            _ = try driver.source.poll(into: full)
            driver.wait()
        }
        #expect(broker.count(of: 0xC0) == 4)
        try driver.run { driver.source.report.isConnected }
        #expect(driver.source.report.reconnects == 0)
    }

    @Test func aBrokerThatAnswersNoPingIsGivenUp() throws {
        let broker = ScriptedBroker(.init(connect: everySecond, answersPings: false))
        let driver = try SourceDriver(MQTTSource(testOptions(broker.port, "t")))
        try driver.run { driver.state.contains("has not answered for twice the keep-alive") }
        #expect(driver.source.report.reconnects == 1)
    }
}

@Suite(.enabled(if: MosquittoServer.isInstalled, "needs mosquitto and mosquitto-clients (apt)"))
struct MQTTBrokerFaultTests {
    @Test func aWrongPasswordIsSaidAndTheRightOneWorks() throws {
        try withScratchFolder { folder in
            let passwords = "\(folder.path)/passwords"
            run("mosquitto_passwd", "-b", "-c", passwords, "ann", "right")
            let broker = MosquittoServer(folder, anonymous: false, settings: "password_file \(passwords)")
            for version in MQTTOptions.ProtocolVersion.allCases {
                var options = testOptions(broker.port, "t", version: version)
                (options.username, options.password) = ("ann", "wrong")
                try runUntilState(options, contains: "the user ann is not authorised")
                options.password = "right"
                try runUntilState(options, contains: "connected to")
                try MQTTSource.checkAccess(options)
            }
        }
    }

    @Test func bigPayloadsComeAndTooBigOnesStayAway() throws {
        try withScratchFolder { folder in
            let broker = MosquittoServer(folder)
            var options = testOptions(broker.port, "t")
            options.maximumPacketBytes = 3 << 20
            let driver = try SourceDriver(MQTTSource(options))
            try driver.connect()
            let big = folder.file("big", [UInt8](repeating: UInt8(ascii: "b"), count: 2 << 20))
            let tooBig = folder.file("too-big", [UInt8](repeating: UInt8(ascii: "c"), count: 4 << 20))
            broker.publishFile("t", tooBig)
            broker.publishFile("t", big)
            broker.publish("t", "small")
            try driver.run { driver.messages.count >= 2 }
            #expect(driver.messages.map(\.payload.utf8.count) == [2 << 20, 5])
            #expect(driver.source.report.reconnects == 0)
        }
    }

    @Test func aStopWithoutACommitAcknowledgesNothing() throws {
        try withScratchFolder { folder in
            let broker = MosquittoServer(folder)
            let disk = SourceDriver.Disk()
            do {
                let driver = try SourceDriver(MQTTSource(testOptions(broker.port, "t")), disk)
                try driver.connect()
                broker.publish("t", lines: ["1", "2", "3"])
                try driver.run(committing: false) { driver.pending.count == 3 }
                driver.source.stop()
            }
            let driver = try SourceDriver(MQTTSource(testOptions(broker.port, "t")), disk)
            try driver.run { driver.messages.count >= 3 }
            #expect(disk.payloads == ["1", "2", "3"])
        }
    }

    @Test func theWindowBoundsWhatIsTakenInWithoutACommit() throws {
        try withScratchFolder { folder in
            let broker = MosquittoServer(folder)
            var options = testOptions(broker.port, "t")
            options.receiveMaximum = 100
            let driver = try SourceDriver(MQTTSource(options))
            try driver.connect()
            broker.publish("t", lines: (0..<1000).map { "\($0)" })
            try driver.run(committing: false) { driver.pending.count >= 100 }
            for _ in 0..<20 {
                try driver.poll()
                driver.wait()
            }
            #expect(driver.pending.count == 100)
            try driver.run { driver.messages.count >= 1000 }
            #expect(driver.messages.map(\.payload) == (0..<1000).map { "\($0)" })
        }
    }

    @Test func anotherClientIDHasItsOwnSession() throws {
        try withScratchFolder { folder in
            let broker = MosquittoServer(folder)
            let disk = SourceDriver.Disk()
            let first = try SourceDriver(MQTTSource(testOptions(broker.port, "t")), disk)
            try first.connect()
            broker.publish("t", lines: ["a", "b"])
            try first.run { first.messages.count >= 2 }
            let second = try SourceDriver(MQTTSource(testOptions(broker.port, "t", clientID: "other")), disk)
            try second.connect()
            broker.publish("t", lines: ["a", "b"])
            try second.run { second.messages.count >= 4 }
            #expect(disk.payloads == ["a", "b", "a", "b"])
        }
    }
}
