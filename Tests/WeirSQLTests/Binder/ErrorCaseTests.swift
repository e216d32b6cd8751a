// Wrong queries and what is said about them: Cases/errors/*.txt, one query a paragraph, followed by a
// line `! line:column: message` for each complaint.

import Glibc
import Testing
import WeirCore
import WeirSQL

/// A query and the complaints it must get.
struct ErrorCase: CustomTestStringConvertible {
    let file: String
    let sql: String
    let expected: [String]

    var testDescription: String { "\(file): \(sql)" }
}

/// All cases of the files beside the tests.
func errorCases() -> [ErrorCase] {
    let folder =
        #filePath.split(separator: "/").dropLast(2).reduce(into: "") { $0 += "/" + $1 }
        + "/Cases/errors"
    guard let directory = opendir(folder) else { return [] }
    defer { closedir(directory) }
    var cases: [ErrorCase] = []
    while let entry = readdir(directory) {
        let name = withUnsafePointer(to: &entry.pointee.d_name) {
            $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        }
        if name.hasSuffix(".txt") { cases += parse(contents(of: "\(folder)/\(name)"), file: name) }
    }
    return cases
}

private func contents(of path: String) -> String {
    guard let file = fopen(path, "r") else { return "" }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65_536)
    while true {
        let count = fread(&chunk, 1, chunk.count, file)
        if count == 0 { return String(decoding: bytes, as: UTF8.self) }
        bytes += chunk[0..<count]
    }
}

private func parse(_ text: String, file: String) -> [ErrorCase] {
    var cases: [ErrorCase] = []
    var sql: [Substring] = []
    var expected: [String] = []
    for line in (text + "\n\n").split(separator: "\n", omittingEmptySubsequences: false) {
        if line.hasPrefix("! ") {
            expected.append(String(line.dropFirst(2)))
        } else if !line.isEmpty, !line.hasPrefix("#") {
            sql.append(line)
        } else if !sql.isEmpty {
            cases.append(
                ErrorCase(file: file, sql: sql.joined(separator: "\n"), expected: expected))
            (sql, expected) = ([], [])
        }
    }
    return cases
}

@Suite struct ErrorCaseTests {
    @Test func theCasesAreFound() {
        #expect(errorCases().count >= 150)
    }

    @Test(arguments: errorCases())
    func aWrongQueryIsToldWhereAndWhy(_ wrong: ErrorCase) {
        #expect(errors(wrong.sql) == wrong.expected)
    }

    @Test func eachViewsOwnErrorsAreReportedAtTheView() {
        let found = QueryBinder(catalog: catalog).viewErrors()
        #expect(found.map(\.view) == ["loop_a", "loop_b", "broken", "over_broken"])
        #expect(
            found[1].diagnostics.map(\.shown) == [
                "2:6: the view loop_a reads itself: loop_a → loop_b → loop_a"
            ])
        #expect(
            found[2].diagnostics.map(\.shown)
                == ["1:8: sensors has no column temprature; did you mean temperature?"])
    }

    @Test func aViewThatHidesASourceIsRefused() {
        let clash = Catalog(
            tables: catalog.tables,
            views: [Catalog.View(name: "sensors", sql: "SELECT 1 AS one FROM posts")])
        let found = QueryBinder(catalog: clash).viewErrors()
        #expect(found.map(\.view) == ["sensors"])
    }
}
