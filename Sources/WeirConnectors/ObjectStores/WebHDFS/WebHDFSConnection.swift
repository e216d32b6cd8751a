// Sends WebHDFS operations to whichever NameNode is active. Of a pair one is on standby; which one shows
// only in its answers, so a NameNode that cannot be reached or says it is on standby is passed over at
// once for the next, and the one that answered is asked first from then on.

import WeirCore

/// One operation on one path.
struct WebHDFSRequest {
    var method: String
    /// `GETFILESTATUS`.
    var operation: String
    /// Absolute path in HDFS.
    var path: String
    var query: [(name: String, value: String?)] = []
    var action: String
}

/// The way to one HDFS.
final class WebHDFSConnection {
    private let options: WebHDFSOptions
    let client: HTTPClient
    private let clock: any MachineClock
    private let scheme: String
    private var active = 0

    init(_ options: WebHDFSOptions, _ context: ObjectStoreContext) throws(Failure) {
        guard !options.nameNodes.isEmpty else {
            throw Failure(.configuration, "reading", "the NameNodes", "there is none")
        }
        self.options = options
        client = try HTTPClient(options.http, abort: context.abort, meter: context.meter)
        clock = context.clock
        scheme = options.usesTLS ? "https" : "http"
    }

    /// A path in words: `webhdfs://nn1:9870,nn2:9870/lake/a`.
    func subject(_ path: String) -> String {
        "\(options.usesTLS ? "swebhdfs" : "webhdfs")://\(options.nameNodes.joined(separator: ","))\(path)"
    }

    /// Asks the NameNodes in turn; returns the first answer that is not "standby".
    func send(_ request: WebHDFSRequest) throws(Failure) -> HTTPResponse {
        var reasons: [String] = []
        var retry = Failure.Retry.backoff
        var advice = ""
        for turn in 0..<options.nameNodes.count {
            let index = (active + turn) % options.nameNodes.count
            do throws(Failure) {
                let response = try client.perform(http(request, nameNode: options.nameNodes[index]))
                if let exception = RemoteException(response), exception.kind == .standby {
                    reasons.append("\(options.nameNodes[index]): is on standby")
                    retry = response.retry(nowMilliseconds: clock.nowMilliseconds())
                } else {
                    active = index
                    return response
                }
            } catch {
                if client.isAborted { throw error }
                reasons.append(error.reason)
                advice = error.advice
            }
        }
        throw Failure(
            .external, request.action, subject(request.path), reasons.joined(separator: "; "),
            advice: advice, retry: retry)
    }

    private func http(_ request: WebHDFSRequest, nameNode: String) -> HTTPRequest {
        var query: [(name: String, value: String?)] = [("op", request.operation)]
        query += request.query
        switch options.authentication {
        case .userName(let name): query.append(("user.name", name))
        case .delegationToken(let token): query.append(("delegation", token))
        case .kerberos: break
        }
        let path = percentEncoded(request.path, keepingSlashes: true)
        var http = HTTPRequest(
            request.method, "\(scheme)://\(nameNode)/webhdfs/v1\(path)?\(queryString(query))",
            action: request.action, subject: subject(request.path))
        http.responseBytesMax = 64 << 20  // LISTSTATUS has no pages
        if case .kerberos = options.authentication { http.negotiates = true }
        return http
    }

    /// The second step of CREATE and OPEN: the same method at the DataNode that the first step named.
    func follow(
        _ redirect: HTTPResponse, of request: WebHDFSRequest, body: HTTPBody = .none,
        responseBytesMax: Int = 1 << 20, encodesPathTwice: Bool = false
    ) throws(Failure) -> HTTPResponse {
        guard redirect.status == 307, var location = redirect.header("location"),
            let dataNode = ServerAddress(location)
        else { throw refusal(of: request, redirect) }
        guard dataNode.scheme == scheme else {
            throw Failure(
                .external, request.action, subject(request.path),
                "the NameNode sends the data to \(dataNode.authority) by \(dataNode.scheme), not \(scheme)"
            )
        }
        if encodesPathTwice {
            let path = location.prefix { $0 != "?" }
            location = String(path.replacing("%25", with: "%2525") + location.dropFirst(path.count))
        }
        var http = HTTPRequest(
            request.method, location, action: request.action, subject: subject(request.path))
        http.headers = [("Content-Type", "application/octet-stream")]
        http.body = body
        http.responseBytesMax = responseBytesMax
        // A DataNode takes the token in the redirect; a gateway (HttpFS) redirects to itself and asks again.
        if case .kerberos = options.authentication, options.nameNodes[active] == dataNode.authority {
            http.negotiates = true
        }
        do throws(Failure) {
            return try client.perform(http)
        } catch {
            guard error.domain == .external, !client.isAborted else { throw error }
            throw error.advising("this machine must be able to resolve and reach the DataNodes too")
        }
    }

    /// The failure for an answer that is not the one hoped for.
    func refusal(of request: WebHDFSRequest, _ response: HTTPResponse) -> Failure {
        let retry = response.retry(nowMilliseconds: clock.nowMilliseconds())
        guard let exception = RemoteException(response) else {
            // 401 ends when the Kerberos ticket is renewed, which others do.
            let isFinal = (400..<500).contains(response.status) && ![401, 408, 429].contains(response.status)
            return Failure(
                .external, request.action, subject(request.path),
                "\(options.nameNodes[active]) answered \(response.status) to \(request.operation)",
                advice: response.status == 401 ? "look at `auth`, and at the ticket or token" : "",
                retry: isFinal ? .never : retry, concernsAll: response.status == 401)
        }
        return Failure(
            .external, request.action, subject(request.path),
            "\(exception.exception): \(redacted(exception.message))", advice: exception.advice,
            retry: exception.isTransient ? retry : .never, concernsAll: exception.concernsAll)
    }

    /// HDFS repeats tokens in some of its complaints about them.
    private func redacted(_ message: String) -> String {
        guard case .delegationToken(let token) = options.authentication else { return message }
        return message.replacing(token, with: "…")
    }
}
