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
    private static let listBytesMax = 32 << 20

    private let connection: AzureConnection
    private let options: AzureOptions
    private let context: ObjectStoreContext
    private let base: BucketPrefix
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
        base = BucketPrefix(options.prefix)
        location = connection.subject(base.folder)
    }

    private func path(of key: ObjectKey) -> String { base.whole(key) }

    private func temporaryPath(of key: ObjectKey, marker: String = "") throws(Failure) -> String {
        base.text + (try TemporaryName.path(of: key, marker: marker))
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
        let temporary = try temporaryPath(of: key, marker: TemporaryName.uniqueMarker(context.clock))
        do throws(Failure) {
            let hash = try write(temporary, body)
            try makeFolder(of: key)
            var request = renameRequest(temporary, to: path(of: key))
            request.headers.append(("if-none-match", "*"))
            let response = try connection.send(request)
            if response.isSuccess { return true }
            // A source that is gone was renamed by a request of ours whose reply was lost on the way.
            let refusal = AzureError(response)
            guard refusal.isOfPresentObject || refusal.code == "SourcePathNotFound" else {
                throw connection.refusal(of: request, response)
            }
            removeQuietly(temporary)
            let present = try connection.headers(of: path(of: key))
            return try holds(
                body, at: key, length: present?.length, md5: (present?.md5, Base64.encoded(hash)))
        } catch {
            folderInUse = nil
            removeQuietly(temporary)
            throw error
        }
    }

    // MARK: Writing

    /// Writes a file, whole; returns its MD5.
    private func write(_ path: String, _ body: ObjectBody) throws(Failure) -> [UInt8] {
        let create = CloudRequest(
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
                CloudRequest(
                    method: "PATCH", key: path,
                    query: [("action", "append"), ("position", String(range.lowerBound))],
                    body: body.httpBody(range), bodyDigest: hash, action: "uploading"))
        }
        let hash = Array(whole.finalize())
        guard body.length > 0 else { return hash }
        let flush = CloudRequest(
            method: "PATCH", key: path,
            query: [("action", "flush"), ("position", String(body.length)), ("close", "true")],
            headers: [
                ("x-ms-content-md5", Base64.encoded(hash)),
                ("x-ms-content-type", "application/octet-stream"),
            ], action: "completing the upload of")
        _ = try connection.sendPart(flush)
        return hash
    }

    private func renameRequest(_ old: String, to new: String) -> CloudRequest {
        CloudRequest(
            method: "PUT", key: new, headers: [connection.renameHeader(from: old)], action: "renaming to")
    }

    /// Renames in place of what has the new name.
    private func move(_ old: String, to new: String, _ length: Int, _ hash: [UInt8]?) throws(Failure) {
        let request = renameRequest(old, to: new)
        do throws(Failure) {
            let response = try connection.send(request)
            guard response.status == 201 else { throw connection.refusal(of: request, response) }
        } catch {
            // The reply may have been lost to a rename that worked.
            guard error.retry != .never, !context.abort.isRaised,
                try connection.headers(of: old) == nil,
                let present = try connection.headers(of: new), present.length == length,
                hash == nil || present.md5 == nil || present.md5 == hash.map({ Base64.encoded($0) })
            else { throw error }
        }
    }

    /// A rename wants its folder to be there.
    private func makeFolder(of key: ObjectKey) throws(Failure) {
        if key.folder == folderInUse { return }
        let folder = base.text + key.folder
        if folder.isEmpty { return }
        let request = CloudRequest(
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
        let folder = base.text + TemporaryName.folder
        let now = context.clock.nowMilliseconds()
        for entry in try entries(of: folder) where entry.isStaleTemporary(nowMilliseconds: now) {
            removeQuietly("\(folder)/\(entry.name)")
        }
        hasCleaned = true
    }

    // MARK: Reading

    public func get(_ key: ObjectKey, bytesMax: Int) throws(Failure) -> [UInt8]? {
        try connection.read(path(of: key), bytesMax: bytesMax)
    }

    public func get(_ key: ObjectKey, range: Range<Int>) throws(Failure) -> [UInt8]? {
        try connection.read(path(of: key), range: range)
    }

    public func head(_ key: ObjectKey) throws(Failure) -> ObjectInfo? {
        guard let file = try file(path(of: key)) else { return nil }
        return ObjectInfo(
            key: key, length: file.length, modifiedMilliseconds: file.modifiedMilliseconds)
    }

    /// What a file's headers say; nil when there is none, or a folder.
    private func file(_ path: String) throws(Failure) -> ObjectHeaders? {
        guard let headers = try connection.headers(of: path) else { return nil }
        return headers.response.header("x-ms-resource-type") == "directory" ? nil : headers
    }

    public func list(prefix: String, startAfter: ObjectKey?, max: Int) throws(Failure) -> [ObjectInfo] {
        var listing = TreeListing(prefix: prefix, startAfter: startAfter, max: max) {
            [self] (folder) throws(Failure) in
            try entries(of: String((base.text + folder).dropLast()))
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
            found += try requireListing(response, to: request).compactMap(Self.entry)
            continuation = response.header("x-ms-continuation").flatMap { $0.isEmpty ? nil : $0 }
        } while continuation != nil
        return found
    }

    private func listPage(
        _ folder: String, _ continuation: String?, max: Int
    ) throws(Failure) -> (CloudRequest, HTTPResponse) {
        var request = CloudRequest(
            method: "GET", responseBytesMax: Self.listBytesMax, action: "listing")
        request.query = [
            ("resource", "filesystem"), ("recursive", "false"), ("maxResults", String(max)),
        ]
        if !folder.isEmpty { request.query.append(("directory", folder)) }
        if let continuation { request.query.append(("continuation", continuation)) }
        return (request, try connection.send(request))
    }

    private func requireListing(
        _ response: HTTPResponse, to request: CloudRequest
    ) throws(Failure) -> [JSONValue] {
        guard let paths = JSONValue(parsing: response.body)?["paths"]?.elements else {
            throw connection.strangeAnswer(to: request, "answered without paths")
        }
        return paths
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
        try connection.remove(path, query: [("recursive", "false")])
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
        guard let present = try file(path(of: key)) else {
            throw Failure(
                .external, "renaming", connection.subject(path(of: key)), "there is no such file")
        }
        try move(path(of: key), to: path(of: newKey), present.length, nil)
    }

    public func checkAccess() throws(Failure) -> AccessReport {
        let (request, response) = try listPage(base.folder, nil, max: 1)
        if response.isSuccess { _ = try requireListing(response, to: request) }
        let code = AzureError(response).code
        return try connection.accessReport(
            on: response, to: request, at: location,
            // The base folder is made by the first upload.
            isListed: response.isSuccess || code == "PathNotFound",
            isDenied: code == "AuthorizationPermissionMismatch", denial: "the folder may not be listed")
    }
}
