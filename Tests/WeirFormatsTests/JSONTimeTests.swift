// Times in every encoding.

import Testing
import WeirCore

@testable import WeirFormats

@Suite struct JSONTimeTests {
    @Test(arguments: [
        (TimestampEncoding.epochSeconds, "1700000000", 1_700_000_000_000),
        (.epochSeconds, "1700000000.123", 1_700_000_000_123),
        (.epochSeconds, "1700000000.1239", 1_700_000_000_123),
        (.epochSeconds, "-0.0001", -1), (.epochSeconds, "1.7e9", 1_700_000_000_000),
        (.epochSeconds, "\"1700000000.5\"", 1_700_000_000_500),
        (.epochMilliseconds, "1700000000123", 1_700_000_000_123),
        (.epochMilliseconds, "1700000000123.999", 1_700_000_000_123),
        (.epochMilliseconds, "\"1700000000123\"", 1_700_000_000_123),
        (.epochMilliseconds, "0", 0), (.epochMilliseconds, "1e-30", 0),
        (.epochMilliseconds, "-1e-30", -1),
        (.epochMicroseconds, "1700000000123999", 1_700_000_000_123),
        (.epochMicroseconds, "-1", -1), (.epochMicroseconds, "-1000", -1),
        (.rfc3339, "\"2023-11-14T22:13:20Z\"", 1_700_000_000_000),
        (.rfc3339, "\"2023-11-14T22:13:20.1234567Z\"", 1_700_000_000_123),
        (.rfc3339, "\"2023-11-14T22:13:20.5z\"", 1_700_000_000_500),
        (.rfc3339, "\"2023-11-14 23:13:20+01:00\"", 1_700_000_000_000),
        (.rfc3339, "\"2023-11-14t16:43:20-0530\"", 1_700_000_000_000),
        (.rfc3339, "\"2016-12-31T23:59:60Z\"", 1_483_228_800_000),
        (.rfc3339, "\"1969-12-31T23:59:59.999Z\"", -1),
        (.rfc3339, "\"2024-02-29T00:00:00Z\"", 1_709_164_800_000),
        (.rfc3339, "\"0001-01-01T00:00:00Z\"", -62_135_596_800_000),
        (.rfc3339, "\"2023\\u002d11-14T22:13:20Z\"", 1_700_000_000_000),
    ])
    func instantsAreRead(encoding: TimestampEncoding, json: String, expected: Int64) {
        #expect(decodeValue("{\"v\":\(json)}", .timestampLTZ, encoding: encoding) == "\(expected)")
    }

    @Test(arguments: [
        "2023-11-14T22:13:20", "2023-11-14", "2023-02-29T00:00:00Z", "2023-13-01T00:00:00Z",
        "2023-11-14T24:00:00Z", "2023-11-14T22:60:00Z", "2023-11-14T22:13:61Z",
        "2023-11-14T22:13:20.Z",
        "2023-11-14T22:13:20+1", "2023-11-14T22:13:20+25:00", "2023/11/14T22:13:20Z", "", "now",
        "2023-11-14T22:13:20Z ", "2o23-11-14T22:13:20Z", "2023-11-00T22:13:20Z", "1700000000",
    ])
    func otherTextsAreNoTimes(text: String) {
        #expect(
            decodeValue("{\"v\":\"\(text)\"}", .timestampLTZ)
                == "v: expected TIMESTAMP_LTZ(3) as rfc3339, found another text")
    }

    @Test(arguments: [
        (TimestampEncoding.epochMilliseconds, "1700000000000000", "v: time out of range"),
        (.epochSeconds, "1700000000000", "v: time out of range"),
        (.epochSeconds, "1e300", "v: time out of range"),
        (.epochMilliseconds, "-62135596800001", "v: time out of range"),
        (.epochMilliseconds, "253402300799999", "253402300799999"),
        (.epochMilliseconds, "253402300800000", "v: time out of range"),
        (.rfc3339, "\"9999-12-31T23:59:59-01:00\"", "v: time out of range"),
        (.epochMilliseconds, "\"12x\"", "v: expected TIMESTAMP_LTZ(3) as epoch_ms, found a string"),
        (.epochMilliseconds, "\"\"", "v: expected TIMESTAMP_LTZ(3) as epoch_ms, found a string"),
        (.epochMilliseconds, "true", "v: expected TIMESTAMP_LTZ(3) as epoch_ms, found a boolean"),
        (.rfc3339, "1700000000", "v: expected TIMESTAMP_LTZ(3) as rfc3339, found a number"),
        (.rfc3339, "null", "NULL"), (.epochSeconds, "01", "invalid JSON"),
    ])
    func timesThatAreNoneAreRejected(encoding: TimestampEncoding, json: String, expected: String) {
        #expect(decodeValue("{\"v\":\(json)}", .timestampLTZ, encoding: encoding) == expected)
    }

    @Test func wallClockTimesHaveNoZone() {
        #expect(decodeValue(#"{"v":"2023-11-14T22:13:20.25"}"#, .timestamp) == "1700000000250")
        #expect(
            decodeValue(#"{"v":"2023-11-14T22:13:20+01:00"}"#, .timestamp)
                == "v: expected TIMESTAMP(3) as rfc3339, found another text")
        // Many writers put a Z behind any time.
        #expect(decodeValue(#"{"v":"2023-11-14T22:13:20Z"}"#, .timestamp) == "1700000000000")
        #expect(decodeValue(#"{"v":1}"#, .timestamp, encoding: .epochSeconds) == "1000")
    }

    @Test func everyDayOfFourCenturiesReadsAsTheNextOne() {
        let lengths = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
        var expected: Int64 = 946_684_800_000
        let input = MessageBatch(messagesMax: .max, bytesMax: .max)
        for year in 2000..<2400 {
            let isLeap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0
            for month in 1...12 {
                for day in 1...(lengths[month - 1] + (month == 2 && isLeap ? 1 : 0)) {
                    let date = "\(year)-\(pad(month))-\(pad(day))"
                    add(
                        Array("{\"v\":\"\(date)T00:00:00Z\"}".utf8), to: input, topic: "",
                        receivedAt: 0)
                }
            }
        }
        let column = ColumnDeclaration(name: "v", type: .timestampLTZ)
        let decoded = JSONDeserializer(columns: [column], needed: ["v"]).decode(input)
        #expect(decoded.batch.rowCount == 146_097)
        for row in 0..<decoded.batch.rowCount {
            if decoded.batch.columns[0].ints[row] != expected { Issue.record("row \(row)"); return }
            expected += 86_400_000
        }
    }

    private func pad(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
}
