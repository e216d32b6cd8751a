// Objects as files in HDFS, over its HTTP interface. An upload that HDFS answers with 201 may still be
// empty (a quota, a full DataNode) or cut short (a dropped connection leaves a closed file with what
// arrived), so an object is written under a temporary name, its length is checked, and only then it is
// renamed: what has its final name is whole.
//
// Some DataNodes (HDFS-14423, and Hadoop 2.7 with a newer netty) decode paths twice, so that a name with
// a "%" means another one there than at the NameNode. Temporary files therefore lie in one folder below
// the base, under names without "%"; final names are only ever made by the NameNode.

import WeirCore

/// Objects in an HDFS folder.
public final class WebHDFSStore: ObjectStore {
    private let connection: WebHDFSConnection
    private let context: ObjectStoreContext
    /// Absolute, without a slash at the end; empty = the root.
    private let base: String
    private var folderInUse: String?
    private var hasCleaned = false

    public let location: String
    public var canRename: Bool { true }

    /// Throws `Failure(.configuration, …)` for a path that HDFS does not take.
    public init(_ options: WebHDFSOptions, _ context: ObjectStoreContext) throws(Failure) {
        let segments = options.basePath.split(separator: "/")
        guard !segments.contains(where: { $0 == "." || $0 == ".." || $0.contains(":") }) else {
            throw Failure(
                .configuration, "reading", "the HDFS path \(options.basePath)",
                "HDFS takes no segment of dots alone and no colon")
        }
        base = segments.isEmpty ? "" : "/" + segments.joined(separator: "/")
        connection = try WebHDFSConnection(options, context)
        self.context = context
        location = connection.subject(base)
    }

    private func path(of key: ObjectKey) -> String { "\(base)/\(key.text)" }

    private func temporaryPath(of key: ObjectKey, marker: String = "") throws(Failure) -> String {
        let path = try TemporaryName.path(of: key, marker: marker)
        return "\(base)/\(path.replacing("%", with: "_"))"
    }

    public func put(_ key: ObjectKey, _ body: ObjectBody) throws(Failure) {
        context.crashPoint.pass("put.before")
        let temporary = try temporaryPath(of: key)
        try create(temporary, body)
        context.crashPoint.pass("put.after-temporary")
        try requireLength(of: temporary, body.length)
        context.crashPoint.pass("put.before-rename")
        do throws(Failure) {
            try makeFolder(of: key)
            try move(temporary, to: path(of: key), length: body.length)
        } catch {
            folderInUse = nil  // it may have been removed behind our back
            throw error
        }
        context.crashPoint.pass("put.after")
    }

    public func putIfAbsent(_ key: ObjectKey, _ body: ObjectBody) throws(Failure) -> Bool {
        let temporary = try temporaryPath(of: key, marker: TemporaryName.uniqueMarker(context.clock))
        do throws(Failure) {
            try create(temporary, body)
            try requireLength(of: temporary, body.length)
            try makeFolder(of: key)
            if try moveUnlessPresent(temporary, to: path(of: key)) { return true }
        } catch {
            folderInUse = nil
            removeQuietly(temporary)
            throw error
        }
        // The place is taken, perhaps by ourselves: a lost reply may have been to a rename that worked.
        removeQuietly(temporary)
        return try holds(body, at: key, length: head(key)?.length)
    }

    /// CREATE in two steps; takes the place of what is there.
    private func create(_ path: String, _ body: ObjectBody) throws(Failure) {
        try removeStaleTemporaries()
        let request = WebHDFSRequest(
            method: "PUT", operation: "CREATE", path: path, query: [("overwrite", "true")],
            action: "uploading")
        let response = try connection.follow(
            connection.send(request), of: request, body: body.httpBody(0..<body.length))
        guard response.status == 201 else { throw connection.refusal(of: request, response) }
    }

    private func requireLength(of path: String, _ length: Int) throws(Failure) {
        let stored = try status(path)?.length ?? 0
        guard stored == length else {
            removeQuietly(path)
            throw Failure(
                .external, "uploading", connection.subject(path),
                "HDFS took the data, but stored \(stored) of \(length) bytes",
                advice: "look at the space quota and at the free space of the DataNodes",
                retry: .backoff)
        }
    }

