// Timestamps to text, into bytes that the caller owns.
//
// Rows of a batch mostly lie in one day, so the formatter keeps the ten bytes of the last date and
// does the calendar arithmetic only when the day changes. Years 0001 … 9999 have four digits and a
// fixed length; any other year is written as ISO 8601's expanded form, a sign and six to nine
// digits, so that no Int64 is refused and texts outside the range can be told apart (and are
// refused when read back).

/// Writes timestamps; keep one per column or per writer.
public struct TimestampFormatter {
    /// Bytes that one timestamp can take at most.
    public static let lengthMax = 32

    private var cachedDay = Int.min
    /// `yyyy-MM-` and `dd` of the cached day, as they lie in memory.
    private var cachedYearMonth: UInt64 = 0
    private var cachedDayOfMonth: UInt16 = 0

    public init() {}

    /// Writes `yyyy-MM-ddTHH:mm:ss.SSSZ` and returns its length; room for `lengthMax` bytes.
    @inline(__always)
    public mutating func writeISO(
        _ milliseconds: Int64, to buffer: UnsafeMutablePointer<UInt8>
    ) -> Int {
        let length = write(milliseconds, to: buffer, separator: UInt8(ascii: "T"))
        buffer[length] = UInt8(ascii: "Z")
        return length + 1
    }

    /// Writes `yyyy-MM-dd HH:mm:ss.SSS`, as CAST to STRING wants it, and returns its length; room
    /// for `lengthMax` bytes.
    @inline(__always)
    public mutating func writeSQL(
        _ milliseconds: Int64, to buffer: UnsafeMutablePointer<UInt8>
    ) -> Int {
        write(milliseconds, to: buffer, separator: UInt8(ascii: " "))
    }

    /// Writes the `yyyy-MM-dd` of a day and returns its length; room for `lengthMax` bytes.
    public mutating func writeDate(_ day: Int64, to buffer: UnsafeMutablePointer<UInt8>) -> Int {
        let (midnight, overflow) = day.multipliedReportingOverflow(
            by: CivilCalendar.millisecondsPerDay)
        if overflow { return Self.writeExpandedDate(Int(day), to: buffer) }
        return writeSQL(midnight, to: buffer) - 13
    }

    /// `yyyy-MM-ddTHH:mm:ss.SSSZ` as a String; for messages and tests.
    public static func isoString(_ milliseconds: Int64) -> String {
        String(unsafeUninitializedCapacity: lengthMax) { bytes in
            guard let base = bytes.baseAddress else { return 0 }
            var formatter = TimestampFormatter()
            return formatter.writeISO(milliseconds, to: base)
        }
    }

    private mutating func write(
        _ milliseconds: Int64, to buffer: UnsafeMutablePointer<UInt8>, separator: UInt8
    ) -> Int {
        let day = CivilCalendar.day(ofMilliseconds: milliseconds)
        let timeOfDay = Int(milliseconds &- Int64(day) &* CivilCalendar.millisecondsPerDay)
        var at = 10
        if milliseconds >= CivilCalendar.textMillisecondsMin,
            milliseconds <= CivilCalendar.textMillisecondsMax
        {
            if day != cachedDay { cache(day) }
            let raw = UnsafeMutableRawPointer(buffer)
            raw.storeBytes(of: cachedYearMonth, as: UInt64.self)
            raw.storeBytes(of: cachedDayOfMonth, toByteOffset: 8, as: UInt16.self)
        } else {
            at = Self.writeExpandedDate(day, to: buffer)
        }
        let seconds = timeOfDay / 1000
        let minutes = seconds / 60
        buffer[at] = separator
        Self.writeTwo(minutes / 60, to: buffer + at + 1)
        buffer[at + 3] = UInt8(ascii: ":")
        Self.writeTwo(minutes % 60, to: buffer + at + 4)
        buffer[at + 6] = UInt8(ascii: ":")
        Self.writeTwo(seconds % 60, to: buffer + at + 7)
        buffer[at + 9] = UInt8(ascii: ".")
        let thousandths = timeOfDay % 1000
        buffer[at + 10] = UInt8(truncatingIfNeeded: 48 + thousandths / 100)
        Self.writeTwo(thousandths % 100, to: buffer + at + 11)
        return at + 13
    }

    private mutating func cache(_ day: Int) {
        let date = CivilCalendar.civilFromDays(day)
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 16) { bytes in
            guard let base = bytes.baseAddress else { return }
            Self.writeTwo(date.year / 100, to: base)
            Self.writeTwo(date.year % 100, to: base + 2)
            base[4] = UInt8(ascii: "-")
            Self.writeTwo(date.month, to: base + 5)
            base[7] = UInt8(ascii: "-")
            Self.writeTwo(date.day, to: base + 8)
            cachedYearMonth = UnsafeRawPointer(base).loadUnaligned(as: UInt64.self)
            cachedDayOfMonth = UnsafeRawPointer(base + 8).loadUnaligned(as: UInt16.self)
        }
        cachedDay = day
    }

    /// Writes a date with a sign and at least six digits of year; returns its length.
    private static func writeExpandedDate(
        _ day: Int, to buffer: UnsafeMutablePointer<UInt8>
    ) -> Int {
        let date = CivilCalendar.civilFromDays(day)
        buffer[0] = date.year < 0 ? UInt8(ascii: "-") : UInt8(ascii: "+")
        var digits = 6
        var rest = date.year.magnitude
        while digits < 9, rest >= 1_000_000 {
            digits += 1
            rest /= 10
        }
        rest = date.year.magnitude
        for place in stride(from: digits, to: 0, by: -1) {
            buffer[place] = UInt8(truncatingIfNeeded: 48 + rest % 10)
            rest /= 10
        }
        let at = digits + 1
        buffer[at] = UInt8(ascii: "-")
        writeTwo(date.month, to: buffer + at + 1)
        buffer[at + 3] = UInt8(ascii: "-")
        writeTwo(date.day, to: buffer + at + 4)
        return at + 6
    }

    @inline(__always)
    private static func writeTwo(_ value: Int, to buffer: UnsafeMutablePointer<UInt8>) {
        buffer[0] = UInt8(truncatingIfNeeded: 48 + value / 10)
        buffer[1] = UInt8(truncatingIfNeeded: 48 + value % 10)
    }
}
