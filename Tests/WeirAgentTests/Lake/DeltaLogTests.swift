// Logs whose entries and checkpoints are longer than what is read of them at a time: they must come to the same
// as short ones, by checkpoints on the way where there is more than should be held.

import Testing
import WeirConnectors
import WeirCore
import WeirFormats

@testable import WeirAgent

@Suite struct DeltaLogTests {
    /// A table of its own in a folder.
    private final class Table {
        let folder: TemporaryFolder
        let store: any ObjectStore
        let log: DeltaLog
        private(set) var version: Int64 = -1

        init() throws {
            folder = try TemporaryFolder([:])
            store = try ObjectStoreOptions.file(FileStoreOptions(directory: folder.path + "/lake"))
                .makeStore(ObjectStoreContext())
            log = DeltaLog(store: store, stream: "q")
            try add([
                .versions(DeltaProtocol(minReaderVersion: 1, minWriterVersion: 2)),
                .metadata(
                    DeltaMetadata(
                        id: "t", schemaString: #"{"type":"struct","fields":[]}"#, partitionColumns: [])),
            ])
        }

        deinit { folder.remove() }

        func add(_ actions: [DeltaAction]) throws {
            version += 1
            let entry = DeltaLogEntry(
                timestamp: 1, operation: "WRITE", operationParameters: [:], isBlindAppend: true, info: [],
                actions: actions)
            #expect(try log.add(entry.bytes, version: version))
        }

        func snapshot() throws -> DeltaSnapshot {
            var found = DeltaSnapshot()
            try log.load(&found)
            return found
        }

        func own(_ purpose: OwnFiles.Purpose) throws -> OwnFiles {
            var own = OwnFiles(prefix: "edge-1-", purpose)
            #expect(try own.load(log))
            return own
        }
    }

    private func path(_ number: Int, by writer: String = "edge-1-") -> String {
        let digits = { (value: Int) in DeltaLog.number(Int64(value)) }
        return "date=2026-11-21/hour=13/\(writer)\(digits(10 * number + 1))-\(digits(10 * number + 10)).parquet"
    }

    private func file(_ number: Int, by writer: String = "edge-1-", size: Int64 = 1000, stats: Int = 100) -> DeltaAction {
        .add(
            DeltaAdd(
                path: path(number, by: writer), partitionValues: ["hour": "13"], size: size,
                modificationTime: 1, stats: String(repeating: "s", count: stats)))
    }

    @Test func entriesLongerThanAPieceAreReadWhole() throws {
        let table = try Table()
        try table.add((0..<9000).map { file($0, stats: 200 + $0 % 57) })
        try table.add((0..<4000).map { .remove(DeltaRemove(path: path($0), deletionTimestamp: 5, dataChange: false)) })
        // One line that is longer than a piece.
        try table.add([file(9000, stats: 3 << 20), file(9001)])
        let found = try table.snapshot()
        #expect(found.version == 3 && found.files.count == 5002 && found.tombstones.count == 4000)
        #expect(found.files[path(9000)]?.stats?.utf8.count == 3 << 20)
        var head = DeltaSnapshot(headFor: "nobody")
        try table.log.load(&head)
        #expect(head.version == 3 && head.files.isEmpty && head.metadata?.id == "t")
    }

    @Test func aCheckpointOfALongLogIsMadeByOthersOnTheWay() throws {
        let table = try Table()
        for part in 0..<6 { try table.add((part * 250..<(part + 1) * 250).map { file($0, stats: 20_000) }) }
        let written = try table.log.writeCheckpoint(
            table.version, now: 10, tombstonesKeptMilliseconds: 0, stagingPath: "\(table.folder.path)/staged")
        #expect(written?.version == 6 && written?.fileCount == 1500)
        try table.log.point(to: #require(written))
        let names = try table.store.list(prefix: "q/_delta_log/", startAfter: nil, max: 100).map(\.key.name)
        #expect(names.count { $0.contains("checkpoint.parquet") } > 1)
        // The entries that it stands for are not needed any more.
        for version in 0...table.version { try table.store.delete(table.log.entryKey(version)) }
        let found = try table.snapshot()
        #expect(found.version == 6 && found.files.count == 1500)
        #expect(try table.own(.compaction(smallMax: 2000)).files.count == 1500)
        #expect(try table.own(.compaction(smallMax: 1000)).files.isEmpty)
    }

    @Test func aCheckpointThatIsLongerThanWhatIsReadAtOnceIsReadByParts() throws {
        let table = try Table()
        var random = SystemRandomNumberGenerator()
        let stats = (0..<4000).map { _ in (0..<40).map { _ in String(random.next(), radix: 36) }.joined() }
        try table.add((0..<4000).map { number in
            .add(DeltaAdd(
                path: path(number), partitionValues: [:], size: 1, modificationTime: 1, stats: stats[number]))
        })
        let written = try #require(try table.log.writeCheckpoint(
            1, now: 10, tombstonesKeptMilliseconds: 0, stagingPath: "\(table.folder.path)/staged"))
        #expect(written.length > 1 << 20)
        try table.log.point(to: written)
        try table.store.delete(table.log.entryKey(0))
        let found = try table.snapshot()
        #expect(found.files.count == 4000)
        #expect(found.files[path(17)]?.stats == stats[17])
    }

    @Test func ofTheFilesOnlyOwnOnesAreKnownAndOnlyWhatIsAskedFor() throws {
        let table = try Table()
        try table.add((0..<10).map { file($0, size: $0 < 4 ? 5000 : 100) } + [file(3, by: "part-"), file(4, by: "edge-12-")])
        try table.add([
            .remove(DeltaRemove(path: path(5), deletionTimestamp: 77, dataChange: true)),
            .remove(DeltaRemove(path: path(3, by: "part-"), deletionTimestamp: 78, dataChange: true)),
        ])
        var small = try table.own(.compaction(smallMax: 1000))
        #expect(Set(small.files.keys) == Set([4, 6, 7, 8, 9].map { path($0) }))
        #expect(CompactionBin.plan(small, targetBytes: 2000).map(\.files.count) == [5])
        let bins = CompactionBin.plan(small, targetBytes: 250)
        #expect(bins.map(\.bytes) == [200, 200], "\(bins)")
        #expect(small.partitionValues(of: try #require(small.files[path(4)])) == ["hour": "13"])
        let all = try table.own(.cleanup)
        #expect(all.files.isEmpty && all.isLive(path(4)) && all.isLive(path(0)) && !all.isLive(path(5)))
        #expect(all.removalTime(of: path(5)) == 77 && all.removalTime(of: path(4)) == nil)
        #expect(!all.isLive(path(4, by: "edge-12-")) && all.removalTime(of: path(3, by: "part-")) == nil)
        // What others do meanwhile is found.
        try table.add([.remove(DeltaRemove(path: path(6), deletionTimestamp: 79, dataChange: false))])
        let (gone, hasChanged) = try small.advance(table.log, watched: [path(6), path(7)])
        #expect(gone == path(6) && !hasChanged && small.files[path(6)] == nil)
    }
}
