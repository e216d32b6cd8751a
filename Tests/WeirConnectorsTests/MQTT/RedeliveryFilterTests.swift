// What the redelivery filter must recognise, and above all what it must let pass.

import Testing

@testable import WeirConnectors

private func hash(_ topic: String, _ payload: String) -> UInt64 {
    Array(topic.utf8).withUnsafeBytes { topic in
        Array(payload.utf8).withUnsafeBytes { RedeliveryFilter.hash(topic, $0) }
    }
}

/// A filter and what a state directory would hold of it.
private final class FilterUnderTest {
    private var filter: RedeliveryFilter
    private(set) var saved: [[UInt8]: [UInt8]] = [:]

    init(receiveMaximum: Int = 10_000) { filter = RedeliveryFilter(receiveMaximum: receiveMaximum) }

    func admits(_ packetID: Int, _ payload: String? = nil) -> Bool {
        filter.admits(packetID: packetID, hash: hash("t", payload ?? "\(packetID)"))
    }

    func beginReplay() { filter.beginReplay() }
    func clear() { filter.clear() }

    /// Saves what changed; the bytes written.
    func save() -> Int {
        var bytes = 0
        filter.save { key, value in
            saved[key] = value
            bytes += key.count + value.count
        }
        return bytes
    }

    func restore(_ key: [UInt8], _ value: [UInt8]) -> Bool { filter.restore(key: key, value: value) }

    /// The filter of the process after this one, at its first connection.
    func successor(receiveMaximum: Int = 10_000) -> FilterUnderTest {
        let successor = FilterUnderTest(receiveMaximum: receiveMaximum)
        for (key, value) in saved { #expect(successor.restore(key, value)) }
        successor.beginReplay()
        return successor
    }
}

@Suite struct RedeliveryFilterTests {
    @Test func redeliveriesAreDroppedUpToTheFirstNewMessage() {
        let filter = FilterUnderTest(receiveMaximum: 10_000)
        for id in 1...100 { #expect(filter.admits(id)) }
        filter.beginReplay()
        for id in 51...100 { #expect(!filter.admits(id)) }
        #expect(filter.admits(101, "101"))
        // Not a prefix any more: whatever comes now is new.
        #expect(filter.admits(100, "100"))
    }

    @Test func withoutAReconnectNothingIsDropped() {
        let filter = FilterUnderTest(receiveMaximum: 10_000)
        for _ in 0..<3 { #expect(filter.admits(7, "same")) }
    }

    @Test func itSurvivesADeathInTheStateThatWasSaved() {
        let filter = FilterUnderTest(receiveMaximum: 10_000)
        for id in 1...5000 { _ = filter.admits(id) }
        _ = filter.save()
        for id in 5001...5100 { _ = filter.admits(id) }
        let revived = filter.successor()
        for id in 3000...5000 { #expect(!revived.admits(id)) }
        for id in 5001...5100 { #expect(revived.admits(id)) }
    }

    /// A switch that says "ON" for ever: after 65,535 messages each id has this very hash already.
    @Test(arguments: [20, 10_000, 30_000])
    func theSameBytesForEverAreNotTakenForARedelivery(receiveMaximum: Int) {
        let filter = FilterUnderTest(receiveMaximum: receiveMaximum)
        var id = 0
        for _ in 0..<200_000 {
            id = id % 65_535 + 1
            _ = filter.admits(id, "ON")
        }
        _ = filter.save()
        let revived = filter.successor(receiveMaximum: receiveMaximum)
        // The broker has these in flight and we have never seen them.
        for _ in 0..<receiveMaximum {
            id = id % 65_535 + 1
            #expect(revived.admits(id, "ON"))
        }
    }

    @Test func aWholeWindowOfRedeliveriesIsRecognised() {
        let filter = FilterUnderTest(receiveMaximum: 30_000)
        for id in 1...60_000 { _ = filter.admits(id) }
        filter.beginReplay()
        for id in 30_001...60_000 { #expect(!filter.admits(id)) }
    }

    @Test func aLostSessionForgetsEverything() {
        let filter = FilterUnderTest(receiveMaximum: 10_000)
        for id in 1...1000 { _ = filter.admits(id) }
        _ = filter.save()
        filter.clear()
        _ = filter.save()
        let revived = filter.successor()
        #expect(revived.admits(1000, "1000"))
    }

    @Test func onlyChangedPagesAreWritten() {
        let filter = FilterUnderTest(receiveMaximum: 10_000)
        for id in 1...60_000 { _ = filter.admits(id) }
        _ = filter.save()
        #expect(filter.save() == 0)
        _ = filter.admits(60_001)
        #expect(filter.save() < 600)
    }

    @Test func strangeEntriesAreNotRestored() {
        let filter = FilterUnderTest(receiveMaximum: 10_000)
        #expect(!filter.restore([112, 0xFF, 0xFF], []))
        #expect(!filter.restore([112, 0, 0], [1, 2, 3]))
        #expect(!filter.restore([110], [9, 0, 0, 0, 0, 0, 0, 0, 0]))
        #expect(!filter.restore([], []))
    }

    @Test func everyBitOfTopicAndPayloadIsInTheHash() {
        var seen: Set<UInt64> = []
        for length in 0..<40 {
            let text = String(repeating: "a", count: length)
            seen.insert(hash("t", text) >> 16)
            for position in 0..<length {
                for bit in 0..<7 {
                    var bytes = Array(text.utf8)
                    bytes[position] ^= 1 << UInt8(bit)
                    seen.insert(hash("t", String(decoding: bytes, as: UTF8.self)) >> 16)
                }
            }
        }
        #expect(seen.count == 40 + (0..<40).reduce(0, +) * 7)
        // Where the topic ends and the payload begins matters.
        #expect(hash("ab", "c") != hash("a", "bc"))
    }
}