    /// RENAME in place of what has the new name.
    private func move(_ old: String, to new: String, length: Int) throws(Failure) {
        let request = WebHDFSRequest(
            method: "PUT", operation: "RENAME", path: old,
            query: [("destination", new), ("renameoptions", "OVERWRITE")], action: "renaming")
        do throws(Failure) {
            let response = try connection.send(request)
            if response.isSuccess { return }
            // With two NameNodes the rename may have been done by the one whose answer was lost.
            guard RemoteException(response)?.kind == .notFound, try isMoved(old, to: new, length) else {
                throw connection.refusal(of: request, response)
            }
        } catch {
            guard error.retry != .never, !context.abort.isRaised, try isMoved(old, to: new, length)
            else {
                throw error
            }
        }
    }

    private func isMoved(_ old: String, to new: String, _ length: Int) throws(Failure) -> Bool {
        guard try status(old) == nil else { return false }
        return try status(new)?.length == length
    }

    /// RENAME that leaves what has the new name in place; returns whether the name was free.
    private func moveUnlessPresent(_ old: String, to new: String) throws(Failure) -> Bool {
        let request = WebHDFSRequest(
            method: "PUT", operation: "RENAME", path: old, query: [("destination", new)],
            action: "renaming")
        let response = try connection.send(request)
        guard response.isSuccess, let isDone = JSONValue(parsing: response.body)?["boolean"]?.bool
        else {
            throw connection.refusal(of: request, response)
        }
        if isDone { return true }
        // "false" is also the answer when the source or the folder is gone.
        guard try status(new) != nil else { throw connection.refusal(of: request, response) }
        return false
    }

    public func get(_ key: ObjectKey, bytesMax: Int) throws(Failure) -> [UInt8]? {
        guard let bytes = try open(key, 0..<bytesMax + 1) else { return nil }
        guard bytes.count <= bytesMax else {
            throw Failure(
                .external, "reading", connection.subject(path(of: key)),
                "it has more than the \(bytesMax) bytes that are read at most")
        }
        return bytes
    }

    public func get(_ key: ObjectKey, range: Range<Int>) throws(Failure) -> [UInt8]? {
        try open(key, range)
    }

    /// OPEN in two steps: the bytes of `range`, fewer where the file ends before; nil when there is none.
    private func open(_ key: ObjectKey, _ range: Range<Int>) throws(Failure) -> [UInt8]? {
        var request = WebHDFSRequest(
            method: "GET", operation: "OPEN", path: path(of: key),
            query: [("length", String(range.count))], action: "reading")
        if range.lowerBound > 0 { request.query.append(("offset", String(range.lowerBound))) }
        let first = try connection.send(request)
        if RemoteException(first)?.kind == .notFound { return nil }
        let room = max(range.count, 64 << 10)
        var response = try connection.follow(first, of: request, responseBytesMax: room)
        if RemoteException(response)?.kind == .notFound, request.path.contains("%") {
            // The NameNode has it: a DataNode that decodes twice wants it encoded twice.
            response = try connection.follow(
                first, of: request, responseBytesMax: room, encodesPathTwice: true)
        }
        guard response.status == 200 else { throw connection.refusal(of: request, response) }
        return response.body
    }

    public func head(_ key: ObjectKey) throws(Failure) -> ObjectInfo? {
        guard let entry = try status(path(of: key)), !entry.isFolder else { return nil }
        return ObjectInfo(
            key: key, length: entry.length, modifiedMilliseconds: entry.modifiedMilliseconds)
    }

    /// GETFILESTATUS; nil when nothing is there.
    private func status(_ path: String) throws(Failure) -> TreeEntry? {
        let request = WebHDFSRequest(
            method: "GET", operation: "GETFILESTATUS", path: path, action: "looking at")
        let response = try connection.send(request)
        if RemoteException(response)?.kind == .notFound { return nil }
        guard response.isSuccess, let document = JSONValue(parsing: response.body)?["FileStatus"],
            let entry = Self.entry(document)
        else { throw connection.refusal(of: request, response) }
        return entry
    }

