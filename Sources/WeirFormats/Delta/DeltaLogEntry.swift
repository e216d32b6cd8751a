// An entry of a table's log: one JSON file, a line for each action, all of which hold or none.

import WeirCore

/// One commit.
public struct DeltaLogEntry: Sendable {
    /// Where, when and by what it was made; for people.
    public var info: [(name: String, value: String)]
    /// When it was made, ms since the epoch.
    public var timestamp: Int64
    /// What was done, such as `WRITE`.
    public var operation: String
    /// The words that go with `operation`.
    public var operationParameters: [String: String]
    /// Whether it adds rows without having looked at any.
    public var isBlindAppend: Bool
    /// What changes in the table, in order.
    public var actions: [DeltaAction]

    public init(
        timestamp: Int64, operation: String, operationParameters: [String: String],
        isBlindAppend: Bool, info: [(name: String, value: String)], actions: [DeltaAction]
    ) {
        self.timestamp = timestamp
        self.operation = operation
        self.operationParameters = operationParameters
        self.isBlindAppend = isBlindAppend
        self.info = info
        self.actions = actions
    }

    /// The file.
    public var bytes: [UInt8] {
        let head = JSONValue.object([
            ("timestamp", .integer(timestamp)), ("operation", .string(operation)),
            ("operationParameters", .texts(operationParameters)),
            ("isBlindAppend", .bool(isBlindAppend)),
        ])
        let members = (head.members ?? []) + info.map { ($0.name, JSONValue.string($0.value)) }
        let lines = [JSONValue.object([("commitInfo", .object(members))]).text] + actions.map(\.json)
        return Array(lines.map { $0 + "\n" }.joined().utf8)
    }

    /// Hands the actions of an entry, or of whole lines of one, to `body`, one after the other.
    ///
    /// - Parameters:
    ///   - linesBefore: lines of the entry that come before `bytes`.
    ///   - includingFiles: without it lines of files are passed over unread, which is most of a long entry.
    ///   - name: what is read, for the failure of an entry that is not one.
    public static func forEachAction(
        in bytes: [UInt8], linesBefore: Int = 0, includingFiles: Bool, name: String,
        _ body: (DeltaAction) throws(Failure) -> Void
    ) throws(Failure) {
        var number = linesBefore
        for line in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
            number += 1
            if line.allSatisfy({ $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\r") }) { continue }
            if !includingFiles, isOfFile(line) { continue }
            let action: DeltaAction?
            do throws(DeltaMalformed) {
                guard let json = JSONValue(parsing: Array(line)) else {
                    throw DeltaMalformed(reason: "it is not JSON")
                }
                action = try DeltaAction.parse(json)
            } catch {
                throw Failure(
                    .input, "reading", name, "line \(number) is no action of a Delta table: \(error.reason)",
                    advice: "mend or restore the table's log", retry: .backoff)
            }
            if let action { try body(action) }
        }
    }

    private static func isOfFile(_ line: ArraySlice<UInt8>) -> Bool {
        line.starts(with: #"{"add":"#.utf8) || line.starts(with: #"{"remove":"#.utf8)
    }
}
