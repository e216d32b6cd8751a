// A test of queries as one readable file: a configuration, what comes in, and what must come out.
//
//     === toml                     the configuration, or === config FILE for one that lies elsewhere
//     === input SOURCE             NDJSON in order of arrival
//     === table TABLE              the file of a table, CSV or NDJSON
//     === expected QUERY           the rows that must come out, in order
//     === late QUERY               rows that came too late for all windows
//     === rejected SOURCE          the reasons of rejected rows, one a line
//
// Behind the name of an expected or late section may stand `unordered`. Every row keeps the number of
// its line, so that a difference can be shown where it is written.

import WeirCore

/// One section of a case.
struct CaseSection {
    enum Kind: String, CaseIterable {
        case toml, config, input, table, expected, late, rejected
    }

    let kind: Kind
    /// Of a source, query or file; empty for toml.
    let name: String
    let isOrdered: Bool
    /// The line of the heading, from 1.
    let line: Int
    /// The lines below it.
    var lines: [Substring] = []

    /// Lines that are not blank, with their numbers.
    var rows: [(line: Int, text: String)] {
        lines.enumerated().compactMap { index, text in
            text.allSatisfy(\.isWhitespace) ? nil : (line + 1 + index, String(text))
        }
    }
}

/// A case as it is written.
struct CaseFile {
    let path: String
    let sections: [CaseSection]
    private let lineCount: Int

    private static let bytesMax = 64 << 20

    /// Reads a case; throws `.input` with the line where it is not one.
    init(path: String) throws(Failure) {
        self.path = path
        let text: String
        switch readFile(path, bytesMax: Self.bytesMax) {
        case .success(let bytes): text = String(decoding: bytes, as: UTF8.self)
        case .failure(let problem): throw Failure(.input, "reading", path, problem.reason)
        }
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        lineCount = lines.count
        var sections: [CaseSection] = []
        for (index, line) in lines.enumerated() {
            if line.hasPrefix("===") {
                sections.append(try Self.heading(line, at: index + 1, path))
            } else if !sections.isEmpty {
                sections[sections.count - 1].lines.append(line)
            } else if !line.allSatisfy(\.isWhitespace), !line.hasPrefix("#") {
                throw Self.wrong(path, index + 1, "a case begins with a section such as === toml")
            }
        }
        self.sections = sections
        let configurations = sections.filter { $0.kind == .toml || $0.kind == .config }
        guard configurations.count == 1 else {
            throw Self.wrong(
                path, configurations.dropFirst().first?.line ?? 1,
                "a case has one section === toml or === config FILE")
        }
    }

    /// The sections of one kind.
    func sections(_ kind: CaseSection.Kind) -> [CaseSection] { sections.filter { $0.kind == kind } }

    /// The configuration inside the case, at the lines where it stands in the file: what is wrong with it
    /// is then found where it is written. Nil when it lies in a file of its own.
    var configuration: [UInt8]? {
        guard let section = sections(.toml).first else { return nil }
        let hasAgent = section.lines.contains { $0.hasPrefix("[agent]") }
        var lines = [String](repeating: "", count: lineCount)
        if !hasAgent { lines[0] = #"agent = { id = "case", state_dir = "unused" }"# }
        for (index, line) in section.lines.enumerated() { lines[section.line + index] = String(line) }
        return Array(lines.joined(separator: "\n").utf8)
    }

    /// The file that the case names instead, relative to its own folder unless absolute.
    var configurationPath: String? {
        guard let name = sections(.config).first?.name else { return nil }
        guard !name.hasPrefix("/"), let slash = path.lastIndex(of: "/") else { return name }
        return "\(path[...slash])\(name)"
    }

    private static func heading(_ line: Substring, at number: Int, _ path: String) throws(Failure)
        -> CaseSection
    {
        let words = line.drop { $0 == "=" }.split(whereSeparator: \.isWhitespace).map(String.init)
        let kinds = CaseSection.Kind.allCases.map(\.rawValue)
        guard let word = words.first, let kind = CaseSection.Kind(rawValue: word) else {
            let near = nearestSpelling(of: words.first ?? "", among: kinds)
            throw wrong(
                path, number,
                "a section is \(alternatives(kinds))" + (near.map { "; did you mean \($0)?" } ?? ""))
        }
        let needsName = kind != .toml
        guard words.count > 1 || !needsName else { throw wrong(path, number, "\(word) needs a name") }
        let options = words.dropFirst(needsName ? 2 : 1)
        if let unknown = options.first(where: { $0 != "unordered" }) {
            throw wrong(path, number, "unknown word \(quoted(unknown)); there is unordered")
        }
        if !options.isEmpty, kind != .expected, kind != .late {
            throw wrong(path, number, "unordered belongs to expected and late rows")
        }
        return CaseSection(
            kind: kind, name: needsName ? words[1] : "", isOrdered: options.isEmpty, line: number)
    }

    /// A complaint about a line of a case.
    static func wrong(_ path: String, _ line: Int, _ reason: String) -> Failure {
        Failure(.input, "reading", "\(path):\(line)", reason)
    }
}
