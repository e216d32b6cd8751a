// Durations, sizes and rates: what they mean, what is none, and that writing gives what was read.

import Testing

@testable import WeirAgent

@Suite struct QuantityTests {
    @Test(
        arguments: [
            ("0s", 0), ("100ms", 100), ("5s", 5000), ("10m", 600_000), ("1h", 3_600_000),
            ("7d", 604_800_000),
            ("1h30m", 5_400_000), ("1d2h3m4s5ms", 93_784_005),
        ] as [(String, Int64)])
    func durationsAreRead(text: String, milliseconds: Int64) {
        #expect(Quantity.milliseconds(of: text) == milliseconds)
        #expect(
            Quantity.milliseconds(of: Quantity.text(milliseconds: milliseconds)) == milliseconds)
    }

    @Test(arguments: [
        "", "5", "s", "5S", "5 s", "-5s", "5.5s", "1s1s", "30m1h", "5min", "1h30",
        "99999999999999999999s",
        "9223372036854775807d", "٥s", "5s ",
    ])
    func otherTextsAreNoDurations(text: String) {
        #expect(Quantity.milliseconds(of: text) == nil)
    }

    @Test(
        arguments: [
            ("0B", 0), ("1B", 1), ("1KB", 1000), ("1kB", 1000), ("64MB", 64_000_000),
            ("1GB", 1_000_000_000),
            ("256KiB", 262_144), ("1MiB", 1_048_576), ("1GiB", 1_073_741_824),
            ("1.5GB", 1_500_000_000),
            ("0.5KiB", 512), ("64 MB", 64_000_000), ("2TiB", 2_199_023_255_552),
        ] as [(String, Int64)])
    func sizesAreRead(text: String, bytes: Int64) {
        #expect(Quantity.bytes(of: text) == bytes)
        #expect(Quantity.bytes(of: Quantity.text(bytes: bytes)) == bytes)
    }

    @Test(arguments: [
        "", "64", "MB", "64M", "64mb", "-1MB", "1.MB", ".5MB", "1.2.3MB", "1e3MB", "99999999TB",
        "64MB/s",
    ])
    func otherTextsAreNoSizes(text: String) {
        #expect(Quantity.bytes(of: text) == nil)
    }

    @Test func ratesAreSizesASecond() {
        #expect(Quantity.bytesPerSecond(of: "1.5MB/s") == 1_500_000)
        #expect(Quantity.bytesPerSecond(of: "1MB") == nil)
        #expect(Quantity.bytesPerSecond(of: "1MB/m") == nil)
    }

    @Test func theShortestTextIsWritten() {
        #expect(Quantity.text(bytes: 64_000_000) == "64MB")
        #expect(Quantity.text(bytes: 262_144) == "256KiB")
        #expect(Quantity.text(bytes: 1001) == "1001B")
        #expect(Quantity.text(milliseconds: 90_000) == "90s")
        #expect(Quantity.text(milliseconds: 86_400_000) == "1d")
    }
}
