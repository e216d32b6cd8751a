// Objects in a bucket of Google Cloud Storage, by its JSON API. An upload is whole or not at all; short
// ones are one request, long ones a resumable session (GCSResumable.swift). The object's MD5 travels with
// each, so the server refuses bytes that changed on the way, and keeps it: it is also how the store
// recognises its own object after a lost reply.
//
// Always true: an answer that does not describe the object that was sent is not taken for success, since
// captive portals answer 200 too.

import WeirCore

/// Objects in one bucket, below one prefix.
public final class GCSStore: ObjectStore {
    private static let listBytesMax = 32 << 20
    private static let listPageMax = 1000

    let connection: GCSConnection
    let options: GCSOptions
    let context: ObjectStoreContext
    private let prefix: BucketPrefix

    public let location: String
    public var canRename: Bool { false }

    /// Throws `Failure(.configuration, …)` for an endpoint, a bucket or a key that cannot be.
    public init(_ options: GCSOptions, _ context: ObjectStoreContext) throws(Failure) {
        precondition(
            options.partBytes > 0 && options.partBytes % (256 << 10) == 0, "parts are of 256 KiB")
        self.options = options
        self.context = context
        connection = try GCSConnection(options, context)
        prefix = BucketPrefix(options.prefix)
        location = connection.subject(prefix.folder)
    }

    public func put(_ key: ObjectKey, _ body: ObjectBody) throws(Failure) {
        context.crashPoint.pass("put.before")
        let upload = GCSUpload(
            key: prefix.whole(key), body: body, md5: Base64.encoded(try body.md5()), onlyIfAbsent: false)
        let response = try send(upload)
        guard response.isSuccess else { throw connection.refusal(of: upload.description, response) }
        context.crashPoint.pass("put.after")
    }

    public func putIfAbsent(_ key: ObjectKey, _ body: ObjectBody) throws(Failure) -> Bool {
        let upload = GCSUpload(
            key: prefix.whole(key), body: body, md5: Base64.encoded(try body.md5()), onlyIfAbsent: true)
        let response = try send(upload)
        if response.isSuccess { return true }
        guard response.status == 412 else {
            throw connection.refusal(of: upload.description, response)
        }
        // Somebody won; after a lost reply it may have been us.
        let present = try properties(key)
        return try holds(
            body, at: key, length: present?.info.length, md5: (present?.md5, upload.md5))
    }

    /// Sends an object; a 2xx that is returned describes it.
    private func send(_ upload: GCSUpload) throws(Failure) -> HTTPResponse {
        let response: HTTPResponse
        if case .bytes(let bytes) = upload.body, bytes.count <= options.multipartAboveBytes {
            response = try connection.send(upload.multipart(bytes))
        } else {
            response = try sendResumably(upload)
        }
        if response.isSuccess { try upload.requireDescription(in: response, connection) }
        return response
    }

    public func get(_ key: ObjectKey, bytesMax: Int) throws(Failure) -> [UInt8]? {
        try connection.read(prefix.whole(key), query: [("alt", "media")], bytesMax: bytesMax)
    }

    public func get(_ key: ObjectKey, range: Range<Int>) throws(Failure) -> [UInt8]? {
        try connection.read(prefix.whole(key), query: [("alt", "media")], range: range)
    }

    public func head(_ key: ObjectKey) throws(Failure) -> ObjectInfo? { try properties(key)?.info }

    private func properties(_ key: ObjectKey) throws(Failure) -> (info: ObjectInfo, md5: String?)? {
        let request = CloudRequest(method: "GET", key: prefix.whole(key), action: "looking at")
        guard let response = try connection.answer(about: request) else { return nil }
        guard let document = JSONValue(parsing: response.body), let info = object(document) else {
            throw connection.strangeAnswer(to: request, "answered without an object")
        }
        return (info, document["md5Hash"]?.string)
    }

    private func object(_ document: JSONValue) -> ObjectInfo? {
        guard let key = document["name"]?.string.flatMap(prefix.key(whole:)),
            let length = document["size"]?.string.flatMap({ Int($0) })
        else { return nil }
        return ObjectInfo(
            key: key, length: length, entityTag: document["etag"]?.string,
            modifiedMilliseconds: document["updated"]?.string.flatMap { TimestampText.parse($0) })
    }

    public func list(prefix: String, startAfter: ObjectKey?, max: Int) throws(Failure) -> [ObjectInfo] {
        var found: [ObjectInfo] = []
        var token: String?
        repeat {
            // The service begins with the name it is given, where there is one.
            let wanted = min(max - found.count + 1, Self.listPageMax)
            let page = try listPage(
                self.prefix.text + prefix, from: startAfter.map(self.prefix.whole), token, max: wanted)
            found += page.objects.filter { $0.key != startAfter }
            token = page.next
        } while token != nil && found.count < max
        return Array(found.prefix(max))
    }

    private func listRequest(_ prefix: String, max: Int) -> CloudRequest {
        CloudRequest(
            method: "GET",
            query: [
                ("prefix", prefix), ("maxResults", String(max)),
                ("fields", "kind,nextPageToken,items(name,size,updated,etag)"),
            ], responseBytesMax: Self.listBytesMax, action: "listing")
    }

    private func listPage(
        _ prefix: String, from: String?, _ token: String?, max: Int
    ) throws(Failure) -> (objects: [ObjectInfo], next: String?) {
        var request = listRequest(prefix, max: max)
        if let from { request.query.append(("startOffset", from)) }
        if let token { request.query.append(("pageToken", token)) }
        let response = try connection.sendExpectingSuccess(request)
        let document = try requireList(response, request)
        return (
            (document["items"]?.elements ?? []).compactMap(object), document["nextPageToken"]?.string
        )
    }

    private func requireList(
        _ response: HTTPResponse, _ request: CloudRequest
    ) throws(Failure) -> JSONValue {
        guard let document = JSONValue(parsing: response.body),
            document["kind"]?.string == "storage#objects"
        else { throw connection.strangeAnswer(to: request, "answered without a list") }
        return document
    }

    public func delete(_ key: ObjectKey) throws(Failure) { try connection.remove(prefix.whole(key)) }

    public func rename(_ key: ObjectKey, to newKey: ObjectKey) throws(Failure) {
        throw connection.renameFailure(prefix.whole(key), "buckets have no rename")
    }

    public func checkAccess() throws(Failure) -> AccessReport {
        let request = listRequest(prefix.text, max: 1)
        let response = try connection.send(request)
        if response.isSuccess { _ = try requireList(response, request) }
        return try connection.accessReport(
            on: response, to: request, at: location, isListed: response.isSuccess,
            isDenied: GCSError(response).reason == "forbidden", denial: "the bucket may not be listed")
    }
}
