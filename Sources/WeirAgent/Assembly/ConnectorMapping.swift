// From the configuration's terms to the connectors': the one place that knows both.

import WeirConnectors
import WeirCore

extension MQTTConfiguration {
    /// The options of the source called `name`; longer payloads than `payloadBytesMax` are cut.
    func options(name: String, payloadBytesMax: Int = .max) -> MQTTOptions {
        var options = MQTTOptions(
            name: name,
            address: MQTTAddress(host: broker.host, port: broker.port, usesTLS: tls != nil),
            topics: topics, clientID: clientID,
            protocolVersion: protocolVersion == .v5 ? .v5 : .v311)
        options.username = username
        options.password = password?.reveal()
        options.caFile = tls?.caFile
        options.certFile = tls?.certificateFile
        options.keyFile = tls?.keyFile
        options.keepAliveSeconds = Int(keepAliveMilliseconds / 1000)
        options.sessionExpirySeconds = UInt32(clamping: sessionExpiryMilliseconds / 1000)
        options.receiveMaximum = receiveMaximum
        options.payloadBytesMax = payloadBytesMax
        options.maximumPacketBytes = UInt32(clamping: packetBytesMax)
        return options
    }
}

extension SinkConfiguration {
    /// The options of the sink's object store; nil for a sink that takes rows.
    func storeOptions(environment: [String: String]) -> ObjectStoreOptions? {
        switch destination {
        case .file(let directory): .file(FileStoreOptions(directory: directory))
        case .webhdfs(let configuration): .webHDFS(configuration.options)
        case .s3(let configuration): .s3(configuration.options(environment))
        case .azure(let configuration): .azure(configuration.options(environment))
        case .gcs(let configuration): configuration.options(environment)
        case .rows: nil
        }
    }
}

extension WebHDFSConfiguration {
    fileprivate var options: WebHDFSOptions {
        var options = WebHDFSOptions(
            nameNodes: nameNodes.map(\.description), basePath: directory, usesTLS: usesTLS)
        switch authentication {
        case .simple: options.authentication = .userName(user ?? "weir")
        case .spnego: options.authentication = .kerberos
        case .token: options.authentication = .delegationToken(delegationToken?.reveal() ?? "")
        }
        options.http = transfer.options
        return options
    }
}

extension S3Configuration {
    fileprivate func options(_ environment: [String: String]) -> S3Options {
        var options = S3Options(bucket: bucket, prefix: prefix)
        options.endpoint = endpoint
        options.region = region
        options.addressing = usesPathStyle ? .path : .virtualHost
        options.multipartAboveBytes = Int(multipartAboveBytes)
        options.http = transfer.options
        options.environment = environment
        options.credentials = credentialSource(environment)
        return options
    }

    private func credentialSource(_ environment: [String: String]) -> S3CredentialSource {
        if let accessKey, let secretKey, credentials == .auto || credentials == .static {
            return .fixed(
                S3Credentials(
                    accessKey: accessKey.reveal(), secretKey: secretKey.reveal(),
                    sessionToken: sessionToken?.reveal()))
        }
        switch credentials {
        case .auto, .static: return .automatic
        case .environment: return .environment
        case .instance:
            let isContainer = environment.keys.contains { $0.hasPrefix("AWS_CONTAINER_CREDENTIALS_") }
            return isContainer ? .container : .instance
        }
    }
}

extension AzureConfiguration {
    fileprivate func options(_ environment: [String: String]) -> AzureOptions {
        var options = AzureOptions(
            host: place.host, container: place.container, prefix: place.prefix,
            interface: place.isFileSystem ? .fileSystem : .blob)
        options.endpoint = endpoint
        if let authority { options.authority = authority }
        switch credentials {
        case .accountKey(let key): options.credentials = .accountKey(key.reveal())
        case .sharedAccessSignature(let token):
            options.credentials = .sharedAccessSignature(token.reveal())
        case .clientSecret(let tenant, let client, let secret):
            options.credentials = .clientSecret(
                tenant: tenant, client: client, secret: secret.reveal())
        case .managedIdentity(let client): options.credentials = .managedIdentity(client: client)
        }
        options.multipartAboveBytes = Int(multipartAboveBytes)
        options.http = transfer.options
        options.environment = environment
        return options
    }
}

extension GCSConfiguration {
    fileprivate func options(_ environment: [String: String]) -> ObjectStoreOptions {
        if case .hmac(let accessKey, let secretKey) = credentials {
            return .s3(interoperable(accessKey, secretKey))
        }
        var options = GCSOptions(bucket: bucket, prefix: prefix)
        if let endpoint { options.endpoint = endpoint }
        if case .serviceAccount(let key) = credentials {
            options.credentials = .serviceAccount(key.reveal())
        }
        options.multipartAboveBytes = Int(multipartAboveBytes)
        options.http = transfer.options
        options.environment = environment
        return .gcs(options)
    }

    /// HMAC keys are for the XML API, which is S3's with Google's words.
    private func interoperable(_ accessKey: Secret, _ secretKey: Secret) -> S3Options {
        var options = S3Options(bucket: bucket, prefix: prefix)
        options.dialect = .google
        options.region = "auto"
        options.endpoint = endpoint ?? "https://storage.googleapis.com"
        options.addressing = .path
        options.credentials = .fixed(
            S3Credentials(accessKey: accessKey.reveal(), secretKey: secretKey.reveal()))
        options.multipartAboveBytes = Int(multipartAboveBytes)
        options.http = transfer.options
        return options
    }
}

extension TransferConfiguration {
    /// The same in the HTTP client's terms.
    var options: HTTPClientOptions {
        var options = HTTPClientOptions()
        options.connectTimeoutMilliseconds = Int(connectTimeoutMilliseconds)
        options.totalTimeoutMilliseconds = Int(timeoutMilliseconds)
        options.stallTimeoutSeconds = Int(stallTimeoutMilliseconds / 1000)
        options.interface = interface
        options.uploadBytesPerSecondMax = Int(uploadBytesPerSecondMax ?? 0)
        options.caFile = tls.caFile
        options.certificateFile = tls.certificateFile
        options.keyFile = tls.keyFile
        if let proxy { options.proxy = .url(withCredentials(proxy)) }
        return options
    }

    /// The proxy's URL with user and password in it, where they are configured.
    private func withCredentials(_ proxy: String) -> String {
        let parts = proxy.split(separator: "://", maxSplits: 1)
        guard let proxyUsername, parts.count == 2 else { return proxy }
        let password = proxyPassword.map { ":\(percentEncoded($0.reveal()))" } ?? ""
        return "\(parts[0])://\(percentEncoded(proxyUsername))\(password)@\(parts[1])"
    }

    private func percentEncoded(_ text: String) -> String {
        text.utf8.reduce(into: "") { result, byte in
            let scalar = Character(UnicodeScalar(byte))
            if byte < 0x80, scalar.isLetter || scalar.isNumber {
                result.append(scalar)
            } else {
                let digits = String(byte, radix: 16, uppercase: true)
                result += "%" + (digits.utf8.count == 1 ? "0" + digits : digits)
            }
        }
    }
}
