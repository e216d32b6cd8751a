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
                service.failure(
                    of: request, response, reason: TokenAnswer(to: request, response).sentence,
                    advice: advice, isTransient: true)
            }
        } catch {
            throw error.advising(advice)
        }
    }

    /// Google says "invalid_grant" for a wrong key, a deleted account and a wrong clock alike.
    private func refusal(
        _ request: HTTPRequest, _ response: HTTPResponse, nowMilliseconds: Int64
    ) -> Failure {
        let said = TokenAnswer(to: request, response)
        var (reason, isTransient) = (said.sentence, said.isTransient)
        var advice = "look at service_account_key"
        if said.code == "invalid_grant", let theirs = response.serverDateMilliseconds,
            abs(theirs - nowMilliseconds) > 240_000
        {
            reason = clockSentence(serverMinusOwnMilliseconds: theirs - nowMilliseconds, said.host)
            advice = "set the clock (NTP)"
            isTransient = true
        } else if said.description.contains("Signature") {
            advice = "look at service_account_key: it was deleted, or is of another account"
        } else if said.description.contains("account not found") {
            advice = "look at service_account_key: its account was deleted"
        }
        return service.failure(
            of: request, response, reason: reason, advice: advice, isTransient: isTransient)
    }
}
