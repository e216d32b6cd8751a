// The rows that the tests stream: readings of devices, made from a seed, out of order, with NULLs,
// stragglers and leaps in time.

import WeirCore

/// A small generator with a seed, so that a failing test fails again.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64
    init(seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 &+ 1 }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

/// One row of the test source.
struct Reading {
    var device: String?
    var line: Int64?
    var time: Int64
    var value: Double?
    var small: Int64?
    var flag: Bool?
    var note: String?

    static let schema = Schema([
        Field("device", .string), Field("line", .bigint), Field("ts", .timestampLTZ),
        Field("value", .double), Field("small", .int), Field("flag", .boolean),
        Field("note", .string),
    ])

    static func batch(_ readings: some Collection<Reading>) -> Batch {
        let columns = schema.fields.map { Column($0.type, capacity: readings.count) }
        for reading in readings {
            if let device = reading.device {
                columns[0].append(device)
            } else {
                columns[0].appendNull()
            }
            if let line = reading.line { columns[1].append(line) } else { columns[1].appendNull() }
            columns[2].append(reading.time)
            if let value = reading.value {
                columns[3].append(value)
            } else {
                columns[3].appendNull()
            }
            if let small = reading.small {
                columns[4].append(small)
            } else {
                columns[4].appendNull()
            }
            if let flag = reading.flag { columns[5].append(flag) } else { columns[5].appendNull() }
            if let note = reading.note { columns[6].append(note) } else { columns[6].appendNull() }
        }
        return Batch(schema: schema, columns: columns, rowCount: readings.count)
    }

    /// `count` readings. `isExact`: all sums of the values are exact, so an oracle may add in any
    /// order; else the values are such that every order gives other last bits.
    static func random(
        seed: UInt64, count: Int, devices: Int = 7, isExact: Bool = true
    ) -> [Reading] {
        var random = SeededGenerator(seed: seed)
        var clock: Int64 = 1_700_000_000_000
        return (0..<count).map { _ in
            clock += Int64.random(in: 0...400, using: &random)
            if Int.random(in: 0..<100, using: &random) == 0 {
                clock += Int64.random(in: 0...40_000, using: &random)
            }
            var time = clock - Int64.random(in: 0...3000, using: &random)
            if Int.random(in: 0..<20, using: &random) == 0 {
                time -= Int64.random(in: 0...60_000, using: &random)
            }
            let value =
                isExact
                ? Double(Int.random(in: -400...400, using: &random)) / 4
                : Double.random(in: -1...1, using: &random) * 1e10
                    / Double(Int.random(in: 1...100_000, using: &random))
            func orNull<Value>(_ value: Value) -> Value? {
                Int.random(in: 0..<12, using: &random) == 0 ? nil : value
            }
            let device = Int.random(in: 0..<devices, using: &random)
            return Reading(
                device: orNull(device % 5 == 3 ? "d\u{0}\(device)" : "dev-\(device)"),
                line: orNull(Int64.random(in: -2...2, using: &random)), time: time,
                value: orNull(value),
                small: orNull(Int64.random(in: 0...Int64(Int32.max), using: &random)),
                flag: orNull(Bool.random(using: &random)),
                note: orNull(["", "a", "ä", "zzz"].randomElement(using: &random) ?? ""))
        }
    }
}

/// A batch's rows as texts that differ when a bit differs.
func rendered(_ batch: Batch) -> [String] {
    (0..<batch.rowCount).map { row in
        batch.columns.map { rendered($0, row) }.joined(separator: "|")
    }
}

func rendered(_ column: Column, _ row: Int) -> String {
    if column.isNull(row) { return "NULL" }
    switch column.physical {
    case .bool: return column.bools[row] == 0 ? "false" : "true"
    case .int64: return String(column.ints[row])
    case .int128: return "\(column.wides[row])"
    case .row: return "(" + column.fields.map { rendered($0, row) }.joined(separator: ",") + ")"
    case .double: return rendered(column.doubles[row])
    case .string: return "'" + column.string(row) + "'"
    case .array:
        guard let child = column.child else { return "?" }
        let range = Int(column.offsets[row])..<Int(column.offsets[row + 1])
        return "[" + range.map { rendered(child, $0) }.joined(separator: ",") + "]"
    }
}

func rendered(_ value: Double) -> String { "\(value)/\(String(value.bitPattern, radix: 16))" }
