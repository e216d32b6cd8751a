// Objects in an S3 bucket, of AWS or of any server that speaks its protocol. A single PUT is whole or
// not at all by itself; longer objects go up in parts and appear when they are completed. The SHA-256
// of every body is signed, so the server refuses bytes that changed on the way.
//
// Always true: a 2xx without an ETag is not taken for success, since captive portals answer 200 too.

import WeirCore

/// Objects in one bucket, below one prefix.
public final class S3Store: ObjectStore {
    /// Error documents may be longer than the object that was asked for.
    private static let errorBytesMax = 64 << 10
    private static let listBytesMax = 16 << 20
    private static let listPageMax = 1000

    let connection: S3Connection
    let options: S3Options
    let context: ObjectStoreContext
    /// Empty, or with a slash at its end.
    private let prefix: String

    public let location: String
    public var canRename: Bool { false }

    /// Throws `Failure(.configuration, …)` for an endpoint or bucket that cannot be.
    public init(_ options: S3Options, _ context: ObjectStoreContext) throws(Failure) {
        precondition(options.partBytes > 0 && options.multipartAboveBytes > 0, "lengths are positive")
        self.options = options
        self.context = context
        connection = try S3Connection(options, context)
        let segments = options.prefix.split(separator: "/").joined(separator: "/")
        prefix = segments.isEmpty ? "" : segments + "/"
        location = connection.subject(segments)
    }

    /// The whole key in the bucket.
    func fullKey(_ key: ObjectKey) -> String { prefix + key.text }

    public func put(_ key: ObjectKey, _ body: ObjectBody) throws(Failure) {
        context.crashPoint.pass("put.before")
        if body.length > options.multipartAboveBytes {
            try putInParts(fullKey(key), body)
        } else {
            let request = try putRequest(key, body)
            try requireEntityTag(connection.sendExpectingSuccess(request), request)
        }
        context.crashPoint.pass("put.after")
    }

    private func putRequest(_ key: ObjectKey, _ body: ObjectBody) throws(Failure) -> S3Request {
        let whole = 0..<body.length
        return S3Request(
            method: "PUT", key: fullKey(key), headers: [("content-type", "application/octet-stream")],
            body: body.httpBody(whole), payloadHash: hexadecimal(try body.sha256(whole)),
            action: "uploading")
    }

    private func requireEntityTag(_ response: HTTPResponse, _ request: S3Request) throws(Failure) {
        guard response.header("etag")?.isEmpty == false else {
            throw connection.strangeAnswer(to: request, "answered \(response.status) without an ETag")
        }
    }

    /// By one PUT with a condition, of whatever length: some servers ignore the condition on multipart
    /// uploads. Servers that do not know it at all (none of AWS, Ceph, MinIO today) overwrite.
    public func putIfAbsent(_ key: ObjectKey, _ body: ObjectBody) throws(Failure) -> Bool {
        var request = try putRequest(key, body)
        request.headers.append(options.dialect.absentCondition)
        let response = try connection.send(request)
        if response.status == 412 {
            // Somebody won; after a lost reply it may have been us.
            guard let info = try head(key), info.length == body.length,
                let present = try get(key, bytesMax: body.length)
            else { return false }
            return try body.hasBytes(present)
        }
        guard response.isSuccess else { throw connection.refusal(of: request, response) }
        try requireEntityTag(response, request)
        return true
    }

    public func get(_ key: ObjectKey, bytesMax: Int) throws(Failure) -> [UInt8]? {
        let request = S3Request(
            method: "GET", key: fullKey(key), responseBytesMax: max(bytesMax, Self.errorBytesMax),
            action: "reading")
        let response = try connection.send(request)
        if response.status == 404, isMissingObject(response) { return nil }
        guard response.status == 200 else { throw connection.refusal(of: request, response) }
        guard response.body.count <= bytesMax else {
            throw Failure(
                .external, "reading", connection.subject(request.key),
                "it has \(response.body.count) bytes, and at most \(bytesMax) are read")
        }
        return response.body
    }

