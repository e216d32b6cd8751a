// Objects as files in an account with a hierarchical namespace (ADLS Gen2). A file there can be seen while
// it grows, so an object is written under a temporary name (create, append, flush) and gets its own by a
// rename, which is one step: what has its final name is whole. A rename that must not replace anything
// carries If-None-Match: *.
//
// As with HDFS, temporary files lie in one folder below the base, and old ones are removed before the
// first upload.

import Crypto
import WeirCore

/// Objects in one file system, below one folder.
public final class AzureFileSystemStore: ObjectStore {
    /// Temporary files older than this were left by attempts that nobody will repeat.
    static let staleAfterMilliseconds: Int64 = 86_400_000
    private static let temporaryFolder = TemporaryName.suffix
    private static let listBytesMax = 32 << 20

    private let connection: AzureConnection
    private let options: AzureOptions
    private let context: ObjectStoreContext
    /// Empty, or with a slash at its end.
    private let base: String
    private var folderInUse: Substring?
    private var hasCleaned = false

    public let location: String
    public var canRename: Bool { true }

    /// Throws `Failure(.configuration, …)` for an endpoint or a key that cannot be.
    public init(_ options: AzureOptions, _ context: ObjectStoreContext) throws(Failure) {
        precondition(options.partBytes > 0, "lengths are positive")
        self.options = options
        self.context = context
        connection = try AzureConnection(options, context)
        let segments = options.prefix.split(separator: "/").joined(separator: "/")
        base = segments.isEmpty ? "" : segments + "/"
        location = connection.subject(segments)
    }

    private func path(of key: ObjectKey) -> String { base + key.text }

    /// The same for each `put` of a key, so that one takes the place of what another left behind.
    private func temporaryPath(of key: ObjectKey, marker: String = "") throws(Failure) -> String {
        let text = Array(key.text.utf8)
        let hash = hexadecimal(try ObjectBody.bytes(text).sha256(0..<text.count).prefix(16))
        return "\(base)\(Self.temporaryFolder)/\(hash)\(marker)-\(key.name.suffix(100))"
    }

    public func put(_ key: ObjectKey, _ body: ObjectBody) throws(Failure) {
        context.crashPoint.pass("put.before")
        try removeStaleTemporaries()
        let temporary = try temporaryPath(of: key)
        let hash = try write(temporary, body)
        context.crashPoint.pass("put.after-temporary")
        context.crashPoint.pass("put.before-rename")
        do throws(Failure) {
            try makeFolder(of: key)
            try move(temporary, to: path(of: key), body.length, hash)
        } catch {
            folderInUse = nil  // it may have been removed behind our back
            throw error
        }
        context.crashPoint.pass("put.after")
    }

    public func putIfAbsent(_ key: ObjectKey, _ body: ObjectBody) throws(Failure) -> Bool {
        try removeStaleTemporaries()
        // Others may want the same key at the same time, so each has a temporary file of its own.
        let unique = "-\(context.clock.nowMilliseconds())-\(UInt32.random(in: 0 ... .max))"
        let temporary = try temporaryPath(of: key, marker: unique)
        do throws(Failure) {
            let hash = try write(temporary, body)
            try makeFolder(of: key)
            var request = AzureRequest(
                method: "PUT", key: path(of: key), renameSource: temporary, action: "renaming to")
            request.headers = [("if-none-match", "*")]
            let response = try connection.send(request)
            if response.isSuccess { return true }
            // A source that is gone was renamed by a request of ours whose reply was lost on the way.
            let refusal = AzureError(response)
            guard refusal.isOfPresentObject || refusal.code == "SourcePathNotFound" else {
                throw connection.refusal(of: request, response)
            }
            removeQuietly(temporary)
            return try isThere(path(of: key), body, hash)
        } catch {
            folderInUse = nil
            removeQuietly(temporary)
            throw error
        }
    }

    // MARK: Writing

