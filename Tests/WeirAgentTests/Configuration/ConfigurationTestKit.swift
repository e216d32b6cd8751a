// What the configuration's tests share: files of the repository, and loading a text.

import Glibc
import WeirCore

@testable import WeirAgent

/// The repository's root, from where this file lies; ".." and not a cut, because Tests may be a
/// link.
let repositoryRoot =
    #filePath.split(separator: "/").dropLast().reduce(into: "") { $0 += "/" + $1 } + "/../../.."

/// The text of a file; nil when there is none.
func fileText(_ path: String) -> String? {
    guard case .success(let bytes) = readFile(path, bytesMax: 8 << 20) else { return nil }
    return String(decoding: bytes, as: UTF8.self)
}

/// The names of a folder's files that end so, sorted, without the ending.
func fileNames(in folder: String, suffix: String) -> [String] {
    guard let directory = opendir(folder) else { return [] }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
        let name = withUnsafePointer(to: &entry.pointee.d_name) {
            $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        }
        if name.hasSuffix(suffix) { names.append(String(name.dropLast(suffix.utf8.count))) }
    }
    return names.sorted()
}

/// Replaces a file's text.
func write(_ text: String, to path: String) {
    guard let file = fopen(path, "w") else { return }
    defer { fclose(file) }
    fwrite(text, 1, text.utf8.count, file)
}

/// What is wrong with a text, or the empty list; a file of this name is not read.
func problems(
    _ text: String, file: String = "weir.toml", environment: [String: String] = [:]
) -> [ConfigurationProblem] {
    switch ConfigurationLoader.load(text: Array(text.utf8), path: file, environment: environment) {
    case .success(let configuration): configuration.warnings
    case .failure(let errors): errors.problems
    }
}

/// The configuration that a text is; nil when anything is wrong with it.
func configuration(
    _ text: String, environment: [String: String] = [:], resolvesSecrets: Bool = true
) -> AgentConfiguration? {
    let result = ConfigurationLoader.load(
        text: Array(text.utf8), path: "weir.toml", environment: environment,
        resolvesSecrets: resolvesSecrets)
    return try? result.get()
}
