// The keys of [[sink]] that say which store keeps the objects and who weir is there: S3, Azure storage,
// Google Cloud Storage, HDFS. What is common to all ways over the network is in SinkTransferFields.swift.

/// Where objects are kept, and credentials.
extension SinkFields {
    private static let s3 = ["s3"]
    private static let hdfs = ["webhdfs"]
    private static let azure = ["azure"]
    private static let gcs = ["gcs"]

    static let endpoint = Setting.text(
        "endpoint", .serviceURL, .optional, for: s3 + azure + gcs,
        "`http(s)://host:port` of a compatible server, or of a private way to the cloud. Default: Amazon's of the "
            + "region, the host of an Azure `url`, Google's. At a numeric address Azure's account is the first "
            + "segment of the path, as emulators want it.")
    static let region = Setting.text(
        "region", .any, .default("us-east-1"), for: s3, "Region that requests are signed for.")
    static let credentials: Setting<S3Configuration.CredentialSource> = .choice(
        "credentials", .default("auto"), for: s3,
        "Where credentials come from: these keys, the environment (`AWS_…`), the instance's metadata service; "
            + "`auto` tries them in that order.")
    static let accessKey = Setting.secret(
        "access_key", for: s3 + gcs, "Access key id; for `gcs` that of an HMAC key.")
    static let secretKey = Setting.secret("secret_key", for: s3 + gcs, "Secret access key.")
    static let sessionToken = Setting.secret(
        "session_token", for: s3, "Session token of temporary credentials.")
    static let pathStyle = Setting.boolean(
        "path_style", .optional, for: s3,
        "`endpoint/bucket/key` instead of `bucket.endpoint/key`. Default: true when `endpoint` is set "
            + "or the bucket's name has a dot."
    )
    static let multipartAbove = Setting.size(
        "multipart_above", .default("16MB"), from: "5MiB", to: "5GB", for: s3 + azure + gcs,
        "Objects larger than this are uploaded in parts.")

    static let accountKey = Setting.secret(
        "account_key", for: azure,
        "Key of the storage account (SharedKey). Without it, `sas_token` and `client_secret`, the machine's managed "
            + "identity is taken.")
    static let sasToken = Setting.secret(
        "sas_token", for: azure,
        "Shared access signature; it must allow to read, create, write, delete and list.")
    static let tenantID = Setting.text(
        "tenant_id", .any, .optional, for: azure, "Tenant of the application whose `client_secret` is given.")
    static let clientID = Setting.text(
        "client_id", .any, .optional, for: azure + ["mqtt"],
        "`azure`: the application whose `client_secret` is given; without one, which of several managed identities. "
            + "`mqtt`: the client's name at the broker, nobody else's. Default: `weir-AGENT-sink-NAME`.")
    static let clientSecret = Setting.secret(
        "client_secret", for: azure, "Secret of an application of Entra ID.")
    static let authority = Setting.text(
        "authority", .serviceURL, .optional, for: azure,
        "Where applications get tokens. Default: `https://login.microsoftonline.com`.")
    static let serviceAccountKey = Setting.secret(
        "service_account_key", for: gcs,
        "JSON key of a service account, usually as `file:PATH`. Without it and `access_key`, the service account of "
            + "the machine (metadata server) is taken.")

    static let auth: Setting<WebHDFSConfiguration.Authentication> = .choice(
        "auth", .optional, for: hdfs,
        "`simple` sends `user`, `spnego` uses Kerberos, `token` sends `delegation_token`. "
            + "Default: `token` when there is one, else `simple`.")
    static let user = Setting.text(
        "user", .any, .default("weir"), for: hdfs, "User name, which owns the files.")
    static let delegationToken = Setting.secret("delegation_token", for: hdfs, "Delegation token.")

    /// In the order of the reference.
    static let storeDeclarations = [
        endpoint.declaration, region.declaration, credentials.declaration, accessKey.declaration,
        secretKey.declaration, sessionToken.declaration, pathStyle.declaration,
        multipartAbove.declaration, accountKey.declaration, sasToken.declaration,
        tenantID.declaration, clientID.declaration, clientSecret.declaration, authority.declaration,
        serviceAccountKey.declaration, auth.declaration, user.declaration,
        delegationToken.declaration,
    ]
}
