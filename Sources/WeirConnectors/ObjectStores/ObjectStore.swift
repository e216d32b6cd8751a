// The one small protocol behind all sinks that keep objects: local folders, HDFS, S3, Azure, Google Cloud
// Storage. Whatever a store needs so that an object is there whole or not at all (temporary names, uploads
// in parts, conditional writes) it does by itself; whoever calls it only ever tries the same call again
// after a failure.
//
// Always true: `put` of the same body under the same key may be repeated any number of times, after any
// crash or lost reply, and leaves exactly that object; a reader never sees a part of an object under its
// final name. A store belongs to one thread at a time: its options are Sendable, and the sink's own
// thread makes the store from them.

import WeirCore

/// Keeps objects by key, below one place.
public protocol ObjectStore: AnyObject {
    /// The place, for people: `s3://weir/plant`. Without secrets.
    var location: String { get }

    /// Whether `rename` works here.
    var canRename: Bool { get }

    /// Stores an object, whole, in place of one that may be there.
    func put(_ key: ObjectKey, _ body: ObjectBody) throws(Failure)

    /// Stores an object unless there is one of this key already.
    ///
    /// - Returns: true when the object is there with these bytes, by this call or by an earlier one of
    ///   ours whose reply was lost; false when somebody else's object is there.
    func putIfAbsent(_ key: ObjectKey, _ body: ObjectBody) throws(Failure) -> Bool

    /// The bytes of an object, nil when there is none; a failure when it has more than `bytesMax`.
    func get(_ key: ObjectKey, bytesMax: Int) throws(Failure) -> [UInt8]?

    /// The bytes of an object that lie in `range`, fewer where it ends before; nil when there is none.
    ///
    /// - Parameter range: not empty; begins within the object, or at its first byte.
    func get(_ key: ObjectKey, range: Range<Int>) throws(Failure) -> [UInt8]?

    /// What the store says of an object, nil when there is none.
    func head(_ key: ObjectKey) throws(Failure) -> ObjectInfo?

    /// Objects whose keys begin with `prefix` and come after `startAfter`, in the byte order of their
    /// keys, at most `max`; fewer than that are the last ones. Names that no ObjectKey has, which weir
    /// cannot have written, are left out.
    func list(prefix: String, startAfter: ObjectKey?, max: Int) throws(Failure) -> [ObjectInfo]

    /// Removes an object; that there is none is fine.
    func delete(_ key: ObjectKey) throws(Failure)

    /// Gives an object another key, in place of an object that may have it, in one step.
    ///
    /// Only where `canRename`; elsewhere it is a defect to call it, and fails.
    func rename(_ key: ObjectKey, to newKey: ObjectKey) throws(Failure)

    /// Tries the way to the store, the credentials and the place, for `weir check --connect`.
    func checkAccess() throws(Failure) -> AccessReport
}

extension ObjectStore {
    /// Whether the object that has the key is this body: where a place was found taken, it may be by
    /// ourselves, by a call whose reply was lost.
    ///
    /// - Parameters:
    ///   - length: of the object that is there, nil when there is none.
    ///   - md5: the one that the store keeps with it, where it does, and the body's; both base64. Without it
    ///     the bytes are read and compared.
    func holds(
        _ body: ObjectBody, at key: ObjectKey, length: Int?,
        md5: (stored: String?, own: String) = (nil, "")
    ) throws(Failure) -> Bool {
        guard length == body.length else { return false }
        if let stored = md5.stored { return stored == md5.own }
        guard let present = try get(key, bytesMax: body.length) else { return false }
        return try body.hasBytes(present)
    }
}

/// What a store says of an object.
public struct ObjectInfo: Sendable, Hashable {
    /// From the store's place on.
    public let key: ObjectKey
    /// Bytes.
    public let length: Int
    /// The store's mark of this version of the object (S3's ETag, in its quotes), where there is one.
    public let entityTag: String?
    /// When it was last written, ms since the epoch, where the store says so.
    public let modifiedMilliseconds: Int64?

    public init(
        key: ObjectKey, length: Int, entityTag: String? = nil, modifiedMilliseconds: Int64? = nil
    ) {
        self.key = key
        self.length = length
        self.entityTag = entityTag
        self.modifiedMilliseconds = modifiedMilliseconds
    }
}

/// What `checkAccess` found.
public struct AccessReport: Sendable {
    /// One line: what was tried and answered.
    public var summary: String
    /// What may turn out wrong later; empty when all is well.
    public var warnings: [String] = []
    /// The server's clock minus this machine's, ms; nil where there is no server or it does not tell.
    public var clockOffsetMilliseconds: Int64?

    public init(summary: String, warnings: [String] = [], clockOffsetMilliseconds: Int64? = nil) {
        self.summary = summary
        self.warnings = warnings
        self.clockOffsetMilliseconds = clockOffsetMilliseconds
    }

    /// The store lists what is at `location`.
    static func listed(_ location: String, clockOffset: Int64?) -> AccessReport {
        AccessReport(
            summary: "\(location) can be listed", clockOffsetMilliseconds: clockOffset)
    }

    /// The store answers but does not list, says `warning`.
    static func unlisted(
        _ location: String, _ warning: String, clockOffset: Int64?
    ) -> AccessReport {
        AccessReport(
            summary: "\(location) answers", warnings: [warning],
            clockOffsetMilliseconds: clockOffset)
    }
}

/// What every store is given: time, a way to be stopped, and where tests want it to crash.
public struct ObjectStoreContext: Sendable {
    /// For stamps, ages and back-offs.
    public var clock: any MachineClock
    /// Raised when weir stops; a call under way then fails within a second or so.
    public var abort: AbortFlag
    /// `put` passes "put.before", "put.after-temporary", "put.before-rename" and "put.after".
    public var crashPoint: CrashPoint
    /// Paces and counts what HTTP requests send; nil for nobody.
    public var meter: (any UploadMeter)?

    public init(
        clock: any MachineClock = SystemClock(), abort: AbortFlag = AbortFlag(),
        crashPoint: CrashPoint = .none, meter: (any UploadMeter)? = nil
    ) {
        self.clock = clock
        self.abort = abort
        self.crashPoint = crashPoint
        self.meter = meter
    }
}

/// The settings of a store of any kind, from which the thread that will own the store makes it.
public enum ObjectStoreOptions: Sendable {
    case file(FileStoreOptions)
    case webHDFS(WebHDFSOptions)
    case s3(S3Options)
    case azure(AzureOptions)
    case gcs(GCSOptions)

    /// Whether objects lie in folders there, which stay when the last object of one goes.
    public var hasFolders: Bool {
        switch self {
        case .file, .webHDFS: true
        case .s3, .gcs: false
        case .azure(let options): options.interface == .fileSystem
        }
    }

    /// Makes the store; connects to nothing yet. Throws `Failure(.configuration, …)` for settings that
    /// cannot work.
    public func makeStore(_ context: ObjectStoreContext) throws(Failure) -> any ObjectStore {
        switch self {
        case .file(let options): FileStore(options, context)
        case .webHDFS(let options): try WebHDFSStore(options, context)
        case .s3(let options): try S3Store(options, context)
        case .azure(let options) where options.interface == .blob: try AzureBlobStore(options, context)
        case .azure(let options): try AzureFileSystemStore(options, context)
        case .gcs(let options): try GCSStore(options, context)
        }
    }
}
