// Time zones: files written here byte by byte (so that nothing depends on the machine's tzdata),
// the rule behind their end, local times in gaps and overlaps, damaged files, and names that try to
// leave the directory.

import Glibc
import Testing
import WeirCore

/// A directory with time zone files, removed at the end.
private final class ZoneDirectory {
    let path: String

    init() throws {
        var template = Array("/tmp/weir-zones-XXXXXX".utf8CString)
        path = try #require(template.withUnsafeMutableBufferPointer { buffer in
            mkdtemp(buffer.baseAddress!).map { String(cString: $0) }
        })
    }

    deinit {
        for name in written { unlink("\(path)/\(name)") }
        rmdir(path)
    }

    private var written: [String] = []

    func write(_ name: String, _ bytes: [UInt8]) {
        written.append(name)
        guard let file = fopen("\(path)/\(name)", "w") else { return }
        fwrite(bytes, 1, bytes.count, file)
        fclose(file)
    }

    func rules(_ name: String) throws(Failure) -> TimeZoneRules {
        try TimeZoneRules(identifier: name, directory: path)
    }
}

private func bigEndian(_ value: Int64, _ length: Int) -> [UInt8] {
    (0..<length).map { UInt8(truncatingIfNeeded: value >> Int64(8 * (length - 1 - $0))) }
}

/// A version 2 file: an empty 32-bit block, then these transitions, types and footer.
private func zoneFile(_ transitions: [(Int64, UInt8)], offsets: [Int64], footer: String) -> [UInt8] {
    func header(_ counts: [Int64]) -> [UInt8] {
        Array("TZif2".utf8) + [UInt8](repeating: 0, count: 15) + counts.flatMap { bigEndian($0, 4) }
    }
    var bytes = header([0, 0, 0, 0, 1, 4]) + [UInt8](repeating: 0, count: 10)
    bytes += header([0, 0, 0, Int64(transitions.count), Int64(offsets.count), 4])
    for transition in transitions { bytes += bigEndian(transition.0, 8) }
    bytes += transitions.map(\.1)
    for offset in offsets { bytes += bigEndian(offset, 4) + [0, 0] }
    return bytes + [65, 66, 67, 0] + Array("\n\(footer)\n".utf8)
}

private func instant(_ text: String) -> Int64 {
    TimestampText.parse(text) ?? .min
}

@Suite struct TimeZoneRulesTests {
    /// Local mean time, winter and summer of 1980, then the rule of central Europe.
    private let berlin = zoneFile(
        [(-2_422_054_408, 1), (323_830_800, 2), (338_950_800, 1)], offsets: [3208, 3600, 7200],
        footer: "CET-1CEST,M3.5.0,M10.5.0/3")

    @Test func utcNeedsNoFile() throws {
        for name in ["UTC", "Etc/UTC"] {
            let rules = try TimeZoneRules(identifier: name, directory: "/nowhere")
            #expect(rules.offsetSeconds(atUTC: .min) == 0)
            #expect(rules.utcMilliseconds(ofLocal: 1234) == 1234)
            #expect(rules.utcMilliseconds(ofLocal: .max) == .max)
        }
        #expect(TimeZoneRules.utc.identifier == "UTC")
    }

    @Test func offsetsComeFromTheTableThenFromTheRule() throws {
        let directory = try ZoneDirectory()
        directory.write("Berlin", berlin)
        let rules = try directory.rules("Berlin")
        #expect(rules.offsetSeconds(atUTC: instant("1890-01-01")) == 3208)
        #expect(rules.offsetSeconds(atUTC: instant("1900-01-01")) == 3600)
        #expect(rules.offsetSeconds(atUTC: 323_830_799_999) == 3600)
        #expect(rules.offsetSeconds(atUTC: 323_830_800_000) == 7200)
        #expect(rules.offsetSeconds(atUTC: instant("1980-12-01")) == 3600)
        for (text, offset) in [
            ("2026-03-29T00:59:59.999Z", 3600), ("2026-03-29T01:00:00Z", 7200),
            ("2026-10-25T00:59:59Z", 7200),
            ("2026-10-25T01:00:00Z", 3600), ("2300-07-01T00:00:00Z", 7200),
            ("2300-12-31T23:59:59Z", 3600),
        ] {
            #expect(rules.offsetSeconds(atUTC: instant(text)) == offset, "\(text)")
        }
    }

    @Test func localTimesInGapsMoveOnAndInOverlapsAreTheEarlier() throws {
        let directory = try ZoneDirectory()
        directory.write("Berlin", berlin)
        let rules = try directory.rules("Berlin")
        for (local, utc) in [
            ("2026-07-01T12:00:00", "2026-07-01T10:00:00Z"),
            ("2026-01-01T12:00:00", "2026-01-01T11:00:00Z"),
            ("2026-03-29T01:59:59", "2026-03-29T00:59:59Z"),
            ("2026-03-29T02:30:00", "2026-03-29T01:30:00Z"),
            ("2026-03-29T03:00:00", "2026-03-29T01:00:00Z"),
            ("2026-10-25T01:59:59", "2026-10-24T23:59:59Z"),
            ("2026-10-25T02:30:00", "2026-10-25T00:30:00Z"),
            ("2026-10-25T03:00:00", "2026-10-25T02:00:00Z"),
        ] {
            #expect(rules.utcMilliseconds(ofLocal: instant(local)) == instant(utc), "\(local)")
        }
        // A day that has 23 hours and one that has 25.
        let hour: Int64 = 3_600_000
        func length(_ day: String, _ next: String) -> Int64 {
            rules.utcMilliseconds(ofLocal: instant(next)) - rules.utcMilliseconds(ofLocal: instant(day))
        }
        #expect(length("2026-03-29", "2026-03-30") == 23 * hour)
        #expect(length("2026-10-25", "2026-10-26") == 25 * hour)
    }

