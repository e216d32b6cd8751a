// Objects in an S3 bucket, of AWS or of any server that speaks its protocol. A single PUT is whole or
// not at all by itself; longer objects go up in parts and appear when they are completed. The SHA-256
// of every body is signed, so the server refuses bytes that changed on the way.
//
// Always true: a 2xx without an ETag is not taken for success, since captive portals answer 200 too.

import WeirCore

/// Objects in one bucket, below one prefix.
public final class S3Store: ObjectStore {
    private static let listBytesMax = 16 << 20
    private static let listRoot = "ListBucketResult"
    private static let listPageMax = 1000

    let connection: S3Connection
    let options: S3Options
    let context: ObjectStoreContext
    private let prefix: BucketPrefix

    public let location: String
    public var canRename: Bool { false }

    /// Throws `Failure(.configuration, …)` for an endpoint or bucket that cannot be.
    public init(_ options: S3Options, _ context: ObjectStoreContext) throws(Failure) {
        precondition(options.partBytes > 0 && options.multipartAboveBytes > 0, "lengths are positive")
        self.options = options
        self.context = context
        connection = try S3Connection(options, context)
        prefix = BucketPrefix(options.prefix)
        location = connection.subject(prefix.folder)
    }

    public func put(_ key: ObjectKey, _ body: ObjectBody) throws(Failure) {
        context.crashPoint.pass("put.before")
        if body.length > options.multipartAboveBytes {
            try putInParts(prefix.whole(key), body)
        } else {
            let request = try putRequest(key, body)
            try connection.entityTag(in: connection.sendExpectingSuccess(request), to: request)
        }
        context.crashPoint.pass("put.after")
    }

    private func putRequest(_ key: ObjectKey, _ body: ObjectBody) throws(Failure) -> CloudRequest {
        let whole = 0..<body.length
        return CloudRequest(
            method: "PUT", key: prefix.whole(key),
            headers: [("content-type", "application/octet-stream")], body: body.httpBody(whole),
            bodyDigest: try body.sha256(whole),
            action: "uploading")
    }

    /// By one PUT with a condition, of whatever length: some servers ignore the condition on multipart
    /// uploads. Servers that do not know it at all (none of AWS, Ceph, MinIO today) overwrite.
    public func putIfAbsent(_ key: ObjectKey, _ body: ObjectBody) throws(Failure) -> Bool {
        var request = try putRequest(key, body)
        request.headers.append(options.dialect.absentCondition)
        let response = try connection.send(request)
        if response.status == 412 {
            // Somebody won; after a lost reply it may have been us.
            return try holds(body, at: key, length: head(key)?.length)
        }
        guard response.isSuccess else { throw connection.refusal(of: request, response) }
        try connection.entityTag(in: response, to: request)
        return true
    }

    public func get(_ key: ObjectKey, bytesMax: Int) throws(Failure) -> [UInt8]? {
        try connection.read(prefix.whole(key), bytesMax: bytesMax)
    }

    public func get(_ key: ObjectKey, range: Range<Int>) throws(Failure) -> [UInt8]? {
        try connection.read(prefix.whole(key), range: range)
    }

    public func head(_ key: ObjectKey) throws(Failure) -> ObjectInfo? {
        try connection.headers(of: prefix.whole(key))?.info(key)
    }

    public func list(prefix: String, startAfter: ObjectKey?, max: Int) throws(Failure) -> [ObjectInfo] {
        var found: [ObjectInfo] = []
        var after = startAfter.map(self.prefix.whole)
        while found.count < max {
            let page = try listPage(
                self.prefix.text + prefix, after: after, max: min(max - found.count, Self.listPageMax))
            found += page.objects
            guard let last = page.lastKey, page.isTruncated else { break }
            after = last
        }
        return found
    }

    private func listPage(
        _ prefix: String, after: String?, max: Int
    ) throws(Failure) -> (objects: [ObjectInfo], lastKey: String?, isTruncated: Bool) {
        var request = CloudRequest(method: "GET", responseBytesMax: Self.listBytesMax, action: "listing")
        request.query = [("list-type", "2"), ("max-keys", String(max)), ("prefix", prefix)]
        if let after { request.query.append(("start-after", after)) }
        let response = try connection.sendExpectingSuccess(request)
        let document = try connection.listing(Self.listRoot, in: response, to: request)
        let contents = document.children("Contents")
        let objects = contents.compactMap { item -> ObjectInfo? in
            guard let key = item["Key"].flatMap(self.prefix.key(whole:)),
                let length = item["Size"].flatMap({ Int($0) })
            else { return nil }
            return ObjectInfo(
                key: key, length: length, entityTag: item["ETag"],
                modifiedMilliseconds: item["LastModified"].flatMap { TimestampText.parse($0) })
        }
        return (objects, contents.last?["Key"], document["IsTruncated"] == "true")
    }

    public func delete(_ key: ObjectKey) throws(Failure) { try connection.remove(prefix.whole(key)) }

    public func rename(_ key: ObjectKey, to newKey: ObjectKey) throws(Failure) {
        throw connection.renameFailure(prefix.whole(key), "S3 has no rename")
    }

    public func checkAccess() throws(Failure) -> AccessReport {
        var request = CloudRequest(method: "GET", action: "listing")
        request.query = [("list-type", "2"), ("max-keys", "1"), ("prefix", prefix.text)]
        let response = try connection.send(request)
        if response.isSuccess { _ = try connection.listing(Self.listRoot, in: response, to: request) }
        return try connection.accessReport(
            on: response, to: request, at: location, isListed: response.isSuccess,
            isDenied: S3Error(response).code == "AccessDenied", denial: "the key may not list the bucket")
    }
}
