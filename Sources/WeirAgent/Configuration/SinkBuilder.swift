// From the values of [[sink]] to a SinkConfiguration: what several keys must agree on is checked
// here.

import WeirCore

/// A sink as far as it could be understood.
struct BuiltSink {
    let name: String?
    /// Never nil when nothing is wrong.
    let configuration: SinkConfiguration?
    let values: SectionValues
}

/// Builds sinks.
struct SinkBuilder {
    let log: ProblemLog
    /// The time zone of schedules that name none.
    let timeZone: TimeZoneRules
    /// For the default client id at a broker.
    let agentID: String

    func build(_ values: SectionValues) -> BuiltSink {
        if values[SinkFields.type]?.takesRows == true { return buildRows(values) }
        let destination = destination(values)
        let schedule = schedule(values)
        checkBounds(values)
        var configuration: SinkConfiguration?
        if let name = values[SinkFields.name], let destination, let outbox = outbox(values),
            let uploads = uploads(values), let format = values[SinkFields.format], let parquet = parquet(values),
            let compression = compression(values),
            let (rowsMax, bytesMax) = sealBounds(values),
            let retryMin = values[SinkFields.retryMin], let retryMax = values[SinkFields.retryMax],
            retryMin <= retryMax
        {
            configuration = SinkConfiguration(
                name: name, destination: destination, format: format, compression: compression,
                parquet: parquet, delta: delta(values), schedule: schedule, rowsMax: rowsMax, bytesMax: bytesMax,
                ageMaxMilliseconds: values[SinkFields.ageMax],
                partitionBy: values[SinkFields.partitionBy],
                retryMilliseconds: retryMin...retryMax, outbox: outbox, uploads: uploads)
        }
        return BuiltSink(
            name: values[SinkFields.name], configuration: configuration, values: values)
    }

    private func compression(_ values: SectionValues) -> OutputCompression? {
        guard let format = values[SinkFields.format] else { return nil }
        let fallback: OutputCompression = format.isParquet ? .zstd : .none
        let compression = values[SinkFields.compression] ?? fallback
        if compression == .snappy, !format.isParquet {
            log.error(
                values.position(of: SinkFields.compression),
                "compression = \"snappy\" is for format = \"parquet\"; use \"gzip\" or \"zstd\"")
        }
        return compression
    }

    private func parquet(_ values: SectionValues) -> ParquetConfiguration? {
        guard let encodings = values[SinkFields.parquetEncodings],
            let rowGroupSize = values[SinkFields.rowGroupSize]
        else { return nil }
        if let format = values[SinkFields.format], !format.isParquet {
            warnOfParquet(values, SinkFields.parquetEncodings)
            warnOfParquet(values, SinkFields.bloomFilter)
            warnOfParquet(values, SinkFields.rowGroupSize)
        }
        return ParquetConfiguration(
            encodings: encodings, bloomFilterColumns: values[SinkFields.bloomFilter] ?? [],
            rowGroupBytesMax: rowGroupSize)
    }

    private func warnOfParquet<Value>(_ values: SectionValues, _ setting: Setting<Value>) {
        guard values.isGiven(setting) else { return }
        log.warning(
            values.position(of: setting),
            "\(setting.declaration.key) has no effect without format = \"parquet\"")
    }

    func outbox(_ values: SectionValues) -> OutboxConfiguration? {
        guard let bytesMax = values[SinkFields.outboxBytesMax],
            let onFull = values[SinkFields.onFull], let files = values[SinkFields.outboxFiles]
        else {
            return nil
        }
        return OutboxConfiguration(
            bytesMax: bytesMax, ageMaxMilliseconds: values[SinkFields.outboxAgeMax], onFull: onFull,
            files: files, coarsening: coarsening(values, onFull))
    }

