// The way to one bucket or container, as far as it is the same in every cloud: sending, credentials that
// are fetched anew once when the server calls them ended, parts that are repeated, and what the answers to
// the plain questions (read, look at, remove, list) mean. What a cloud has of its own (addresses,
// signatures, error documents) its connection says.
//
// Always true: no sentence has a URL in it, which may hold a signature or the address of an upload session.

import WeirCore

/// Sends authorised requests to one bucket or container.
protocol CloudConnection: AnyObject {
    /// What the server should be, for failures: "S3 server".
    static var serviceName: String { get }

    var client: HTTPClient { get }
    var clock: any MachineClock { get }

    /// The server that requests go to, for failures: its name, and its port where that is not the usual one.
    var host: String { get }

    /// An object in words, as its URL without anything secret; of an empty key, the bucket or container.
    func subject(_ key: String) -> String

    /// The request with its address and a signature or token. Throws when there are no credentials.
    func authorised(_ request: CloudRequest) throws(Failure) -> HTTPRequest

    /// Drops credentials that the server does not take any more.
    ///
    /// - Returns: whether the request may be sent once more, with fresh ones.
    func dropsCredentials(after response: HTTPResponse) -> Bool

    /// Whether an answer says that there is no such object; a missing bucket is another matter.
    func isOfMissingObject(_ response: HTTPResponse) -> Bool

    /// What an answer that is not 2xx means.
    func refusal(_ response: HTTPResponse) -> CloudRefusal
}

extension CloudConnection {
    /// One part of a long object is sent so often at most.
    private var partAttemptsMax: Int { 3 }

    /// A refusal to hand out an object may be longer than the object.
    private var errorBytesMax: Int { 64 << 10 }

    // MARK: Sending

    /// Sends a request; any answer of the server is returned.
    func send(_ request: CloudRequest) throws(Failure) -> HTTPResponse {
        let response = try client.perform(authorised(request))
        guard dropsCredentials(after: response) else { return response }
        return try client.perform(authorised(request))
    }

    /// Sends a request; anything but 2xx is a failure.
    func sendExpectingSuccess(_ request: CloudRequest) throws(Failure) -> HTTPResponse {
        let response = try send(request)
        guard response.isSuccess else { throw refusal(of: request, response) }
        return response
    }

    /// Sends a request that may be repeated at once when no answer comes, since a connection that breaks
    /// in one part of a long object should not cost the parts before it. What the server refuses for good
    /// is not repeated.
    func sendPart(_ request: CloudRequest) throws(Failure) -> HTTPResponse {
        for _ in 1..<partAttemptsMax {
            do throws(Failure) {
                return try sendExpectingSuccess(request)
            } catch {
                guard error.domain == .external, error.retry == .backoff, !client.isAborted else {
                    throw error
                }
            }
        }
        return try sendExpectingSuccess(request)
    }

    // MARK: Failures

    /// The failure for an answer that is a refusal.
    func refusal(of request: CloudRequest, _ response: HTTPResponse) -> Failure {
        let refusal = refusal(response)
        return Failure(
            .external, request.action, subject(request.key), refusal.reason, advice: refusal.advice,
            retry: refusal.isTransient
                ? response.retry(nowMilliseconds: clock.nowMilliseconds()) : .never,
            concernsAll: refusal.concernsAll)
    }

    /// The failure for a 2xx answer that the service does not give: a captive portal's or a proxy's page.
    func strangeAnswer(to request: CloudRequest, _ what: String) -> Failure {
        Failure(
            .external, request.action, subject(request.key),
            "\(host) \(what): it is no \(Self.serviceName)",
            advice: "look at `endpoint`, and for a proxy or captive portal on the way", retry: .backoff)
    }

    /// The failure for a store of this cloud that is asked to rename, which is a defect.
    func renameFailure(_ key: String, _ reason: String) -> Failure {
        Failure(.internalError, "renaming", subject(key), reason)
    }

    // MARK: Objects

    /// The answer to a question about an object, nil when there is none.
    func answer(about request: CloudRequest) throws(Failure) -> HTTPResponse? {
        let response = try send(request)
        if response.isSuccess { return response }
        guard isOfMissingObject(response) else { throw refusal(of: request, response) }
        return nil
    }

