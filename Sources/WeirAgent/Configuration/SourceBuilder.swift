// From the values of [[source]] to a SourceConfiguration: what several keys must agree on is
// checked here. A source that is wrong in some key still gives the queries a table as good as it
// can be told, so that their own errors show in the same run.

import WeirCore
import WeirSQL

/// A source as far as it could be understood.
struct BuiltSource {
    let name: String?
    /// The columns that are right, as a table.
    let table: Catalog.Table?
    /// Whether the table is all that the file means it to be.
    let isTableSound: Bool
    /// Never nil when nothing is wrong.
    let configuration: SourceConfiguration?
    /// The broker and the client's name there, which no other source may share.
    let session: (broker: BrokerAddress, clientID: String)?
    let values: SectionValues
}

/// Builds sources.
struct SourceBuilder {
    let reader: SectionReader
    let log: ProblemLog
    /// For the default client id.
    let agentID: String

    func build(_ values: SectionValues) -> BuiltSource {
        let name = values[SourceFields.name]
        let type = values[SourceFields.type]
        let builder = ColumnBuilder(
            reader: reader, log: log, defaultPolicy: values[SourceFields.onTypeError] ?? .reject,
            isFile: type == .file)
        let (columns, areColumnsSound) = builder.build(values.columns)
        let errorsBeforeTime = log.errorCount
        let time = time(values, columns, isSound: areColumnsSound)
        let isTableSound = areColumnsSound && log.errorCount == errorsBeforeTime
        let schema = Schema(columns.map { Field($0.name, $0.type) })
        let table = name.map { Catalog.Table(name: $0, schema: schema, timeColumn: time?.column) }
        let input = input(values, name: name ?? "")
        var configuration: SourceConfiguration?
        if let name, let input, let depthMax = values[SourceFields.depthMax],
            let payloadMax = values[SourceFields.payloadMax]
        {
            configuration = SourceConfiguration(
                name: name, input: input, columns: columns, depthMax: Int(depthMax),
                payloadBytesMax: payloadMax, time: time)
        }
        return BuiltSource(
            name: name, table: table, isTableSound: isTableSound, configuration: configuration,
            session: session(values, name: name), values: values)
    }

    // MARK: Input

    private func input(_ values: SectionValues, name: String) -> SourceConfiguration.Input? {
        switch values[SourceFields.type] {
        case .mqtt: mqtt(values, name: name).map { .mqtt($0) }
        case .file: values[SourceFields.path].map { .file(path: $0) }
        case nil: nil
        }
    }

    private func session(_ values: SectionValues, name: String?) -> (BrokerAddress, String)? {
        guard values[SourceFields.type] == .mqtt, let text = values[SourceFields.url],
            case .success(let broker) = BrokerAddress.parse(text)
        else { return nil }
        return (broker, values[SourceFields.clientID] ?? defaultClientID(name ?? ""))
    }

    private func defaultClientID(_ name: String) -> String { "weir-\(agentID)-\(name)" }

    private func mqtt(_ values: SectionValues, name: String) -> MQTTConfiguration? {
        let tls = tls(
            values, SourceFields.caFile, SourceFields.certificateFile, SourceFields.keyFile,
            log: log)
        guard let url = values[SourceFields.url],
            case .success(let broker) = BrokerAddress.parse(url)
        else { return nil }
        let version = values[SourceFields.protocolVersion] ?? .v5
        if !broker.usesTLS, tls != TLSConfiguration.none {
            log.error(
                values.position(of: SourceFields.url),
                "url must begin with mqtts:// when tls.… keys are given")
        }
        if values.isGiven(SourceFields.password), !values.isGiven(SourceFields.username) {
            log.error(values.position(of: SourceFields.password), "password needs username")
        }
        checkTopics(values)
        checkPackets(values, version)
        guard let topics = values[SourceFields.topics],
            let expiry = values[SourceFields.sessionExpiry],
            let keepAlive = values[SourceFields.keepAlive],
            let packet = values[SourceFields.packetMax]
        else { return nil }
        return MQTTConfiguration(
            broker: broker.address, tls: broker.usesTLS ? tls : nil, topics: topics,
            clientID: values[SourceFields.clientID] ?? defaultClientID(name),
            username: values[SourceFields.username], password: values[SourceFields.password],
            protocolVersion: version, sessionExpiryMilliseconds: expiry,
            keepAliveMilliseconds: keepAlive,
            receiveMaximum: Int(values[SourceFields.receiveMaximum] ?? (version == .v5 ? 10_000 : 20)),
            packetBytesMax: packet)
    }