    private func schedule(_ values: SectionValues) -> Schedule? {
        guard let text = values[SinkFields.schedule] else { return nil }
        let hasTarget = values.isGiven(PlannerFields.targetSize)
        if text == "off" || hasTarget && !values.isGiven(SinkFields.schedule) {
            if !values.isGiven(SinkFields.ageMax) {
                log.error(
                    hasTarget
                        ? values.position(of: PlannerFields.targetSize)
                        : values.position(of: SinkFields.schedule),
                    (hasTarget ? "target_size without a schedule" : "schedule = \"off\"")
                        + " needs max_age, or the last rows would wait for ever")
            }
            return nil
        }
        var zone = timeZone
        if let name = values[SinkFields.timeZone] {
            zone = (try? TimeZoneRules(identifier: name)) ?? .utc
            if text.hasPrefix("every"), !values.isGiven(PlannerFields.windows) {
                log.warning(
                    values.position(of: SinkFields.timeZone),
                    "time_zone has no effect on \(quoted(text)), which is aligned to the epoch")
            }
        }
        return try? Schedule.parse(text, timeZone: zone).get()
    }

    /// The bounds that seal at once; a target size replaces those that are not given.
    private func sealBounds(_ values: SectionValues) -> (rowsMax: Int64, bytesMax: Int64)? {
        guard let rowsMax = values[SinkFields.rowsMax], let bytesMax = values[SinkFields.bytesMax] else {
            return nil
        }
        guard values.isGiven(PlannerFields.targetSize) else { return (rowsMax, bytesMax) }
        return (
            values.isGiven(SinkFields.rowsMax) ? rowsMax : .max,
            values.isGiven(SinkFields.bytesMax) ? bytesMax : .max
        )
    }

    func checkBounds(_ values: SectionValues) {
        if let low = values[SinkFields.retryMin], let high = values[SinkFields.retryMax], low > high
        {
            log.error(
                values.position(
                    of: values.isGiven(SinkFields.retryMin)
                        ? SinkFields.retryMin : SinkFields.retryMax),
                "retry_min (\(Quantity.text(milliseconds: low))) must not exceed "
                    + "retry_max (\(Quantity.text(milliseconds: high)))")
        }
        if let outbox = values[SinkFields.outboxBytesMax] {
            for bound in [SinkFields.bytesMax, PlannerFields.targetSize] {
                guard let bytes = values[bound], bytes > outbox else { continue }
                log.error(
                    values.position(of: values.isGiven(bound) ? bound : SinkFields.outboxBytesMax),
                    "\(bound.declaration.key) (\(Quantity.text(bytes: bytes))) must not exceed "
                        + "outbox.max_bytes (\(Quantity.text(bytes: outbox)))")
            }
        }
        if values.isGiven(SinkFields.proxyPassword), !values.isGiven(SinkFields.proxyUsername) {
            log.error(
                values.position(of: SinkFields.proxyPassword), "proxy_password needs proxy_username"
            )
        }
    }

    // MARK: Destinations

    private func destination(_ values: SectionValues) -> SinkConfiguration.Destination? {
        guard let type = values[SinkFields.type], let url = values[SinkFields.url] else {
            return nil
        }
        switch SinkLocation.parse(url, type: type) {
        case .failure(let complaint):
            log.error(values.position(of: SinkFields.url), "url \(complaint.message)")
            return nil
        case .success(.file(let directory)): return .file(directory: directory)
        case .success(.webhdfs(let nodes, let usesTLS, let directory)):
            return webhdfs(values, nodes, usesTLS: usesTLS, directory: directory).map {
                .webhdfs($0)
            }
        case .success(.s3(let bucket, let prefix)):
            return s3(values, bucket: bucket, prefix: prefix).map { .s3($0) }
        case .success(.azure(let place)): return azure(values, place).map { .azure($0) }
        case .success(.gcs(let bucket, let prefix)):
            return gcs(values, bucket: bucket, prefix: prefix).map { .gcs($0) }
        }
    }