    @Test func rulesOfEveryFormAreUnderstood() throws {
        let directory = try ZoneDirectory()
        for (rule, wanted) in [
            ("<+0545>-5:45", [("2026-01-01", 20_700), ("2026-07-01", 20_700)]),
            (
                "EST5EDT,M3.2.0,M11.1.0",
                [
                    ("2026-03-08T06:59:59Z", -18_000), ("2026-03-08T07:00:00Z", -14_400),
                    ("2026-11-01T06:00:00Z", -18_000),
                ]
            ),
            // South of the equator: summer over the new year.
            (
                "AEST-10AEDT,M10.1.0,M4.1.0/3",
                [("2026-01-01", 39_600), ("2026-07-01", 36_000), ("2026-12-31", 39_600)]
            ),
            (
                "<-02>2<-01>,M3.5.0/-1,M10.5.0/0",
                [
                    ("2026-03-29T00:59:59Z", -7200), ("2026-03-29T01:00:00Z", -3600),
                    ("2026-10-25T01:00:00Z", -7200),
                ]
            ),
            ("AAA0BBB-2,J60/0,J300/0", [("2024-02-29T12:00:00Z", 0), ("2024-03-01T00:00:00Z", 7200)]),
            ("AAA0BBB-2,59/0,300/0", [("2024-02-29T00:00:00Z", 7200)]),
            // Summer time for ever, as a rule that begins with the year and ends behind it.
            (
                "XXX3EDT4,0/0,J365/23",
                [("2026-01-01T12:00:00Z", -14_400), ("2026-12-31T20:00:00Z", -14_400)]
            ),
            ("", [("2026-01-01", 0)]),
        ] {
            directory.write("Zone", zoneFile([(0, 0)], offsets: [0], footer: rule))
            let rules = try directory.rules("Zone")
            for (text, offset) in wanted {
                #expect(rules.offsetSeconds(atUTC: instant(text)) == offset, "\(rule) at \(text)")
            }
        }
    }

    @Test func damagedFilesAreRefusedWhole() throws {
        let directory = try ZoneDirectory()
        // Cut anywhere but behind the footer's line, a file is refused.
        for count in 0..<berlin.count {
            directory.write("Cut", Array(berlin.prefix(count)))
            #expect(throws: Failure.self, "\(count) bytes") { try directory.rules("Cut") }
        }
        func check(_ name: String, _ change: (inout [UInt8]) -> Void) {
            var bytes = berlin
            change(&bytes)
            directory.write("Bad", bytes)
            #expect(throws: Failure.self, "\(name)") { try directory.rules("Bad") }
        }
        let second = 54
        check("magic") { $0[0] = 0 }
        check("second magic") { $0[second] = 0 }
        check("huge count") { $0[second + 32] = 0x7F }
        check("negative count") { $0[second + 32] = 0xFF }
        check("no types") { $0[second + 39] = 0 }
        check("a type that does not exist") { $0[second + 44 + 24] = 9 }
        check("transitions that fall") { $0[second + 44] = 0x7F }
        check("an offset of days") { $0[second + 44 + 27] = 0x7F }
        check("a rule that is none") { $0[$0.count - 3] = UInt8(ascii: "x") }
        // Any byte changed: read or refused, never a trap.
        for at in berlin.indices {
            var bytes = berlin
            bytes[at] ^= 0xA5
            directory.write("Flip", bytes)
            let rules = try? directory.rules("Flip")
            _ = rules?.offsetSeconds(atUTC: instant("2026-07-01"))
            _ = rules?.utcMilliseconds(ofLocal: .min)
        }
    }

    @Test(arguments: [
        "", "/etc/passwd", "../etc/passwd", "Europe/../../etc/passwd", "Europe//Berlin", "Europe/", "/", ".", "..",
        "Europe/Berlin\u{0}", "Europe/Ber lin", "Europe/Berlin.tab", "Zürich", "a/b/c/d", "C:\\x",
    ])
    func namesThatAreNoneAreRefused(_ name: String) {
        #expect(throws: Failure.self) { try TimeZoneRules(identifier: name) }
    }

    @Test func aMissingZoneSaysSo() throws {
        let directory = try ZoneDirectory()
        do {
            _ = try directory.rules("Europe/Nowhere")
            Issue.record("a zone that does not exist was read")
        } catch {
            #expect(error.domain == .configuration)
            #expect("\(error)".contains("Europe/Nowhere does not exist"))
        }
        // A directory is no file.
        #expect(throws: Failure.self) { try TimeZoneRules(identifier: "tmp", directory: "/") }
    }
}
