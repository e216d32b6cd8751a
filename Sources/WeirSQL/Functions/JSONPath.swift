// Paths into JSON, as Jayway's JsonPath reads them for Flink: $.name, ['name'], [0], [-1], [0, 2],
// [1:3], [*], .* and ..name. Filters [?(…)] and functions are refused.
//
// A path without wildcards, lists, slices and .. is definite: it means one value, and it is an error if
// there is none. Any other path means a list of what there is.

import WeirCore

/// A compiled path.
struct JSONPath: Sendable {
    enum Step: Sendable, Equatable {
        case names([String])
        case indexes([Int])
        case slice(Int?, Int?)
        case wildcard
        /// The next step at every level.
        case descent
    }

    /// What a path finds.
    enum Found {
        /// One value, or the list that an indefinite path makes.
        case value(JSONDocument)
        /// Nothing where a definite path has to find something.
        case missing
    }

    /// Whether a missing value is an error: `strict`, which is also meant without a word in front.
    let isStrict: Bool
    let steps: [Step]

    /// Nil if it is no path that is supported.
    init?(_ text: String) {
        var rest = Substring(text)
        func dropBlanks() { rest = rest.drop { $0.isWhitespace } }
        dropBlanks()
        var isStrict = true
        for word in ["lax", "strict"] where rest.lowercased().hasPrefix(word) {
            isStrict = word == "strict"
            rest = rest.dropFirst(word.count)
            guard rest.first?.isWhitespace == true else { return nil }
            dropBlanks()
        }
        self.isStrict = isStrict
        guard rest.first == "$" else { return nil }
        var reader = StepReader(rest: rest.dropFirst())
        guard let steps = reader.steps() else { return nil }
        self.steps = steps
    }

    /// Whether it means one value.
    var isDefinite: Bool {
        steps.allSatisfy {
            switch $0 {
            case .names(let names): names.count == 1
            case .indexes(let indexes): indexes.count == 1
            case .slice, .wildcard, .descent: false
            }
        }
    }

    /// What it finds in a document.
    func find(in document: JSONDocument) -> Found {
        var found: [JSONDocument] = []
        if isDefinite {
            var value = document
            for step in steps {
                guard let next = Self.only(step, value) else { return .missing }
                value = next
            }
            return .value(value)
        }
        guard collect(document, steps[...], isDefinite: true, &found) else { return .missing }
        return .value(.array(found))
    }

    private static func only(_ step: Step, _ value: JSONDocument) -> JSONDocument? {
        switch (step, value) {
        case (.names(let names), .object): value.member(names[0])
        case (.indexes(let indexes), .array(let elements)):
            place(indexes[0], elements.count).map { elements[$0] }
        default: nil
        }
    }

    private static func place(_ index: Int, _ count: Int) -> Int? {
        let place = index < 0 ? count + index : index
        return place >= 0 && place < count ? place : nil
    }

    /// Appends what the steps find; false if a definite part of the path finds nothing.
    private func collect(
        _ value: JSONDocument, _ steps: ArraySlice<Step>, isDefinite: Bool, _ found: inout [JSONDocument]
    ) -> Bool {
        guard let step = steps.first else {
            found.append(value)
            return true
        }
        let rest = steps.dropFirst()
        func go(_ next: [JSONDocument]) {
            for value in next { _ = collect(value, rest, isDefinite: false, &found) }
        }
        switch (step, value) {
        case (.names(let names), .object) where names.count == 1:
            guard let next = value.member(names[0]) else { return !isDefinite }
            return collect(next, rest, isDefinite: isDefinite, &found)
        case (.names(let names), .object(let members)):
            go([.object(members.filter { names.contains($0.key) })])
        case (.indexes(let indexes), .array(let elements)) where indexes.count == 1:
            guard let place = Self.place(indexes[0], elements.count) else { return !isDefinite }
            return collect(elements[place], rest, isDefinite: isDefinite, &found)
        case (.indexes(let indexes), .array(let elements)):
            go(indexes.compactMap { Self.place($0, elements.count) }.map { elements[$0] })
        case (.slice(let from, let to), .array(let elements)):
            let low = max(0, from.map { $0 < 0 ? elements.count + $0 : $0 } ?? 0)
            let high = min(elements.count, to.map { $0 < 0 ? elements.count + $0 : $0 } ?? elements.count)
            go(low < high ? Array(elements[low..<high]) : [])
        case (.wildcard, .array(let elements)): go(elements)
        case (.wildcard, .object(let members)): go(members.map(\.value))
        case (.wildcard, _): break
        case (.descent, _): descend(value, rest, &found)
        default: return !isDefinite
        }
        return true
    }

