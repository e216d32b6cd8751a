// From the values of [[sink]] of the types azure and gcs to their configurations: who weir is there follows
// from the keys that are given, so keys of two identities at once are refused.

import WeirCore

extension SinkBuilder {
    func azure(_ values: SectionValues, _ place: AzurePlace) -> AzureConfiguration? {
        let endpoint = values[SinkFields.endpoint]
        let transfer = transfer(values, usesTLS: endpoint?.hasPrefix("http://") != true)
        guard let credentials = azureCredentials(values), let transfer,
            let multipartAbove = values[SinkFields.multipartAbove]
        else { return nil }
        return AzureConfiguration(
            place: place, endpoint: endpoint, credentials: credentials,
            authority: values[SinkFields.authority], multipartAboveBytes: multipartAbove,
            transfer: transfer)
    }

    private func azureCredentials(_ values: SectionValues) -> AzureConfiguration.Credentials? {
        requireOne(of: [SinkFields.accountKey, SinkFields.sasToken, SinkFields.clientSecret], values)
        let client = values[SinkFields.clientID]
        let isApplication = values.isGiven(SinkFields.clientSecret)
        for field in [SinkFields.tenantID, SinkFields.authority]
        where values.isGiven(field) && !isApplication {
            log.error(values.position(of: field), "\(field.declaration.key) needs client_secret")
        }
        if isApplication {
            for field in [SinkFields.tenantID, SinkFields.clientID] where !values.isGiven(field) {
                log.error(
                    values.position(of: SinkFields.clientSecret),
                    "client_secret needs \(field.declaration.key)")
            }
            guard let secret = values[SinkFields.clientSecret], let client,
                let tenant = values[SinkFields.tenantID]
            else { return nil }
            return .clientSecret(tenant: tenant, client: client, secret: secret)
        }
        if let key = values[SinkFields.accountKey] { return .accountKey(key) }
        if let token = values[SinkFields.sasToken] { return .sharedAccessSignature(token) }
        return .managedIdentity(client: client)
    }

    func gcs(_ values: SectionValues, bucket: String, prefix: String) -> GCSConfiguration? {
        checkKeyPair(values)
        requireOne(of: [SinkFields.serviceAccountKey, SinkFields.accessKey], values)
        let endpoint = values[SinkFields.endpoint]
        let transfer = transfer(values, usesTLS: endpoint?.hasPrefix("http://") != true)
        guard let transfer, let multipartAbove = values[SinkFields.multipartAbove] else { return nil }
        var credentials = GCSConfiguration.Credentials.metadataServer
        if let key = values[SinkFields.serviceAccountKey] {
            credentials = .serviceAccount(key)
        } else if let access = values[SinkFields.accessKey], let secret = values[SinkFields.secretKey] {
            credentials = .hmac(accessKey: access, secretKey: secret)
        }
        return GCSConfiguration(
            bucket: bucket, prefix: prefix, endpoint: endpoint, credentials: credentials,
            multipartAboveBytes: multipartAbove, transfer: transfer)
    }

    /// Complains of every key but the first that is given.
    private func requireOne(of fields: [Setting<Secret>], _ values: SectionValues) {
        let given = fields.filter { values.isGiven($0) }
        for field in given.dropFirst() {
            log.error(
                values.position(of: field),
                "\(field.declaration.key) is not used with \(given[0].declaration.key); give one of them")
        }
    }
}
