// Addresses, topic filters and back-off: what needs no broker.

import Testing

@testable import WeirConnectors

@Suite struct MQTTOptionsTests {
    @Test(arguments: [
        ("mqtt://127.0.0.1", "127.0.0.1", 1883, false), ("mqtts://edge.example", "edge.example", 8883, true),
        ("mqtt://edge:1234", "edge", 1234, false), ("mqtts://[fe80::1]:1", "fe80::1", 1, true),
        ("mqtt://[::1]", "::1", 1883, false), ("mqtt://edge/", "edge", 1883, false),
    ])
    func addressesAreUnderstood(url: String, host: String, port: Int, usesTLS: Bool) {
        #expect(MQTTAddress(url: url) == MQTTAddress(host: host, port: port, usesTLS: usesTLS))
    }

    @Test(arguments: [
        "", "edge", "http://edge", "mqtt://", "mqtt://:1883", "mqtt://edge:", "mqtt://edge:0", "mqtt://edge:65536",
        "mqtt://edge:x", "mqtt://user@edge", "mqtt://edge/path", "mqtt://a:b:c", "mqtt://[::1", "mqtt://[::1]x",
    ])
    func otherAddressesAreNot(url: String) {
        #expect(MQTTAddress(url: url) == nil)
    }

    @Test func anAddressIsWrittenAsItIsRead() {
        for url in ["mqtt://edge:1234", "mqtts://[fe80::1]:8883"] {
            #expect(MQTTAddress(url: url)?.description == url)
        }
    }

    @Test func theDelayDoublesWithJitterUpToItsMaximum() {
        var random: any RandomNumberGenerator = SeededGenerator(state: 7)
        var delay = ReconnectDelay(minimumMilliseconds: 500, maximumMilliseconds: 60_000)
        var whole: Int64 = 500
        for _ in 0..<80 {
            let next = delay.next(using: &random)
            #expect((whole / 2...whole).contains(next))
            whole = min(whole * 2, 60_000)
        }
        delay.reset()
        #expect(delay.next(using: &random) <= 500)
    }

    @Test func twoGatewaysDoNotWaitEquallyLong() {
        let delays = (0..<20).map { seed in
            var random: any RandomNumberGenerator = SeededGenerator(state: UInt64(seed) &* 977)
            var delay = ReconnectDelay(minimumMilliseconds: 60_000, maximumMilliseconds: 60_000)
            return delay.next(using: &random)
        }
        #expect(Set(delays).count > 15)
    }

    @Test func everyCodeHasASentence() {
        let options = MQTTOptions(
            name: "s", address: MQTTAddress(host: "h", port: 1, usesTLS: false), topics: ["t"], clientID: "c")
        for code in 1...255 {
            #expect(MQTTReason.refusedConnection(code, options).count > 10)
            #expect(MQTTReason.disconnected(code, options).count > 10)
            if code > 2 { #expect((MQTTReason.refusedSubscription(code) ?? "").count > 10) }
        }
    }
}