    private func descend(_ value: JSONDocument, _ rest: ArraySlice<Step>, _ found: inout [JSONDocument]) {
        _ = collect(value, rest, isDefinite: false, &found)
        switch value {
        case .array(let elements): for element in elements { descend(element, rest, &found) }
        case .object(let members): for member in members { descend(member.value, rest, &found) }
        default: break
        }
    }
}

/// Reads the steps of a path.
private struct StepReader {
    var rest: Substring

    mutating func steps() -> [JSONPath.Step]? {
        var steps: [JSONPath.Step] = []
        while let first = rest.popFirst() {
            if first == "[" {
                guard let step = bracket() else { return nil }
                steps.append(step)
                continue
            }
            guard first == "." else { return nil }
            if rest.first == "." {
                rest = rest.dropFirst()
                steps.append(.descent)
                if rest.first == "[" { continue }
            }
            if rest.first == "*" {
                rest = rest.dropFirst()
                steps.append(.wildcard)
                continue
            }
            let name = rest.prefix { $0 != "." && $0 != "[" && $0 != "(" && !$0.isWhitespace }
            rest = rest.dropFirst(name.count)
            if name.isEmpty || rest.first == "(" { return nil }
            steps.append(.names([String(name)]))
        }
        return steps
    }

    /// What stands in brackets.
    private mutating func bracket() -> JSONPath.Step? {
        dropBlanks()
        if rest.first == "*" {
            rest = rest.dropFirst()
            return close() ? .wildcard : nil
        }
        if rest.first == "'" || rest.first == "\"" { return names() }
        guard let end = rest.firstIndex(of: "]") else { return nil }
        let text = rest[..<end]
        rest = rest[rest.index(after: end)...]
        if text.contains(":") {
            let bounds = text.split(separator: ":", omittingEmptySubsequences: false).map { $0.filter { $0 != " " } }
            guard bounds.count == 2 else { return nil }
            let numbers = bounds.map { Int($0) }
            guard zip(bounds, numbers).allSatisfy({ $0.isEmpty || $1 != nil }) else { return nil }
            return .slice(numbers[0], numbers[1])
        }
        let numbers = text.split(separator: ",", omittingEmptySubsequences: false).map { Int($0.filter { $0 != " " }) }
        let known = numbers.compactMap { $0 }
        return known.count == numbers.count && !known.isEmpty ? .indexes(known) : nil
    }

    private mutating func names() -> JSONPath.Step? {
        var names: [String] = []
        while let quote = rest.popFirst(), quote == "'" || quote == "\"" {
            var name = ""
            while let character = rest.popFirst(), character != quote {
                if character == "\\", let next = rest.popFirst() { name.append(next) } else { name.append(character) }
            }
            names.append(name)
            dropBlanks()
            guard rest.first == "," else { return close() ? .names(names) : nil }
            rest = rest.dropFirst()
            dropBlanks()
        }
        return nil
    }

    private mutating func close() -> Bool {
        dropBlanks()
        return rest.popFirst() == "]"
    }

    private mutating func dropBlanks() { rest = rest.drop { $0.isWhitespace } }
}

/// Compiles a path once as long as the same one comes.
final class JSONPathCache {
    private var text: [UInt8]?
    private var compiled: JSONPath?

    func path(_ view: TextView) -> JSONPath? {
        if let text, text.count == view.count, text.elementsEqual(view) { return compiled }
        text = Array(view)
        compiled = JSONPath(view.string)
        return compiled
    }
}
