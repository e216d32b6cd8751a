// From the values of [[sink]] of the types mqtt, http and influxdb to their configurations: what several
// keys must agree on is checked here; what they must agree on with queries, in RowSinkLinks.

import WeirCore

extension SinkBuilder {
    func buildRows(_ values: SectionValues) -> BuiltSink {
        checkBounds(values)
        if values.isGiven(RowSinkFields.password), !values.isGiven(RowSinkFields.username) {
            log.error(values.position(of: RowSinkFields.password), "password needs username")
        }
        let retryMin = values[SinkFields.retryMin] ?? 1000
        // Rows that are meant to leave at once should not wait for minutes when the receiver is back.
        let retryMax =
            values.isGiven(SinkFields.retryMax) ? values[SinkFields.retryMax] ?? 0 : max(30_000, retryMin)
        var configuration: SinkConfiguration?
        if let name = values[SinkFields.name], let receiver = receiver(values, name: name),
            let outbox = outbox(values), let uploads = uploads(values), retryMin <= retryMax,
            let rows = rows(values, receiver)
        {
            configuration = SinkConfiguration(
                name: name, destination: .rows(rows), format: .ndjson, compression: .none,
                parquet: ParquetConfiguration(encodings: .delta, bloomFilterColumns: [], rowGroupBytesMax: 0),
                delta: delta(values), schedule: nil, rowsMax: Int64(rows.batchRowsMax),
                bytesMax: Int64(rows.batchBytesMax),
                ageMaxMilliseconds: rows.lingerMilliseconds, partitionBy: nil,
                retryMilliseconds: retryMin...retryMax, outbox: outbox, uploads: uploads)
        }
        return BuiltSink(
            name: values[SinkFields.name], configuration: configuration, values: values)
    }

    private func rows(
        _ values: SectionValues, _ receiver: RowSinkConfiguration.Receiver
    ) -> RowSinkConfiguration? {
        guard let linger = values[RowSinkFields.linger], let rows = values[RowSinkFields.batchRows],
            let bytes = values[RowSinkFields.batchBytes], let idColumn = values[RowSinkFields.idColumn],
            let onReject = values[RowSinkFields.onReject],
            let transfer = transfer(values, usesTLS: usesTLS(values))
        else { return nil }
        var id: String? = idColumn == "off" ? nil : idColumn
        if case .influx = receiver { id = nil }
        return RowSinkConfiguration(
            receiver: receiver, idColumn: id, onReject: onReject, lingerMilliseconds: linger,
            batchRowsMax: Int(rows), batchBytesMax: Int(bytes), transfer: transfer)
    }

    private func usesTLS(_ values: SectionValues) -> Bool {
        let url = values[SinkFields.url] ?? ""
        return url.hasPrefix("https://") || url.hasPrefix("mqtts://")
    }

    private func receiver(_ values: SectionValues, name: String) -> RowSinkConfiguration.Receiver? {
        switch values[SinkFields.type] {
        case .mqtt: mqtt(values, name: name)
        case .http: webhook(values).map { .webhook($0) }
        default: influx(values).map { .influx($0) }
        }
    }

    private func mqtt(_ values: SectionValues, name: String) -> RowSinkConfiguration.Receiver? {
        guard let url = values[SinkFields.url] else { return nil }
        switch BrokerAddress.parse(url) {
        case .failure(let complaint):
            log.error(values.position(of: SinkFields.url), "url \(complaint.message)")
            return nil
        case .success(let broker):
            let tls = tls(
                values, SinkFields.caFile, SinkFields.certificateFile, SinkFields.keyFile, log: log)
            guard let version = values[RowSinkFields.protocolVersion],
                let keepAlive = values[RowSinkFields.keepAlive],
                let inflightMax = values[RowSinkFields.inflightMax],
                let quality = values[RowSinkFields.quality], let isRetained = values[RowSinkFields.retain],
                let text = values[RowSinkFields.topic], let topic = try? TopicTemplate.parse(text).get()
            else { return nil }
            let client = MQTTConfiguration(
                broker: broker.address, tls: broker.usesTLS ? tls : nil, topics: [],
                clientID: clientID(values, name: name), username: values[RowSinkFields.username],
                password: values[RowSinkFields.password], protocolVersion: version,
                sessionExpiryMilliseconds: 0, keepAliveMilliseconds: keepAlive,
                receiveMaximum: Int(inflightMax), packetBytesMax: 1 << 20)
            return .mqtt(client, topic: topic, quality: Int(quality), isRetained: isRetained)
        }
    }

    private func clientID(_ values: SectionValues, name: String) -> String {
        values[SinkFields.clientID] ?? "weir-\(agentID)-sink-\(name)"
    }

