// What an S3 server's refusal means: the code decides whether trying again can help, the message and the
// server's clock go into the sentence. Statuses alone say too little (403 is a wrong key, a wrong clock
// and a full quota alike).

import WeirCore

/// The error document of an S3 answer, as far as it was one.
struct S3Error {
    let status: Int
    /// `NoSuchBucket`; empty when the answer had no document (HEAD, or not S3 at all).
    let code: String
    let message: String
    /// The region the bucket is in, where the server tells.
    let region: String?

    init(_ response: HTTPResponse) {
        let document = XMLElement(parsing: response.body).flatMap { $0.name == "Error" ? $0 : nil }
        status = response.status
        code = document?["Code"] ?? ""
        message = String((document?["Message"] ?? "").prefix(300))
        region = document?["Region"] ?? response.header("x-amz-bucket-region")
    }

    /// Whether other credentials of the same source may be taken.
    var isOfExpiredCredentials: Bool {
        ["ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "InvalidToken"].contains(code)
            || (code.isEmpty && (status == 400 || status == 403))
    }

    /// No such object; a missing bucket is another matter. An answer to HEAD has no document to tell.
    var isOfMissingObject: Bool { status == 404 && (code.isEmpty || code == "NoSuchKey") }

    private var isTransient: Bool {
        let transientCodes: Set = [
            "SlowDown", "ServiceUnavailable", "InternalError", "RequestTimeout", "OperationAborted",
            "ConditionalRequestConflict", "RequestTimeTooSkewed", "BadDigest", "IncompleteBody",
            "XAmzContentSHA256Mismatch", "QuotaExceeded", "TooManyRequests", "Throttling",
            "NoSuchUpload",
        ]
        return status >= 500 || status == 429 || status == 408 || status == 409
            || transientCodes.contains(code) || isOfExpiredCredentials
    }

    /// Who we are, the bucket or its region is wrong; a denied right may be that of one prefix.
    private var concernsAll: Bool {
        let standing: Set = [
            "InvalidAccessKeyId", "SignatureDoesNotMatch", "NoSuchBucket", "RequestTimeTooSkewed",
            "AllAccessDisabled", "AccountProblem", "UserSuspended", "UserDisabled", "NotSignedUp",
            "InvalidBucketName", "PermanentRedirect", "AuthorizationHeaderMalformed", "InvalidSecurity",
            "UserProjectAccountProblem", "UserProjectMissing",
        ]
        return standing.contains(code) || isOfExpiredCredentials || (300..<400).contains(status)
            || status == 401
    }

    /// What to report.
    ///
    /// - Parameter nowMilliseconds: this machine's clock.
    func refusal(
        by host: String, _ response: HTTPResponse, nowMilliseconds: Int64
    ) -> CloudRefusal {
        var refusal = CloudRefusal(
            host, status, code: code, message: message, advice: advice, isTransient: isTransient,
            concernsAll: concernsAll)
        if code == "RequestTimeTooSkewed", let theirs = response.serverDateMilliseconds {
            refusal.reason = clockSentence(serverMinusOwnMilliseconds: theirs - nowMilliseconds, host)
        }
        return refusal
    }

    private var advice: String {
        switch code {
        case "RequestTimeTooSkewed": return "set the clock (NTP)"
        case "NoSuchBucket": return "create the bucket, or look at `url`"
        case "InvalidAccessKeyId": return "look at access_key"
        case "SignatureDoesNotMatch": return "look at secret_key, and at `region`"
        case "ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired":
            return "renew session_token, or look at where the credentials come from"
        case "QuotaExceeded": return "raise the quota of the bucket or its owner, or remove objects"
        case "AccessDenied": return "give the key the right to do this on the bucket"
        default: break
        }
        if let region, status == 301 || status == 307 || status == 400 {
            return "the bucket is in the region \(region): set `region`"
        }
        return (300..<400).contains(status) ? "look at `endpoint` and `region`" : ""
    }
}
