// What a windowed query must give, computed the plain way: one row after another, a dictionary a
// window, every window looked at after every row.

import WeirCore
import WeirSQL

@testable import WeirRuntime

/// The query of the tests: windows over readings, grouped, with every aggregate there is.
struct TestQuery {
    var size: Int64 = 10_000
    var slide: Int64 = 10_000
    var offset: Int64 = 0
    var delay: Int64 = 2_000
    /// Columns of `Reading` grouped by.
    var keys = ["device"]
    /// WHERE value > x.
    var valueAbove: Double?
    /// HAVING COUNT(*) > x.
    var countAbove: Int64?
    /// Each device keeps its own clock.
    var isKeyed = false

    var clock: WatermarkOptions { WatermarkOptions(delay: delay) }
    func options(budget: Int = 64 << 20, emittedRowsMax: Int = 262_144) -> QueryOptions {
        QueryOptions(
            memoryBudgetBytes: budget, emittedRowsMax: emittedRowsMax,
            watermarkBy: isKeyed ? "device" : nil, hashSeed: 7)
    }

    static func column(_ name: String) -> BoundExpression {
        let index = Reading.schema.index(of: name) ?? -1
        return .column(index: index, type: Reading.schema[index].type)
    }

    static let aggregates: [AggregateCall] = {
        let (value, small, note, flag) = (
            column("value"), column("small"), column("note"), column("flag")
        )
        return [
            AggregateCall(function: .countStar, argument: nil, type: .bigint),
            AggregateCall(function: .count, argument: value, type: .bigint),
            AggregateCall(function: .sum, argument: value, type: .double),
            AggregateCall(function: .avg, argument: value, type: .double),
            AggregateCall(function: .min, argument: value, type: .double),
            AggregateCall(function: .max, argument: value, type: .double),
            AggregateCall(function: .sum, argument: small, type: .int),
            AggregateCall(function: .avg, argument: small, type: .int),
            AggregateCall(function: .max, argument: note, type: .string),
            AggregateCall(function: .min, argument: note, filter: flag, type: .string),
            AggregateCall(function: .countStar, argument: nil, filter: flag, type: .bigint),
            AggregateCall(function: .max, argument: flag, type: .boolean),
            AggregateCall(function: .min, argument: column("ts"), type: .timestampLTZ),
        ]
    }()

    var plan: QueryPlan {
        var node = LogicalPlan.scan(source: "readings", schema: Reading.schema, timeColumn: 2)
        if let valueAbove {
            node = .filter(
                node,
                predicate: .call(
                    .greater,
                    arguments: [
                        Self.column("value"), .literal(.double(valueAbove), type: .double),
                    ],
                    type: .boolean))
        }
        let fields =
            keys.map { Field($0, Self.column($0).type) } + [
                Field("window_start", .timestamp), Field("window_end", .timestamp),
                Field("window_time", .timestampLTZ),
            ] + Self.aggregates.enumerated().map { Field("a\($0)", $1.type) }
        node = .windowAggregate(
            node, window: WindowSpec(timeColumn: 2, size: size, slide: slide, offset: offset),
            keys: keys.map(Self.column), aggregates: Self.aggregates, schema: Schema(fields))
        if let countAbove {
            node = .filter(
                node,
                predicate: .call(
                    .greater,
                    arguments: [
                        .column(index: keys.count + 3, type: .bigint),
                        .literal(.integer(countAbove), type: .bigint),
                    ], type: .boolean))
        }
        return QueryPlan(root: node)
    }
}

/// A group key, ordered as results are: column by column, NULL first.
struct OracleKey: Hashable, Comparable {
    enum Part: Hashable, Comparable {
        case null
        case integer(Int64)
        case text([UInt8])

        static func < (a: Part, b: Part) -> Bool {
            switch (a, b) {
            case (.null, .null): false
            case (.null, _): true
            case (.integer(let x), .integer(let y)): x < y
            case (.text(let x), .text(let y)): x.lexicographicallyPrecedes(y)
            default: false
            }
        }

        var text: String {
            switch self {
            case .null: "NULL"
            case .integer(let value): String(value)
            case .text(let bytes): "'" + String(decoding: bytes, as: UTF8.self) + "'"
            }
        }
    }
    var parts: [Part]

    init(_ reading: Reading, _ names: [String]) {
        parts = names.map { name in
            switch name {
            case "device": reading.device.map { .text(Array($0.utf8)) } ?? .null
            case "line": reading.line.map { .integer($0) } ?? .null
            default: .null
            }
        }
    }

