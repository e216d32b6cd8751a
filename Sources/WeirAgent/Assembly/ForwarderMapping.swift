// A sink's configuration as its forwarder's settings.

import WeirCore
import WeirFormats

extension SinkConfiguration {
    /// The settings of the sink's forwarder.
    func forwarderSettings(
        agentID: String, stateDirectory: String, environment: [String: String]
    ) -> ForwarderSettings {
        ForwarderSettings(
            sinkName: name, agentID: agentID, store: storeOptions(environment: environment),
            naming: ObjectNaming(
                agentID: agentID,
                fileExtension: format.rowFormat.fileExtension(compression.algorithm)),
            format: format,
            compression: compression, seal: sealPolicy, partitionBy: partitionBy,
            retryMilliseconds: retryMilliseconds, outbox: outbox,
            stagingDirectory: "\(stateDirectory)/staging/\(name)")
    }

    private var sealPolicy: SealPolicy {
        let schedule = schedule
        return SealPolicy(
            nextTick: { schedule?.nextAfter($0) ?? .max }, rowsMax: Int(clamping: rowsMax),
            bytesMax: Int(clamping: bytesMax), ageMaxMilliseconds: ageMaxMilliseconds ?? .max)
    }
}
