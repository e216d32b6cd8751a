// Which tables weir appends to. A table says by its protocol what a writer must do; whoever does not know
// one of these things must not write, or others read nonsense. Features that are listed but not in use
// are no hindrance, and some ask nothing of one who only appends.

/// What tables ask of those that write them.
extension DeltaProtocol {
    private static let readerVersionMax = 3
    private static let writerVersionMax = 7
    private static let localTimes = "timestampNtz"
    /// Features that an append keeps by doing nothing, or that are looked for in the metadata.
    private static let known: Set<String> = [
        "appendOnly", "invariants", "checkConstraints", "changeDataFeed", "generatedColumns",
        "columnMapping", "identityColumns", "deletionVectors", "domainMetadata", "v2Checkpoint",
        "vacuumProtocolCheck", localTimes,
    ]
    /// Features whose actions a snapshot does not hold, so that a checkpoint or a compaction of ours
    /// would lose them.
    private static let unheld: Set<String> = ["deletionVectors", "domainMetadata", "v2Checkpoint"]

    /// The protocol of a new table: the oldest, unless there are times without a zone.
    public static func new(for schema: DeltaSchema) -> DeltaProtocol {
        let plain = DeltaProtocol(minReaderVersion: 1, minWriterVersion: 2)
        return schema.hasLocalTimes ? plain.addingLocalTimes() ?? plain : plain
    }

    /// The protocol that a table needs to get times without a zone; nil when it has it.
    public func addingLocalTimes() -> DeltaProtocol? {
        if writerFeatures?.contains(Self.localTimes) == true { return nil }
        // What older writer versions imply must be named when features are.
        var features = writerFeatures ?? []
        if minWriterVersion < Self.writerVersionMax {
            let implied: [(Int, [String])] = [
                (2, ["appendOnly", "invariants"]), (3, ["checkConstraints"]),
                (4, ["changeDataFeed", "generatedColumns"]), (5, ["columnMapping"]),
                (6, ["identityColumns"]),
            ]
            features = implied.filter { $0.0 <= minWriterVersion }.flatMap(\.1)
        }
        var readers = readerFeatures ?? []
        if minReaderVersion == 2 { readers = ["columnMapping"] }
        return DeltaProtocol(
            minReaderVersion: Self.readerVersionMax, minWriterVersion: Self.writerVersionMax,
            readerFeatures: readers + [Self.localTimes], writerFeatures: features + [Self.localTimes])
    }

    /// Why weir must not append to a table of this protocol; nil when it may.
    public func refusal(_ metadata: DeltaMetadata, _ schema: DeltaSchema) -> String? {
        if minReaderVersion > Self.readerVersionMax || minWriterVersion > Self.writerVersionMax {
            return "it needs reader version \(minReaderVersion) and writer version \(minWriterVersion) of "
                + "the protocol, and weir knows \(Self.readerVersionMax) and \(Self.writerVersionMax)"
        }
        let listed = Set(writerFeatures ?? []).union(readerFeatures ?? [])
        let unknown = listed.subtracting(Self.known).sorted()
        if !unknown.isEmpty {
            return "it needs the feature \(unknown.joined(separator: ", ")), which weir lacks"
        }
        if metadata.formatProvider != "parquet" { return "its files are \(metadata.formatProvider)" }
        if let mode = metadata.configuration["delta.columnMapping.mode"], mode != "none" {
            return "its columns are mapped by \(mode), which weir lacks"
        }
        if metadata.configuration.keys.contains(where: { $0.hasPrefix("delta.constraints.") }) {
            return "it has CHECK constraints, which weir does not check"
        }
        let duties = [
            ("delta.invariants", "an invariant"), ("delta.generationExpression", "a generated value"),
            ("delta.identity.", "an identity value"),
        ]
        for (key, name) in duties {
            if let column = schema.column(withMetadata: key) {
                return "its column \(column) has \(name), which weir lacks"
            }
        }
        return nil
    }

    /// Whether a snapshot holds all that a table of this protocol has, so that weir may checkpoint it.
    public var canBeHeld: Bool { Self.unheld.isDisjoint(with: writerFeatures ?? []) }
}
