// Months, days, quarters and eras in English, and the weeks of the United States (they begin on Sunday, and
// the first one has 1 January in it), as Flink's date patterns have them: there the locale is en-US.

import WeirCore

/// Names in dates. A width of 4 letters is the full name, of 5 its first letter, of fewer the short one.
enum DateNames {
    private static let months: [(StaticString, StaticString, StaticString)] = [
        ("Jan", "January", "J"), ("Feb", "February", "F"), ("Mar", "March", "M"), ("Apr", "April", "A"),
        ("May", "May", "M"), ("Jun", "June", "J"), ("Jul", "July", "J"), ("Aug", "August", "A"),
        ("Sep", "September", "S"), ("Oct", "October", "O"), ("Nov", "November", "N"),
        ("Dec", "December", "D"),
    ]
    private static let weekdays: [(StaticString, StaticString, StaticString)] = [
        ("Sun", "Sunday", "S"), ("Mon", "Monday", "M"), ("Tue", "Tuesday", "T"),
        ("Wed", "Wednesday", "W"), ("Thu", "Thursday", "T"), ("Fri", "Friday", "F"),
        ("Sat", "Saturday", "S"),
    ]
    private static let quarters: [(StaticString, StaticString, StaticString)] = [
        ("Q1", "1st quarter", "1"), ("Q2", "2nd quarter", "2"), ("Q3", "3rd quarter", "3"),
        ("Q4", "4th quarter", "4"),
    ]

    private static func styled(
        _ names: (StaticString, StaticString, StaticString), _ width: Int
    ) -> StaticString {
        width == 4 ? names.1 : width == 5 ? names.2 : names.0
    }

    /// A month from 1 to 12.
    static func month(_ number: Int, _ width: Int) -> StaticString { styled(months[number - 1], width) }

    /// A day of the week from 0, Sunday, to 6.
    static func weekday(_ number: Int, _ width: Int) -> StaticString { styled(weekdays[number], width) }

    /// A quarter from 1 to 4.
    static func quarter(_ number: Int, _ width: Int) -> StaticString {
        styled(quarters[number - 1], width)
    }

    /// The era of a year; 0 is 1 BC.
    static func era(_ year: Int, _ width: Int) -> StaticString {
        if year > 0 { return width == 4 ? "Anno Domini" : "AD" }
        return width == 4 ? "Before Christ" : "BC"
    }
}

/// The week of a day.
struct CivilWeek {
    /// From 0, Sunday, to 6.
    let weekday: Int
    /// The year that the week belongs to, and its number there, from 1.
    let year: Int
    let number: Int

    /// The week of a day, counted from 1970-01-01, a Thursday.
    init(day: Int) {
        weekday = ((day + 4) % 7 + 7) % 7
        // A week belongs to the year of its Saturday: where that is in January, so is 1 January.
        let saturday = day - weekday + 6
        year = CivilCalendar.civilFromDays(saturday).year
        let newYear = CivilCalendar.daysFromCivil(year: year, month: 1, day: 1)
        number = (saturday - newYear) / 7 + 1
    }
}

extension DigitScanner {
    /// Takes the longest of `count` names that is next and returns its number; nil if none is.
    mutating func name(among count: Int, _ name: (Int) -> StaticString) -> Int? {
        var found: (number: Int, length: Int)?
        for number in 0..<count {
            let name = name(number)
            let length = name.utf8CodeUnitCount
            if length > found?.length ?? 0, isNext(UnsafeBufferPointer(start: name.utf8Start, count: length)) {
                found = (number, length)
            }
        }
        guard let found else { return nil }
        skip(found.length)
        return found.number
    }
}
