// Uploads in parts, for objects too long for one request. Parts are read and sent one after the other,
// so memory does not grow with the object; the object appears when the upload is completed.
//
// What is not completed costs money until it is aborted: a failed upload is aborted at once, and one
// that a crash left behind is aborted before the next upload of the same key begins.

import WeirCore

extension S3Store {
    func putInParts(_ key: String, _ body: ObjectBody) throws(Failure) {
        try abortLeftovers(of: key)
        let uploadID = try createUpload(key)
        do throws(Failure) {
            let plan = PartPlan(length: body.length, partBytes: options.partBytes)
            var entityTags: [String] = []
            for index in 0..<plan.count {
                entityTags.append(try putPart(index, of: key, uploadID, body, plan.range(index)))
            }
            context.crashPoint.pass("put.after-temporary")
            context.crashPoint.pass("put.before-rename")
            try complete(key, uploadID, entityTags)
        } catch {
            abortUpload(key, uploadID)
            throw error
        }
    }

    private func createUpload(_ key: String) throws(Failure) -> String {
        let request = CloudRequest(
            method: "POST", key: key, query: [("uploads", nil)],
            headers: [("content-type", "application/octet-stream")], action: "starting the upload of")
        let response = try connection.sendExpectingSuccess(request)
        guard let uploadID = XMLElement(parsing: response.body)?["UploadId"], !uploadID.isEmpty else {
            throw connection.strangeAnswer(to: request, "answered without an UploadId")
        }
        return uploadID
    }

    private func putPart(
        _ index: Int, of key: String, _ uploadID: String, _ body: ObjectBody, _ range: Range<Int>
    ) throws(Failure) -> String {
        let request = CloudRequest(
            method: "PUT", key: key,
            query: [("partNumber", String(index + 1)), ("uploadId", uploadID)],
            body: body.httpBody(range), bodyDigest: try body.sha256(range),
            action: "uploading part \(index + 1) of")
        return try connection.entityTag(in: connection.sendPart(request), to: request)
    }

    private func complete(_ key: String, _ uploadID: String, _ entityTags: [String]) throws(Failure) {
        let parts = entityTags.enumerated().map { index, entityTag in
            "<Part><PartNumber>\(index + 1)</PartNumber><ETag>\(xmlEscaped(entityTag))</ETag></Part>"
        }
        let document = Array(
            ("<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
                + parts.joined() + "</CompleteMultipartUpload>").utf8)
        let request = CloudRequest(
            method: "POST", key: key, query: [("uploadId", uploadID)],
            headers: [("content-type", "application/xml")], body: .bytes(document),
            bodyDigest: try ObjectBody.bytes(document).sha256(0..<document.count),
            action: "completing the upload of")
        let response = try connection.sendExpectingSuccess(request)
        // The server answers 200 before it has put the parts together, and may then report an error.
        guard XMLElement(parsing: response.body)?.name == "CompleteMultipartUploadResult" else {
            throw S3Error(response).code.isEmpty
                ? connection.strangeAnswer(to: request, "answered without a result")
                : connection.refusal(of: request, response)
        }
    }

    /// Best effort: the failure that led here is the one to report.
    private func abortUpload(_ key: String, _ uploadID: String) {
        let request = CloudRequest(
            method: "DELETE", key: key, query: [("uploadId", uploadID)],
            action: "aborting the upload of")
        do throws(Failure) {
            _ = try connection.send(request)
        } catch {
            // The next upload of this key aborts it.
        }
    }

    private func abortLeftovers(of key: String) throws(Failure) {
        let request = CloudRequest(
            method: "GET", query: [("max-uploads", "100"), ("prefix", key), ("uploads", nil)],
            action: "looking for unfinished uploads of")
        let response = try connection.send(request)
        // A key without the right to list uploads can still upload.
        guard response.isSuccess, let document = XMLElement(parsing: response.body) else { return }
        for upload in document.children("Upload") where upload["Key"] == key {
            if let uploadID = upload["UploadId"] { abortUpload(key, uploadID) }
        }
    }
}
