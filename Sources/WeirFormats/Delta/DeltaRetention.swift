// How long a table keeps what it no longer uses, as its properties say: `interval 1 week`, `interval 36 hours`.

extension DeltaMetadata {
    /// A week, as the protocol's reference has it.
    public static let deletedFileRetentionMillisecondsDefault: Int64 = 7 * 24 * 3_600_000

    /// How long files that were removed must stay for those that read older versions, ms.
    public var deletedFileRetentionMilliseconds: Int64 {
        configuration["delta.deletedFileRetentionDuration"].flatMap(Self.milliseconds(ofInterval:))
            ?? Self.deletedFileRetentionMillisecondsDefault
    }

    /// An interval of one or more units, such as `interval 1 week 2 days`; nil when it is none.
    static func milliseconds(ofInterval text: String) -> Int64? {
        var words = text.lowercased().split(separator: " ")[...]
        if words.first == "interval" { words = words.dropFirst() }
        guard !words.isEmpty, words.count % 2 == 0 else { return nil }
        let units: [Substring: Int64] = [
            "millisecond": 1, "second": 1000, "minute": 60_000, "hour": 3_600_000, "day": 86_400_000,
            "week": 604_800_000,
        ]
        var total: Int64 = 0
        while let number = words.popFirst(), let name = words.popFirst() {
            let unit = units[name.hasSuffix("s") ? name.dropLast() : name]
            guard let unit, let count = Int64(number), (0...100_000_000).contains(count) else { return nil }
            total += count * unit
        }
        return total
    }
}
