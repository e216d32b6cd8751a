// Where the tokens of Entra ID come from: an application's secret, or the machine's managed identity.
//
// Sources: "OAuth 2.0 client credentials flow" of the Microsoft identity platform, and "How to use managed
// identities on an Azure VM to acquire an access token" (the Instance Metadata Service).

import WeirCore

/// Fetches tokens for storage.
struct AzureTokens {
    let options: AzureOptions
    let service: TokenService

    /// The token of the configured identity; only for credentials that have tokens.
    func fetch() throws(Failure) -> AccessToken {
        switch options.credentials {
        case .clientSecret(let tenant, let client, let secret):
            return try ofApplication(tenant: tenant, client: client, secret: secret)
        case .managedIdentity(let client):
            return try ofMachine(client: client)
        case .accountKey, .sharedAccessSignature:
            preconditionFailure("keys and signatures need no token")
        }
    }

    private func ofApplication(
        tenant: String, client: String, secret: String
    ) throws(Failure) -> AccessToken {
        let request = TokenService.formRequest(
            "\(options.authority)/\(percentEncoded(tenant))/oauth2/v2.0/token",
            [
                ("grant_type", "client_credentials"), ("client_id", client),
                ("client_secret", secret), ("scope", "https://storage.azure.com/.default"),
            ], subject: "a token of client_id \(client)")
        return try service.token(request) { response in
            refusal(request, response, advice: Self.advice(for: response))
        }
    }

    private func ofMachine(client: String?) throws(Failure) -> AccessToken {
        let base =
            options.environment["AZURE_POD_IDENTITY_AUTHORITY_HOST"] ?? "http://169.254.169.254"
        var query: [(name: String, value: String?)] = [
            ("api-version", "2018-02-01"), ("resource", "https://storage.azure.com/"),
        ]
        if let client { query.append(("client_id", client)) }
        var request = TokenService.localRequest(
            "\(base)/metadata/identity/oauth2/token?\(queryString(query))",
            subject: "a token of the managed identity")
        request.headers = [("Metadata", "true")]
        let advice =
            "give the machine a managed identity, or set account_key, sas_token or client_secret"
        do throws(Failure) {
            return try service.token(request) { refusal(request, $0, advice: advice) }
        } catch {
            throw error.advising(advice)
        }
    }

    /// The service's own sentence is the best there is; it begins with Azure's code (AADSTS7000215: …).
    private func refusal(
        _ request: HTTPRequest, _ response: HTTPResponse, advice: String
    ) -> Failure {
        let said = TokenAnswer(to: request, response)
        return service.failure(
            of: request, response, reason: said.sentence, advice: advice,
            isTransient: said.isTransient)
    }

    private static func advice(for response: HTTPResponse) -> String {
        let text = response.text
        let known = [
            ("AADSTS7000215", "look at client_secret: its value is wanted, not its id"),
            ("AADSTS7000222", "client_secret has expired; make a new one"),
            ("AADSTS700016", "look at client_id, and at tenant_id"),
            ("AADSTS90002", "look at tenant_id"),
            ("AADSTS900023", "look at tenant_id"),
        ]
        return known.first { text.contains($0.0) }?.1 ?? "look at tenant_id, client_id and client_secret"
    }
}
