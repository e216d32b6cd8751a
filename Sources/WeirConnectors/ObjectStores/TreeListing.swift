// Lists a tree of folders as if it were one flat list of keys in byte order, as S3 does: a folder sorts
// as its name with a slash behind it, and folders that cannot hold a key asked for are not opened.

import WeirCore

/// What one folder of a tree holds.
struct TreeEntry {
    let name: String
    let isFolder: Bool
    let length: Int
    let modifiedMilliseconds: Int64?
}

/// Names under which stores keep what is not complete yet; a dot in front hides them from readers of
/// lakes (Hive, Spark, Flink pass over names that begin with a dot).
enum TemporaryName {
    static let suffix = ".weir-tmp"

    /// The temporary name of an object of this name. Always the same one for `put`, so that the next
    /// attempt takes the place of what a crash left behind.
    static func of(_ name: Substring, marker: String = "") -> String { "." + name + marker + suffix }

    static func isTemporary(_ name: some StringProtocol) -> Bool {
        name.hasPrefix(".") && name.hasSuffix(suffix)
    }

    /// Where stores that keep temporary files in one folder have it, below their base.
    static let folder = suffix

    /// Temporary files in `folder` that are older than this were left by attempts that nobody will repeat.
    static let staleAfterMilliseconds: Int64 = 86_400_000

    /// The temporary file of an object in `folder`, from the store's base. Always the same for `put`, so
    /// that one takes the place of what another left behind.
    static func path(of key: ObjectKey, marker: String) throws(Failure) -> String {
        let text = Array(key.text.utf8)
        let hash = hexadecimal(try ObjectBody.bytes(text).sha256(0..<text.count).prefix(16))
        return "\(folder)/\(hash)\(marker)-\(key.name.suffix(100))"
    }

    /// What makes a temporary name one's own, where others may want the same key at the same time.
    static func uniqueMarker(_ clock: any MachineClock) -> String {
        "-\(clock.nowMilliseconds())-\(UInt32.random(in: 0 ... .max))"
    }
}

extension TreeEntry {
    /// Whether, in the folder for temporary files, it is one that nobody will come back to.
    func isStaleTemporary(nowMilliseconds now: Int64) -> Bool {
        guard !isFolder, let modifiedMilliseconds else { return false }
        return now - modifiedMilliseconds > TemporaryName.staleAfterMilliseconds
    }
}

/// One listing under way.
struct TreeListing {
    let prefix: String
    let startAfter: String?
    let max: Int
    /// What the folder (empty, or ending in a slash) holds; nothing when there is no such folder.
    let children: (_ folder: String) throws(Failure) -> [TreeEntry]
    private var found: [ObjectInfo] = []

    init(
        prefix: String, startAfter: ObjectKey?, max: Int,
        children: @escaping (_ folder: String) throws(Failure) -> [TreeEntry]
    ) {
        self.prefix = prefix
        self.startAfter = startAfter?.text
        self.max = max
        self.children = children
    }

    /// The objects asked for.
    mutating func run() throws(Failure) -> [ObjectInfo] {
        let folder = prefix.lastIndex(of: "/").map { String(prefix[...$0]) } ?? ""
        if folder.isEmpty || ObjectKey(encoded: folder.dropLast()) != nil { try visit(folder) }
        return found
    }

    private mutating func visit(_ folder: String) throws(Failure) {
        let entries = try children(folder).filter {
            ObjectKey.isEncoded(segment: $0.name[...]) && !TemporaryName.isTemporary($0.name)
        }
        let sorted = entries.map { (path: folder + $0.name + ($0.isFolder ? "/" : ""), entry: $0) }
            .sorted { ObjectKey.precede($0.path, $1.path) }
        for (path, entry) in sorted where found.count < max {
            if entry.isFolder {
                if mayHoldWanted(path) { try visit(path) }
            } else if path.hasPrefix(prefix), isAfterStart(path), let key = ObjectKey(encoded: path) {
                found.append(
                    ObjectInfo(
                        key: key, length: entry.length, modifiedMilliseconds: entry.modifiedMilliseconds
                    ))
            }
        }
    }

    private func isAfterStart(_ path: String) -> Bool {
        startAfter.map { ObjectKey.precede($0, path) } ?? true
    }

    private func mayHoldWanted(_ folder: String) -> Bool {
        (folder.hasPrefix(prefix) || prefix.hasPrefix(folder))
            && (isAfterStart(folder) || startAfter?.hasPrefix(folder) == true)
    }
}