    public func head(_ key: ObjectKey) throws(Failure) -> ObjectInfo? {
        let request = S3Request(method: "HEAD", key: fullKey(key), action: "looking at")
        let response = try connection.send(request)
        if response.status == 404, isMissingObject(response) { return nil }
        guard response.isSuccess else { throw connection.refusal(of: request, response) }
        guard let length = response.header("content-length").flatMap({ Int($0) }) else {
            throw connection.strangeAnswer(to: request, "answered without a length")
        }
        return ObjectInfo(
            key: key, length: length, entityTag: response.header("etag"),
            modifiedMilliseconds: response.header("last-modified").flatMap(
                HTTPDate.milliseconds(fixdate:)))
    }

    /// A missing bucket is a failure, not a missing object. An answer to HEAD has no document to tell.
    private func isMissingObject(_ response: HTTPResponse) -> Bool {
        let code = S3Error(response).code
        return code.isEmpty || code == "NoSuchKey"
    }

    public func list(prefix: String, startAfter: ObjectKey?, max: Int) throws(Failure) -> [ObjectInfo] {
        var found: [ObjectInfo] = []
        var after = startAfter.map(fullKey)
        while found.count < max {
            let page = try listPage(
                self.prefix + prefix, after: after, max: min(max - found.count, Self.listPageMax))
            found += page.objects
            guard let last = page.lastKey, page.isTruncated else { break }
            after = last
        }
        return found
    }

    private func listPage(
        _ prefix: String, after: String?, max: Int
    ) throws(Failure) -> (objects: [ObjectInfo], lastKey: String?, isTruncated: Bool) {
        var request = S3Request(method: "GET", responseBytesMax: Self.listBytesMax, action: "listing")
        request.query = [("list-type", "2"), ("max-keys", String(max)), ("prefix", prefix)]
        if let after { request.query.append(("start-after", after)) }
        let response = try connection.sendExpectingSuccess(request)
        guard let document = XMLElement(parsing: response.body), document.name == "ListBucketResult"
        else {
            throw connection.strangeAnswer(to: request, "answered without a ListBucketResult")
        }
        let contents = document.children("Contents")
        let objects = contents.compactMap { item -> ObjectInfo? in
            guard let fullKey = item["Key"], fullKey.hasPrefix(self.prefix),
                let key = ObjectKey(encoded: fullKey.dropFirst(self.prefix.count)),
                let length = item["Size"].flatMap({ Int($0) })
            else { return nil }
            return ObjectInfo(
                key: key, length: length, entityTag: item["ETag"],
                modifiedMilliseconds: item["LastModified"].flatMap { TimestampText.parse($0) })
        }
        return (objects, contents.last?["Key"], document["IsTruncated"] == "true")
    }

    public func delete(_ key: ObjectKey) throws(Failure) {
        let request = S3Request(method: "DELETE", key: fullKey(key), action: "removing")
        let response = try connection.send(request)
        guard response.isSuccess || (response.status == 404 && isMissingObject(response)) else {
            throw connection.refusal(of: request, response)
        }
    }

    public func rename(_ key: ObjectKey, to newKey: ObjectKey) throws(Failure) {
        throw Failure(.internalError, "renaming", connection.subject(fullKey(key)), "S3 has no rename")
    }

    public func checkAccess() throws(Failure) -> AccessReport {
        var request = S3Request(method: "GET", action: "listing")
        request.query = [("list-type", "2"), ("max-keys", "1"), ("prefix", prefix)]
        let response = try connection.send(request)
        let offset = response.serverDateMilliseconds.map { $0 - context.clock.nowMilliseconds() }
        if response.isSuccess {
            guard XMLElement(parsing: response.body)?.name == "ListBucketResult" else {
                throw connection.strangeAnswer(to: request, "answered without a ListBucketResult")
            }
            return .listed(location, clockOffset: offset)
        }
        guard S3Error(response).code == "AccessDenied" else {
            throw connection.refusal(of: request, response)
        }
        return .unlisted(
            location,
            "the key may not list the bucket; whether it may write shows at the first upload",
            clockOffset: offset)
    }
}
