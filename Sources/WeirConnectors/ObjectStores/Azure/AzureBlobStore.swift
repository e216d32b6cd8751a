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
    private static let listBytesMax = 32 << 20
    private static let listRoot = "EnumerationResults"
    private static let listPageMax = 5000

    private let connection: AzureConnection
    private let options: AzureOptions
    private let context: ObjectStoreContext
    private let prefix: BucketPrefix

    public let location: String
    public var canRename: Bool { false }

    /// Throws `Failure(.configuration, …)` for an endpoint or a key that cannot be.
    public init(_ options: AzureOptions, _ context: ObjectStoreContext) throws(Failure) {
        precondition(options.partBytes > 0 && options.multipartAboveBytes > 0, "lengths are positive")
        self.options = options
        self.context = context
        connection = try AzureConnection(options, context)
        prefix = BucketPrefix(options.prefix)
        location = connection.subject(prefix.folder)
    }

    public func put(_ key: ObjectKey, _ body: ObjectBody) throws(Failure) {
        context.crashPoint.pass("put.before")
        let (request, _) = try finalRequest(key, body)
        try connection.entityTag(in: connection.sendExpectingSuccess(request), to: request)
        context.crashPoint.pass("put.after")
    }

    public func putIfAbsent(_ key: ObjectKey, _ body: ObjectBody) throws(Failure) -> Bool {
        var (request, hash) = try finalRequest(key, body)
        request.headers.append(("if-none-match", "*"))
        let response = try connection.send(request)
        if response.isSuccess {
            try connection.entityTag(in: response, to: request)
            return true
        }
        guard AzureError(response).isOfPresentObject else {
            throw connection.refusal(of: request, response)
        }
        // Somebody won; after a lost reply it may have been us.
        let present = try connection.headers(of: prefix.whole(key))
        return try holds(
            body, at: key, length: present?.length, md5: (present?.md5, Base64.encoded(hash)))
    }

    /// The request that makes the object appear, after its blocks have gone up where it has any; and the
    /// MD5 of the object.
    private func finalRequest(
        _ key: ObjectKey, _ body: ObjectBody
    ) throws(Failure) -> (CloudRequest, md5: [UInt8]) {
        guard body.length > options.multipartAboveBytes else {
            let hash = try body.md5()
            var request = CloudRequest(
                method: "PUT", key: prefix.whole(key), body: body.httpBody(0..<body.length),
                bodyDigest: hash, action: "uploading")
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
        var request = CloudRequest(
            method: "PUT", key: prefix.whole(key), query: [("comp", "blocklist")],
            body: .bytes(list), bodyDigest: try ObjectBody.bytes(list).md5(),
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
            let request = CloudRequest(
                method: "PUT", key: prefix.whole(key),
                query: [("comp", "block"), ("blockid", name)], body: body.httpBody(range),
                bodyDigest: hash, action: "uploading block \(index + 1) of")
            let response = try connection.sendPart(request)
            guard response.status == 201 else {
                throw connection.strangeAnswer(to: request, "answered \(response.status) to a block")
            }
            names.append(name)
        }
        return (names, Array(whole.finalize()))
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

    /// The service cannot begin a listing behind a name, so the pages before it are passed over.
    public func list(prefix: String, startAfter: ObjectKey?, max: Int) throws(Failure) -> [ObjectInfo] {
        var found: [ObjectInfo] = []
        var marker: String?
        repeat {
            let page = try listPage(self.prefix.text + prefix, marker, max: Self.listPageMax)
            found += page.objects.filter { info in startAfter.map { $0 < info.key } ?? true }
            marker = page.next
        } while marker != nil && found.count < max
        return Array(found.prefix(max))
    }

    private func listPage(
        _ prefix: String, _ marker: String?, max: Int
    ) throws(Failure) -> (objects: [ObjectInfo], next: String?) {
        var request = CloudRequest(
            method: "GET", responseBytesMax: Self.listBytesMax, action: "listing")
        request.query = listQuery(prefix, max: max)
        if let marker { request.query.append(("marker", marker)) }
        let response = try connection.sendExpectingSuccess(request)
        let document = try connection.listing(Self.listRoot, in: response, to: request)
        let objects = (document.child("Blobs")?.children("Blob") ?? []).compactMap(object)
        return (objects, document["NextMarker"].flatMap { $0.isEmpty ? nil : $0 })
    }

    private func object(_ blob: XMLElement) -> ObjectInfo? {
        guard let key = blob["Name"].flatMap(prefix.key(whole:)),
            let properties = blob.child("Properties"), properties["ResourceType"] != "directory",
            let length = properties["Content-Length"].flatMap({ Int($0) })
        else { return nil }
        return ObjectInfo(
            key: key, length: length, entityTag: properties["Etag"],
            modifiedMilliseconds: properties["Last-Modified"].flatMap(HTTPDate.milliseconds(fixdate:)))
    }

    public func delete(_ key: ObjectKey) throws(Failure) { try connection.remove(prefix.whole(key)) }

    public func rename(_ key: ObjectKey, to newKey: ObjectKey) throws(Failure) {
        throw connection.renameFailure(prefix.whole(key), "blobs have no rename")
    }

    public func checkAccess() throws(Failure) -> AccessReport {
        var request = CloudRequest(method: "GET", action: "listing")
        request.query = listQuery(prefix.text, max: 1)
        let response = try connection.send(request)
        if response.isSuccess { _ = try connection.listing(Self.listRoot, in: response, to: request) }
        return try connection.accessReport(
            on: response, to: request, at: location, isListed: response.isSuccess,
            isDenied: AzureError(response).code == "AuthorizationPermissionMismatch",
            denial: "the container may not be listed")
    }

    private func listQuery(_ prefix: String, max: Int) -> [(name: String, value: String?)] {
        [
            ("restype", "container"), ("comp", "list"), ("maxresults", String(max)),
            ("prefix", prefix),
        ]
    }
}
