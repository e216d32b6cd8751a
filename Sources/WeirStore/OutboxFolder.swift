// The folder of files at rest, `outbox` in the state directory: a folder a sink, and in it files that
// are called after their stream, their rows and their number in the segment. Names are functions of
// the segment, so that what a crash cut short is written over, and only names of that form are ever
// removed.

import WeirCore

#if canImport(Glibc)
import Glibc
#endif

/// Where segments at rest lie.
public struct OutboxFolder: Sendable {
    /// The folder, in the state directory.
    public let path: String

    /// The path of a file.
    public func path(of name: String) -> String { "\(path)/\(name)" }

    /// The name of a segment's file: `lake/3-FIRST-LAST-0.ndjson.gz`.
    ///
    /// - Parameter sink: the sink's name in a form that is safe as the name of a folder.
    public static func name(
        of segment: Segment, sink: String, index: Int, fileExtension: String
    ) -> String {
        "\(sink)/\(segment.stream.index)-\(padded(segment.first))-\(padded(segment.last))-\(index)"
            + fileExtension
    }

    /// Removes files that are needed no more. One that cannot be removed is tried again by
    /// `removeStrays` at the next start.
    func remove(_ files: [StagedFile]) {
        for file in files { unlink(path(of: file.name)) }
    }

    /// Removes what no manifest names.
    func removeStrays(except known: Set<String>) {
        for sink in Self.entries(of: path) where !sink.hasPrefix(".") {
            for file in Self.entries(of: "\(path)/\(sink)") where Self.isName(file) {
                let name = "\(sink)/\(file)"
                if !known.contains(name) { unlink(self.path(of: name)) }
            }
        }
    }

    private static func entries(of path: String) -> [String] {
        guard let folder = opendir(path) else { return [] }
        defer { closedir(folder) }
        var names: [String] = []
        while let entry = readdir(folder) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }

    /// Whether a file is called as `name(of:sink:index:fileExtension:)` calls them.
    private static func isName(_ file: String) -> Bool {
        let parts = file.prefix { $0 != "." }.split(separator: "-", omittingEmptySubsequences: false)
        return parts.count == 4 && parts[1].utf8.count == 20 && parts[2].utf8.count == 20
            && parts.allSatisfy { UInt64($0) != nil }
    }

    private static func padded(_ number: UInt64) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, 20 - digits.utf8.count)) + digits
    }
}
