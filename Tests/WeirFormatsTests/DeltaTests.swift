// The log of Delta tables as text, the schemas and statistics in it, and which tables weir appends to.
// That readers take the tables is tested with delta-rs (Tests/Integration/test_delta.py, Tests/Delta).

import Testing
import WeirCore

@testable import WeirFormats

@Suite struct DeltaActionTests {
    private let actions: [DeltaAction] = [
        .versions(
            DeltaProtocol(
                minReaderVersion: 3, minWriterVersion: 7, readerFeatures: ["timestampNtz"],
                writerFeatures: ["appendOnly", "timestampNtz"])),
        .metadata(
            DeltaMetadata(
                id: "u", name: "n", description: "d \"q\"", schemaString: "{\"type\":\"struct\"}",
                partitionColumns: ["date"], createdTime: 7, configuration: ["b": "1", "a": "2"])),
        .add(
            DeltaAdd(
                path: "date=2026-01-01/a%2520b.parquet", partitionValues: ["date": nil, "hour": "1"],
                size: 10, modificationTime: 5, stats: "{\"numRecords\":1}", tags: ["x": nil])),
        .remove(
            DeltaRemove(
                path: "p", deletionTimestamp: 9, dataChange: false, extendedFileMetadata: true,
                partitionValues: [:], size: 4)),
        .transaction(DeltaTransaction(appId: "weir/é", version: 1 << 60, lastUpdated: nil)),
    ]

    @Test func actionsComeBackFromTheirLines() throws {
        let entry = DeltaLogEntry(
            timestamp: 1, operation: "WRITE", operationParameters: ["mode": "Append"],
            isBlindAppend: true, info: [("engineInfo", "weir")], actions: actions)
        var found: [DeltaAction] = []
        try DeltaLogEntry.forEachAction(in: entry.bytes, includingFiles: true, name: "e") {
            found.append($0)
        }
        #expect(found == actions)
        found = []
        try DeltaLogEntry.forEachAction(in: entry.bytes, includingFiles: false, name: "e") {
            found.append($0)
        }
        #expect(found.count == 3)
    }

    @Test func whatOthersAddIsPassedOver() throws {
        let text = """
            {"commitInfo":{"anything":[1,{"deep":null}]}}

            {"domainMetadata":{"domain":"x","configuration":"","removed":false}}
            {"txn":{"appId":"a","version":3,"new":{"x":1}}}
            """
        var found: [DeltaAction] = []
        try DeltaLogEntry.forEachAction(in: Array(text.utf8), includingFiles: true, name: "e") {
            found.append($0)
        }
        #expect(found == [.transaction(DeltaTransaction(appId: "a", version: 3))])
    }

    @Test(arguments: [
        ("{\"txn\":{\"appId\":\"a\"}}", "its version is missing or of another type"),
        ("{\"txn\":", "it is not JSON"), ("[]", "it is no action"), ("{\"add\":{\"path\":1}}", "its path"),
    ])
    func brokenLinesAreNamed(line: String, reason: String) {
        let failure = #expect(throws: Failure.self) {
            try DeltaLogEntry.forEachAction(
                in: Array("{\"x\":{}}\n\(line)\n".utf8), includingFiles: true, name: "the entry"
            ) { _ in }
        }
        #expect(failure?.reason.hasPrefix("line 2 is no action of a Delta table: \(reason)") == true)
    }

    @Test func brokenBytesNeverTrap() {
        var random = SeededRandom(seed: 5)
        let whole = Array(actions.map { $0.json + "\n" }.joined().utf8)
        for _ in 0..<2000 {
            var bytes = whole
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(
                    in: 0...255, using: &random)
            }
            bytes.removeLast(Int.random(in: 0..<40, using: &random))
            try? DeltaLogEntry.forEachAction(in: bytes, includingFiles: true, name: "e") { _ in }
        }
    }

    @Test func aSnapshotIsWhatItsActionsComeTo() {
        var snapshot = DeltaSnapshot()
        for action in actions { snapshot.apply(action) }
        #expect(snapshot.files.count == 1 && snapshot.tombstones.count == 1)
        let before = snapshot.heldBytes
        snapshot.apply(.remove(DeltaRemove(path: "date=2026-01-01/a%2520b.parquet", deletionTimestamp: 20, dataChange: true)))
        #expect(snapshot.files.isEmpty && snapshot.tombstones.count == 2 && snapshot.heldBytes < before + 300)
        #expect(snapshot.checkpointActions(tombstonesAfter: 10).count == 4)
        snapshot.apply(.transaction(DeltaTransaction(appId: "weir/é", version: 5)))
        #expect(snapshot.transactions["weir/é"]?.version == 5)
        var head = DeltaSnapshot(headFor: "b")
        for action in actions { head.apply(action) }
        #expect(head.files.isEmpty && head.transactions.isEmpty && head.metadata != nil)
    }
}

@Suite struct DeltaSchemaTests {
    private let schema = DeltaSchema(
        Schema([
            Field("a", .bigint), Field("b", .decimal(precision: 9, scale: 2)),
            Field("c", .array(.row([Field("x", .timestampLTZ)]))),
            Field("m", .map(key: .string, value: .double)),
        ]))

    private func refusal(of new: DeltaSchema, _ present: DeltaSchema) -> String? {
        if case .refused(let reason) = present.fit(new) { reason } else { nil }
    }

