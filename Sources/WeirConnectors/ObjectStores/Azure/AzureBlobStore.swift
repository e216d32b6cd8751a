// Objects as block blobs of an Azure container. Put Blob is whole or not at all by itself; longer objects
// go up as blocks that nobody sees until Put Block List names them. Every body travels with its MD5, which
// the server checks and keeps: it is also how a store recognises its own object after a lost reply.
//
// Always true: blocks are named after their place and their bytes, so blocks of other writers, or of an
// attempt that a crash cut short, are never taken for ours; and a 2xx without an ETag is not taken for
// success, since captive portals answer 200 too. Blocks that are never named are dropped by Azure after
// a week.

import Crypto
import WeirCore

/// Objects in one container, below one prefix.
public final class AzureBlobStore: ObjectStore {
    static let errorBytesMax = 64 << 10
    private static let listBytesMax = 32 << 20
    private static let listPageMax = 5000

    private let connection: AzureConnection
    private let options: AzureOptions
    private let context: ObjectStoreContext
    /// Empty, or with a slash at its end.
    private let prefix: String

    public let location: String
    public var canRename: Bool { false }

    /// Throws `Failure(.configuration, …)` for an endpoint or a key that cannot be.
    public init(_ options: AzureOptions, _ context: ObjectStoreContext) throws(Failure) {
        precondition(options.partBytes > 0 && options.multipartAboveBytes > 0, "lengths are positive")
        self.options = options
        self.context = context
        connection = try AzureConnection(options, context)
        let segments = options.prefix.split(separator: "/").joined(separator: "/")
        prefix = segments.isEmpty ? "" : segments + "/"
        location = connection.subject(segments)
    }

    public func put(_ key: ObjectKey, _ body: ObjectBody) throws(Failure) {
        context.crashPoint.pass("put.before")
        let (request, _) = try finalRequest(key, body)
        try requireEntityTag(connection.sendExpectingSuccess(request), request)
        context.crashPoint.pass("put.after")
    }

    public func putIfAbsent(_ key: ObjectKey, _ body: ObjectBody) throws(Failure) -> Bool {
        var (request, hash) = try finalRequest(key, body)
        request.headers.append(("if-none-match", "*"))
        let response = try connection.send(request)
        if response.isSuccess {
            try requireEntityTag(response, request)
            return true
        }
        guard AzureError(response).isOfPresentObject else {
            throw connection.refusal(of: request, response)
        }
        // Somebody won; after a lost reply it may have been us.
        return try isOurs(key, body, hash)
    }

    /// The request that makes the object appear, after its blocks have gone up where it has any; and the
    /// MD5 of the object.
    private func finalRequest(
        _ key: ObjectKey, _ body: ObjectBody
    ) throws(Failure) -> (AzureRequest, md5: [UInt8]) {
        guard body.length > options.multipartAboveBytes else {
            let hash = try body.md5()
            var request = AzureRequest(
                method: "PUT", key: prefix + key.text, body: body.httpBody(0..<body.length),
                bodyMD5: hash, action: "uploading")
            request.headers = [
                ("x-ms-blob-type", "BlockBlob"), ("content-type", "application/octet-stream"),
            ]
            return (request, hash)
        }
        let (names, hash) = try putBlocks(key, body)
        context.crashPoint.pass("put.after-temporary")
        context.crashPoint.pass("put.before-rename")
        let list = Array(
            ("<?xml version=\"1.0\" encoding=\"utf-8\"?><BlockList>"
                + names.map { "<Latest>\($0)</Latest>" }.joined() + "</BlockList>").utf8)
        var request = AzureRequest(
            method: "PUT", key: prefix + key.text, query: [("comp", "blocklist")],
            body: .bytes(list), bodyMD5: try ObjectBody.bytes(list).md5(),
            action: "completing the upload of")
        request.headers = [
            ("content-type", "application/xml"),
            ("x-ms-blob-content-type", "application/octet-stream"),
            ("x-ms-blob-content-md5", Base64.encoded(hash)),
        ]
        return (request, hash)
    }

    /// Puts the blocks one after the other, so memory does not grow with the object; returns their names.
    private func putBlocks(
        _ key: ObjectKey, _ body: ObjectBody
    ) throws(Failure) -> (names: [String], md5: [UInt8]) {
        let plan = PartPlan(length: body.length, partBytes: options.partBytes)
        var whole = Insecure.MD5()
        var names: [String] = []
        for index in 0..<plan.count {
            let range = plan.range(index)
            let hash = try body.md5(range, addingTo: &whole)
            let place = withUnsafeBytes(of: UInt32(index).bigEndian) { Array($0) }
            let name = Base64.encoded(place + hash)
            let request = AzureRequest(
                method: "PUT", key: prefix + key.text,
                query: [("comp", "block"), ("blockid", name)], body: body.httpBody(range),
                bodyMD5: hash, action: "uploading block \(index + 1) of")
            let response = try connection.sendPart(request)
            guard response.status == 201 else {
                throw connection.strangeAnswer(to: request, "answered \(response.status) to a block")
            }
            names.append(name)
        }
        return (names, Array(whole.finalize()))
    }

    private func requireEntityTag(_ response: HTTPResponse, _ request: AzureRequest) throws(Failure) {
        guard response.header("etag")?.isEmpty == false else {
            throw connection.strangeAnswer(to: request, "answered \(response.status) without an ETag")
        }
    }

