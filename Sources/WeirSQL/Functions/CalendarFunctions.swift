// Functions of the calendar: rounding to a unit, fields, differences, overlaps. Days and timestamps are
// both read as milliseconds, so each function is written once.

import WeirCore

/// Points in time as milliseconds, whether they are days, times of day or timestamps.
struct MomentRows {
    private let values: UnsafeMutablePointer<Int64>
    private let step: Int
    private let unit: Int64

    init(_ operand: Operand) {
        values = operand.column.ints
        step = operand.step
        unit = operand.column.type == .date ? CivilCalendar.millisecondsPerDay : 1
    }

    @inline(__always)
    subscript(row: Int) -> Int64 { values[row &* step] &* unit }
}

/// A unit of time that SQL rounds to and counts in.
enum CalendarUnit: String, CaseIterable, Sendable {
    case millisecond = "MILLISECOND"
    case second = "SECOND"
    case minute = "MINUTE"
    case hour = "HOUR"
    case day = "DAY"
    case week = "WEEK"
    case month = "MONTH"
    case quarter = "QUARTER"
    case year = "YEAR"
    case decade = "DECADE"
    case century = "CENTURY"
    case millennium = "MILLENNIUM"

    /// The unit called `word`, also in the plural or with SQL_TSI_ in front.
    init?(word: String) {
        let plain = word.hasPrefix("SQL_TSI_") ? String(word.dropFirst(8)) : word
        let unit = Self(rawValue: plain) ?? (plain.hasSuffix("S") ? Self(rawValue: String(plain.dropLast())) : nil)
        guard let unit else { return nil }
        self = unit
    }

    /// Its length in milliseconds, for those that have one.
    var milliseconds: Int64? {
        switch self {
        case .millisecond: 1
        case .second: 1000
        case .minute: 60_000
        case .hour: 3_600_000
        case .day: 86_400_000
        case .week: 604_800_000
        default: nil
        }
    }

    /// Its length in months, for those that have one.
    var months: Int64? {
        switch self {
        case .month: 1
        case .quarter: 3
        case .year: 12
        case .decade: 120
        case .century: 1200
        case .millennium: 12_000
        default: nil
        }
    }

    /// The start of the unit that a moment lies in; weeks begin on Sunday.
    func floor(_ moment: Int64) -> Int64 {
        if self != .week, let length = milliseconds {
            return moment &- CivilCalendar.floorModulo(moment, by: length)
        }
        let day = CivilCalendar.day(ofMilliseconds: moment)
        if self == .week {
            return Int64(day - CivilCalendar.dayOfWeek(ofDay: day)) &* CivilCalendar.millisecondsPerDay
        }
        let date = CivilCalendar.civilFromDays(day)
        var (year, month) = (date.year, 1)
        func since(_ first: Int, _ length: Int) -> Int {
            let part = (date.year - first) % length
            return date.year - (part < 0 ? part + length : part)
        }
        switch self {
        case .month: month = date.month
        case .quarter: month = (date.month - 1) / 3 * 3 + 1
        case .decade: year = since(0, 10)
        case .century: year = since(1, 100)
        case .millennium: year = since(1, 1000)
        default: break
        }
        let start = CivilCalendar.daysFromCivil(year: year, month: month, day: 1)
        return Int64(start) &* CivilCalendar.millisecondsPerDay
    }

    /// The moment itself if a unit begins there, else the start of the next unit. For weeks and longer
    /// units the moment's day counts, not its time, as in Flink.
    func ceiling(_ moment: Int64) -> Int64 {
        let isShort = self != .week && milliseconds != nil
        let moment = isShort ? moment : Self.day.floor(moment)
        let start = floor(moment)
        if start == moment { return moment }
        if let length = milliseconds { return start &+ length }
        let day = CivilCalendar.day(ofMilliseconds: start)
        return Int64(CivilCalendar.addMonths(Int(months ?? 1), toDay: day)) &* CivilCalendar.millisecondsPerDay
    }
}

