// What a refusal of Google Cloud Storage's JSON API means: the reason decides whether trying again can
// help, and what the person who runs weir has to look at.

import WeirCore

/// The error of an answer, as far as it has one.
struct GCSError {
    let status: Int
    /// `notFound`, `quotaExceeded`; empty when the answer is not of the API.
    let reason: String
    let message: String

    init(_ response: HTTPResponse) {
        let error = JSONValue(parsing: response.body)?["error"]
        status = response.status
        reason = error?["errors"]?.elements?.first?["reason"]?.string ?? error?["status"]?.string ?? ""
        // Downloads answer in plain text.
        let isText = response.header("content-type")?.hasPrefix("text/plain") == true
        message = firstLine(error?["message"]?.string ?? (isText ? response.text : ""))
    }

    /// No such object; a missing bucket is another matter, and has the same status and reason.
    var isOfMissingObject: Bool { status == 404 && !isOfMissingBucket }

    private var isOfMissingBucket: Bool { message.contains("bucket does not exist") }

    private var isTransient: Bool {
        let transientReasons: Set = [
            "rateLimitExceeded", "userRateLimitExceeded", "quotaExceeded", "backendError",
            "internalError", "authError", "conditionNotMet",
        ]
        return status >= 500 || [401, 408, 409, 410, 429].contains(status)
            || transientReasons.contains(reason) || message.contains("hash does not match")
            || message.contains("doesn't match calculated")
            || reason.isEmpty && status != 404 && status != 403
    }

    /// What to report.
    func refusal(by host: String) -> CloudRefusal {
        CloudRefusal(
            host, status, code: reason, message: message, advice: advice, isTransient: isTransient,
            concernsAll: isOfMissingBucket || status == 401 || reason == "accountDisabled")
    }

    private var advice: String {
        if isOfMissingBucket { return "create the bucket, or look at `url`" }
        switch (status, reason) {
        case (403, "quotaExceeded"): return "raise the quota of the project, or free space"
        case (403, "rateLimitExceeded"), (403, "userRateLimitExceeded"): return ""
        case (403, "accountDisabled"): return "look at the billing of the project"
        case (403, _): return "give the service account the role Storage Object User on the bucket"
        case (401, _): return "look at service_account_key"
        default: return reason.isEmpty && message.isEmpty ? "look at `endpoint`, and for a proxy on the way" : ""
        }
    }
}
