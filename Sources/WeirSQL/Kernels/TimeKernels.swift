// Functions of timestamps: EXTRACT, FLOOR … TO, DATE_FORMAT, TO_TIMESTAMP and TO_TIMESTAMP_LTZ. All
// of them are in UTC (a query's `time_zone` is put around them).
//
// Fields and floors are those of the calendar also before 1970, where Flink cuts toward zero and
// gives negative hours. Two things are as in Flink and worth knowing: the week of EXTRACT begins on
// Monday (ISO 8601), that of FLOOR on Sunday; and TO_TIMESTAMP gives NULL for text that is no
// timestamp, which is not an error.

import WeirCore

/// EXTRACT(part FROM timestamp): BIGINT.
final class ExtractKernel: Kernel {
    private let part: ScalarFunction
    private let argument: Kernel

    init(_ part: ScalarFunction, _ argument: Kernel) {
        self.part = part
        self.argument = argument
        super.init(type: .bigint, canFail: argument.canFail)
    }

    override func evaluate(_ input: KernelInput) -> Column {
        let a = argument.operand(input)
        let result = Column.strict(.bigint, [a], input.rowCount)
        let (from, to, rows) = (a.column.ints, result.ints, input.rowCount)
        switch part {
        case .extractEpoch: mapRows(from, a.step, to, rows) { $0 / 1000 }
        case .extractMillisecond: mapRows(from, a.step, to, rows) { remainder($0, 1000) }
        case .extractSecond: mapRows(from, a.step, to, rows) { remainder($0, 60_000) / 1000 }
        case .extractMinute: mapRows(from, a.step, to, rows) { remainder($0, 3_600_000) / 60_000 }
        case .extractHour: mapRows(from, a.step, to, rows) { remainder($0, 86_400_000) / 3_600_000 }
        default:
            let part = part
            mapRows(from, a.step, to, rows) { Int64(dateField(part, $0)) }
        }
        result.clearNullSlots()
        return result
    }
}

@inline(__always)
private func remainder(_ value: Int64, _ divisor: Int64) -> Int64 {
    CivilCalendar.floorModulo(value, by: divisor)
}

/// The part of a date that `part` asks for.
private func dateField(_ part: ScalarFunction, _ milliseconds: Int64) -> Int {
    let day = CivilCalendar.day(ofMilliseconds: milliseconds)
    if part == .extractDayOfWeek { return CivilCalendar.dayOfWeek(ofDay: day) + 1 }
    if part == .extractWeek { return isoWeek(day) }
    let date = CivilCalendar.civilFromDays(day)
    switch part {
    case .extractYear: return date.year
    case .extractQuarter: return (date.month + 2) / 3
    case .extractMonth: return date.month
    case .extractDay: return date.day
    case .extractDayOfYear:
        return day - CivilCalendar.daysFromCivil(year: date.year, month: 1, day: 1) + 1
    default: preconditionFailure("\(part) is no part of a date")
    }
}

/// The ISO 8601 week: weeks begin on Monday and belong to the year that their Thursday lies in.
private func isoWeek(_ day: Int) -> Int {
    let daysSinceMonday = (CivilCalendar.dayOfWeek(ofDay: day) + 6) % 7
    let thursday = day - daysSinceMonday + 3
    let year = CivilCalendar.civilFromDays(thursday).year
    return (thursday - CivilCalendar.daysFromCivil(year: year, month: 1, day: 1)) / 7 + 1
}

/// FLOOR(timestamp TO unit).
final class FloorTimeKernel: Kernel {
    private let unit: ScalarFunction
    private let argument: Kernel

    init(_ unit: ScalarFunction, _ argument: Kernel) {
        self.unit = unit
        self.argument = argument
        super.init(type: argument.type, canFail: argument.canFail)
    }

    override func evaluate(_ input: KernelInput) -> Column {
        let a = argument.operand(input)
        let result = Column.strict(type, [a], input.rowCount)
        let (from, to, rows) = (a.column.ints, result.ints, input.rowCount)
        switch unit {
        case .floorTimeSecond: mapRows(from, a.step, to, rows) { $0 &- remainder($0, 1000) }
        case .floorTimeMinute: mapRows(from, a.step, to, rows) { $0 &- remainder($0, 60_000) }
        case .floorTimeHour: mapRows(from, a.step, to, rows) { $0 &- remainder($0, 3_600_000) }
        case .floorTimeDay: mapRows(from, a.step, to, rows) { $0 &- remainder($0, 86_400_000) }
        default:
            let unit = unit
            mapRows(from, a.step, to, rows) {
                Int64(floorDay(unit, $0)) &* CivilCalendar.millisecondsPerDay
            }
        }
        result.clearNullSlots()
        return result
    }
}

/// The first day of the week, month, quarter or year.
private func floorDay(_ unit: ScalarFunction, _ milliseconds: Int64) -> Int {
    let day = CivilCalendar.day(ofMilliseconds: milliseconds)
    if unit == .floorTimeWeek { return day - CivilCalendar.dayOfWeek(ofDay: day) }
    let date = CivilCalendar.civilFromDays(day)
    let month =
        switch unit {
        case .floorTimeMonth: date.month
        case .floorTimeQuarter: (date.month - 1) / 3 * 3 + 1
        case .floorTimeYear: 1
        default: preconditionFailure("\(unit) is no unit")
        }
    return CivilCalendar.daysFromCivil(year: date.year, month: month, day: 1)
}