/// FLOOR … TO, CEIL … TO, further fields of EXTRACT, TIMESTAMPDIFF and OVERLAPS.
let calendarFunctions: [LibraryFunction] =
    CalendarUnit.allCases.map { rounding($0, isCeiling: false) }
    + CalendarUnit.allCases.map { rounding($0, isCeiling: true) }
    + CalendarUnit.allCases.filter { $0 != .millisecond }.map(difference)
    + fieldFunctions + [
        LibraryFunction(
            "OVERLAPS", .time, [.temporal, .temporal, .temporal, .temporal], .boolean,
            "`(start, end) OVERLAPS (start, end)`: whether two periods have a moment in common, their ends "
                + "included. An end can be an interval, and the ends of a period can be swapped."
        ) { call in
            let moments = call.operands.map { MomentRows($0) }
            return call.buildBoolean { row, value in
                let (a, b, c, d) = (moments[0][row], moments[1][row], moments[2][row], moments[3][row])
                value = max(a, b) >= min(c, d) && max(c, d) >= min(a, b)
                return .value
            }
        }
    ]

private func rounding(_ unit: CalendarUnit, isCeiling: Bool) -> LibraryFunction {
    let name = isCeiling ? "CEIL" : "FLOOR"
    return LibraryFunction(
        "\(name) TO \(unit.rawValue)", .time, [.temporal], .first,
        "`\(name)(time TO \(unit.rawValue))`: the "
            + (isCeiling ? "first start of the unit that is not before" : "start of the unit of")
            + " the moment." + (unit == .week ? " Weeks begin on Sunday." : "")
    ) { call in
        let a = call.operands[0]
        let result = Column.strict(call.type, [a], call.input.rowCount)
        if call.type == .date {
            let day = CivilCalendar.millisecondsPerDay
            mapRows(a.column.ints, a.step, result.ints, call.input.rowCount) {
                (isCeiling ? unit.ceiling($0 &* day) : unit.floor($0 &* day)) / day
            }
        } else {
            mapRows(a.column.ints, a.step, result.ints, call.input.rowCount) {
                isCeiling ? unit.ceiling($0) : unit.floor($0)
            }
        }
        result.clearNullSlots()
        return result
    }
}

private func difference(_ unit: CalendarUnit) -> LibraryFunction {
    LibraryFunction(
        "TIMESTAMPDIFF \(unit.rawValue)", .time, [.temporal, .temporal], .int,
        "`TIMESTAMPDIFF(\(unit.rawValue), start, end)`: how many whole units lie between, toward zero."
    ) { call in
        let (starts, ends) = (MomentRows(call.operands[0]), MomentRows(call.operands[1]))
        return call.buildInteger { row, value in
            if let length = unit.milliseconds {
                value = wrapped32((ends[row] &- starts[row]) / length)
            } else {
                value = wrapped32(monthsBetween(starts[row], ends[row]) / (unit.months ?? 1))
            }
            return .value
        }
    }
}

/// The months from `start` to `end` as Calcite counts them: a month is complete when as many months added
/// to the day give the other day, whose end of the month counts for a longer one's.
private func monthsBetween(_ start: Int64, _ end: Int64) -> Int64 {
    let (first, last) = (CivilCalendar.day(ofMilliseconds: start), CivilCalendar.day(ofMilliseconds: end))
    var months = monthsBetween(days: first, last)
    if CivilCalendar.addMonths(months, toDay: first) == last,
        CivilCalendar.floorModulo(end, by: CivilCalendar.millisecondsPerDay)
            < CivilCalendar.floorModulo(start, by: CivilCalendar.millisecondsPerDay)
    {
        months -= 1
    }
    return Int64(months)
}

