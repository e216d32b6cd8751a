// Where values are found in a document: nested members, arrays, escapes in names, duplicates.

import Testing
import WeirCore

@testable import WeirFormats

@Suite struct JSONPathTests {
    @Test(arguments: [
        ("/a/b", #"{"a":{"b":1}}"#, "1"), ("/a/b", #"{"a":{"c":2}}"#, "NULL"),
        ("/a/b", #"{"a":5}"#, "NULL"),
        ("/a/b", #"{"a":null}"#, "NULL"), ("/a/b", #"{"a":[{"b":1}]}"#, "NULL"),
        ("/a/0", #"{"a":[7,8]}"#, "7"),
        ("/a/1", #"{"a":[7,8]}"#, "8"), ("/a/2", #"{"a":[7,8]}"#, "NULL"),
        ("/a/1", #"{"a":{"1":9}}"#, "9"),
        ("/a/1/b", #"{"a":[{},{"b":3}]}"#, "3"), ("/a~1b", #"{"a/b":4}"#, "4"),
        ("/a~0b", #"{"a~b":5}"#, "5"),
        ("/", #"{"":6}"#, "6"), ("/a", #"{"\u0061":7}"#, "7"), ("/é", #"{"\u00e9":8}"#, "8"),
        ("/é", #"{"é":9}"#, "9"),
        ("/a", #"{"b":1,"c":{"a":2},"a":3}"#, "3"), ("/a b", "{ \"a b\" :\t10\r\n}", "10"),
        (
            "/a_name_that_is_longer_than_sixteen_bytes",
            #"{"a_name_that_is_longer_than_sixteen_bytes":11}"#, "11"
        ),
        (
            "/a_name_that_is_longer_than_sixteen_bytes",
            #"{"a_name_that_is_longer_than_sixteen_byteS":11}"#, "NULL"
        ),
    ])
    func pointersFindTheirValue(pointer: String, json: String, expected: String) {
        #expect(decodeValue(json, .bigint, pointer: pointer) == expected)
    }

    @Test(arguments: [
        ("/t/*", #"{"t":["a","b"]}"#, #"["a", "b"]"#), ("/t", #"{"t":["a"]}"#, #"["a"]"#),
        ("/t/*", #"{"t":[]}"#, "[]"), ("/t/*", #"{"t":null}"#, "NULL"), ("/t/*", "{}", "NULL"),
        ("/t/*", #"{"t":["a",null]}"#, #"["a", NULL]"#),
        ("/t/*", #"{"t":["a",1]}"#, "v: expected ARRAY<STRING>, found a number"),
        ("/t/*", #"{"t":"a"}"#, "v: expected ARRAY<STRING>, found a string"),
        ("/t/*", #"{"t":[["a"]]}"#, "v: expected ARRAY<STRING>, found an array"),
        ("/t/*/x", #"{"t":[{"x":"a"},{"y":"b"},{"y":1,"x":"c"}]}"#, #"["a", NULL, "c"]"#),
        ("/t/*/x", #"{"t":[1,null,[],{"x":"a"}]}"#, #"[NULL, NULL, NULL, "a"]"#),
        ("/t/*/x", #"{"t":{"x":"a"}}"#, "v: expected ARRAY<STRING>, found an object"),
        ("/e/t/*/x", #"{"e":{"t":[{"x":"a"}]}}"#, #"["a"]"#), ("/e/t/*/x", #"{"e":1}"#, "NULL"),
        ("/t/*/x/0", #"{"t":[{"x":["a","b"]},{"x":[]}]}"#, #"["a", NULL]"#),
        ("/t/*", #"{"t":["a" "b"]}"#, "invalid JSON"), ("/t/*", #"{"t":["a",]}"#, "invalid JSON"),
        ("/t/*", #"{"t":[,"a"]}"#, "invalid JSON"),
    ])
    func starsCollectElements(pointer: String, json: String, expected: String) {
        #expect(decodeValue(json, .array(.string), pointer: pointer) == expected)
    }

    @Test(arguments: [
        (#"{"v":1,"v":2}"#, "2"), (#"{"v":1,"v":null}"#, "NULL"), (#"{"v":"x","v":2}"#, "2"),
        (#"{"v":2,"v":"x"}"#, "v: expected BIGINT, found a string"), (#"{"v":2,"\u0076":3}"#, "3"),
    ])
    func theLastOfDuplicateMembersCounts(json: String, expected: String) {
        #expect(decodeValue(json, .bigint) == expected)
    }

    @Test func aDuplicateObjectReplacesTheFirstOneWhole() {
        #expect(decodeValue(#"{"a":{"b":1},"a":{"c":2}}"#, .bigint, pointer: "/a/b") == "NULL")
        #expect(decodeValue(#"{"a":{"b":"x"},"a":1}"#, .bigint, pointer: "/a/b") == "NULL")
        #expect(
            decodeValue(#"{"t":["a","b"],"t":["c"]}"#, .array(.string), pointer: "/t") == #"["c"]"#)
        #expect(
            decodeValue(
                #"{"t":[{"x":"a","x":"b"},{"x":1,"x":"c"}]}"#, .array(.string), pointer: "/t/*/x")
                == #"["b", "c"]"#)
    }

    @Test func elementsDoNotStandInForMissingColumns() {
        let columns = [
            ColumnDeclaration(name: "n", type: .bigint),
            ColumnDeclaration(name: "t", type: .array(.string)),
        ]
        let decoded = JSONDeserializer(columns: columns, needed: ["n", "t"]).decode(
            messages(#"{"n":7,"t":["a"]}"#, #"{"t":["b"]}"#, #"{"t":["c","d"]}"#, #"{"n":8}"#))
        #expect(rows(decoded.batch) == [#"7|["a"]"#, #"NULL|["b"]"#, #"NULL|["c", "d"]"#, "8|NULL"])
    }

    @Test func columnsMayShareValuesAndArrays() {
        let columns = [
            ColumnDeclaration(name: "n", type: .double, origin: .payload(pointer: "/m/x")),
            ColumnDeclaration(name: "i", type: .bigint, origin: .payload(pointer: "/m/x")),
            ColumnDeclaration(
                name: "ids", type: .array(.bigint), origin: .payload(pointer: "/m/l/*/id")),
            ColumnDeclaration(
                name: "ns", type: .array(.double), origin: .payload(pointer: "/m/l/*/n")),
            ColumnDeclaration(name: "first", type: .bigint, origin: .payload(pointer: "/m/l/0/id")),
        ]
        let decoded = JSONDeserializer(columns: columns, needed: columns.map(\.name)).decode(
            messages(
                #"{"m":{"x":5,"l":[{"id":1,"n":1.5},{"id":2}]}}"#, #"{"m":{"l":[],"x":6}}"#,
                #"{"m":{"l":[{"n":9}]}}"#))
        #expect(
            rows(decoded.batch) == [
                "5.0|5|[1, 2]|[1.5, NULL]|1", "6.0|6|[]|[]|NULL", "NULL|NULL|[NULL]|[9.0]|NULL",
            ])
    }

    @Test func membersMayComeInAnyOrderAndGoMissing() {
        let names = ["a", "b", "c", "d", "e", "f"]
        let columns = names.map { ColumnDeclaration(name: $0, type: .bigint) }
        var random = SeededRandom(seed: 7)
        var expected: [String] = []
        let input = MessageBatch()
        for _ in 0..<500 {
            let present = (names + ["x", "y"]).filter { _ in Bool.random(using: &random) }
                .shuffled(using: &random)
            let values = Dictionary(
                uniqueKeysWithValues: present.map { ($0, Int.random(in: 0...9, using: &random)) })
            let json =
                "{" + present.map { "\"\($0)\":\(values[$0] ?? 0)" }.joined(separator: ",") + "}"
            add(Array(json.utf8), to: input, topic: "", receivedAt: 0)
            expected.append(
                names.map { name in values[name].map { "\($0)" } ?? "NULL" }.joined(separator: "|"))
        }
        let decoded = JSONDeserializer(columns: columns, needed: names).decode(input)
        #expect(rows(decoded.batch) == expected)
    }

    @Test func noColumnsAtAllStillCountsRows() {
        let decoded = JSONDeserializer(columns: [], needed: []).decode(
            messages(#"{"a":1}"#, "{}", "{"))
        #expect(decoded.batch.rowCount == 2)
        #expect(decoded.receivedRows == 3)
    }

    @Test(arguments: [
        ("v", DataType.bigint, "a path begins with a slash"),
        ("/a/*/b/*", .array(.bigint), "a path has at most one *"),
        ("/a/*", .bigint, "a path with a * gives an ARRAY"),
        ("/a~2", .bigint, "in a path, ~ is written ~0 and a slash inside a name ~1"),
        ("/a", .interval, "INTERVAL DAY TO SECOND(3) cannot be read from JSON"),
        ("/a/*", .array(.array(.bigint)), "a path with a * gives single values"),
        ("/a", .map(key: .int, value: .bigint), "the keys of a MAP are STRING in JSON"),
        ("/a", .row([Field("x", .int), Field("x", .int)]), "two fields of a ROW have one name"),
        ("/a", .array(.array(.interval)), "INTERVAL DAY TO SECOND(3) cannot be read from JSON"),
    ])
    func badPathsAreToldToTheAuthor(pointer: String, type: DataType, problem: String) {
        #expect(
            ColumnDeclaration(name: "v", type: type, origin: .payload(pointer: pointer)).problem
                == problem)
    }
}