    private static func entry(_ document: JSONValue) -> TreeEntry? {
        guard let kind = document["type"]?.string, let length = document["length"]?.integer else {
            return nil
        }
        return TreeEntry(
            name: document["pathSuffix"]?.string ?? "", isFolder: kind == "DIRECTORY",
            length: Int(length),
            modifiedMilliseconds: document["modificationTime"]?.integer)
    }

    public func list(prefix: String, startAfter: ObjectKey?, max: Int) throws(Failure) -> [ObjectInfo] {
        var listing = TreeListing(prefix: prefix, startAfter: startAfter, max: max) {
            [self] (folder) throws(Failure) in
            try entries(of: folder.isEmpty ? base : "\(base)/\(folder.dropLast())")
        }
        return try listing.run()
    }

    private func entries(of folder: String) throws(Failure) -> [TreeEntry] {
        let request = WebHDFSRequest(
            method: "GET", operation: "LISTSTATUS", path: folder.isEmpty ? "/" : folder,
            action: "listing")
        let response = try connection.send(request)
        if RemoteException(response)?.kind == .notFound { return [] }
        guard response.isSuccess,
            let statuses = JSONValue(parsing: response.body)?["FileStatuses"]?["FileStatus"]?.elements
        else { throw connection.refusal(of: request, response) }
        return statuses.compactMap(Self.entry)
    }

    public func delete(_ key: ObjectKey) throws(Failure) {
        try remove(path(of: key))
    }

    private func remove(_ path: String) throws(Failure) {
        let request = WebHDFSRequest(
            method: "DELETE", operation: "DELETE", path: path, query: [("recursive", "false")],
            action: "removing")
        let response = try connection.send(request)
        guard response.isSuccess || RemoteException(response)?.kind == .notFound else {
            throw connection.refusal(of: request, response)
        }
    }

    /// Best effort, after a failure that is the one to report.
    private func removeQuietly(_ path: String) {
        do throws(Failure) {
            try remove(path)
        } catch {
            // What stays has a temporary name; the next attempt for the same key takes its place.
        }
    }

    public func rename(_ key: ObjectKey, to newKey: ObjectKey) throws(Failure) {
        folderInUse = nil
        try makeFolder(of: newKey)
        guard let entry = try head(key) else {
            throw Failure(
                .external, "renaming", connection.subject(path(of: key)), "there is no such file")
        }
        try move(path(of: key), to: path(of: newKey), length: entry.length)
    }

    private func makeFolder(of key: ObjectKey) throws(Failure) {
        let folder = "\(base)/\(key.folder)"
        if folder == folderInUse || folder == "/" { return }
        let request = WebHDFSRequest(
            method: "PUT", operation: "MKDIRS", path: String(folder.dropLast()),
            action: "making the folder")
        let response = try connection.send(request)
        guard response.isSuccess, JSONValue(parsing: response.body)?["boolean"]?.bool == true else {
            throw connection.refusal(of: request, response)
        }
        folderInUse = folder
    }

    /// Once, before the first upload.
    private func removeStaleTemporaries() throws(Failure) {
        if hasCleaned { return }
        let folder = "\(base)/\(TemporaryName.folder)"
        let now = context.clock.nowMilliseconds()
        for entry in try entries(of: folder) where entry.isStaleTemporary(nowMilliseconds: now) {
            removeQuietly("\(folder)/\(entry.name)")
        }
        hasCleaned = true
    }

    public func checkAccess() throws(Failure) -> AccessReport {
        // The base folder is made by the first upload, so what counts is the nearest one that exists.
        var folder = base
        while !folder.isEmpty, try status(folder) == nil {
            folder = String(folder[..<(folder.lastIndex(of: "/") ?? folder.startIndex)])
        }
        let request = WebHDFSRequest(
            method: "GET", operation: "CHECKACCESS", path: folder.isEmpty ? "/" : folder,
            query: [("fsaction", "-wx")], action: "checking the right to write to")
        let response = try connection.send(request)
        guard response.isSuccess else { throw connection.refusal(of: request, response) }
        return AccessReport(
            summary: "\(connection.subject(request.path)) may be written to",
            clockOffsetMilliseconds: response.serverDateMilliseconds.map {
                $0 - context.clock.nowMilliseconds()
            })
    }
}