/// DATE_FORMAT(timestamp, pattern).
final class DateFormatKernel: Kernel {
    private let argument: Kernel
    private let pattern: Kernel
    private let compiled: DatePattern?

    init(_ argument: Kernel, pattern: Kernel) {
        self.argument = argument
        self.pattern = pattern
        compiled = constantDatePattern(pattern)
        super.init(
            type: .string, canFail: compiled == nil || argument.canFail || pattern.canFail)
    }

    override func evaluate(_ input: KernelInput) -> Column {
        let a = argument.operand(input)
        let values = a.column.ints
        let step = a.step
        guard let compiled else {
            let patterns = pattern.operand(input)
            let patternRows = TextRows(patterns)
            return buildTexts([a, patterns], input) { row, text in
                guard let pattern = DatePattern(patternRows[row]) else { return .failed }
                let room = text.room(pattern.lengthMax)
                text.advance(pattern.write(values[row &* step], to: room))
                return .value
            }
        }
        // Neighbouring rows mostly have the same day or minute, and then the same text.
        let resolution = compiled.resolutionMilliseconds
        var lastUnit = Int64.min
        return withUnsafeTemporaryAllocation(of: UInt8.self, capacity: compiled.lengthMax) { last in
            guard let lastText = last.baseAddress else { preconditionFailure("no stack") }
            var lastLength = 0
            return buildTexts([a], input) { row, text in
                let value = values[row &* step]
                let unit = CivilCalendar.floorDivide(value, by: resolution)
                if unit != lastUnit || lastLength == 0 {
                    lastLength = compiled.write(value, to: lastText)
                    lastUnit = unit
                }
                text.append(UnsafeBufferPointer(start: lastText, count: lastLength))
                return .value
            }
        }
    }
}

/// TO_TIMESTAMP(text [, pattern]), and TO_TIMESTAMP_LTZ of text.
final class ParseTimestampKernel: Kernel {
    private let argument: Kernel
    private let pattern: Kernel?
    private let compiled: DatePattern?

    init(_ argument: Kernel, pattern: Kernel?, type: DataType) {
        self.argument = argument
        self.pattern = pattern
        compiled = pattern.flatMap(constantDatePattern)
        let isOpen = pattern != nil && compiled == nil
        super.init(type: type, canFail: isOpen || argument.canFail || pattern?.canFail == true)
    }

    override func evaluate(_ input: KernelInput) -> Column {
        let a = argument.operand(input)
        let texts = TextRows(a)
        if let compiled {
            return buildIntegers(type, [a], input) { row, value in
                parse(texts[row], compiled, &value)
            }
        }
        guard let pattern else {
            return buildIntegers(type, [a], input) { row, value in
                guard let parsed = TimestampCast.parse(texts[row]) else { return .null }
                value = parsed
                return .value
            }
        }
        let patterns = pattern.operand(input)
        let patternRows = TextRows(patterns)
        return buildIntegers(type, [a, patterns], input) { row, value in
            guard let compiled = DatePattern(patternRows[row]) else { return .failed }
            return parse(texts[row], compiled, &value)
        }
    }

    /// By the pattern, or else in the default form, as Flink falls back.
    private func parse(
        _ text: UnsafeBufferPointer<UInt8>, _ pattern: DatePattern, _ value: inout Int64
    ) -> RowOutcome {
        guard let parsed = pattern.parse(text) ?? TimestampCast.parse(text.withoutBlanks)
        else { return .null }
        value = parsed
        return .value
    }
}

/// TO_TIMESTAMP_LTZ(number, precision): seconds or milliseconds since the epoch; NULL outside of
/// the years 0000 … 9999.
final class EpochTimestampKernel: Kernel {
    private let argument: Kernel
    private let precision: Kernel

    private static let millisecondsMin: Int64 = -62_167_219_200_000
    private static let millisecondsMax = CivilCalendar.textMillisecondsMax

    init(_ argument: Kernel, precision: Kernel) {
        self.argument = argument
        self.precision = precision
        let isKnown = precision.constant.map { !$0.isNull(0) && [0, 3].contains($0.ints[0]) } ?? false
        super.init(
            type: .timestampLTZ, canFail: !isKnown || argument.canFail || precision.canFail)
    }

    override func evaluate(_ input: KernelInput) -> Column {
        let a = argument.operand(input)
        let p = precision.operand(input)
        let precisions = IntegerRows(p)
        let column = a.column
        let isDouble = argument.type == .double
        return buildIntegers(.timestampLTZ, [a, p], input) { row, value in
            let unit: Int64
            switch precisions[row] {
            case 0: unit = 1000
            case 3: unit = 1
            default: return .failed
            }
            let source = row &* a.step
            if isDouble {
                let scaled = column.doubles[source] * Double(unit)
                guard scaled >= Double(Self.millisecondsMin), scaled <= Double(Self.millisecondsMax)
                else { return .null }
                value = Int64(scaled)
            } else {
                let (scaled, overflow) = column.ints[source].multipliedReportingOverflow(by: unit)
                guard !overflow, scaled >= Self.millisecondsMin, scaled <= Self.millisecondsMax
                else { return .null }
                value = scaled
            }
            return .value
        }
    }
}

/// The compiled pattern of a constant that is one.
private func constantDatePattern(_ kernel: Kernel) -> DatePattern? {
    guard let text = kernel.constant, !text.isNull(0) else { return nil }
    return DatePattern(text.text(0))
}
