// SQL names of the scalar functions, with the form that messages show. What types a function takes is
// the kernels' business (Kernels/Signatures.swift); here is only how it is called in Flink SQL.

import WeirCore

/// A scalar function under one of its SQL names.
struct NamedFunction: Sendable {
    let function: ScalarFunction
    /// `UPPER(text)`.
    let form: String

    init(_ function: ScalarFunction, _ form: String) {
        self.function = function
        self.form = form
    }

    /// Functions whose arguments are the kernel's, in order.
    static let byName: [String: NamedFunction] = {
        let functions: [NamedFunction] = [
            .init(.coalesce, "COALESCE(value, …)"), .init(.coalesce, "IFNULL(value, other)"),
            .init(.nullif, "NULLIF(value, other)"), .init(.greatest, "GREATEST(value, …)"),
            .init(.least, "LEAST(value, …)"),
            .init(.abs, "ABS(number)"), .init(.floor, "FLOOR(number)"),
            .init(.ceil, "CEIL(number)"),
            .init(.ceil, "CEILING(number)"), .init(.round, "ROUND(number [, digits])"),
            .init(.truncate, "TRUNCATE(number [, digits])"), .init(.power, "POWER(base, exponent)"),
            .init(.sqrt, "SQRT(number)"), .init(.exp, "EXP(number)"), .init(.ln, "LN(number)"),
            .init(.log10, "LOG10(number)"), .init(.log2, "LOG2(number)"),
            .init(.modulo, "MOD(number, divisor)"),
            .init(.sign, "SIGN(number)"),
            .init(.upper, "UPPER(text)"), .init(.lower, "LOWER(text)"),
            .init(.trim, "TRIM([characters FROM] text)"),
            .init(.trim, "BTRIM(text [, characters])"), .init(.ltrim, "LTRIM(text [, characters])"),
            .init(.rtrim, "RTRIM(text [, characters])"), .init(.charLength, "CHAR_LENGTH(text)"),
            .init(.charLength, "CHARACTER_LENGTH(text)"),
            .init(.substring, "SUBSTRING(text, start [, length])"),
            .init(.substring, "SUBSTR(text, start [, length])"),
            .init(.replace, "REPLACE(text, part, other)"),
            .init(.position, "POSITION(part IN text)"),
            .init(.position, "LOCATE(part, text [, start])"),
            .init(.concatFunction, "CONCAT(text, …)"),
            .init(.concatWs, "CONCAT_WS(separator, text, …)"),
            .init(.startsWith, "STARTSWITH(text, start)"), .init(.endsWith, "ENDSWITH(text, end)"),
            .init(.reverse, "REVERSE(text)"), .init(.lpad, "LPAD(text, length, padding)"),
            .init(.rpad, "RPAD(text, length, padding)"),
            .init(.splitIndex, "SPLIT_INDEX(text, separator, index)"),
            .init(.left, "LEFT(text, length)"), .init(.right, "RIGHT(text, length)"),
            .init(.repeat, "REPEAT(text, count)"),
            .init(.extractYear, "YEAR(time)"), .init(.extractQuarter, "QUARTER(time)"),
            .init(.extractMonth, "MONTH(time)"), .init(.extractWeek, "WEEK(time)"),
            .init(.extractDay, "DAYOFMONTH(time)"), .init(.extractDayOfWeek, "DAYOFWEEK(time)"),
            .init(.extractDayOfYear, "DAYOFYEAR(time)"), .init(.extractHour, "HOUR(time)"),
            .init(.extractMinute, "MINUTE(time)"), .init(.extractSecond, "SECOND(time)"),
            .init(.dateFormat, "DATE_FORMAT(time, pattern)"),
            .init(.toTimestamp, "TO_TIMESTAMP(text [, pattern])"),
            .init(.toTimestampLtz, "TO_TIMESTAMP_LTZ(epoch, precision)"),
            .init(.cardinality, "CARDINALITY(array)"),
            .init(.arrayContains, "ARRAY_CONTAINS(array, element)"),
        ]
        return Dictionary(
            uniqueKeysWithValues: functions.map { (String($0.form.prefix { $0 != "(" }), $0) })
    }()

