// What APPROX_TOP_K promises of its counts: never too low, too high by a share of the rows at most, also of
// merged groups; and a group that was written out and read back goes on as if it had not been.

import Testing
import WeirCore

@testable import WeirRuntime

@Suite struct HeavyHittersTests {
    private static let counters = 20

    /// Values of which small ones are frequent.
    private static func values(_ random: inout SeededGenerator, _ count: Int) -> [Int] {
        (0..<count).map { _ in
            Int.random(in: 0..<Int.random(in: 1...200, using: &random), using: &random)
        }
    }

    private static func add(_ values: [Int], to group: HeavyHitters) {
        for value in values {
            withUnsafeBytes(of: value) { group.add($0, counterMax: counters) }
        }
    }

    private static func top(_ group: HeavyHitters) -> [(value: Int, count: Int64)] {
        group.top(counters).map { value, count in
            (value.withUnsafeBytes { $0.loadUnaligned(as: Int.self) }, count)
        }
    }

    @Test(arguments: 1...20 as ClosedRange<UInt64>)
    func countsOfMergedGroupsAreWithinTheirBounds(_ seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let parts = [Self.values(&random, 600), Self.values(&random, 300).map { $0 + 3 }]
        let groups = parts.map { part in
            let group = HeavyHitters()
            Self.add(part, to: group)
            return group
        }
        _ = groups[0].merge(groups[1])
        let all = parts.joined()
        let excessMax = Int64(all.count / Self.counters)
        for (value, count) in Self.top(groups[0]) {
            let truth = Int64(all.count { $0 == value })
            #expect(count >= truth && count <= truth + excessMax, "\(value), seed \(seed)")
        }
    }

    @Test(arguments: 1...20 as ClosedRange<UInt64>)
    func aGroupThatWasWrittenOutGoesOnAsBefore(_ seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let (before, after) = (Self.values(&random, 500), Self.values(&random, 500))
        let (kept, read) = (HeavyHitters(), HeavyHitters())
        Self.add(before, to: kept)
        var writer = ByteWriter()
        kept.save(into: &writer)
        try writer.bytes.withUnsafeBytes { bytes in
            var reader = ByteReader(bytes)
            try read.load(from: &reader)
        }
        Self.add(after, to: kept)
        Self.add(after, to: read)
        #expect(Self.top(kept).map(\.value) == Self.top(read).map(\.value))
        #expect(Self.top(kept).map(\.count) == Self.top(read).map(\.count))
    }
}
