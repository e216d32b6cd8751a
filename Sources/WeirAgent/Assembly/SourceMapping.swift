// A source's configuration in the deserializer's and the file reader's terms.

import WeirConnectors
import WeirCore
import WeirFormats

extension ColumnConfiguration {
    /// The column as the deserializer wants it declared.
    var declaration: ColumnDeclaration {
        ColumnDeclaration(
            name: name, type: type, origin: columnOrigin,
            timestampEncoding: timestampFormat.flatMap { TimestampEncoding(rawValue: $0.rawValue) }
                ?? .rfc3339,
            onTypeError: onTypeError == .reject ? .reject : .null)
    }

    private var columnOrigin: ColumnOrigin {
        switch origin {
        case .payload(let pointer): .payload(pointer: pointer.description)
        case .topicLevel(let level): .topicLevel(level)
        case .topic: .topic
        case .receivedAt: .receivedAt
        case .retain: .retained
        case .userProperty(let name): .userProperty(name)
        }
    }
}

extension SourceConfiguration {
    /// Bounds of one document.
    var decodeLimits: DecodeLimits {
        var limits = DecodeLimits()
        limits.depthMax = depthMax
        limits.documentBytesMax = Int(clamping: payloadBytesMax)
        // A poll is one batch: see SourceTask.
        limits.batchRowsMax = .max
        return limits
    }

    /// The options of a reader of these files. `linesMax`: lines a batch at most.
    func fileOptions(paths: [String], linesMax: Int? = nil) -> FileSourceOptions {
        var options = FileSourceOptions(name: name, paths: paths)
        options.linesMax = linesMax
        options.lineBytesMax = max(2 * options.chunkBytes, Int(clamping: payloadBytesMax))
        return options
    }
}