private func monthsBetween(days first: Int, _ last: Int) -> Int {
    if last < first { return -monthsBetween(days: last, first) }
    let (a, b) = (CivilCalendar.civilFromDays(first), CivilCalendar.civilFromDays(last))
    var months = max(0, (b.year - a.year) * 12 + b.month - a.month - 1)
    while CivilCalendar.addMonths(months, toDay: first) < last,
        CivilCalendar.addMonths(months + 1, toDay: first) <= last
    {
        months += 1
    }
    return months
}

// MARK: Fields

/// Fields that ExtractKernel does not have, and the fields of intervals.
private let fieldFunctions: [LibraryFunction] = [
    field("DECADE", "The year divided by ten.") { year($0).year / 10 },
    field("CENTURY", "2001 … 2100 are the 21st.") { since($0, 100) },
    field("MILLENNIUM", "2001 … 3000 are the 3rd.") { since($0, 1000) },
    field("ISODOW", "The day of the week from Monday, 1, to Sunday, 7.") {
        (CivilCalendar.dayOfWeek(ofDay: CivilCalendar.day(ofMilliseconds: $0)) + 6) % 7 + 1
    },
    field("ISOYEAR", "The year that the ISO 8601 week belongs to.") { moment in
        let day = CivilCalendar.day(ofMilliseconds: moment)
        let sinceMonday = (CivilCalendar.dayOfWeek(ofDay: day) + 6) % 7
        return CivilCalendar.civilFromDays(day - sinceMonday + 3).year
    },
    field("MICROSECOND", "Of the second's fraction.") {
        Int(CivilCalendar.floorModulo($0, by: 1000)) * 1000
    },
    field("NANOSECOND", "Of the second's fraction.") {
        Int(CivilCalendar.floorModulo($0, by: 1000)) * 1_000_000
    },
    intervalField("DAY", .interval) { $0 / 86_400_000 },
    intervalField("HOUR", .interval) { $0 % 86_400_000 / 3_600_000 },
    intervalField("MINUTE", .interval) { $0 % 3_600_000 / 60_000 },
    intervalField("SECOND", .interval) { $0 % 60_000 / 1000 },
    intervalField("MILLISECOND", .interval) { $0 % 60_000 },
    intervalField("EPOCH", .interval) { $0 / 1000 },
    intervalField("YEAR", .intervalYearMonth) { $0 / 12 },
    intervalField("QUARTER", .intervalYearMonth) { $0 % 12 / 3 + 1 },
    intervalField("MONTH", .intervalYearMonth) { $0 % 12 },
]

private func year(_ moment: Int64) -> CivilDate {
    CivilCalendar.civilFromDays(CivilCalendar.day(ofMilliseconds: moment))
}

/// The number of the span of `length` years, counted from the year 1.
private func since(_ moment: Int64, _ length: Int) -> Int {
    let year = year(moment).year
    return year > 0 ? (year + length - 1) / length : year / length - 1
}

private func field(
    _ name: String, _ note: String, _ compute: @escaping @Sendable (Int64) -> Int
) -> LibraryFunction {
    LibraryFunction(
        "EXTRACT \(name)", .time, [.temporal], .bigint, "`EXTRACT(\(name) FROM time)`: \(note)"
    ) { call in
        let moments = MomentRows(call.operands[0])
        return call.buildInteger { row, value in
            value = Int64(compute(moments[row]))
            return .value
        }
    }
}

private func intervalField(
    _ name: String, _ type: DataType, _ compute: @escaping @Sendable (Int64) -> Int64
) -> LibraryFunction {
    LibraryFunction(
        "EXTRACT INTERVAL \(name)", .time, [.exact(type)], .bigint,
        "`EXTRACT(\(name) FROM interval)`: that field of an interval."
    ) { call in
        let a = call.operands[0]
        let result = Column.strict(.bigint, [a], call.input.rowCount)
        mapRows(a.column.ints, a.step, result.ints, call.input.rowCount, compute)
        result.clearNullSlots()
        return result
    }
}
