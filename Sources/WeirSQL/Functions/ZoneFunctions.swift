// Event times as the clocks of a place show them, and back. No query writes these functions: where it has a
// `time_zone`, the binder puts them around what reads the day or the hour of a TIMESTAMP_LTZ
// (Binder/SessionZone.swift), so that all other functions know of one clock only.

import WeirCore

/// The functions between instants and wall-clock times; the zone is a constant, the last argument.
let zoneFunctions: [LibraryFunction] = [
    zoneFunction(
        "LOCAL TIME", from: .timestampLTZ, to: .timestamp,
        "What clocks show at an instant (put in by `time_zone`)."
    ) { $0.local($1) },
    zoneFunction(
        "INSTANT OF LOCAL TIME", from: .timestamp, to: .timestampLTZ,
        "The instant at which clocks show a time, the first of two (put in by `time_zone`)."
    ) { $0.instant(ofLocal: $1) },
    zoneFunction(
        "LOCAL SECONDS", from: .bigint, to: .bigint,
        "Seconds since the epoch, moved to what clocks show then (put in by `time_zone`)."
    ) { clock, seconds in
        guard seconds.magnitude < secondsMax else { return seconds }
        return CivilCalendar.floorDivide(clock.local(seconds * 1000), by: 1000)
    },
    zoneFunction(
        "SECONDS OF LOCAL TIME", from: .bigint, to: .bigint,
        "The way back from what clocks show (put in by `time_zone`)."
    ) { clock, seconds in
        guard seconds.magnitude < secondsMax else { return seconds }
        return CivilCalendar.floorDivide(clock.instant(ofLocal: seconds * 1000), by: 1000)
    },
    instantBeside,
]

/// Keeps a time that was moved within an hour in the hour that it was in, where that comes twice.
private let instantBeside = LibraryFunction(
    "INSTANT BESIDE", .time, [.exact(.timestamp), .exact(.timestampLTZ), .string], .fixed(.timestampLTZ),
    "An instant, moved as far as what clocks show then (put in by `time_zone`).",
    kernel: { arguments, type in
        let zone = arguments[2].constant?.text(0).string ?? "UTC"
        let clock = try? WallClock(zone: zone)
        return LibraryKernel([arguments[0], arguments[1]], type: type) { call in
            let (locals, instants) = (call.operands[0], call.operands[1])
            let result = Column.strict(call.type, [locals, instants], call.input.rowCount)
            let (from, beside, to) = (locals.column.ints, instants.column.ints, result.ints)
            for row in 0..<call.input.rowCount {
                let instant = beside[row * instants.step]
                to[row] = instant &+ from[row * locals.step] &- (clock?.local(instant) ?? instant)
            }
            result.clearNullSlots()
            return result
        }
    })

/// Beyond it a number of seconds is no time that has a calendar, and stays as it is.
private let secondsMax: UInt64 = 1 << 40

private func zoneFunction(
    _ name: String, from: DataType, to: DataType, _ note: String,
    _ compute: @escaping @Sendable (WallClock, Int64) -> Int64
) -> LibraryFunction {
    LibraryFunction(
        name, .time, [.exact(from), .string], .fixed(to), note,
        kernel: { arguments, type in
            let zone = arguments[1].constant?.text(0).string ?? "UTC"
            // The configuration has read the zone's file already.
            let clock = try? WallClock(zone: zone)
            return LibraryKernel([arguments[0]], type: type) { call in
                let values = call.operands[0]
                let result = Column.strict(call.type, [values], call.input.rowCount)
                mapRows(values.column.ints, values.step, result.ints, call.input.rowCount) { value in
                    if let clock { compute(clock, value) } else { value }
                }
                result.clearNullSlots()
                return result
            }
        })
}
