// What a connector brings in, and the promise it is held to: nothing is acknowledged before it is
// durable. `poll` hands over messages; the loop processes and commits them with the source's position
// in one write; only then does the loop call `acknowledge`.

/// A stream of messages from outside that can be read again from a committed position.
///
/// Owned and called by the loop's thread alone.
public protocol Source: AnyObject {
    /// The source's name in the configuration and in SQL.
    var name: String { get }

    /// Takes back what an earlier run committed, before `start`: the pairs of `savePosition`, latest values.
    func restore(position: [(key: [UInt8], value: [UInt8])]) throws(Failure)

    /// Begins reading; connects in the background where there is something to connect to.
    func start() throws(Failure)

    /// Appends messages that have arrived to `messages`, without waiting, until `messages.isFull` or
    /// the source is dry. Keeps connections alive, and reconnects when it is time.
    func poll(into messages: MessageBatch) throws(Failure) -> PollResult

    /// File descriptors to wait on while there is nothing to do, and the longest wait in ms.
    func waitRequest() -> WaitRequest

    /// Messages handed over by `poll` and not acknowledged yet may not exceed this; the loop commits
    /// when half of it is used. `Int.max` where nothing bounds it.
    var unacknowledgedMax: Int { get }

    /// Writes what changed in the position since the last call, covering all messages handed over by
    /// `poll` so far, as key-value pairs (keys are the source's own).
    func savePosition(_ put: (_ key: [UInt8], _ value: [UInt8]) -> Void)

    /// What `savePosition` covered is durable: tell the other side.
    func acknowledge() throws(Failure)

    /// Acknowledges what is committed, leaves politely, and keeps the session for the next start.
    func stop()

    /// Counters and state for metrics and `weir status`.
    var report: SourceReport { get }
}

/// What one `poll` found.
public enum PollResult: Sendable {
    /// There may be more at once.
    case more
    /// Nothing more for now.
    case dry
    /// A bounded source has handed over its last message.
    case ended
}

/// What to wait for when all sources are dry.
public struct WaitRequest: Sendable {
    /// A file descriptor and whether to wait for it to be writable too; -1 for none.
    public var fileDescriptor: Int32
    /// Whether to wake as soon as it can be written to, too.
    public var wantsWrite: Bool
    /// Poll again after at most this many milliseconds.
    public var timeoutMilliseconds: Int

    public init(fileDescriptor: Int32 = -1, wantsWrite: Bool = false, timeoutMilliseconds: Int) {
        self.fileDescriptor = fileDescriptor
        self.wantsWrite = wantsWrite
        self.timeoutMilliseconds = timeoutMilliseconds
    }
}

/// A source's state for people.
public struct SourceReport: Sendable {
    /// Whether it is connected (a file: open).
    public var isConnected = false
    /// One line: "connected to mqtt://…, session present", or why not and when it tries again.
    public var state = ""
    /// How far it is, where that can be said; changes all the time, unlike `state`.
    public var progress = ""
    /// Messages handed over since the process started.
    public var messages: UInt64 = 0
    /// Payload bytes handed over since the process started.
    public var bytes: UInt64 = 0
    /// Redelivered messages recognised and dropped since the process started.
    public var duplicates: UInt64 = 0
    /// Times the connection was lost since the process started.
    public var reconnects: UInt64 = 0
    /// Messages handed over and not acknowledged.
    public var unacknowledged = 0

    public init() {}
}
