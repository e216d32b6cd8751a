// The footers of compacted files: sums of what those of their inputs said, in whatever order and grouping files
// were brought together, and honest about inputs that said nothing.

import Testing
import WeirCore

@testable import WeirAgent

@Suite struct FooterLedgerTests {
    /// The footer of a segment's file.
    private func footer(
        _ first: Int, _ last: Int, received: ClosedRange<Int64>, late: ClosedRange<Int64> = 0...0
    ) -> [(key: String, value: String)] {
        [
            ("weir.agent", "a"), ("weir.stream", "q"), ("weir.first", "\(first)"), ("weir.last", "\(last)"),
            ("weir.sealed_at", "2026-11-21T10:00:0\(last % 10).000Z"),
            ("weir.source.s", #"{"received":[\#(received.lowerBound),\#(received.upperBound)]}"#),
            ("weir.query.q", #"{"late":[\#(late.lowerBound),\#(late.upperBound)]}"#),
            ("weir.rows", "\(last - first + 1)"),
        ]
    }

    private func value(_ footer: [(key: String, value: String)], _ key: String) -> String? {
        footer.first { $0.key == key }?.value
    }

    private func sum(_ footers: [[(key: String, value: String)]]) -> [(key: String, value: String)] {
        var ledger = FooterLedger(agent: "a", stream: "q")
        for footer in footers {
            let (first, last) = (value(footer, "weir.first") ?? "1", value(footer, "weir.last") ?? "1")
            ledger.add(footer, named: (first[...], last[...]), rowCount: Int(value(footer, "weir.rows") ?? "0") ?? 0)
        }
        return ledger.metadata
    }

    @Test func segmentsThatFollowEachOtherBecomeOne() {
        let found = sum([
            footer(1, 10, received: 0...12), footer(11, 20, received: 12...30, late: 0...3),
            footer(21, 25, received: 30...30, late: 3...3),
        ])
        #expect(value(found, "weir.source.s") == #"{"received":[0,30]}"#)
        #expect(value(found, "weir.query.q") == #"{"late":[0,3]}"#)
        #expect(value(found, "weir.first") == "1" && value(found, "weir.last") == "25")
        #expect(value(found, "weir.ranges") == "1-25" && value(found, "weir.files") == "3")
        #expect(value(found, "weir.sealed_at") == "2026-11-21T10:00:05.000Z")
        #expect(value(found, "weir.uncounted_rows") == nil)
    }

    @Test func gapsStayAndFilesOfOneSegmentCountOnce() {
        let found = sum([
            footer(31, 40, received: 50...60), footer(1, 10, received: 0...12), footer(1, 10, received: 0...12),
        ])
        #expect(value(found, "weir.source.s") == #"{"received":[0,12,50,60]}"#)
        #expect(value(found, "weir.ranges") == "1-10,31-40")
    }

    @Test func sumsOfSumsAreTheSameInEveryGrouping() {
        let segments = (0..<12).map { n in
            footer(
                10 * n + 1, 10 * n + 10, received: Int64(20 * n)...Int64(20 * n + 20),
                late: Int64(n / 3)...Int64((n + 1) / 3))
        }
        let whole = sum(segments)
        let grouped = sum([sum(Array(segments[5...])), sum(Array(segments[..<2])), sum(Array(segments[2..<5]))])
        for key in ["weir.source.s", "weir.query.q", "weir.ranges", "weir.first", "weir.last", "weir.files", "weir.sealed_at"] {
            #expect(value(grouped, key) == value(whole, key), "\(key)")
        }
        let gapped = sum([sum([segments[0], segments[2]]), sum([segments[1], segments[4]])])
        #expect(value(gapped, "weir.source.s") == #"{"received":[0,60,80,100]}"#)
    }

    @Test func rowsOfFilesThatSayNothingAreTold() {
        // As files were compacted before footers were added up.
        let old: [(key: String, value: String)] = [
            ("weir.agent", "a"), ("weir.stream", "q"), ("weir.first", "1"), ("weir.last", "10"), ("weir.rows", "10"),
        ]
        let found = sum([old, footer(11, 20, received: 12...30)])
        #expect(value(found, "weir.uncounted_rows") == "10")
        #expect(value(found, "weir.source.s") == #"{"received":[12,30]}"#)
        #expect(value(found, "weir.ranges") == "1-20")
        #expect(value(sum([found, footer(21, 30, received: 30...31)]), "weir.uncounted_rows") == "10")
    }

    @Test func rangesAreTheUnionOfWhatWasInserted() {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<200 {
            var (ranges, expected) = (NumberRanges(), Set<Int64>())
            for _ in 0..<Int.random(in: 1...12, using: &random) {
                let from = Int64.random(in: 0...60, using: &random)
                let to = from + Int64.random(in: 0...9, using: &random)
                ranges.insert(from: from, to: to)
                expected.formUnion(from..<to)
            }
            #expect(ranges.count == Int64(expected.count))
            var end: Int64 = -1
            for (from, to) in ranges.ranges {
                #expect(end < from && from <= to && (from..<to).allSatisfy(expected.contains))
                end = to
            }
        }
    }
}