    /// Names that the binder turns into other functions.
    static let composed: Set<String> = ["IF", "INSTR", "LOG", "PI", "E"]

    /// The fields of EXTRACT.
    static let fields: [String: ScalarFunction] = [
        "YEAR": .extractYear, "QUARTER": .extractQuarter, "MONTH": .extractMonth,
        "WEEK": .extractWeek,
        "DAY": .extractDay, "HOUR": .extractHour, "MINUTE": .extractMinute,
        "SECOND": .extractSecond,
        "MILLISECOND": .extractMillisecond, "DOW": .extractDayOfWeek, "DOY": .extractDayOfYear,
        "EPOCH": .extractEpoch,
    ]

    /// The units of FLOOR(x TO unit).
    static let units: [String: ScalarFunction] = [
        "SECOND": .floorTimeSecond, "MINUTE": .floorTimeMinute, "HOUR": .floorTimeHour,
        "DAY": .floorTimeDay,
        "WEEK": .floorTimeWeek, "MONTH": .floorTimeMonth, "QUARTER": .floorTimeQuarter,
        "YEAR": .floorTimeYear,
    ]

    /// Functions of the machine's clock or of chance: a result that depends on them could not be
    /// computed again after a crash.
    static let unrepeatable: Set<String> = [
        "CURRENT_TIMESTAMP", "CURRENT_ROW_TIMESTAMP", "CURRENT_DATE", "CURRENT_TIME", "LOCALTIME",
        "LOCALTIMESTAMP",
        "NOW", "PROCTIME", "UNIX_TIMESTAMP", "RAND", "RAND_INTEGER", "UUID", "CURRENT_WATERMARK",
    ]

    /// Aggregates and ranking functions of Flink SQL that weir does not have.
    static let missingAggregates: Set<String> = [
        "ANY_VALUE", "SINGLE_VALUE", "ROW_NUMBER", "RANK", "DENSE_RANK", "PERCENT_RANK",
        "CUME_DIST", "NTILE", "LAG", "LEAD",
    ]

    /// The aggregates there are.
    static let aggregates: [String: AggregateFunction] = [
        "COUNT": .count, "SUM": .sum, "AVG": .avg, "MIN": .min, "MAX": .max,
        "STDDEV_POP": .stddevPop, "STDDEV_SAMP": .stddevSamp, "STDDEV": .stddevSamp,
        "VAR_POP": .varPop, "VAR_SAMP": .varSamp, "VARIANCE": .varSamp,
        "FIRST_VALUE": .firstValue, "LAST_VALUE": .lastValue, "LISTAGG": .listAgg,
        "ARRAY_AGG": .arrayAgg, "COLLECT": .collect, "JSON_ARRAYAGG": .jsonArrayAgg,
        "JSON_OBJECTAGG": .jsonObjectAgg, "PERCENTILE": .percentile,
        "APPROX_COUNT_DISTINCT": .approxCountDistinct, "APPROX_PERCENTILE": .approxPercentile,
        "APPROX_TOP_K": .approxTopK,
    ]
}

/// The group windows of the older GROUP BY form and the columns that their companions read.
enum GroupWindowFunction {
    /// TUMBLE and HOP, and those refused by name.
    static let names: Set<String> = ["TUMBLE", "HOP", "SESSION", "CUMULATE"]

    /// The window and the column that `TUMBLE_START` and the like stand for.
    static func companion(_ name: String) -> (window: String, column: WindowColumn)? {
        for window in ["TUMBLE", "HOP", "SESSION"] where name.hasPrefix(window + "_") {
            switch name.dropFirst(window.count + 1) {
            case "START": return (window, .start)
            case "END": return (window, .end)
            case "ROWTIME": return (window, .time)
            default: return nil
            }
        }
        return nil
    }
}
