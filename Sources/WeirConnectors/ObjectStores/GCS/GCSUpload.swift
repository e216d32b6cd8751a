// One object on its way to Google Cloud Storage: what its requests say of it, and what an answer must say
// in return.

import WeirCore

/// An object to be sent.
struct GCSUpload {
    /// The whole name in the bucket.
    let key: String
    let body: ObjectBody
    /// Base64.
    let md5: String
    /// Whether it fails, with 412, when there is an object of this name.
    let onlyIfAbsent: Bool

    /// A request that stands for the upload in failures.
    var description: CloudRequest { CloudRequest(method: "POST", key: key, action: "uploading") }

    /// The object's description, as JSON.
    var metadata: [UInt8] {
        Array(
            #"{"name":\#(jsonQuoted(key)),"contentType":"application/octet-stream","md5Hash":"\#(md5)"}"#
                .utf8)
    }

    /// The request that begins or is an upload of this type.
    func request(_ type: String) -> CloudRequest {
        var request = CloudRequest(method: "POST", key: key, isUpload: true, action: "uploading")
        request.query = [("uploadType", type)]
        if onlyIfAbsent { request.query.append(("ifGenerationMatch", "0")) }
        return request
    }

    /// The whole upload in one request: description and bytes (RFC 2387).
    func multipart(_ bytes: [UInt8]) -> CloudRequest {
        // Sixteen bytes of chance would do; the hash of what is inside cannot be inside as well.
        let boundary = "weir-" + hexadecimal(md5.utf8)
        var content = Array("--\(boundary)\r\ncontent-type: application/json; charset=UTF-8\r\n\r\n".utf8)
        content += metadata
        content += "\r\n--\(boundary)\r\ncontent-type: application/octet-stream\r\n\r\n".utf8
        content += bytes
        content += "\r\n--\(boundary)--\r\n".utf8
        var request = request("multipart")
        request.headers = [("content-type", "multipart/related; boundary=\(boundary)")]
        request.body = .bytes(content)
        return request
    }

    /// Throws unless the answer describes this object.
    func requireDescription(
        in response: HTTPResponse, _ connection: GCSConnection
    ) throws(Failure) {
        let document = JSONValue(parsing: response.body)
        guard let size = document?["size"]?.string, let name = document?["name"]?.string else {
            throw connection.strangeAnswer(to: description, "answered \(response.status) without an object")
        }
        guard size == String(body.length), name == key, document?["md5Hash"]?.string ?? md5 == md5 else {
            throw Failure(
                .external, "uploading", connection.subject(key),
                "the server has stored something else (\(size) of \(body.length) bytes)", retry: .backoff)
        }
    }
}
