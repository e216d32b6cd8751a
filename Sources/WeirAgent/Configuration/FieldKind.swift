// What values each kind of field takes: reading one from the TOML tree, saying what is wrong with
// another, and naming the kind and its bounds in the reference.

import WeirCore

extension FieldKind {
    /// The value that a TOML value stands for, references already followed.
    func value(of node: TOMLNode.Value) -> Result<FieldValue, Complaint> {
        switch (self, node) {
        case (.text(let format), .string(let text)):
            if let complaint = format.complaint(text) { return .failure(complaint) }
            return .success(.text(text))
        case (.choice(let words), .string(let text)):
            return words.contains(text)
                ? .success(.text(text)) : .failure(Self.unknown(text, of: words))
        case (.integer(let range, let why), .integer(let number)):
            return Self.bounded(number, range, why) { "\($0)" }
        case (.boolean, .boolean(let flag)):
            return .success(.boolean(flag))
        case (.duration(let range), .string(let text)):
            return quantity(text, range, Quantity.milliseconds) { Quantity.text(milliseconds: $0) }
        case (.size(let range), .string(let text)):
            return quantity(text, range, Quantity.bytes) { Quantity.text(bytes: $0) }
        case (.rate(let range), .string(let text)):
            return quantity(text, range, Quantity.bytesPerSecond) {
                Quantity.text(bytes: $0) + "/s"
            }
        case (.texts, .array):
            preconditionFailure("the reader takes lists apart")
        default:
            return .failure(Complaint("must be \(withArticle), not \(node.kindName)"))
        }
    }

    /// "a duration such as "5s"", for messages.
    var withArticle: String {
        switch self {
        case .text: "a string"
        case .texts: "a list of strings"
        case .integer: "an integer"
        case .boolean: "true or false"
        case .duration: #"a duration such as "100ms", "5s", "10m" or "1h""#
        case .size: #"a size such as "64MB" or "256KiB""#
        case .rate: #"a rate such as "1MB/s""#
        case .choice(let words): alternatives(words.map { "\"\($0)\"" })
        case .columns: "a table of columns"
        }
    }

    /// The kind's name in the reference.
    var name: String {
        switch self {
        case .text(let format): format.name
        case .texts(let format): "list of \(format.name)s"
        case .integer: "integer"
        case .boolean: "boolean"
        case .duration: "duration"
        case .size: "size"
        case .rate: "rate"
        case .choice(let words): words.map { "`\"\($0)\"`" }.joined(separator: ", ")
        case .columns: "table"
        }
    }

    /// The bounds as the reference shows them; empty where there are none.
    var bounds: String {
        switch self {
        case .integer(let range, _):
            range.count == 1 ? "\(range.lowerBound)" : "\(range.lowerBound) to \(range.upperBound)"
        case .duration(let range):
            "\(Quantity.text(milliseconds: range.lowerBound)) to "
                + Quantity.text(milliseconds: range.upperBound)
        case .size(let range):
            "\(Quantity.text(bytes: range.lowerBound)) to \(Quantity.text(bytes: range.upperBound))"
        case .rate(let range):
            "\(Quantity.text(bytes: range.lowerBound))/s to \(Quantity.text(bytes: range.upperBound))/s"
        default: ""
        }
    }

    /// A value of this kind as TOML writes it; a secret as its mask.
    func toml(_ value: FieldValue) -> String {
        switch (self, value) {
        case (_, .secret): "\"\(Secret.mask)\""
        case (_, .boolean(let flag)): flag ? "true" : "false"
        case (_, .text(let text)): jsonString(text)
        case (_, .texts(let texts)): "[" + texts.map(jsonString).joined(separator: ", ") + "]"
        case (.duration, .number(let number)): "\"\(Quantity.text(milliseconds: number))\""
        case (.size, .number(let number)): "\"\(Quantity.text(bytes: number))\""
        case (.rate, .number(let number)): "\"\(Quantity.text(bytes: number))/s\""
        case (_, .number(let number)): "\(number)"
        }
    }

    private func quantity(
        _ text: String, _ range: ClosedRange<Int64>, _ parse: (String) -> Int64?,
        _ write: (Int64) -> String
    ) -> Result<FieldValue, Complaint> {
        guard let number = parse(text) else {
            let reason =
                Quantity.isBareNumber(text)
                ? ": \(quoted(text)) has no unit" : ", not \(quoted(text))"
            return .failure(Complaint("must be \(withArticle)\(reason)"))
        }
        return Self.bounded(number, range, "", write)
    }

    private static func bounded(
        _ number: Int64, _ range: ClosedRange<Int64>, _ why: String, _ write: (Int64) -> String
    ) -> Result<FieldValue, Complaint> {
        if range.contains(number) { return .success(.number(number)) }
        let bound =
            range.lowerBound == range.upperBound
            ? write(range.lowerBound)
            : number < range.lowerBound
                ? "at least \(write(range.lowerBound))" : "at most \(write(range.upperBound))"
        return .failure(
            Complaint("must be \(bound), not \(write(number))\(why.isEmpty ? "" : ": \(why)")"))
    }

    private static func unknown(_ text: String, of words: [String]) -> Complaint {
        let hint =
            nearestSpelling(of: text, among: words).map { "; did you mean \(quoted($0))?" } ?? ""
        return Complaint(
            "must be \(alternatives(words.map { "\"\($0)\"" })), not \(quoted(text))\(hint)")
    }
}