    /// The bytes of an object, nil when there is none; a failure when it has more than `bytesMax`.
    func read(
        _ key: String, query: [(name: String, value: String?)] = [], bytesMax: Int
    ) throws(Failure) -> [UInt8]? {
        let request = CloudRequest(
            method: "GET", key: key, query: query, responseBytesMax: max(bytesMax, errorBytesMax),
            action: "reading")
        guard let response = try answer(about: request) else { return nil }
        guard response.status == 200 else { throw refusal(of: request, response) }
        guard response.body.count <= bytesMax else {
            throw Failure(
                .external, "reading", subject(key),
                "it has \(response.body.count) bytes, and at most \(bytesMax) are read")
        }
        return response.body
    }

    /// The bytes of an object that lie in `range`, fewer where it ends before; nil when there is none.
    func read(
        _ key: String, query: [(name: String, value: String?)] = [], range: Range<Int>
    ) throws(Failure) -> [UInt8]? {
        let request = CloudRequest(
            method: "GET", key: key, query: query,
            headers: [("range", "bytes=\(range.lowerBound)-\(range.upperBound - 1)")],
            responseBytesMax: max(range.count, errorBytesMax), action: "reading")
        let response = try send(request)
        switch response.status {
        case 206:
            let begins = "bytes \(range.lowerBound)-"
            guard response.body.count <= range.count,
                response.header("content-range")?.hasPrefix(begins) ?? true
            else {
                throw strangeAnswer(to: request, "answered with another range than it was asked for")
            }
            return response.body
        // An empty object has not even its first byte.
        case 416: return []
        // Whoever knows no ranges sends all of it.
        case 200: return Array(response.body.dropFirst(range.lowerBound).prefix(range.count))
        default:
            guard isOfMissingObject(response) else { throw refusal(of: request, response) }
            return nil
        }
    }

    /// What the headers of an object say, by HEAD; nil when there is none.
    func headers(of key: String) throws(Failure) -> ObjectHeaders? {
        let request = CloudRequest(method: "HEAD", key: key, action: "looking at")
        guard let response = try answer(about: request) else { return nil }
        guard let length = response.header("content-length").flatMap({ Int($0) }) else {
            throw strangeAnswer(to: request, "answered without a length")
        }
        return ObjectHeaders(length: length, response: response)
    }

    /// Removes an object; that there is none is fine.
    func remove(_ key: String, query: [(name: String, value: String?)] = []) throws(Failure) {
        _ = try answer(
            about: CloudRequest(method: "DELETE", key: key, query: query, action: "removing"))
    }

    /// The mark of the version that an upload made. Throws when there is none: captive portals answer 200
    /// too.
    @discardableResult
    func entityTag(in response: HTTPResponse, to request: CloudRequest) throws(Failure) -> String {
        guard let entityTag = response.header("etag"), !entityTag.isEmpty else {
            throw strangeAnswer(to: request, "answered \(response.status) without an ETag")
        }
        return entityTag
    }

    /// The document of a listing, whose root is called `root`. Throws when the answer is another one:
    /// captive portals answer 200 too.
    func listing(
        _ root: String, in response: HTTPResponse, to request: CloudRequest
    ) throws(Failure) -> XMLElement {
        guard let document = XMLElement(parsing: response.body), document.name == root else {
            throw strangeAnswer(to: request, "answered without \(root)")
        }
        return document
    }

    /// What the answer to a listing says of the way to `location`.
    ///
    /// - Parameters:
    ///   - isListed: whether the way, the credentials and the place are right.
    ///   - isDenied: whether no more is wrong than that listing is not allowed; then `denial` says whom it
    ///     is denied.
    func accessReport(
        on response: HTTPResponse, to request: CloudRequest, at location: String, isListed: Bool,
        isDenied: Bool, denial: String
    ) throws(Failure) -> AccessReport {
        let offset = response.serverDateMilliseconds.map { $0 - clock.nowMilliseconds() }
        if isListed { return .listed(location, clockOffset: offset) }
        guard isDenied else { throw refusal(of: request, response) }
        return .unlisted(location, denial, clockOffset: offset)
    }
}

/// An answer to HEAD.
struct ObjectHeaders {
    /// Bytes.
    let length: Int
    let response: HTTPResponse

    /// When it was last written, ms since the epoch.
    var modifiedMilliseconds: Int64? {
        response.header("last-modified").flatMap(HTTPDate.milliseconds(fixdate:))
    }

    /// Base64, where its writer left it with the object.
    var md5: String? { response.header("content-md5") }

    /// The same for those who use a store.
    func info(_ key: ObjectKey) -> ObjectInfo {
        ObjectInfo(
            key: key, length: length, entityTag: response.header("etag"),
            modifiedMilliseconds: modifiedMilliseconds)
    }
}
