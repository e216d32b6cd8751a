// Where the tokens of Google come from: a service account's signed assertion, or the machine's metadata
// server.

import WeirCore

/// Fetches tokens for storage.
struct GCSTokens {
    let service: TokenService
    let environment: [String: String]
    /// nil asks the metadata server.
    let account: ServiceAccount?

    func fetch() throws(Failure) -> AccessToken {
        if let account { return try token(of: account) }
        return try ofMachine()
    }

    private func token(of account: ServiceAccount) throws(Failure) -> AccessToken {
        let now = service.clock.nowMilliseconds()
        let assertion = try account.assertion(nowMilliseconds: now)
        let request = TokenService.formRequest(
            account.tokenURL,
            [
                ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"), ("assertion", assertion),
            ], subject: "a token of \(account.email)")
        return try service.token(request) { refusal(request, $0, nowMilliseconds: now) }
    }

    private func ofMachine() throws(Failure) -> AccessToken {
        let host = environment["GCE_METADATA_HOST"] ?? "metadata.google.internal"
        var request = TokenService.localRequest(
            "http://\(host)/computeMetadata/v1/instance/service-accounts/default/token",
            subject: "a token of the machine's service account")
        request.headers = [("Metadata-Flavor", "Google")]
        let advice = "give the machine a service account, or set service_account_key or access_key"
        do throws(Failure) {
            return try service.token(request) { response in
                Failure(
                    .external, request.action, request.subject,
                    "\(host) answered \(response.status) without a token", advice: advice,
                    retry: response.retry(nowMilliseconds: service.clock.nowMilliseconds()))
            }
        } catch {
            throw error.advising(advice)
        }
    }

    /// Google says "invalid_grant" for a wrong key, a deleted account and a wrong clock alike.
    private func refusal(
        _ request: HTTPRequest, _ response: HTTPResponse, nowMilliseconds: Int64
    ) -> Failure {
        let host = ServerAddress(request.url)?.authority ?? "the token service"
        let document = JSONValue(parsing: response.body)
        let code = document?["error"]?.string ?? ""
        let description = firstLine(document?["error_description"]?.string ?? "")
        var reason = "\(host) answered \(response.status)"
        if response.isSuccess { reason += " without a token" }
        if !code.isEmpty { reason += " \(code)" }
        if !description.isEmpty { reason += ": \(description)" }
        var advice = "look at service_account_key"
        var isTransient = response.status >= 500 || response.status == 429 || document == nil
        if code == "invalid_grant", let theirs = response.serverDateMilliseconds,
            abs(theirs - nowMilliseconds) > 240_000
        {
            reason = clockSentence(serverMinusOwnMilliseconds: theirs - nowMilliseconds, host)
            advice = "set the clock (NTP)"
            isTransient = true
        } else if description.contains("Signature") {
            advice = "look at service_account_key: it was deleted, or is of another account"
        } else if description.contains("account not found") {
            advice = "look at service_account_key: its account was deleted"
        }
        return Failure(
            .external, request.action, request.subject, reason, advice: advice,
            retry: isTransient ? response.retry(nowMilliseconds: nowMilliseconds) : .never)
    }
}
