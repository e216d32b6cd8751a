// What a case expects, held against what came out. A difference is shown as the first row that differs,
// with the line it is written at and the member that is not the same.

import WeirCore

/// The expectations of one case.
struct CaseCheck {
    let file: CaseFile
    let configuration: AgentConfiguration

    /// The configuration with the queries that the case has expectations of.
    var tested: AgentConfiguration {
        let names = Set(file.sections(.expected).map(\.name))
        return configuration.reduced(toQueries: names)
    }

    /// Throws `.input` when a section names what there is not.
    func checkNames() throws(Failure) {
        let queries = configuration.queries.map(\.name)
        let sources = configuration.sources.map(\.name)
        for section in file.sections {
            let known: [String]
            switch section.kind {
            case .toml, .config: continue
            case .input, .rejected: known = sources
            case .table: known = configuration.tables.map(\.name)
            case .expected, .late: known = queries
            }
            guard !known.contains(section.name) else { continue }
            let near = nearestSpelling(of: section.name, among: known).map { "; did you mean \($0)?" }
            let kind =
                switch section.kind {
                case .input, .rejected: "source"
                case .table: "table"
                default: "query"
                }
            throw CaseFile.wrong(
                file.path, section.line,
                "there is no \(kind) \(section.name)"
                    + (near ?? "; there are \(known.joined(separator: ", "))"))
        }
        let expected = file.sections(.expected).map(\.name)
        if expected.isEmpty {
            throw CaseFile.wrong(file.path, 1, "a case has a section === expected QUERY")
        }
        // A case that brings its own queries wants all of them tested.
        guard file.configuration != nil,
            let missing = queries.first(where: { !expected.contains($0) })
        else { return }
        throw CaseFile.wrong(
            file.path, file.sections(.toml).first?.line ?? 1,
            "query \(missing) has no section === expected \(missing)")
    }

    /// What is wrong with these output files.
    func complaints(about files: [String: [UInt8]]) -> [String] {
        var complaints: [String] = []
        for query in tested.queries.map(\.name) {
            let rows = file.sections(.expected).filter { $0.name == query }
            complaints += difference("query \(query)", rows, Self.lines(files["\(query).ndjson"]))
            let late = file.sections(.late).filter { $0.name == query }
            complaints += difference(
                "late rows of \(query)", late, Self.lines(files["_late/\(query).ndjson"]))
        }
        for source in configuration.sources.map(\.name) {
            let found = Self.lines(files["_rejected/\(source).ndjson"]).map(Self.reason)
            let wanted = file.sections(.rejected).filter { $0.name == source }.flatMap(\.rows)
            complaints += reasonDifference(source, wanted, found)
        }
        return complaints
    }

    // MARK: Rows

    private func difference(_ what: String, _ sections: [CaseSection], _ found: [String]) -> [String] {
        let wanted = sections.flatMap(\.rows)
        return sections.allSatisfy(\.isOrdered)
            ? ordered(what, wanted, found) : unordered(what, wanted, found)
    }

    private func ordered(
        _ what: String, _ wanted: [(line: Int, text: String)], _ found: [String]
    ) -> [String] {
        for (index, row) in wanted.enumerated() {
            guard index < found.count else {
                return [
                    "\(file.path):\(row.line): \(what): row \(index + 1) is missing "
                        + "(\(found.count) came, \(wanted.count) are expected)\n    expected \(row.text)"
                ]
            }
            if let difference = RowComparison.difference(expected: row.text, actual: found[index]) {
                return [
                    "\(file.path):\(row.line): \(what), row \(index + 1): \(difference)\n"
                        + "    expected \(row.text)\n    got      \(found[index])"
                ]
            }
        }
        return surplus(what, Array(found.dropFirst(wanted.count)))
    }

    private func unordered(
        _ what: String, _ wanted: [(line: Int, text: String)], _ found: [String]
    ) -> [String] {
        var left = found
        var complaints: [String] = []
        for row in wanted {
            let place = left.firstIndex {
                RowComparison.difference(expected: row.text, actual: $0) == nil
            }
            if let place {
                left.remove(at: place)
            } else {
                complaints.append("\(file.path):\(row.line): \(what): no such row came: \(row.text)")
            }
        }
        return complaints + surplus(what, left)
    }

    private func surplus(_ what: String, _ rows: [String]) -> [String] {
        guard !rows.isEmpty else { return [] }
        let shown = rows.prefix(5).map { "    \($0)" }.joined(separator: "\n")
        let more = rows.count > 5 ? "\n    and \(rows.count - 5) more" : ""
        return ["\(file.path): \(what): \(rows.count) rows are not expected:\n\(shown)\(more)"]
    }

    private func reasonDifference(
        _ source: String, _ wanted: [(line: Int, text: String)], _ found: [String]
    ) -> [String] {
        for (index, row) in wanted.enumerated() where index >= found.count || found[index] != row.text {
            let got = index < found.count ? found[index] : "nothing"
            return [
                "\(file.path):\(row.line): rejected rows of \(source), row \(index + 1):\n"
                    + "    expected \(row.text)\n    got      \(got)"
            ]
        }
        return surplus("rejected rows of \(source)", Array(found.dropFirst(wanted.count)))
    }

    private static func lines(_ bytes: [UInt8]?) -> [String] {
        (bytes ?? []).split(separator: UInt8(ascii: "\n")).map { String(decoding: $0, as: UTF8.self) }
    }

    /// The reason in a rejected row, its first member.
    private static func reason(_ line: String) -> String {
        let head = #"{"reason":""#
        guard line.hasPrefix(head) else { return line }
        var text = ""
        var isEscaped = false
        for character in line.dropFirst(head.count) {
            if isEscaped {
                text.append(character)
                isEscaped = false
            } else if character == "\\" {
                isEscaped = true
            } else if character == "\"" {
                break
            } else {
                text.append(character)
            }
        }
        return text
    }
}

extension AgentConfiguration {
    /// The same with the files of tables that lie elsewhere, by the tables' names.
    func withTables(at paths: [String: String]) -> AgentConfiguration {
        let moved = tables.map { table in
            var table = table
            table.path = paths[table.name] ?? table.path
            return table
        }
        return AgentConfiguration(
            path: path, agent: agent, sources: sources, tables: moved, views: views, queries: queries,
            sinks: sinks, uplink: uplink, macroNames: macroNames, warnings: warnings,
            redactedDescription: redactedDescription)
    }

    /// The same with these queries only.
    func reduced(toQueries names: Set<String>) -> AgentConfiguration {
        AgentConfiguration(
            path: path, agent: agent, sources: sources, tables: tables, views: views,
            queries: queries.filter { names.contains($0.name) }, sinks: sinks,
            uplink: uplink, macroNames: macroNames, warnings: warnings,
            redactedDescription: redactedDescription)
    }
}