    /// Whether what has the key has these bytes.
    private func isOurs(_ key: ObjectKey, _ body: ObjectBody, _ hash: [UInt8]) throws(Failure) -> Bool {
        guard let (info, md5) = try properties(key), info.length == body.length else { return false }
        if let md5 { return md5 == Base64.encoded(hash) }
        guard let present = try get(key, bytesMax: body.length) else { return false }
        return try body.hasBytes(present)
    }

    public func get(_ key: ObjectKey, bytesMax: Int) throws(Failure) -> [UInt8]? {
        let request = AzureRequest(
            method: "GET", key: prefix + key.text,
            responseBytesMax: max(bytesMax, Self.errorBytesMax), action: "reading")
        let response = try connection.send(request)
        if AzureError(response).isOfMissingObject { return nil }
        guard response.status == 200 else { throw connection.refusal(of: request, response) }
        guard response.body.count <= bytesMax else {
            throw Failure(
                .external, "reading", connection.subject(request.key),
                "it has \(response.body.count) bytes, and at most \(bytesMax) are read")
        }
        return response.body
    }

    public func head(_ key: ObjectKey) throws(Failure) -> ObjectInfo? { try properties(key)?.info }

    private func properties(_ key: ObjectKey) throws(Failure) -> (info: ObjectInfo, md5: String?)? {
        let request = AzureRequest(method: "HEAD", key: prefix + key.text, action: "looking at")
        let response = try connection.send(request)
        if AzureError(response).isOfMissingObject { return nil }
        guard response.isSuccess else { throw connection.refusal(of: request, response) }
        guard let length = response.header("content-length").flatMap({ Int($0) }) else {
            throw connection.strangeAnswer(to: request, "answered without a length")
        }
        let info = ObjectInfo(
            key: key, length: length, entityTag: response.header("etag"),
            modifiedMilliseconds: response.header("last-modified").flatMap(
                HTTPDate.milliseconds(fixdate:)))
        return (info, response.header("content-md5"))
    }

    /// The service cannot begin a listing behind a name, so the pages before it are passed over.
    public func list(prefix: String, startAfter: ObjectKey?, max: Int) throws(Failure) -> [ObjectInfo] {
        var found: [ObjectInfo] = []
        var marker: String?
        repeat {
            let page = try listPage(self.prefix + prefix, marker, max: Self.listPageMax)
            found += page.objects.filter { info in startAfter.map { $0 < info.key } ?? true }
            marker = page.next
        } while marker != nil && found.count < max
        return Array(found.prefix(max))
    }

    private func listPage(
        _ prefix: String, _ marker: String?, max: Int
    ) throws(Failure) -> (objects: [ObjectInfo], next: String?) {
        var request = AzureRequest(
            method: "GET", responseBytesMax: Self.listBytesMax, action: "listing")
        request.query = [
            ("restype", "container"), ("comp", "list"), ("maxresults", String(max)),
            ("prefix", prefix),
        ]
        if let marker { request.query.append(("marker", marker)) }
        let response = try connection.sendExpectingSuccess(request)
        guard let document = XMLElement(parsing: response.body), document.name == "EnumerationResults"
        else {
            throw connection.strangeAnswer(to: request, "answered without EnumerationResults")
        }
        let objects = (document.child("Blobs")?.children("Blob") ?? []).compactMap(object)
        return (objects, document["NextMarker"].flatMap { $0.isEmpty ? nil : $0 })
    }

    private func object(_ blob: XMLElement) -> ObjectInfo? {
        guard let name = blob["Name"], name.hasPrefix(prefix),
            let key = ObjectKey(encoded: name.dropFirst(prefix.count)),
            let properties = blob.child("Properties"), properties["ResourceType"] != "directory",
            let length = properties["Content-Length"].flatMap({ Int($0) })
        else { return nil }
        return ObjectInfo(
            key: key, length: length, entityTag: properties["Etag"],
            modifiedMilliseconds: properties["Last-Modified"].flatMap(HTTPDate.milliseconds(fixdate:)))
    }

    public func delete(_ key: ObjectKey) throws(Failure) {
        let request = AzureRequest(method: "DELETE", key: prefix + key.text, action: "removing")
        let response = try connection.send(request)
        guard response.isSuccess || AzureError(response).isOfMissingObject else {
            throw connection.refusal(of: request, response)
        }
    }

    public func rename(_ key: ObjectKey, to newKey: ObjectKey) throws(Failure) {
        throw Failure(
            .internalError, "renaming", connection.subject(prefix + key.text), "blobs have no rename")
    }

    public func checkAccess() throws(Failure) -> AccessReport {
        var request = AzureRequest(method: "GET", action: "listing")
        request.query = [
            ("restype", "container"), ("comp", "list"), ("maxresults", "1"), ("prefix", prefix),
        ]
        let response = try connection.send(request)
        let offset = response.serverDateMilliseconds.map { $0 - context.clock.nowMilliseconds() }
        if response.isSuccess {
            guard XMLElement(parsing: response.body)?.name == "EnumerationResults" else {
                throw connection.strangeAnswer(to: request, "answered without EnumerationResults")
            }
            return .listed(location, clockOffset: offset)
        }
        guard AzureError(response).code == "AuthorizationPermissionMismatch" else {
            throw connection.refusal(of: request, response)
        }
        return .unlisted(
            location,
            "the container may not be listed; whether it may be written to shows at the first upload",
            clockOffset: offset)
    }
}
