// An S3 server in this process, as far as the store uses one: it refuses bodies whose hash differs from
// the signed one, keeps multipart uploads apart until they are completed, and does as it is told once
// (a fault) before it does its work.

import Synchronization

@testable import WeirConnectors

final class FakeS3: Sendable {
    struct Contents: Sendable {
        var objects: [String: [UInt8]] = [:]
        var uploads: [String: (key: String, parts: [Int: [UInt8]])] = [:]
        var uploadCount = 0
    }

    let contents = Mutex(Contents())
    private let faults = Mutex(StubFaults())
    let bucket = "weir"

    func start() -> StubServer { StubServer { [self] in answer($0) } }

    func fail(
        _ reply: StubReply, takesEffect: Bool = false,
        when matches: @escaping @Sendable (StubRequest) -> Bool
    ) {
        faults.withLock {
            $0.add(StubFaults.Fault(matches: matches, reply: reply, takesEffect: takesEffect))
        }
    }

    static func error(_ status: Int, _ code: String, headers: [String: String] = [:]) -> StubReply {
        .answer(
            status, "<?xml version=\"1.0\"?>\n<Error><Code>\(code)</Code><Message>no</Message></Error>",
            headers: headers)
    }

    private func answer(_ request: StubRequest) -> StubReply {
        faults.withLock { faults in
            faults.answer(request) { contents.withLock { serve(request, &$0) } }
        }
    }

    private func serve(_ request: StubRequest, _ contents: inout Contents) -> StubReply {
        guard request.headers["authorization"]?.hasPrefix("AWS4-HMAC-SHA256 Credential=") == true else {
            return Self.error(403, "AccessDenied")
        }
        guard request.isWhole, request.headers["x-amz-content-sha256"] == hash(request.body)
        else { return Self.error(400, "XAmzContentSHA256Mismatch") }
        guard request.path == "/\(bucket)" || request.path.hasPrefix("/\(bucket)/") else {
            return Self.error(404, "NoSuchBucket")
        }
        let key = String(request.path.dropFirst(bucket.utf8.count + 2))
        if key.isEmpty {
            return request.query["uploads"] == nil ? list(request, contents) : listUploads(contents)
        }
        if request.query["uploads"] != nil || request.query["uploadId"] != nil {
            return multipart(request, key, &contents)
        }
        return object(request, key, &contents)
    }

    private func object(_ request: StubRequest, _ key: String, _ contents: inout Contents) -> StubReply
    {
        switch request.method {
        case "PUT":
            if request.headers["if-none-match"] == "*", contents.objects[key] != nil {
                return Self.error(412, "PreconditionFailed")
            }
            contents.objects[key] = request.body
            return .answer(200, headers: ["ETag": entityTag(request.body)])
        case "DELETE":
            contents.objects[key] = nil
            return .answer(204)
        default:
            guard let bytes = contents.objects[key] else { return Self.error(404, "NoSuchKey") }
            if let range = request.headers["range"] { return part(range, of: bytes) }
            return .answer(
                200, headers: ["ETag": entityTag(bytes), "Content-Length": String(bytes.count)],
                body: bytes)
        }
    }

    /// The answer to a request for `bytes=FIRST-LAST`.
    private func part(_ range: String, of bytes: [UInt8]) -> StubReply {
        let ends = range.dropFirst("bytes=".utf8.count).split(separator: "-").compactMap { Int($0) }
        guard ends.count == 2, ends[0] < bytes.count else { return Self.error(416, "InvalidRange") }
        let part = Array(bytes[ends[0]...min(ends[1], bytes.count - 1)])
        let place = "bytes \(ends[0])-\(ends[0] + part.count - 1)/\(bytes.count)"
        return .answer(206, headers: ["Content-Range": place], body: part)
    }

    private func multipart(_ request: StubRequest, _ key: String, _ contents: inout Contents)
        -> StubReply
    {
        guard let id = request.query["uploadId"] else {
            contents.uploadCount += 1
            let id = "upload-\(contents.uploadCount)"
            contents.uploads[id] = (key, [:])
            return .answer(
                200,
                "<r:Result xmlns:r='x'><r:UploadId>\(id)</r:UploadId></r:Result>"
            )
        }
        guard let upload = contents.uploads[id] else { return Self.error(404, "NoSuchUpload") }
        switch request.method {
        case "DELETE":
            contents.uploads[id] = nil
            return .answer(204)
        case "PUT":
            contents.uploads[id]?.parts[request.query["partNumber"].flatMap { Int($0) } ?? 0] =
                request.body
            return .answer(200, headers: ["ETag": entityTag(request.body)])
        default:
            let named = XMLElement(parsing: request.body)?.children("Part") ?? []
            let parts = named.compactMap { part -> [UInt8]? in
                let bytes = part["PartNumber"].flatMap { Int($0) }.flatMap { upload.parts[$0] }
                return bytes.flatMap { entityTag($0) == part["ETag"] ? $0 : nil }
            }
            guard parts.count == named.count, parts.count == upload.parts.count else {
                return Self.error(400, "InvalidPart")
            }
            contents.objects[key] = parts.flatMap { $0 }
            contents.uploads[id] = nil
            return .answer(
                200, "<CompleteMultipartUploadResult><ETag>x</ETag></CompleteMultipartUploadResult>")
        }
    }

    private func list(_ request: StubRequest, _ contents: Contents) -> StubReply {
        let (prefix, after) = (request.query["prefix"] ?? "", request.query["start-after"] ?? "")
        let max = request.query["max-keys"].flatMap { Int($0) } ?? 1000
        let keys = contents.objects.keys.filter {
            $0.hasPrefix(prefix) && after.utf8.lexicographicallyPrecedes($0.utf8)
        }
        .sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        let items = keys.prefix(max).map {
            "<Contents><Key>\(xmlEscaped($0))</Key><Size>\(contents.objects[$0]?.count ?? 0)</Size></Contents>"
        }
        return .answer(
            200,
            "<ListBucketResult><IsTruncated>\(keys.count > max)</IsTruncated>\(items.joined())</ListBucketResult>"
        )
    }

    private func listUploads(_ contents: Contents) -> StubReply {
        let items = contents.uploads.map {
            "<Upload><Key>\($1.key)</Key><UploadId>\($0)</UploadId></Upload>"
        }
        return .answer(
            200, "<ListMultipartUploadsResult>\(items.joined())</ListMultipartUploadsResult>")
    }

    private func entityTag(_ bytes: [UInt8]) -> String {
        "\"\(hash(bytes).prefix(32))\""
    }

    private func hash(_ bytes: [UInt8]) -> String {
        (try? ObjectBody.bytes(bytes).sha256(0..<bytes.count)).map { hexadecimal($0) } ?? ""
    }
}