    /// The broker and the client's name there; nil for other sinks.
    func session(_ values: SectionValues) -> (broker: BrokerAddress, clientID: String)? {
        guard values[SinkFields.type] == .mqtt, let url = values[SinkFields.url],
            let broker = try? BrokerAddress.parse(url).get()
        else { return nil }
        return (broker, clientID(values, name: values[SinkFields.name] ?? ""))
    }

    // MARK: HTTP

    private func address(_ values: SectionValues) -> String? {
        guard let url = values[SinkFields.url] else { return nil }
        let bare = url.prefix { $0 != "?" }
        let parsed = ResourceURL.parse(String(bare), schemes: ["http", "https"]).flatMap {
            HostPort.parse($0.authority, defaultPort: 80)
        }
        if case .failure(let complaint) = parsed {
            log.error(values.position(of: SinkFields.url), "url \(complaint.message)")
            return nil
        }
        guard url.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }), !url.contains("#") else {
            log.error(
                values.position(of: SinkFields.url),
                "url has a \"#\", a space, a control character or a letter that is not ASCII; write it as %XX")
            return nil
        }
        return url
    }

    private func isCompressed(_ values: SectionValues) -> Bool {
        let compression = values[SinkFields.compression] ?? .none
        if compression == .zstd || compression == .snappy {
            log.error(
                values.position(of: SinkFields.compression),
                "compression must be \"none\" or \"gzip\" for sinks that take rows over HTTP")
        }
        return compression == .gzip
    }

    private func webhook(_ values: SectionValues) -> WebhookConfiguration? {
        if values.isGiven(RowSinkFields.bearerToken), values.isGiven(RowSinkFields.username) {
            log.error(
                values.position(of: RowSinkFields.username),
                "username is not used with bearer_token; give one of them")
        }
        let isCompressed = isCompressed(values)
        guard let url = address(values), let body = values[RowSinkFields.body] else { return nil }
        var credentials = basic(values)
        if let token = values[RowSinkFields.bearerToken] { credentials = .bearer(token) }
        let headers = (values[RowSinkFields.headers] ?? []).compactMap { try? HeaderLine.parse($0).get() }
        return WebhookConfiguration(
            url: url, body: body, headers: headers, credentials: credentials,
            signingSecret: values[RowSinkFields.signingSecret], isCompressed: isCompressed)
    }

    private func basic(_ values: SectionValues) -> PostCredentials {
        values[RowSinkFields.username].map {
            .basic(user: $0, password: values[RowSinkFields.password])
        } ?? .none
    }

    private func influx(_ values: SectionValues) -> InfluxConfiguration? {
        let bucket = values[RowSinkFields.bucket]
        let database = values[RowSinkFields.database]
        if values.isGiven(RowSinkFields.bucket) == values.isGiven(RowSinkFields.database) {
            log.error(
                bucket == nil ? values.header : values.position(of: RowSinkFields.database),
                "a sink of type = \"influxdb\" needs bucket (InfluxDB 2) or database (InfluxDB 1), and not both")
        }
        requireOwner(RowSinkFields.token, RowSinkFields.bucket, values)
        requireOwner(RowSinkFields.org, RowSinkFields.bucket, values)
        requireOwner(RowSinkFields.username, RowSinkFields.database, values)
        requireOwner(RowSinkFields.retentionPolicy, RowSinkFields.database, values)
        let isCompressed = isCompressed(values)
        guard let url = address(values), let timeColumn = values[RowSinkFields.timeColumn] else {
            return nil
        }
        if url.contains("?") {
            log.error(
                values.position(of: SinkFields.url),
                "url must be without a query: bucket, org and database are keys of their own")
        }
        let place: InfluxConfiguration.Place
        if let bucket {
            place = .bucket(bucket, org: values[RowSinkFields.org])
        } else if let database {
            place = .database(database, retentionPolicy: values[RowSinkFields.retentionPolicy])
        } else {
            return nil
        }
        var credentials = basic(values)
        if let token = values[RowSinkFields.token] { credentials = .token(token) }
        return InfluxConfiguration(
            url: url, place: place, credentials: credentials, isCompressed: isCompressed,
            measurement: values[RowSinkFields.measurement], tags: values[RowSinkFields.tags] ?? [],
            timeColumn: timeColumn)
    }

    /// Complains of a key that goes with another one that is missing.
    private func requireOwner<Key, Owner>(
        _ key: Setting<Key>, _ owner: Setting<Owner>, _ values: SectionValues
    ) {
        guard values.isGiven(key), !values.isGiven(owner) else { return }
        log.error(
            values.position(of: key), "\(key.declaration.key) needs \(owner.declaration.key)")
    }
}
