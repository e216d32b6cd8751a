// Long objects: a session is opened, chunks go to its address one after the other, and the object appears
// with the last one. The server says after each how far it has kept the bytes, and that, not what was
// sent, is where the next chunk begins; so a cut connection costs one chunk, and memory does not grow with
// the object.
//
// Source: "Performing resumable uploads" of the Cloud Storage documentation. A session that is given up is
// cancelled; one that a crash left behind ends by itself after a week and costs nothing.

import WeirCore

extension GCSStore {
    /// So many requests in a row may bring nothing forward.
    private static let fruitlessMax = 4

    /// Sends an object in chunks; returns the answer to the last one, or a refusal.
    func sendResumably(_ upload: GCSUpload) throws(Failure) -> HTTPResponse {
        var opening = upload.request("resumable")
        opening.headers = [
            ("content-type", "application/json; charset=UTF-8"),
            ("x-upload-content-type", "application/octet-stream"),
            ("x-upload-content-length", String(upload.body.length)),
        ]
        opening.body = .bytes(upload.metadata)
        let opened = try connection.send(opening)
        guard opened.isSuccess else { return opened }
        guard let session = opened.header("location"), connection.isSession(session) else {
            throw connection.strangeAnswer(to: opening, "answered \(opened.status) without a session")
        }
        do throws(Failure) {
            return try sendChunks(of: upload, to: session)
        } catch {
            cancel(upload, session)
            throw error
        }
    }

    private func sendChunks(of upload: GCSUpload, to session: String) throws(Failure) -> HTTPResponse {
        let length = upload.body.length
        var kept = 0
        // Asking sends no bytes, and is how an upload without any is completed.
        var mustAsk = length == 0
        var fruitlessCount = 0
        while true {
            let request = chunk(of: upload, from: kept, isQuestion: mustAsk)
            let keptBefore = kept
            var failure: Failure
            do throws(Failure) {
                let response = try connection.send(request, toSession: session)
                if response.status == 308 {
                    kept = keptBytes(response)
                    guard kept <= length else {
                        throw connection.strangeAnswer(to: request, "has more bytes than there are")
                    }
                    mustAsk = kept == length
                    failure = connection.strangeAnswer(to: request, "keeps no more bytes of the upload")
                } else {
                    // A server in trouble may have the session again in a moment.
                    guard response.status >= 500 else { return response }
                    mustAsk = true
                    failure = connection.refusal(of: request, response)
                }
            } catch {
                guard error.domain == .external, error.retry == .backoff, !connection.client.isAborted else {
                    throw error
                }
                mustAsk = true
                failure = error
            }
            fruitlessCount = kept > keptBefore ? 0 : fruitlessCount + 1
            if fruitlessCount == Self.fruitlessMax { throw failure }
        }
    }

    /// The request that carries the next chunk, or asks how far the server has got.
    private func chunk(of upload: GCSUpload, from start: Int, isQuestion: Bool) -> CloudRequest {
        let length = upload.body.length
        var request = CloudRequest(method: "PUT", key: upload.key, action: "uploading")
        guard !isQuestion else {
            request.headers = [("content-range", "bytes */\(length)")]
            return request
        }
        let end = min(length, start + options.partBytes)
        if end == length {
            context.crashPoint.pass("put.after-temporary")
            context.crashPoint.pass("put.before-rename")
        }
        request.headers = [("content-range", "bytes \(start)-\(end - 1)/\(length)")]
        request.body = upload.body.httpBody(start..<end)
        return request
    }

    /// `Range: bytes=0-N` of a 308; without it nothing was kept.
    private func keptBytes(_ response: HTTPResponse) -> Int {
        guard let range = response.header("range"), let dash = range.lastIndex(of: "-"),
            let last = Int(range[range.index(after: dash)...])
        else { return 0 }
        return last + 1
    }

    /// Best effort: the failure that led here is the one to report.
    private func cancel(_ upload: GCSUpload, _ session: String) {
        let request = CloudRequest(method: "DELETE", key: upload.key, action: "cancelling the upload of")
        do throws(Failure) {
            _ = try connection.send(request, toSession: session)
        } catch {
            // It ends by itself.
        }
    }
}
