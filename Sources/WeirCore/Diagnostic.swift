// What is wrong at one place of a text that a person wrote: a configuration file or the SQL inside it.

/// A place in a text. Lines and columns count from 1; a column counts UTF-8 bytes.
public struct TextPosition: Hashable, Sendable, Comparable {
    /// From 1.
    public let line: Int
    /// From 1, in UTF-8 bytes.
    public let column: Int

    public init(line: Int, column: Int) {
        self.line = line
        self.column = column
    }

    /// In the order of the text.
    public static func < (a: TextPosition, b: TextPosition) -> Bool {
        (a.line, a.column) < (b.line, b.column)
    }
}

/// One complaint about a text.
public struct Diagnostic: Error, Hashable, Sendable {
    /// Whether it can be gone on with.
    public enum Severity: String, Sendable { case error, warning }

    /// An error unless said otherwise.
    public let severity: Severity
    /// Where it starts.
    public let position: TextPosition
    /// What is wrong and what would be right, without position or file name.
    public let message: String

    public init(_ position: TextPosition, _ message: String, severity: Severity = .error) {
        self.severity = severity
        self.position = position
        self.message = message
    }
}

/// The candidate nearest to a misspelt word by edit distance (optimal string alignment), or nil when
/// none is near enough to be meant. Case is ignored.
public func nearestSpelling(of word: String, among candidates: some Sequence<String>) -> String? {
    let target = Array(word.lowercased().utf8)
    var best: (distance: Int, candidate: String)?
    for candidate in candidates {
        let distance = editDistance(target, Array(candidate.lowercased().utf8))
        if distance <= max(1, min(target.count, candidate.utf8.count) / 3), distance < best?.distance ?? .max {
            best = (distance, candidate)
        }
    }
    return best?.candidate
}

private func editDistance(_ a: [UInt8], _ b: [UInt8]) -> Int {
    if a.isEmpty || b.isEmpty { return max(a.count, b.count) }
    var beforeLast = [Int](repeating: 0, count: b.count + 1)
    var last = Array(0...b.count)
    for i in 1...a.count {
        var row = [Int](repeating: i, count: b.count + 1)
        for j in 1...b.count {
            let cost = a[i - 1] == b[j - 1] ? 0 : 1
            row[j] = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + cost)
            if i > 1, j > 1, a[i - 1] == b[j - 2], a[i - 2] == b[j - 1] {
                row[j] = min(row[j], beforeLast[j - 2] + 1)
            }
        }
        (beforeLast, last) = (last, row)
    }
    return last[b.count]
}
