// Holds the tree to the style sheet: what a reader may rely on in every file is checked here, once.

import Glibc
import Testing

/// A Swift file of the product.
private struct SourceFile {
    let path: String
    let lines: [Substring]
}

/// The repository's root, from where this file lies.
private let root = #filePath.split(separator: "/").dropLast(3).reduce(into: "") { $0 += "/" + $1 }

private func files(under folder: String, suffix: String) -> [SourceFile] {
    guard let directory = opendir("\(root)/\(folder)") else { return [] }
    defer { closedir(directory) }
    var found: [SourceFile] = []
    while let entry = readdir(directory) {
        let name = withUnsafePointer(to: &entry.pointee.d_name) {
            $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        }
        if name.hasPrefix(".") { continue }
        let path = "\(folder)/\(name)"
        if entry.pointee.d_type == UInt8(DT_DIR) {
            found += files(under: path, suffix: suffix)
        } else if name.hasSuffix(suffix), let text = contents(of: "\(root)/\(path)") {
            found.append(
                SourceFile(path: path, lines: text.split(separator: "\n", omittingEmptySubsequences: false)))
        }
    }
    return found
}

private func contents(of path: String) -> String? {
    guard let file = fopen(path, "r") else { return nil }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65_536)
    while true {
        let count = fread(&chunk, 1, chunk.count, file)
        if count == 0 { return String(decoding: bytes, as: UTF8.self) }
        bytes += chunk[0..<count]
    }
}

private let product = files(under: "Sources", suffix: ".swift")
private let everything = product + files(under: "Tests", suffix: ".swift")

/// Places where a line matches, outside of comments, in files that `except` does not name.
private func places(
    _ found: [SourceFile], except: [String] = [], where matches: (Substring) -> Bool
) -> [String] {
    found.filter { file in !except.contains { file.path.contains($0) } }.flatMap { file in
        file.lines.enumerated().compactMap { number, line in
            let code = line.drop { $0 == " " }
            return !code.hasPrefix("//") && matches(code) ? "\(file.path):\(number + 1): \(code)" : nil
        }
    }
}

@Suite struct TidyTests {
    @Test func theTreeIsSeen() {
        #expect(product.count > 30)
    }

    @Test func filesStayUnder400Lines() {
        #expect(everything.filter { $0.lines.count > 401 }.map(\.path) == [])
    }

    @Test func linesStayUnder121Columns() {
        #expect(places(everything) { $0.utf8.count > 120 } == [])
    }

    @Test func functionsStayUnder70Lines() {
        #expect(everything.flatMap(longFunctions) == [])
    }

    @Test func everyFileOpensWithWhyItExists() {
        #expect(
            everything.filter { file in
                file.lines.first?.hasPrefix("//") != true || file.path.contains("Placeholder")
            }.map(\.path) == [])
    }

    @Test func foundationIsNotImportedWhole() {
        #expect(places(everything) { $0 == "import Foundation" || $0.hasSuffix(" import Foundation") } == [])
    }

    @Test func nothingTrapsOnItsEnvironment() {
        #expect(places(product) { $0.contains("try!") || $0.contains(" as! ") } == [])
    }

    @Test func onlyTheCommandLinePrints() {
        #expect(places(product, except: ["Sources/weir/"]) { $0.hasPrefix("print(") } == [])
    }

    @Test func nothingIsLeftToDoInTheCode() {
        let marks = ["TO" + "DO", "FIX" + "ME", "XX" + "X"]
        #expect(
            everything.flatMap { file in
                file.lines.filter { line in
                    let comment = line.split(separator: "//", omittingEmptySubsequences: false).dropFirst()
                    return comment.joined().split { !$0.isLetter }.contains { marks.contains(String($0)) }
                }.map { "\(file.path): \($0)" }
            } == [])
    }

    @Test func uncheckedSendabilityIsArgued() {
        let bare = product.flatMap { file in
            file.lines.indices.filter { index in
                file.lines[index].contains("@unchecked Sendable")
                    && !file.lines[max(0, index - 8)..<index].contains { $0.contains("//") }
            }.map { "\(file.path):\($0 + 1)" }
        }
        #expect(bare == [])
    }
}

/// Functions of more than 70 lines, by the indentation of their closing brace.
private func longFunctions(in file: SourceFile) -> [String] {
    var found: [String] = []
    for (start, line) in file.lines.enumerated() {
        let indentation = line.prefix { $0 == " " }
        let code = line.dropFirst(indentation.count)
        let isFunction = code.contains("func ") || code.hasPrefix("init(") || code.contains(" init(")
        guard isFunction, !code.hasPrefix("//"), !code.hasSuffix("}") else { continue }
        let closing = indentation + "}"
        guard
            let end = file.lines[start...].firstIndex(where: { $0 == closing || $0.hasPrefix(closing + " ") })
        else { continue }
        if end - start > 70 { found.append("\(file.path):\(start + 1): \(end - start) lines") }
    }
    return found
}
