// A folder for a replay's state that nobody wants to keep.

import Glibc
import WeirCore

/// A fresh folder below TMPDIR; `remove` deletes it with the files and folders in it.
final class TemporaryFolder {
    let path: String

    init(_ environment: [String: String]) throws(Failure) {
        let base = environment["TMPDIR"].flatMap { $0.isEmpty ? nil : $0 } ?? "/tmp"
        var template = Array("\(base)/weir-replay-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else {
            throw Failure(
                .storage, "making a temporary folder in", base, String(cString: strerror(errno)),
                advice: "set TMPDIR, or give --state-dir")
        }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    func remove() { Self.remove(path) }

    private static func remove(_ path: String) {
        if let directory = opendir(path) {
            while let entry = readdir(directory) {
                let name = withUnsafePointer(to: &entry.pointee.d_name) {
                    $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
                }
                if name == "." || name == ".." { continue }
                if entry.pointee.d_type == UInt8(DT_DIR) {
                    remove("\(path)/\(name)")
                } else {
                    unlink("\(path)/\(name)")
                }
            }
            closedir(directory)
        }
        rmdir(path)
    }
}
