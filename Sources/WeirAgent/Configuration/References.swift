// `${VAR}` in any string, and `file:/path` in the fields that may be secret, so that a
// configuration can be kept in a repository and still name what must not be there.
//
// `$${` stands for a `${` that is meant literally. What a reference brings in is not looked at
// again: a password that contains `${` stays as it is. A value that comes from a reference never
// appears in messages of this file.

import Glibc
import WeirCore

/// Where values that do not stand in the file come from.
struct ReferenceResolver: Sendable {
    /// A file with a secret is this large at most, bytes.
    static let secretBytesMax = 64 << 10

    /// Why a reference could not be followed.
    struct Problem: Error {
        /// Where in the value, in bytes.
        let offset: Int
        let message: String
    }

    let environment: [String: String]

    /// Everything that is wrong with the references of one value.
    struct Problems: Error {
        let list: [Problem]
        init(_ list: Problem...) { self.list = list }
        init(_ list: [Problem]) { self.list = list }
    }

    /// `text` with each `${VAR}` replaced.
    func expand(_ text: String) -> Result<String, Problems> {
        guard text.utf8.contains(UInt8(ascii: "$")) else { return .success(text) }
        var problems: [Problem] = []
        let bytes = Array(text.utf8)
        let open = [UInt8(ascii: "$"), UInt8(ascii: "{")]
        var out: [UInt8] = []
        var offset = 0
        scan: while offset < bytes.count {
            if bytes[offset] == open[0], bytes[(offset + 1)...].starts(with: open) {
                out += open
                offset += 3
            } else if bytes[offset...].starts(with: open) {
                guard let end = bytes[offset...].firstIndex(of: UInt8(ascii: "}")) else {
                    problems.append(Problem(offset: offset, message: "\"${\" has no closing \"}\""))
                    break scan
                }
                let name = String(decoding: bytes[(offset + 2)..<end], as: UTF8.self)
                if !Self.isVariableName(name) {
                    problems.append(
                        Problem(
                            offset: offset,
                            message: "what follows \"${\" names no environment variable; "
                                + "for a literal \"${\" write \"$${\""))
                } else if let value = environment[name] {
                    out += Array(value.utf8)
                } else {
                    problems.append(Problem(offset: offset, message: missing(name)))
                }
                offset = end + 1
            } else {
                out.append(bytes[offset])
                offset += 1
            }
        }
        return problems.isEmpty
            ? .success(String(decoding: out, as: UTF8.self)) : .failure(Problems(problems))
    }

    /// The secret that `text` names: the content of a file for `file:PATH`, else `text` expanded.
    func secret(_ text: String) -> Result<Secret, Problems> {
        guard text.hasPrefix("file:") else { return expand(text).map { Secret($0) } }
        return expand(text).flatMap { reference in
            let path = String(reference.dropFirst(5))
            guard !path.isEmpty else {
                return .failure(Problems(Problem(offset: 0, message: "\"file:\" names no file")))
            }
            switch readFile(path, bytesMax: Self.secretBytesMax) {
            case .failure(let problem):
                return .failure(
                    Problems(Problem(offset: 0, message: "cannot read \(path): \(problem.reason)")))
            case .success(let bytes):
                let white: [UInt8] = [9, 10, 13, 32]
                let trimmed = bytes.trimmingSuffix { white.contains($0) }.drop {
                    white.contains($0)
                }
                guard !trimmed.isEmpty else {
                    return .failure(Problems(Problem(offset: 0, message: "\(path) is empty")))
                }
                return .success(Secret(String(decoding: trimmed, as: UTF8.self)))
            }
        }
    }

    private func missing(_ name: String) -> String {
        let known = environment.keys.sorted()
        let hint = nearestSpelling(of: name, among: known).map { "; \($0) is set" } ?? ""
        return "the environment variable \(name) is not set\(hint)"
    }

    private static func isVariableName(_ name: String) -> Bool {
        guard let first = name.utf8.first, name.utf8.count <= 128 else { return false }
        return !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first)
            && name.utf8.allSatisfy { isIdentifierByte($0) }
    }
}

extension Array where Element == UInt8 {
    fileprivate func trimmingSuffix(while matches: (UInt8) -> Bool) -> ArraySlice<UInt8> {
        var end = endIndex
        while end > startIndex, matches(self[end - 1]) { end -= 1 }
        return self[..<end]
    }
}

/// A letter, a digit or an underscore of ASCII.
func isIdentifierByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
        true
    default: false
    }
}

/// Why a file could not be read, as the operating system says it.
struct FileProblem: Error {
    let reason: String
}

/// The bytes of a file of at most `bytesMax` bytes.
func readFile(_ path: String, bytesMax: Int) -> Result<[UInt8], FileProblem> {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
        return .failure(FileProblem(reason: String(cString: strerror(errno))))
    }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65_536)
    while true {
        let count = read(descriptor, &chunk, chunk.count)
        if count < 0, errno == EINTR { continue }
        guard count >= 0 else {
            return .failure(FileProblem(reason: String(cString: strerror(errno))))
        }
        if count == 0 { return .success(bytes) }
        bytes += chunk[0..<count]
        guard bytes.count <= bytesMax else {
            return .failure(
                FileProblem(reason: "it is larger than \(Quantity.text(bytes: Int64(bytesMax)))"))
        }
    }
}
