// The time zone of a query, which its text does not name: windows over TIMESTAMP_LTZ follow the clocks of
// that place, and so does whatever reads the day or the hour of a TIMESTAMP_LTZ, as Flink does it with
// `table.local-time-zone`. This comes when the plan is whole; kernels and binder know UTC only.
//
// What stays on UTC, in Flink too: differences and sums of times and intervals, TO_TIMESTAMP_LTZ of text,
// and what is written as an element of an array.

import WeirCore

/// What a configuration says of a query beside its text.
public struct QuerySettings: Hashable, Sendable {
    /// The IANA name of the zone whose clocks the query goes by.
    public var timeZone: String
    /// How long after its end a window still takes late rows and is corrected, ms; nil for not at all.
    public var allowedLatenessMilliseconds: Int64?

    /// How far apart, in ms of event time, rows may lie that a join without a condition on time brings
    /// together; nil where such joins are refused.
    public var stateTTLMilliseconds: Int64?

    public init(
        timeZone: String = "UTC", allowedLatenessMilliseconds: Int64? = nil,
        stateTTLMilliseconds: Int64? = nil
    ) {
        self.timeZone = timeZone
        self.allowedLatenessMilliseconds = allowedLatenessMilliseconds
        self.stateTTLMilliseconds = stateTTLMilliseconds
    }
}

extension LogicalPlan {
    /// The plan on the clocks of `zone`.
    func inTimeZone(_ zone: String) -> LogicalPlan {
        let session = SessionZone(zone)
        return mapping(
            windows: { window, schema in
                var window = window
                if zone != "UTC", window.timeType(over: schema) == .timestampLTZ { window.zone = zone }
                return window
            }, expressions: session.applied)
    }
}

extension LogicalPlan {
    /// Why the plan holds on UTC only, if it does: it takes what clocks show for an instant.
    var zoneRefusal: Diagnostic? {
        let start = TextPosition(line: 1, column: 1)
        for input in inputs {
            if let refusal = input.zoneRefusal { return refusal }
        }
        guard case .ordered(let stage, let inputs, _) = self else { return nil }
        if case .join(let join) = stage, join.comparesClocks {
            return Diagnostic(
                start,
                "a join here is bounded by window_end, or by an event time that is CAST; with a time_zone other "
                    + "than UTC write it over window_time or the event time itself")
        }
        for (input, column) in zip(inputs, stage.timeColumns)
        where input.schema[column].type == .timestamp && input.hasInstants {
            return Diagnostic(
                start,
                "rows in windows are put in order here, whose window_time is not known any more; with a "
                    + "time_zone other than UTC pass window_time on beside window_end")
        }
        return nil
    }

    /// Whether the event time of a source below is a TIMESTAMP_LTZ.
    private var hasInstants: Bool {
        contains { node in
            guard case .scan(_, let schema, let column?) = node else { return false }
            return schema[column].type == .timestampLTZ
        }
    }
}

/// Puts expressions on the clocks of a zone.
struct SessionZone {
    private let name: String
    private let clock: WallClock?

    init(_ name: String) {
        self.name = name
        clock = name == "UTC" ? nil : try? WallClock(zone: name)
    }

    func applied(to expression: BoundExpression) -> BoundExpression {
        expression.replacing { part in
            switch part {
            case .cast(.literal(.integer(let time), .timestamp), .timestampLTZ, _):
                return .literal(
                    .integer(clock?.instant(ofLocal: time) ?? time), type: .timestampLTZ)
            case .cast(let value, let type, let isTry) where clock != nil:
                return cast(value, to: type, isTry: isTry)
            case .call(let function, let arguments, let type) where clock != nil:
                return call(function, arguments, type)
            default: return nil
            }
        }
    }

    private func cast(_ value: BoundExpression, to type: DataType, isTry: Bool) -> BoundExpression? {
        if value.type == .timestampLTZ, type.isScalar {
            let local = local(applied(to: value))
            return type == .timestamp ? local : .cast(local, to: type, isTry: isTry)
        }
        guard type == .timestampLTZ, value.type.isScalar else { return nil }
        let inner = applied(to: value)
        return instant(
            inner.type == .timestamp ? inner : .cast(inner, to: .timestamp, isTry: isTry))
    }

    private func call(
        _ function: ScalarFunction, _ arguments: [BoundExpression], _ type: DataType
    ) -> BoundExpression? {
        if case .named("FROM_UNIXTIME") = function {
            let rest = arguments.dropFirst().map(applied)
            let seconds = zoned("LOCAL SECONDS", applied(to: arguments[0]), .bigint)
            return .call(function, arguments: [seconds] + rest, type: type)
        }
        if case .named("UNIX_TIMESTAMP") = function {
            return zoned(
                "SECONDS OF LOCAL TIME",
                .call(function, arguments: arguments.map(applied), type: type), .bigint)
        }
        guard function.readsCalendar, arguments.first?.type == .timestampLTZ else { return nil }
        let original = applied(to: arguments[0])
        let moved = [local(original)] + arguments.dropFirst().map(applied)
        guard type == .timestampLTZ else { return .call(function, arguments: moved, type: type) }
        let rounded = BoundExpression.call(function, arguments: moved, type: .timestamp)
        guard function.staysInItsHour else { return instant(rounded) }
        return .call(
            .named("INSTANT BESIDE"),
            arguments: [rounded, original, .literal(.string(name), type: .string)], type: .timestampLTZ)
    }

    private func local(_ instant: BoundExpression) -> BoundExpression {
        zoned("LOCAL TIME", instant, .timestamp)
    }

    private func instant(_ local: BoundExpression) -> BoundExpression {
        zoned("INSTANT OF LOCAL TIME", local, .timestampLTZ)
    }

    private func zoned(
        _ function: String, _ value: BoundExpression, _ type: DataType
    ) -> BoundExpression {
        .call(
            .named(function), arguments: [value, .literal(.string(name), type: .string)], type: type)
    }
}

extension ScalarFunction {
    /// Whether it rounds to an hour or less, on the clocks by which the time is read.
    fileprivate var staysInItsHour: Bool {
        switch self {
        case .floorTimeSecond, .floorTimeMinute, .floorTimeHour: true
        case .named(let name): ["SECOND", "MINUTE", "HOUR"].contains { name.hasSuffix(" TO \($0)") }
        default: false
        }
    }

    /// Whether it reads fields of a calendar off its first argument.
    fileprivate var readsCalendar: Bool {
        switch self {
        // Flink counts EXTRACT(EPOCH …) by the clocks of the zone, too.
        case .extractEpoch, .extractYear, .extractMonth, .extractDay, .extractHour, .extractMinute, .extractSecond,
            .extractDayOfWeek, .extractDayOfYear, .extractQuarter, .extractWeek, .floorTimeSecond,
            .floorTimeMinute, .floorTimeHour, .floorTimeDay, .floorTimeWeek, .floorTimeMonth,
            .floorTimeQuarter, .floorTimeYear, .dateFormat:
            true
        case .named(let name):
            name.hasPrefix("FLOOR TO ") || name.hasPrefix("CEIL TO ")
                || (name.hasPrefix("EXTRACT ") && !name.hasPrefix("EXTRACT INTERVAL "))
        default: false
        }
    }
}