    /// Writes a file, whole; returns its MD5.
    private func write(_ path: String, _ body: ObjectBody) throws(Failure) -> [UInt8] {
        let create = AzureRequest(
            method: "PUT", key: path, query: [("resource", "file")], action: "creating")
        let created = try connection.sendExpectingSuccess(create)
        guard created.status == 201 else {
            throw connection.strangeAnswer(to: create, "answered \(created.status) to a new file")
        }
        var whole = Insecure.MD5()
        let plan = PartPlan(length: body.length, partBytes: options.partBytes)
        for index in 0..<plan.count where body.length > 0 {
            let range = plan.range(index)
            let hash = try body.md5(range, addingTo: &whole)
            // Appending the same bytes at the same place again changes nothing.
            _ = try connection.sendPart(
                AzureRequest(
                    method: "PATCH", key: path,
                    query: [("action", "append"), ("position", String(range.lowerBound))],
                    body: body.httpBody(range), bodyMD5: hash, action: "uploading"))
        }
        let hash = Array(whole.finalize())
        guard body.length > 0 else { return hash }
        let flush = AzureRequest(
            method: "PATCH", key: path,
            query: [("action", "flush"), ("position", String(body.length)), ("close", "true")],
            headers: [
                ("x-ms-content-md5", Base64.encoded(hash)),
                ("x-ms-content-type", "application/octet-stream"),
            ], action: "completing the upload of")
        _ = try connection.sendPart(flush)
        return hash
    }

    /// Renames in place of what has the new name.
    private func move(_ old: String, to new: String, _ length: Int, _ hash: [UInt8]?) throws(Failure) {
        let request = AzureRequest(method: "PUT", key: new, renameSource: old, action: "renaming to")
        do throws(Failure) {
            let response = try connection.send(request)
            guard response.status == 201 else { throw connection.refusal(of: request, response) }
        } catch {
            // The reply may have been lost to a rename that worked.
            guard error.retry != .never, !context.abort.isRaised, try status(old) == nil,
                let present = try status(new), present.entry.length == length,
                hash == nil || present.md5 == nil || present.md5 == hash.map({ Base64.encoded($0) })
            else { throw error }
        }
    }

    /// Whether a file has these bytes.
    private func isThere(_ path: String, _ body: ObjectBody, _ hash: [UInt8]) throws(Failure) -> Bool {
        guard let present = try status(path), present.entry.length == body.length else { return false }
        if let md5 = present.md5 { return md5 == Base64.encoded(hash) }
        guard let bytes = try read(path, bytesMax: body.length) else { return false }
        return try body.hasBytes(bytes)
    }

    /// A rename wants its folder to be there.
    private func makeFolder(of key: ObjectKey) throws(Failure) {
        if key.folder == folderInUse { return }
        let folder = base + key.folder
        if folder.isEmpty { return }
        let request = AzureRequest(
            method: "PUT", key: String(folder.dropLast()), query: [("resource", "directory")],
            headers: [("if-none-match", "*")], action: "making the folder")
        let response = try connection.send(request)
        guard response.isSuccess || AzureError(response).isOfPresentObject else {
            throw connection.refusal(of: request, response)
        }
        folderInUse = key.folder
    }

    /// Once, before the first upload.
    private func removeStaleTemporaries() throws(Failure) {
        if hasCleaned { return }
        let folder = base + Self.temporaryFolder
        let now = context.clock.nowMilliseconds()
        for entry in try entries(of: folder) where !entry.isFolder {
            if let modified = entry.modifiedMilliseconds, now - modified > Self.staleAfterMilliseconds {
                removeQuietly("\(folder)/\(entry.name)")
            }
        }
        hasCleaned = true
    }

    // MARK: Reading

    public func get(_ key: ObjectKey, bytesMax: Int) throws(Failure) -> [UInt8]? {
        try read(path(of: key), bytesMax: bytesMax)
    }

    private func read(_ path: String, bytesMax: Int) throws(Failure) -> [UInt8]? {
        let request = AzureRequest(
            method: "GET", key: path,
            responseBytesMax: max(bytesMax, AzureBlobStore.errorBytesMax), action: "reading")
        let response = try connection.send(request)
        if AzureError(response).isOfMissingObject { return nil }
        guard response.status == 200 else { throw connection.refusal(of: request, response) }
        guard response.body.count <= bytesMax else {
            throw Failure(
                .external, "reading", connection.subject(path),
                "it has \(response.body.count) bytes, and at most \(bytesMax) are read")
        }
        return response.body
    }

    public func head(_ key: ObjectKey) throws(Failure) -> ObjectInfo? {
        guard let entry = try status(path(of: key))?.entry, !entry.isFolder else { return nil }
        return ObjectInfo(
            key: key, length: entry.length, modifiedMilliseconds: entry.modifiedMilliseconds)
    }

    /// What is at a path, and the MD5 that its writer left with it; nil when nothing is there.
    private func status(_ path: String) throws(Failure) -> (entry: TreeEntry, md5: String?)? {
        let request = AzureRequest(method: "HEAD", key: path, action: "looking at")
        let response = try connection.send(request)
        if AzureError(response).isOfMissingObject { return nil }
        guard response.isSuccess else { throw connection.refusal(of: request, response) }
        guard let length = response.header("content-length").flatMap({ Int($0) }) else {
            throw connection.strangeAnswer(to: request, "answered without a length")
        }
        let entry = TreeEntry(
            name: "", isFolder: response.header("x-ms-resource-type") == "directory", length: length,
            modifiedMilliseconds: response.header("last-modified").flatMap(
                HTTPDate.milliseconds(fixdate:)))
        return (entry, response.header("content-md5"))
    }

