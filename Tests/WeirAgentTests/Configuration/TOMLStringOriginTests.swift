// An error in the text of a string must point to where that text is written in the file, whatever
// the quotes, escapes and line ends are.

import Testing
import WeirCore

@testable import WeirAgent

/// Where in the file the first `mark` of the value of `a` is written, by the origin and by search.
private func expectFound(
    _ mark: String, in file: String, sourceLocation: SourceLocation = #_sourceLocation
) throws {
    let document = try TOMLDocument.parse(Array(file.utf8)).get()
    let node = try #require(document.root["a"]?.node)
    guard case .string(let value) = node.value else { return }
    let origin = TOMLStringOrigin(of: value, at: node.offset, in: document)
    let valueOffset = try #require(
        offset(of: mark, in: value), "the value has the mark", sourceLocation: sourceLocation)
    let fileOffset = try #require(offset(of: mark, in: file), sourceLocation: sourceLocation)
    let place = LineIndex(value.utf8).position(at: valueOffset)
    let expected = LineIndex(file.utf8).position(at: fileOffset)
    #expect(origin.filePosition(of: place) == expected, sourceLocation: sourceLocation)
    #expect(origin.filePosition(atByte: valueOffset) == expected, sourceLocation: sourceLocation)
}

private func offset(of mark: String, in text: String) -> Int? {
    let bytes = Array(text.utf8)
    let mark = Array(mark.utf8)
    return bytes.indices.first { bytes[$0...].starts(with: mark) }
}

@Suite struct TOMLStringOriginTests {
    @Test func singleLineStrings() throws {
        try expectFound("MARK", in: "a = \"MARK\"")
        try expectFound("MARK", in: "\n\n   a   =   \"SELECT MARK\"")
        try expectFound("MARK", in: "a = 'SELECT \\n MARK'")
        try expectFound(
            "MARK", in: "[b]\n[c]\nx = 1\n".replacing("[b]", with: "a = \"x MARK\"\n[b]"))
    }

    @Test func multiLineStrings() throws {
        try expectFound("MARK", in: "a = \"\"\"\nSELECT\n  x, MARK\nFROM t\n\"\"\"")
        try expectFound("MARK", in: "a = \"\"\"SELECT\n  x, MARK\"\"\"")
        try expectFound("MARK", in: "a = '''\n\n\nSELECT\n\tMARK'''")
        try expectFound("MARK", in: "a = '''\nSELECT ''x'' MARK'''")
        try expectFound("MARK", in: "a = \"\"\"\nSELECT \"\"x\"\" MARK\"\"\"\"\"")
    }

    @Test func windowsLineEnds() throws {
        try expectFound("MARK", in: "b = 1\r\na = \"\"\"\r\nSELECT\r\n  MARK\r\n\"\"\"\r\n")
    }

    @Test func escapes() throws {
        try expectFound("MARK", in: #"a = "x\ty\"z\\ MARK""#)
        try expectFound("MARK", in: #"a = "one\ntwo\n MARK""#)
        try expectFound("MARK", in: #"a = "\u00e9\U0001F600 MARK""#)
        try expectFound("MARK", in: "a = \"\"\"\none \\\n     two\\n MARK\"\"\"")
    }

    @Test func otherScripts() throws {
        try expectFound("MARK", in: "a = \"größe 😀 MARK\"")
        try expectFound("MARK", in: "a = \"\"\"\nä 日本語\nü MARK\"\"\"")
    }

    @Test func theEndOfTheValueIsTheClosingQuote() throws {
        let document = try TOMLDocument.parse(Array("a = \"\"\"\nSELECT\n\"\"\"".utf8)).get()
        let node = try #require(document.root["a"]?.node)
        let origin = TOMLStringOrigin(of: "SELECT\n", at: node.offset, in: document)
        #expect(origin.filePosition(atByte: 7) == TextPosition(line: 3, column: 1))
        #expect(origin.filePosition(atByte: 700) == TextPosition(line: 3, column: 4))
        #expect(
            origin.filePosition(of: TextPosition(line: 1, column: 90))
                == TextPosition(line: 3, column: 1))
    }

    @Test func aTextThatIsNotTheStringsFallsBackToItsStart() throws {
        let document = try TOMLDocument.parse(Array("\na = \"x\"".utf8)).get()
        let origin = TOMLStringOrigin(of: "other", at: 5, in: document)
        #expect(origin.filePosition(atByte: 3) == TextPosition(line: 2, column: 5))
    }
}
