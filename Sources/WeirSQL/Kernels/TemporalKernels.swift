// Days, times of day and timestamps: casts among them, and adding intervals. All of it is arithmetic on
// whole numbers. As in Flink, months are added by the calendar (31 January + 1 month is the last day of
// February), a day takes whole days of an interval only, and a time of day goes round the clock.

import WeirCore

/// Casts among DATE, TIME, TIMESTAMP and TIMESTAMP_LTZ that change the value.
final class TemporalCastKernel: UnaryKernel {
    override func evaluate(_ input: KernelInput) -> Column {
        let a = argument.operand(input)
        let result = Column.strict(type, [a], input.rowCount)
        let (from, to, rows) = (a.column.ints, result.ints, input.rowCount)
        let day = CivilCalendar.millisecondsPerDay
        switch (argument.type, type) {
        case (.date, _): mapRows(from, a.step, to, rows) { $0 &* day }
        case (_, .date): mapRows(from, a.step, to, rows) { CivilCalendar.floorDivide($0, by: day) }
        case (_, .time): mapRows(from, a.step, to, rows) { CivilCalendar.floorModulo($0, by: day) }
        default: mapRows(from, a.step, to, rows) { $0 }
        }
        result.clearNullSlots()
        return result
    }
}

/// A day, a time of day or a timestamp plus or minus an interval.
final class TemporalArithmeticKernel: Kernel {
    private let moment: Kernel
    private let interval: Kernel
    private let sign: Int64

    init(_ moment: Kernel, _ interval: Kernel, isSubtraction: Bool) {
        self.moment = moment
        self.interval = interval
        sign = isSubtraction ? -1 : 1
        super.init(type: moment.type, canFail: moment.canFail || interval.canFail)
    }

    override func evaluate(_ input: KernelInput) -> Column {
        let a = moment.operand(input)
        let b = interval.operand(input)
        let result = Column.strict(type, [a, b], input.rowCount)
        let (x, y, out, rows) = (a.column.ints, b.column.ints, result.ints, input.rowCount)
        let (day, sign) = (CivilCalendar.millisecondsPerDay, sign)
        switch (type, interval.type) {
        case (.date, .interval): zipRows(x, a.step, y, b.step, out, rows) { $0 &+ sign &* ($1 / day) }
        case (.date, _):
            zipRows(x, a.step, y, b.step, out, rows) {
                Int64(CivilCalendar.addMonths(Int(sign &* $1), toDay: Int($0)))
            }
        case (.time, .interval):
            zipRows(x, a.step, y, b.step, out, rows) {
                CivilCalendar.floorModulo($0 &+ sign &* $1, by: day)
            }
        case (.time, _): mapRows(x, a.step, out, rows) { $0 }
        case (_, .interval): zipRows(x, a.step, y, b.step, out, rows) { $0 &+ sign &* $1 }
        default:
            zipRows(x, a.step, y, b.step, out, rows) { moment, months in
                let date = CivilCalendar.day(ofMilliseconds: moment)
                let moved = CivilCalendar.addMonths(Int(sign &* months), toDay: date)
                return Int64(moved) &* day &+ CivilCalendar.floorModulo(moment, by: day)
            }
        }
        result.clearNullSlots()
        return result
    }
}

/// Reading days and times of day from text, as Flink's CAST does.
enum TemporalText {
    /// `y[-M[-d]]`, and a blank and anything behind it; days since 1970-01-01, nil if it is no day.
    static func date(_ text: UnsafeBufferPointer<UInt8>) -> Int64? {
        var scanner = DigitScanner(text: text.firstWord)
        guard let year = scanner.number(digits: 1...4) else { return nil }
        var month = 1
        var day = 1
        if scanner.take(UInt8(ascii: "-")) {
            guard let number = scanner.number(digits: 1...9) else { return nil }
            month = number
            if scanner.take(UInt8(ascii: "-")) {
                guard let number = scanner.number(digits: 1...9) else { return nil }
                day = number
            }
        }
        guard scanner.isAtEnd, (1...12).contains(month), day >= 1,
            day <= CivilCalendar.daysInMonth(year: year, month: month)
        else { return nil }
        return Int64(CivilCalendar.daysFromCivil(year: year, month: month, day: day))
    }

    /// `H[:m[:s[.f]]]`; milliseconds since midnight, nil if it is no time of day.
    static func time(_ text: UnsafeBufferPointer<UInt8>) -> Int64? {
        var scanner = DigitScanner(text: text.withoutBlanks)
        guard let hour = scanner.number(digits: 1...2), hour < 24 else { return nil }
        var seconds = hour * 3600
        var fraction: Int64 = 0
        if scanner.take(UInt8(ascii: ":")) {
            guard let minute = scanner.number(digits: 1...2), minute < 60 else { return nil }
            seconds += minute * 60
            if scanner.take(UInt8(ascii: ":")) {
                guard let second = scanner.number(digits: 1...2), second < 60 else { return nil }
                seconds += second
                if scanner.take(UInt8(ascii: ".")) {
                    guard let read = scanner.milliseconds(digits: 0...9) else { return nil }
                    fraction = read
                }
            }
        }
        return scanner.isAtEnd ? Int64(seconds) * 1000 + fraction : nil
    }

    /// Writes `HH:mm:ss` and, where there are any, the milliseconds without zeros at their end.
    static func writeTime(_ value: Int64, to buffer: UnsafeMutablePointer<UInt8>) -> Int {
        let seconds = Int(value / 1000)
        var at = 0
        for part in [seconds / 3600, seconds / 60 % 60, seconds % 60] {
            buffer[at] = UInt8(truncatingIfNeeded: 48 + part / 10)
            buffer[at + 1] = UInt8(truncatingIfNeeded: 48 + part % 10)
            buffer[at + 2] = UInt8(ascii: ":")
            at += 3
        }
        var rest = Int(value % 1000)
        if rest == 0 { return at - 1 }
        buffer[at - 1] = UInt8(ascii: ".")
        while rest > 0 {
            buffer[at] = UInt8(truncatingIfNeeded: 48 + rest / 100)
            rest = rest % 100 * 10
            at += 1
        }
        return at
    }

    /// Writes months as `+1-02`.
    static func writeMonths(_ value: Int64, to buffer: UnsafeMutablePointer<UInt8>) -> Int {
        buffer[0] = value < 0 ? UInt8(ascii: "-") : UInt8(ascii: "+")
        let months = Int64(clamping: value.magnitude)
        let at = 1 + NumberText.write(months / 12, to: buffer + 1)
        buffer[at] = UInt8(ascii: "-")
        buffer[at + 1] = UInt8(truncatingIfNeeded: 48 + months % 12 / 10)
        buffer[at + 2] = UInt8(truncatingIfNeeded: 48 + months % 12 % 10)
        return at + 3
    }
}

extension UnsafeBufferPointer where Element == UInt8 {
    /// What stands before the first blank behind a letter, blanks around it left out.
    fileprivate var firstWord: UnsafeBufferPointer<UInt8> {
        guard let blank = firstIndex(of: 0x20), blank > 0 else { return withoutBlanks }
        return part(0..<blank).withoutBlanks
    }
}
