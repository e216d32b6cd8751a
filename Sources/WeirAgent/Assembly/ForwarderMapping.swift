// A sink's configuration as its forwarder's settings.

import WeirCore

extension SinkConfiguration {
    /// The settings of the sink's forwarder.
    func forwarderSettings(
        agentID: String, stateDirectory: String, environment: [String: String]
    ) -> ForwarderSettings {
        ForwarderSettings(
            sinkName: name, agentID: agentID, store: storeOptions(environment: environment),
            naming: ObjectNaming(agentID: agentID, fileExtension: fileExtension), format: format,
            compression: compression, seal: sealPolicy, partitionBy: partitionBy,
            retryMilliseconds: retryMilliseconds, outbox: outbox,
            stagingDirectory: "\(stateDirectory)/staging/\(name)")
    }

    private var fileExtension: String {
        let compressed =
            switch compression {
            case .none: ""
            case .gzip: ".gz"
            case .zstd: ".zst"
            }
        return ".\(format.rawValue)\(compressed)"
    }

    private var sealPolicy: SealPolicy {
        let schedule = schedule
        return SealPolicy(
            nextTick: { schedule?.nextAfter($0) ?? .max }, rowsMax: Int(clamping: rowsMax),
            bytesMax: Int(clamping: bytesMax), ageMaxMilliseconds: ageMaxMilliseconds ?? .max)
    }
}
