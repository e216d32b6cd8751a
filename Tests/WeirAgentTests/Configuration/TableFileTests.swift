// Files of tables: what CSV means, and that a file with a fault gives the fault's line and no rows.

import Testing
import WeirCore

@testable import WeirAgent

private func csv(_ text: String, columns: [ColumnConfiguration]) throws -> (text: String, lines: [Int]) {
    let lines = try CSVLines(Array(text.utf8), columns: columns)
    return (String(decoding: lines.text, as: UTF8.self), lines.lines)
}

private func column(_ name: String, _ type: DataType, from member: String? = nil) -> ColumnConfiguration {
    ColumnConfiguration(
        name: name, type: type, origin: .payload(JSONPointer(member: member ?? name)),
        timestampFormat: nil, onTypeError: .reject)
}

private let columns = [column("id", .string), column("n", .bigint, from: "how many")]

private func read(_ text: String, _ format: TableFormat, rowsMax: Int = 10, bytesMax: Int = 1000) throws -> Batch {
    let table = TableConfiguration(
        name: "t", path: "", format: format, columns: columns, key: ["id"], rowsMax: rowsMax,
        bytesMax: bytesMax)
    return try TableFile(table: table).version(of: Array(text.utf8)).rows
}

private func fault(_ text: String, _ format: TableFormat = .csv, rowsMax: Int = 10, bytesMax: Int = 1000) -> String {
    do {
        return "\(try read(text, format, rowsMax: rowsMax, bytesMax: bytesMax).rowCount) rows"
    } catch let fault as TableFault {
        return fault.line.map { "\($0): \(fault.reason)" } ?? fault.reason
    } catch {
        return "\(error)"
    }
}

@Suite struct TableFileTests {
    @Test func quotesLineEndsAndEmptyFields() throws {
        let found = try csv(
            "\u{FEFF}x,id,how many\r\n1,\"a\"\"b\r\n,\",7\r\n\n2,,\"\"\n3,\"\",-1e2", columns: columns)
        #expect(
            found.text == """
                {"id":"a\\"b\\r\\n,","how many":7}
                {"id":null,"how many":""}
                {"id":"","how many":-1e2}

                """)
        #expect(found.lines == [2, 5, 6])
    }

    @Test func aFaultHasItsLine() {
        #expect(fault("") == "1: it is empty; the first line names the columns")
        #expect(fault("id,how man\n").hasPrefix("1: there is no column \"how many\""))
        #expect(fault("id,how many\na,1\nb") == "3: it has 1 fields, and the first line names 2")
        #expect(fault("id,how many\na,1\n\"b\nc,2\n") == "3: a quote is not closed")
        #expect(fault("id,how many\na\"b,1\n") == "2: a quote stands inside a field without quotes")
        #expect(fault("id,how many\n\"a\"b,1\n") == "2: a comma is missing behind a field in quotes")
        #expect(fault("id,how many\n\na,1\n\"b\n\",x\n").hasPrefix("4: how many: expected BIGINT") == false)
        #expect(fault("id,how many\na,1\n\na,2\n") == "4: the key (id) of line 4 is that of line 2, too")
        #expect(fault("id,how many\na,1\n,2\n") == "3: the key (id) of line 3 is NULL")
    }

    @Test func faultsOfLinesOfJSON() {
        #expect(fault(#"{"id":"a"}"# + "\n\n" + #"{"id":"b","how many":"x"}"#, .ndjson).hasPrefix("3: "))
        #expect(fault(#"{"id":"a"}"# + "\n" + #"{"id":"b","how"#, .ndjson).hasPrefix("2: "))
        #expect(
            fault(#"[{"id":"a"},{"id":"a"}]"#, .ndjson) == "the key (id) of row 2 is that of row 1, too")
        #expect(fault("", .ndjson) == "0 rows")
    }

    @Test func limits() {
        #expect(fault("id,how many\na,1\nb,2\n", rowsMax: 1) == "it has 2 rows; max_rows is 1")
        #expect(fault("id,how many\na,1\n", bytesMax: 10) == "it is larger than 10B (max_size)")
    }
}
