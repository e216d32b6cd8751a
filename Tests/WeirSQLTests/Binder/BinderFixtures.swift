// The sources and views that the binder's tests read, and short ways to bind against them.

import Testing
import WeirCore
import WeirSQL

/// Sensors with an event time, a feed with an array, and a table without event time.
let catalog = Catalog(
    tables: [
        Catalog.Table(
            name: "sensors",
            schema: Schema([
                Field("device", .string), Field("ts", .timestampLTZ), Field("temperature", .double),
                Field("humidity", .double), Field("line", .string), Field("count_now", .int),
                Field("total", .bigint), Field("is_on", .boolean),
            ]), timeColumn: "ts"),
        Catalog.Table(
            name: "posts",
            schema: Schema([
                Field("id", .string), Field("created_at", .timestampLTZ),
                Field("followers", .bigint),
                Field("text", .string), Field("hashtags", .array(.string)),
                Field("scores", .array(.int)),
            ]), timeColumn: "created_at"),
        Catalog.Table(
            name: "plain",
            schema: Schema([Field("a", .int), Field("b", .string), Field("at", .timestamp)]),
            timeColumn: nil),
    ],
    views: [
        Catalog.View(
            name: "post_tags",
            sql:
                "SELECT created_at, followers, tag FROM posts CROSS JOIN UNNEST(hashtags) AS t (tag)"
        ),
        Catalog.View(
            name: "hot", sql: "SELECT device, ts, temperature FROM sensors WHERE temperature > 80.0"
        ),
        Catalog.View(
            name: "hotter", sql: "SELECT device AS name, ts AS at FROM hot WHERE temperature > 90"),
        Catalog.View(
            name: "minutes",
            sql: "SELECT * FROM TABLE(TUMBLE(TABLE sensors, DESCRIPTOR(ts), INTERVAL '1' MINUTE))"),
        Catalog.View(name: "loop_a", sql: "SELECT * FROM loop_b"),
        Catalog.View(name: "loop_b", sql: "SELECT *\nFROM loop_a"),
        Catalog.View(name: "broken", sql: "SELECT temprature FROM sensors"),
        Catalog.View(name: "over_broken", sql: "SELECT * FROM broken"),
    ])

/// The plan of a query that must be right.
func plan(_ sql: String, _ location: SourceLocation = #_sourceLocation) throws -> QueryPlan {
    switch QueryBinder(catalog: catalog).bind(sql) {
    case .success(let plan): return plan
    case .failure(let errors):
        Issue.record("\(sql): \(errors.diagnostics.map(\.shown))", sourceLocation: location)
        throw errors
    }
}

/// The complaints about a query that must be wrong.
func errors(_ sql: String) -> [String] {
    switch QueryBinder(catalog: catalog).bind(sql) {
    case .success: []
    case .failure(let errors): errors.diagnostics.map(\.shown)
    }
}

/// The one expression of `SELECT expression FROM sensors` (or another source), as the fingerprint shows it.
func expression(
    _ sql: String, from source: String = "sensors", _ location: SourceLocation = #_sourceLocation
) throws -> (text: String, type: DataType) {
    let plan = try plan("SELECT \(sql) AS x FROM \(source)", location)
    let line = plan.explanation.split(separator: "\n").first.map(String.init) ?? ""
    let text = line.hasPrefix("project x = ") ? String(line.dropFirst("project x = ".count)) : line
    return (text, plan.schema[0].type)
}

extension Diagnostic {
    /// `line:column: message`.
    var shown: String { "\(position.line):\(position.column): \(message)" }
}