    @Test func schemasComeBackWithWhatOthersWroteIntoThem() {
        let text =
            #"{"type":"struct","fields":[{"name":"a","type":"long","nullable":true,"metadata":{"comment":"é \"x\""}}]}"#
        #expect(DeltaSchema(parsing: text)?.text == text)
        #expect(DeltaSchema(parsing: schema.text)?.text == schema.text)
        #expect(DeltaSchema(parsing: "{}") == nil && DeltaSchema(parsing: "x") == nil)
    }

    @Test func newColumnsAreAddedAndMissingOnesStay() {
        guard case .fits = schema.fit(schema) else { return #expect(Bool(false), "it fits itself") }
        let other = DeltaSchema(Schema([Field("a", .bigint), Field("z", .timestamp)]))
        guard case .needs(let widened) = schema.fit(other) else {
            return #expect(Bool(false), "there is a new column")
        }
        #expect(widened.fields.map(\.name) == ["a", "b", "c", "m", "z"])
        #expect(widened.hasLocalTimes && !schema.hasLocalTimes)
    }

    @Test func whatDoesNotFitIsSaidByNameAndTypes() {
        let types: [(DataType, String)] = [
            (.array(.row([Field("x", .timestamp)])), "array<struct<x:timestamp_ntz>>"),
            (.array(.row([Field("y", .timestampLTZ)])), "array<struct<y:timestamp>>"),
            (.string, "string"),
        ]
        for (type, name) in types {
            #expect(
                refusal(of: DeltaSchema(Schema([Field("c", type)])), schema)
                    == "column c is of type \(name) in the result and of type array<struct<x:timestamp>> in the table")
        }
        #expect(refusal(of: DeltaSchema(Schema([Field("A", .bigint)])), schema)?.contains("case") == true)
        let strict = DeltaSchema(
            parsing:
                #"{"type":"struct","fields":[{"name":"k","type":"long","nullable":false,"metadata":{}}]}"#)
        #expect(refusal(of: schema, strict ?? schema) == "column k, NOT NULL in the table, is not in the result")
    }

    @Test func namesThatReadersDoNotTakeAreRefused() {
        for name in ["a b", "a=b", "x;", "DATE"] {
            #expect(DeltaSchema(Schema([Field(name, .int)])).nameProblem(isPartitioned: true) != nil)
        }
        #expect(DeltaSchema(Schema([Field("date", .int)])).nameProblem(isPartitioned: false) == nil)
        let twice = Schema([Field("é", .int), Field("É", .int)])
        #expect(DeltaSchema(twice).nameProblem(isPartitioned: false) != nil)
    }

    @Test func aProtocolGetsLocalTimesWithWhatItsVersionImplied() {
        let old = DeltaProtocol(minReaderVersion: 1, minWriterVersion: 4)
        let new = old.addingLocalTimes()
        #expect(
            new?.writerFeatures == [
                "appendOnly", "invariants", "checkConstraints", "changeDataFeed", "generatedColumns",
                "timestampNtz",
            ])
        #expect(new?.readerFeatures == ["timestampNtz"] && new?.addingLocalTimes() == nil)
    }
}

@Suite struct DeltaStatisticsTests {
    private func statistics(_ type: DataType, _ values: [(Column) -> Void]) -> JSONValue? {
        let column = Column(type)
        for value in values { value(column) }
        let schema = Schema([Field("c", type)])
        var options = ParquetOptions()
        options.isForTables = true
        let writer = ParquetWriter(schema, options)
        let output = EncodedBytes()
        writer.append(
            Batch(schema: schema, columns: [column], rowCount: values.count), rows: 0..<values.count,
            to: output)
        writer.finish(metadata: [], to: output)
        return writer.tableFacts.flatMap { JSONValue(parsing: Array($0.statistics.utf8)) }
    }

    @Test func boundsAreInTheWordsOfTheLog() {
        let instants = statistics(.timestampLTZ, [{ $0.append(Int64(-1)) }, { $0.append(Int64(0)) }])
        #expect(instants?["minValues"]?["c"]?.string == "1969-12-31T23:59:59.999Z")
        #expect(instants?["maxValues"]?["c"]?.string == "1970-01-01T00:00:00.000Z")
        let days = statistics(.date, [{ $0.append(Int64(-1)) }, { $0.appendNull() }])
        #expect(days?["maxValues"]?["c"]?.string == "1969-12-31")
        #expect(days?["nullCount"]?["c"]?.integer == 1 && days?["numRecords"]?.integer == 2)
        let wide = statistics(.decimal(precision: 38, scale: 2), [{ $0.append(Int128(-12345)) }])
        #expect(wide?["minValues"]?["c"]?.text == "-123.45")
        let texts = statistics(.string, [{ $0.append(String(repeating: "é", count: 100)) }])
        #expect(texts?["minValues"]?["c"]?.string == String(repeating: "é", count: 32))
        #expect(texts?["maxValues"]?["c"]?.string?.hasSuffix("ê") == true)
    }

    @Test func thereAreNoBoundsThatCouldLie() {
        let odd = statistics(.double, [{ $0.append(1.0) }, { $0.append(Double.nan) }])
        #expect(odd?["minValues"]?["c"] == nil && odd?["maxValues"]?["c"] == nil)
        let endless = statistics(.double, [{ $0.append(1.0) }, { $0.append(Double.infinity) }])
        #expect(endless?["minValues"]?["c"]?.text == "1.0" && endless?["maxValues"]?["c"] == nil)
        let nothing = statistics(.string, [{ $0.appendNull() }])
        #expect(nothing?["minValues"]?["c"] == nil && nothing?["nullCount"]?["c"]?.integer == 1)
    }
}