    private func webhdfs(
        _ values: SectionValues, _ nodes: [HostPort], usesTLS: Bool, directory: String
    ) -> WebHDFSConfiguration? {
        let hasToken = values.isGiven(SinkFields.delegationToken)
        let authentication = values[SinkFields.auth] ?? (hasToken ? .token : .simple)
        if authentication == .token, !hasToken {
            log.error(
                values.position(of: SinkFields.auth), "auth = \"token\" needs delegation_token")
        }
        if authentication != .token, hasToken {
            log.error(
                values.position(of: SinkFields.delegationToken),
                "delegation_token is not used with auth = \"\(authentication.rawValue)\"")
        }
        let transfer = transfer(values, usesTLS: usesTLS)
        return transfer.map {
            WebHDFSConfiguration(
                nameNodes: nodes, usesTLS: usesTLS, directory: directory,
                authentication: authentication,
                user: values[SinkFields.user], delegationToken: values[SinkFields.delegationToken],
                transfer: $0)
        }
    }

    private func s3(_ values: SectionValues, bucket: String, prefix: String) -> S3Configuration? {
        let access = values.isGiven(SinkFields.accessKey)
        checkKeyPair(values)
        if values.isGiven(SinkFields.sessionToken), !access {
            log.error(
                values.position(of: SinkFields.sessionToken), "session_token needs access_key")
        }
        guard let credentials = values[SinkFields.credentials] else { return nil }
        if credentials == .static, !access {
            log.error(
                values.position(of: SinkFields.credentials),
                "credentials = \"static\" needs access_key")
        }
        if credentials == .environment || credentials == .instance, access {
            log.error(
                values.position(of: SinkFields.accessKey),
                "access_key is not used with credentials = \"\(credentials.rawValue)\"")
        }
        let endpoint = values[SinkFields.endpoint]
        let transfer = transfer(values, usesTLS: endpoint?.hasPrefix("http://") != true)
        guard let transfer, let region = values[SinkFields.region],
            let multipartAbove = values[SinkFields.multipartAbove]
        else { return nil }
        return S3Configuration(
            bucket: bucket, prefix: prefix, endpoint: endpoint, region: region,
            credentials: credentials,
            accessKey: values[SinkFields.accessKey], secretKey: values[SinkFields.secretKey],
            sessionToken: values[SinkFields.sessionToken],
            usesPathStyle: values[SinkFields.pathStyle] ?? (endpoint != nil || bucket.contains(".")),
            multipartAboveBytes: multipartAbove, transfer: transfer)
    }

    /// An access key and its secret come together.
    func checkKeyPair(_ values: SectionValues) {
        let access = values.isGiven(SinkFields.accessKey)
        guard access != values.isGiven(SinkFields.secretKey) else { return }
        let (given, other) =
            access
            ? (SinkFields.accessKey, SinkFields.secretKey)
            : (SinkFields.secretKey, SinkFields.accessKey)
        log.error(
            values.position(of: given), "\(given.declaration.key) needs \(other.declaration.key)")
    }

    func transfer(_ values: SectionValues, usesTLS: Bool) -> TransferConfiguration? {
        let tls = tls(
            values, SinkFields.caFile, SinkFields.certificateFile, SinkFields.keyFile, log: log)
        if !usesTLS, tls != .none {
            log.warning(values.header, "the tls.… keys have no effect on a connection without TLS")
        }
        guard let connectTimeout = values[SinkFields.connectTimeout],
            let stallTimeout = values[SinkFields.stallTimeout]
        else { return nil }
        return TransferConfiguration(
            uploadBytesPerSecondMax: values[SinkFields.uploadRate],
            connectTimeoutMilliseconds: connectTimeout, stallTimeoutMilliseconds: stallTimeout,
            timeoutMilliseconds: values[SinkFields.timeout] ?? 0,
            interface: values[SinkFields.interface], proxy: values[SinkFields.proxy],
            proxyUsername: values[SinkFields.proxyUsername],
            proxyPassword: values[SinkFields.proxyPassword],
            tls: tls)
    }
}
