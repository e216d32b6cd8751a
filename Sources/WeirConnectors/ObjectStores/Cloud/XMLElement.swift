// A reader for the XML that S3 servers answer with: elements, text, the five entities and character
// references, CDATA. No DTDs, no external entities, bounded depth and size, so hostile answers do no
// harm; namespaces are cut off names.

/// An element with its text and children.
struct XMLElement {
    /// Without namespace prefix.
    let name: String
    /// Its own text, entities resolved.
    fileprivate(set) var text = ""
    fileprivate(set) var children: [XMLElement] = []

    static let depthMax = 32

    /// The root of a document; nil when it is not well-formed.
    init?(parsing bytes: [UInt8]) {
        var reader = XMLReader(bytes: bytes)
        guard reader.skipProlog(), let root = reader.element(depth: 0) else { return nil }
        self = root
    }

    fileprivate init(name: String) { self.name = name }

    /// The first child of this name.
    func child(_ name: String) -> XMLElement? { children.first { $0.name == name } }

    /// The children of this name.
    func children(_ name: String) -> [XMLElement] { children.filter { $0.name == name } }

    /// The text of the first child of this name.
    subscript(_ name: String) -> String? { child(name)?.text }
}

/// `text` with the characters that XML reserves written as entities.
func xmlEscaped(_ text: String) -> String {
    var escaped = ""
    for scalar in text.unicodeScalars {
        switch scalar {
        case "&": escaped += "&amp;"
        case "<": escaped += "&lt;"
        case ">": escaped += "&gt;"
        case "\"": escaped += "&quot;"
        default: escaped.unicodeScalars.append(scalar)
        }
    }
    return escaped
}

private struct XMLReader {
    let bytes: [UInt8]
    var position = 0

    private mutating func take(_ word: StaticString) -> Bool {
        let length = word.utf8CodeUnitCount
        guard position + length <= bytes.count else { return false }
        for index in 0..<length where bytes[position + index] != word.utf8Start[index] { return false }
        position += length
        return true
    }

    private mutating func skipSpace() {
        while position < bytes.count, bytes[position] <= 0x20 { position += 1 }
    }

    /// Goes on behind the next occurrence of `word`; returns what lay before it.
    private mutating func skip(past word: StaticString) -> ArraySlice<UInt8>? {
        let start = position
        while position < bytes.count {
            let end = position
            if take(word) { return bytes[start..<end] }
            position += 1
        }
        return nil
    }

    mutating func skipProlog() -> Bool {
        _ = take("\u{FEFF}")
        while true {
            skipSpace()
            if take("<?") {
                guard skip(past: "?>") != nil else { return false }
            } else if take("<!--") {
                guard skip(past: "-->") != nil else { return false }
            } else {
                return true
            }
        }
    }

    mutating func element(depth: Int) -> XMLElement? {
        guard depth < XMLElement.depthMax, take("<"), let fullName = name() else { return nil }
        var element = XMLElement(
            name: String(
                fullName[
                    (fullName.lastIndex(of: ":").map(fullName.index(after:)) ?? fullName.startIndex)...]
            ))
        guard let isEmpty = skipAttributes() else { return nil }
        if isEmpty { return element }
        var text: [UInt8] = []
        while position < bytes.count {
            if take("</") {
                guard name() == fullName else { return nil }
                skipSpace()
                element.text = String(decoding: text, as: UTF8.self)
                return take(">") ? element : nil
            } else if take("<![CDATA[") {
                guard let raw = skip(past: "]]>") else { return nil }
                text += raw
            } else if take("<!--") {
                guard skip(past: "-->") != nil else { return nil }
            } else if bytes[position] == UInt8(ascii: "<") {
                guard let child = self.element(depth: depth + 1) else { return nil }
                element.children.append(child)
            } else if take("&") {
                guard let name = skip(past: ";"), let scalar = entity(name) else { return nil }
                text += Array(String(scalar).utf8)
            } else {
                text.append(bytes[position])
                position += 1
            }
        }
        return nil
    }

    private mutating func name() -> String? {
        let start = position
        let ends = Set(" \t\r\n/>=<&\"'".utf8)
        while position < bytes.count, !ends.contains(bytes[position]) { position += 1 }
        return position > start ? String(decoding: bytes[start..<position], as: UTF8.self) : nil
    }

    /// Returns whether the tag closes itself; nil when it is malformed.
    private mutating func skipAttributes() -> Bool? {
        while true {
            skipSpace()
            if take("/>") { return true }
            if take(">") { return false }
            guard name() != nil else { return nil }
            skipSpace()
            guard take("=") else { return nil }
            skipSpace()
            let isClosed = take("\"") ? skip(past: "\"") != nil : take("'") && skip(past: "'") != nil
            guard isClosed else { return nil }
        }
    }

    private func entity(_ name: ArraySlice<UInt8>) -> Unicode.Scalar? {
        switch String(decoding: name, as: UTF8.self) {
        case "amp": "&"
        case "lt": "<"
        case "gt": ">"
        case "quot": "\""
        case "apos": "'"
        case let text where text.hasPrefix("#x"):
            UInt32(text.dropFirst(2), radix: 16).flatMap(Unicode.Scalar.init)
        case let text where text.hasPrefix("#"): UInt32(text.dropFirst()).flatMap(Unicode.Scalar.init)
        default: nil
        }
    }
}
