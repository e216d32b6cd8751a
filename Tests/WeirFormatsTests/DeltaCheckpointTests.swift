// Checkpoints hold what was put into them. That delta-rs and DuckDB use them, and that weir uses theirs, is
// tested in Tests/Integration/test_delta_upkeep.py.

import Testing
import WeirCore

@testable import WeirFormats

@Suite struct DeltaCheckpointTests {
    private let actions: [DeltaAction] = [
        .versions(
            DeltaProtocol(
                minReaderVersion: 3, minWriterVersion: 7, readerFeatures: ["timestampNtz"],
                writerFeatures: ["timestampNtz", "appendOnly"])),
        .versions(DeltaProtocol(minReaderVersion: 1, minWriterVersion: 2)),
        .metadata(
            DeltaMetadata(
                id: "i", name: nil, description: "d", schemaString: #"{"type":"struct","fields":[]}"#,
                partitionColumns: ["date", "hour"], createdTime: 12, configuration: ["a": "b", "c": ""])),
        .transaction(DeltaTransaction(appId: "weir/é", version: 42)),
        .add(
            DeltaAdd(
                path: "date=2026-01-01/x%2520.parquet", partitionValues: ["date": "2026-01-01", "hour": nil],
                size: 7, modificationTime: 8, dataChange: false, stats: "{}", tags: ["t": nil, "u": "v"])),
        .add(DeltaAdd(path: "y", partitionValues: [:], size: 1, modificationTime: 2, dataChange: true)),
        .remove(DeltaRemove(path: "z", deletionTimestamp: nil, dataChange: true)),
        .remove(
            DeltaRemove(
                path: "z2", deletionTimestamp: 5, dataChange: false, extendedFileMetadata: true,
                partitionValues: ["hour": "3"], size: 9)),
    ]

    private func source(_ batches: [Batch]) -> ParquetBytes {
        ParquetBytes(parquetFile(batches, ParquetOptions(compression: .snappy, usesDeltas: false)), name: "c")
    }

    @Test func actionsComeBackInTheirOrder() throws {
        let blocks = [actions.prefix(3), actions.dropFirst(3)].map { DeltaCheckpoint.batch(of: $0) }
        var found: [DeltaAction] = []
        try DeltaCheckpoint.forEachAction(in: source(blocks), includingFiles: true) { found.append($0) }
        #expect(found == actions)
    }

    @Test func theHeadIsReadWithoutFiles() throws {
        var found: [DeltaAction] = []
        let file = source([DeltaCheckpoint.batch(of: actions)])
        try DeltaCheckpoint.forEachAction(in: file, includingFiles: false) { found.append($0) }
        #expect(found == Array(actions.prefix(4)))
    }

    @Test func theNewerFormIsRefused() throws {
        let schema = Schema([Field("checkpointMetadata", .row([Field("version", .bigint)]))])
        let column = Column(schema[0].type)
        column.fields[0].append(Int64(3))
        column.appendRow()
        let file = source([Batch(schema: schema, columns: [column], rowCount: 1)])
        #expect(throws: Failure.self) {
            try DeltaCheckpoint.forEachAction(in: file, includingFiles: true) { _ in }
        }
    }

    @Test func intervalsAreReadAsTheyAreWritten() {
        #expect(DeltaMetadata.milliseconds(ofInterval: "interval 1 week") == 604_800_000)
        #expect(DeltaMetadata.milliseconds(ofInterval: "interval 36 hours") == 129_600_000)
        #expect(DeltaMetadata.milliseconds(ofInterval: "2 days 1 minute") == 172_860_000)
        let strange = [
            "", "interval", "interval 1", "interval x weeks", "interval 1 fortnight",
            "interval -1 week", "interval \(Int64.max) weeks",
        ]
        for text in strange {
            #expect(DeltaMetadata.milliseconds(ofInterval: text) == nil)
        }
    }
}
