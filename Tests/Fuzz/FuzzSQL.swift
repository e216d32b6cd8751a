// The lexer, the parser and the binder under libFuzzer: whatever the bytes are, the answer is a plan or a
// list of complaints, in less than a second. `run.sh` builds and runs this; it is no target of the package,
// because the whole of WeirSQL has to be compiled with coverage for it.

import WeirCore
import WeirSQL

/// Sources with every type of column, and views that read each other.
private let fuzzedCatalog = Catalog(
    tables: [
        Catalog.Table(
            name: "s",
            schema: Schema([
                Field("k", .string), Field("ts", .timestampLTZ), Field("v", .int), Field("w", .double),
                Field("n", .bigint), Field("b", .boolean), Field("a", .array(.string)),
                Field("d", .decimal(precision: 10, scale: 2)), Field("day", .date),
                Field("m", .map(key: .string, value: .int)), Field("r", .row([Field("x", .int)])),
            ]), timeColumn: "ts"),
        Catalog.Table(
            name: "t",
            schema: Schema([
                Field("k", .string), Field("ts", .timestamp), Field("id", .int), Field("x", .float),
            ]), timeColumn: "ts"),
    ],
    views: [
        Catalog.View(name: "hot", sql: "SELECT k, ts, v FROM s WHERE w > 8.5"),
        Catalog.View(
            name: "minutes",
            sql: "SELECT * FROM TABLE(TUMBLE(TABLE s, DESCRIPTOR(ts), INTERVAL '1' MINUTE))"),
        Catalog.View(name: "circle", sql: "SELECT * FROM circle"),
    ])

/// Called by libFuzzer for each input.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzSQL(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let text = String(decoding: UnsafeBufferPointer(start: bytes, count: count), as: UTF8.self)
    if case .success(let plan) = QueryBinder(catalog: fuzzedCatalog).bind(text) {
        // The texts of a plan walk all of it.
        precondition(!plan.fingerprint.isEmpty && !plan.explanation.isEmpty)
    }
    return 0
}
