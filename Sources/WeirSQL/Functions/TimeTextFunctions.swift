// Times from texts and texts from times. They know of UTC only (a query's `time_zone` is put around them); a
// text that is no time gives NULL.

import WeirCore

/// Compiles a date pattern once as long as the same one comes.
private final class DatePatternCache {
    private var text: [UInt8]?
    private var compiled: DatePattern?

    func pattern(_ view: TextView) -> DatePattern? {
        if let text, text.count == view.count, text.elementsEqual(view) { return compiled }
        text = Array(view)
        compiled = DatePattern(view)
        return compiled
    }
}

/// Loads the rules of a zone once as long as the same one comes.
private final class ZoneCache {
    private var text: [UInt8]?
    private var rules: TimeZoneRules?

    /// Nil for a zone that the tz database does not have: Java takes it as UTC.
    func rules(_ view: TextView) -> TimeZoneRules? {
        if let text, text.count == view.count, text.elementsEqual(view) { return rules }
        text = Array(view)
        rules = try? TimeZoneRules(identifier: view.string)
        return rules
    }

    func utc(ofLocal moment: Int64, in zone: TextView) -> Int64 {
        rules(zone)?.utcMilliseconds(ofLocal: moment) ?? moment
    }

    func local(ofUTC moment: Int64, in zone: TextView) -> Int64 {
        moment + Int64(rules(zone)?.offsetSeconds(atUTC: moment) ?? 0) * 1000
    }
}

/// What is wrong with the constant pattern in the second place.
@Sendable
private func datePatternProblem(_ arguments: [BoundExpression]) -> String? {
    ScalarFunction.dateFormat.problem(withConstants: arguments)
}

/// The functions between texts and times.
let timeTextFunctions: [LibraryFunction] = [
    LibraryFunction(
        "TO_DATE(text[, pattern])", .time, [.string, .optional(.string)], .fixed(.date),
        "The day that a text names, by default as yyyy-MM-dd; NULL if it is none.",
        problem: datePatternProblem,
        kernel: { arguments, type in
            let cache = DatePatternCache()
            return LibraryKernel(arguments, type: type) { call in
                let texts = call.text(0)
                let patterns = call.text(ifGiven: 1)
                return call.buildInteger { row, value in
                    guard let patterns else {
                        guard let day = TemporalText.date(texts[row]) else { return .null }
                        value = day
                        return .value
                    }
                    guard let moment = cache.pattern(patterns[row])?.parse(texts[row]) else { return .null }
                    value = CivilCalendar.floorDivide(moment, by: CivilCalendar.millisecondsPerDay)
                    return .value
                }
            }
        }),
    LibraryFunction(
        "UNIX_TIMESTAMP(text[, pattern])", .time, [.string, .optional(.string)], .bigint,
        "Seconds since the epoch, by default of yyyy-MM-dd HH:mm:ss; the least BIGINT if it is no time. "
            + "Without an argument it is the machine's clock, and refused.",
        problem: datePatternProblem,
        kernel: { arguments, type in
            let cache = DatePatternCache()
            return LibraryKernel(arguments, type: type) { call in
                let texts = call.text(0)
                let patterns = call.text(ifGiven: 1)
                return call.buildInteger { row, value in
                    let moment = patterns.map { cache.pattern($0[row])?.parse(texts[row]) }
                        ?? TimestampCast.parse(texts[row])
                    value = moment.map { CivilCalendar.floorDivide($0, by: 1000) } ?? .min
                    return .value
                }
            }
        }),
    LibraryFunction(
        "FROM_UNIXTIME(seconds[, pattern])", .time, [.bigint, .optional(.string)], .string,
        "The time so many seconds after the epoch, by default as yyyy-MM-dd HH:mm:ss.",
        problem: datePatternProblem,
        kernel: { arguments, type in
            let cache = DatePatternCache()
            return LibraryKernel(arguments, type: type, canFail: true) { call in
                let seconds = call.integers(0)
                let patterns = call.text(ifGiven: 1)
                let plain = DatePattern("yyyy-MM-dd HH:mm:ss")
                return call.buildText { row, builder in
                    let (moment, overflow) = Int64(seconds[row]).multipliedReportingOverflow(by: 1000)
                    guard let pattern = patterns.map({ cache.pattern($0[row]) }) ?? plain, !overflow,
                        moment.magnitude < 1 << 50
                    else { return .failed }
                    builder.advance(pattern.write(moment, to: builder.room(pattern.lengthMax)))
                    return .value
                }
            }
        }),
    LibraryFunction(
        "CONVERT_TZ(text, from, to)", .time, [.string, .string, .string], .string,
        "A time of one zone in another, both as yyyy-MM-dd HH:mm:ss. A zone that is not in the tz database is UTC.",
        kernel: { arguments, type in
            let (sources, targets) = (ZoneCache(), ZoneCache())
            return LibraryKernel(arguments, type: type) { call in
                let (texts, from, to) = (call.text(0), call.text(1), call.text(2))
                let pattern = DatePattern("yyyy-MM-dd HH:mm:ss")
                return call.buildText { row, builder in
                    guard let pattern, let local = TimestampCast.parse(texts[row]) else { return .null }
                    let moment = sources.utc(ofLocal: local, in: from[row])
                    let moved = targets.local(ofUTC: moment, in: to[row])
                    builder.advance(pattern.write(moved, to: builder.room(pattern.lengthMax)))
                    return .value
                }
            }
        }),
    LibraryFunction(
        "TO_TIMESTAMP_LTZ IN ZONE", .time, [.string, .string, .string], .fixed(.timestampLTZ),
        "`TO_TIMESTAMP_LTZ(text, pattern, zone)`: the instant at which clocks in the zone show that time.",
        problem: datePatternProblem,
        kernel: { arguments, type in
            let (patterns, zones) = (DatePatternCache(), ZoneCache())
            return LibraryKernel(arguments, type: type) { call in
                let (texts, forms, names) = (call.text(0), call.text(1), call.text(2))
                return call.buildInteger { row, value in
                    guard let local = patterns.pattern(forms[row])?.parse(texts[row]),
                        zones.rules(names[row]) != nil
                    else { return .null }
                    value = zones.utc(ofLocal: local, in: names[row])
                    return .value
                }
            }
        }),
]

extension DatePattern {
    fileprivate init?(_ text: StaticString) {
        self.init(TextView(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }
}