    static func < (a: OracleKey, b: OracleKey) -> Bool {
        for (x, y) in zip(a.parts, b.parts) where x != y { return x < y }
        return false
    }
}

/// The oracle's run over all rows.
struct WindowOracle {
    let query: TestQuery
    private(set) var results: [String] = []
    private(set) var late: [String] = []
    private(set) var statistics = QueryStatistics()
    /// Windows by end, then groups.
    private var windows: [Int64: [OracleKey: [Reading]]] = [:]
    private var combined = Watermark.none
    private var clocks: [String?: Int64] = [:]

    init(_ query: TestQuery, _ readings: [Reading]) {
        self.query = query
        for reading in readings { take(reading) }
        let devices =
            query.isKeyed
            ? clocks.keys.sorted { ($0 ?? "", $0 != nil ? 1 : 0) < ($1 ?? "", $1 != nil ? 1 : 0) }
            : [nil]
        for device in devices { fire(through: Watermark.end, device) }
        statistics.emitted = UInt64(results.count)
    }

    private mutating func take(_ reading: Reading) {
        let before = query.isKeyed ? clocks[reading.device] ?? Watermark.none : combined
        let after = max(before, reading.time - query.delay)
        if query.isKeyed { clocks[reading.device] = after } else { combined = after }
        defer { fire(through: after, reading.device) }
        if let valueAbove = query.valueAbove, !((reading.value ?? -.infinity) > valueAbove) {
            statistics.filtered += 1
            return
        }
        var ends: [Int64] = []
        var end = query.offset + query.size
        end += (reading.time - end) / query.slide * query.slide - 2 * query.slide
        while end - query.size <= reading.time {
            if end > reading.time { ends.append(end) }
            end += query.slide
        }
        if ends.isEmpty {
            statistics.filtered += 1
            return
        }
        let inTime = ends.filter { $0 - 1 > before }
        if inTime.isEmpty {
            statistics.late += 1
            late += rendered(Reading.batch([reading]))
            return
        }
        statistics.used += 1
        let key = OracleKey(reading, query.keys)
        for end in inTime { windows[end, default: [:]][key, default: []].append(reading) }
    }

    private mutating func fire(through watermark: Int64, _ device: String?) {
        let mine =
            query.isKeyed
            ? OracleKey.Part?.some(device.map { .text(Array($0.utf8)) } ?? .null) : nil
        let position = query.keys.firstIndex(of: "device") ?? 0
        for end in windows.keys.filter({ $0 - 1 <= watermark }).sorted() {
            guard let groups = windows[end] else { continue }
            for key in groups.keys.sorted() where mine == nil || key.parts[position] == mine {
                emit(key, end, groups[key] ?? [])
                windows[end]?[key] = nil
            }
            if windows[end]?.isEmpty ?? false { windows[end] = nil }
        }
    }

    private mutating func emit(_ key: OracleKey, _ end: Int64, _ rows: [Reading]) {
        if let countAbove = query.countAbove, rows.count <= countAbove { return }
        let values = rows.compactMap(\.value)
        let smalls = rows.compactMap(\.small)
        let sum = smalls.reduce(0, &+)
        func text<Value>(_ value: Value?, _ render: (Value) -> String) -> String {
            value.map(render) ?? "NULL"
        }
        let flagged = rows.filter { $0.flag == true }
        let note = { (notes: [String], isMaximum: Bool) -> String in
            let sorted = notes.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
            return text(isMaximum ? sorted.last : sorted.first) { "'\($0)'" }
        }
        let total = values.isEmpty ? nil : values.reduce(-0.0, +)
        let flags = rows.compactMap(\.flag)
        results.append(
            (key.parts.map(\.text) + [
                String(end - query.size), String(end), String(end - 1), String(rows.count),
                String(values.count), text(total, rendered),
                text(values.isEmpty ? nil : values.reduce(0.0, +) / Double(values.count), rendered),
                text(values.min(), rendered), text(values.max(), rendered),
                smalls.isEmpty ? "NULL" : String(Int32(truncatingIfNeeded: sum)),
                smalls.isEmpty ? "NULL" : String(sum / Int64(smalls.count)),
                note(rows.compactMap(\.note), true), note(flagged.compactMap(\.note), false),
                String(flagged.count), flags.isEmpty ? "NULL" : String(flags.contains(true)),
                String(rows.map(\.time).min() ?? 0),
            ]).joined(separator: "|"))
    }
}
