// What a cloud's refusal comes to, whatever document it came in: one sentence, what to do, and whether to
// try again. Each cloud reads its own documents and codes (S3Error, AzureError, GCSError) into this.

/// The meaning of an answer that is not 2xx.
struct CloudRefusal {
    var reason: String
    /// Empty where nothing can be advised.
    var advice: String
    /// Whether trying again can help.
    var isTransient: Bool
    /// Whether every request would meet the same: who we are, the place or the clock is wrong.
    var concernsAll: Bool

    /// With the usual sentence: `storage.example.org answered 403 AccessDenied: the server's own words`.
    ///
    /// - Parameters:
    ///   - code: the service's word for it; empty when the answer has none.
    ///   - message: the service's sentence; empty when the answer has none.
    init(
        _ host: String, _ status: Int, code: String, message: String, advice: String, isTransient: Bool,
        concernsAll: Bool
    ) {
        reason = "\(host) answered \(status)"
        if !code.isEmpty { reason += " \(code)" }
        if !message.isEmpty { reason += ": \(message)" }
        self.advice = advice
        self.isTransient = isTransient
        self.concernsAll = concernsAll
    }
}