    private func checkTopics(_ values: SectionValues) {
        guard let topics = values[SourceFields.topics] else { return }
        if topics.isEmpty {
            log.error(
                values.position(of: SourceFields.topics), "topics is empty: nothing would arrive")
        }
        for (index, topic) in topics.enumerated() {
            guard let other = topics[..<index].first(where: { TopicFilter.overlap($0, topic) })
            else { continue }
            log.error(
                values.position(of: SourceFields.topics, element: index),
                "topics: \(quoted(other)) and \(quoted(topic)) overlap: a broker delivers what matches "
                    + "both of them twice")
        }
    }

    private func checkPackets(_ values: SectionValues, _ version: MQTTConfiguration.ProtocolVersion) {
        if version == .v311 {
            if values.isGiven(SourceFields.sessionExpiry) || values.isGiven(SourceFields.packetMax) {
                log.warning(
                    values.position(of: SourceFields.protocolVersion),
                    "session_expiry and max_packet_size have no effect with protocol = \"3.1.1\"")
            }
        } else if let payload = values[SourceFields.payloadMax],
            let packet = values[SourceFields.packetMax], packet < payload
        {
            let isPacketGiven = values.isGiven(SourceFields.packetMax)
            log.error(
                values.position(of: isPacketGiven ? SourceFields.packetMax : SourceFields.payloadMax),
                "max_packet_size (\(Quantity.text(bytes: packet))) must be at least max_payload "
                    + "(\(Quantity.text(bytes: payload))): the broker drops what is larger, where weir "
                    + "would count and keep it as rejected")
        }
    }

    // MARK: Time

    private func time(
        _ values: SectionValues, _ columns: [ColumnConfiguration], isSound: Bool
    ) -> TimeConfiguration? {
        guard let name = values[SourceFields.timeColumn] else { return nil }
        let place = values.position(of: SourceFields.timeColumn)
        if let column = columns.first(where: { $0.name == name }) {
            if !column.type.isTimestamp {
                log.error(
                    place,
                    "time.column must be of type TIMESTAMP_LTZ(3) or TIMESTAMP(3), and \(quoted(name)) is of type \(column.type)"
                )
            }
        } else if isSound {
            let candidates = columns.filter { $0.type.isTimestamp }.map(\.name)
            log.error(place, "time.column: " + missing(name, among: candidates))
        }
        let key = values[SourceFields.watermarkBy]
        if let key {
            let place = values.position(of: SourceFields.watermarkBy)
            if let column = columns.first(where: { $0.name == key }) {
                if ![.string, .int, .bigint, .boolean].contains(column.type) {
                    log.error(
                        place,
                        "watermark_by must be of type STRING, INT, BIGINT or BOOLEAN, and \(quoted(key)) is of "
                            + "type \(column.type)")
                }
            } else if isSound {
                log.error(place, "watermark_by: " + missing(key, among: columns.map(\.name)))
            }
        }
        return TimeConfiguration(
            column: name, watermarkDelayMilliseconds: values[SourceFields.watermarkDelay] ?? 0,
            watermarkBy: key, maxAheadMilliseconds: values[SourceFields.maxAhead],
            idleTimeoutMilliseconds: values[SourceFields.idleTimeout])
    }

    private func missing(_ name: String, among columns: [String]) -> String {
        if let near = nearestSpelling(of: name, among: columns) {
            return "there is no column \(quoted(name)); did you mean \(quoted(near))?"
        }
        let known = columns.isEmpty ? "" : "; choose \(alternatives(columns.map { quoted($0) }))"
        return "there is no column \(quoted(name))\(known)"
    }
}

extension TLSConfiguration {
    /// No files named: the system's CAs, no client certificate.
    static let none = TLSConfiguration(caFile: nil, certificateFile: nil, keyFile: nil)
}

/// The group `tls` of a section.
func tls(
    _ values: SectionValues, _ caFile: Setting<String>, _ certificateFile: Setting<String>,
    _ keyFile: Setting<String>, log: ProblemLog
) -> TLSConfiguration {
    if values.isGiven(keyFile), !values.isGiven(certificateFile) {
        log.error(
            values.position(of: keyFile),
            "\(keyFile.declaration.key) needs \(certificateFile.declaration.key)")
    }
    return TLSConfiguration(
        caFile: values[caFile], certificateFile: values[certificateFile], keyFile: values[keyFile])
}