    public func list(prefix: String, startAfter: ObjectKey?, max: Int) throws(Failure) -> [ObjectInfo] {
        var listing = TreeListing(prefix: prefix, startAfter: startAfter, max: max) {
            [self] (folder) throws(Failure) in
            try entries(of: String((base + folder).dropLast()))
        }
        return try listing.run()
    }

    /// What a folder holds; nothing when there is none. Empty = the file system itself.
    private func entries(of folder: String) throws(Failure) -> [TreeEntry] {
        var found: [TreeEntry] = []
        var continuation: String?
        repeat {
            let (request, response) = try listPage(folder, continuation, max: 5000)
            if AzureError(response).isOfMissingObject { return [] }
            guard response.isSuccess else { throw connection.refusal(of: request, response) }
            guard let paths = JSONValue(parsing: response.body)?["paths"]?.elements else {
                throw connection.strangeAnswer(to: request, "answered without paths")
            }
            found += paths.compactMap(Self.entry)
            continuation = response.header("x-ms-continuation").flatMap { $0.isEmpty ? nil : $0 }
        } while continuation != nil
        return found
    }

    private func listPage(
        _ folder: String, _ continuation: String?, max: Int
    ) throws(Failure) -> (AzureRequest, HTTPResponse) {
        var request = AzureRequest(
            method: "GET", responseBytesMax: Self.listBytesMax, action: "listing")
        request.query = [
            ("resource", "filesystem"), ("recursive", "false"), ("maxResults", String(max)),
        ]
        if !folder.isEmpty { request.query.append(("directory", folder)) }
        if let continuation { request.query.append(("continuation", continuation)) }
        return (request, try connection.send(request))
    }

    private static func entry(_ path: JSONValue) -> TreeEntry? {
        guard let name = path["name"]?.string else { return nil }
        return TreeEntry(
            name: name.split(separator: "/").last.map { String($0) } ?? name,
            isFolder: path["isDirectory"]?.string == "true" || path["isDirectory"]?.bool == true,
            length: path["contentLength"].flatMap { $0.string.flatMap { Int($0) } ?? $0.integer.map { Int($0) } }
                ?? 0,
            modifiedMilliseconds: path["lastModified"]?.string.flatMap(HTTPDate.milliseconds(fixdate:)))
    }

    // MARK: Removing and renaming

    public func delete(_ key: ObjectKey) throws(Failure) { try remove(path(of: key)) }

    private func remove(_ path: String) throws(Failure) {
        let request = AzureRequest(
            method: "DELETE", key: path, query: [("recursive", "false")], action: "removing")
        let response = try connection.send(request)
        guard response.isSuccess || AzureError(response).isOfMissingObject else {
            throw connection.refusal(of: request, response)
        }
    }

    /// Best effort: what stays has a temporary name, and goes when it is a day old.
    private func removeQuietly(_ path: String) {
        do throws(Failure) {
            try remove(path)
        } catch {
            // The failure that led here is the one to report.
        }
    }

    public func rename(_ key: ObjectKey, to newKey: ObjectKey) throws(Failure) {
        folderInUse = nil
        try makeFolder(of: newKey)
        guard let present = try status(path(of: key)), !present.entry.isFolder else {
            throw Failure(
                .external, "renaming", connection.subject(path(of: key)), "there is no such file")
        }
        try move(path(of: key), to: path(of: newKey), present.entry.length, nil)
    }

    public func checkAccess() throws(Failure) -> AccessReport {
        let (request, response) = try listPage(String(base.dropLast()), nil, max: 1)
        let offset = response.serverDateMilliseconds.map { $0 - context.clock.nowMilliseconds() }
        // The base folder is made by the first upload.
        if response.isSuccess || AzureError(response).code == "PathNotFound" {
            guard !response.isSuccess || JSONValue(parsing: response.body)?["paths"] != nil else {
                throw connection.strangeAnswer(to: request, "answered without paths")
            }
            return .listed(location, clockOffset: offset)
        }
        guard AzureError(response).code == "AuthorizationPermissionMismatch" else {
            throw connection.refusal(of: request, response)
        }
        return .unlisted(
            location,
            "the folder may not be listed; whether it may be written to shows at the first upload",
            clockOffset: offset)
    }
}
