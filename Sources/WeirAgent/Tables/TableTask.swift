// A table of a file at its place in the loop: loaded before the first row is read, looked at once a second,
// and replaced between two commits.
//
// Which version of the table a row sees is part of the input, so a version is put into force right behind a
// commit and its name goes into the next one: all rows of a group see one version, and what a crash undoes is
// done again as new input, with whatever version is there then. A running agent also keeps the file of the
// version that is in force beside its state, synced before the commit that names it: a device starts again
// though the file is gone or broken by then. A file that has not stayed the same for a second is not taken.

import Glibc
import Logging
import WeirCore
import WeirRuntime
import WeirStore

/// A table and the file that it comes from.
final class TableTask {
    let table: LookupTable
    private let configuration: TableConfiguration
    private let file: TableFile
    private let kept: KeptTable?
    private let scope: StateScope
    private let writer: any StateWriter
    private let logger: Logger
    /// The state of the file that was read last, in whatever way that ended; nil when there was none.
    private var readIdentity: FileIdentity?
    /// The state of the file at the last look.
    private var seenIdentity: FileIdentity?
    private var nextLook: Int64 = .min
    private var isCommitted = false
    /// Whether versions may be kept that are not in force.
    private var hasOthers = true
    private var versionName = ""
    private var fileBytes = 0
    private var loadedAt: Int64 = 0
    private var loadCount: UInt64 = 0
    private var failureCount: UInt64 = 0
    /// Why the file is not what is in force; empty when it is.
    private var problem = ""

    private static let lookIntervalNanoseconds: Int64 = 1_000_000_000
    private static let versionKey = Array("version".utf8)

    var name: String { table.name }

    /// - Parameter kept: where the version in force is kept; nil for nowhere.
    init(_ configuration: TableConfiguration, kept: KeptTable?, engine: EngineStorage, logger: Logger) {
        self.configuration = configuration
        self.kept = kept
        self.logger = logger
        table = LookupTable(name: configuration.name, schema: configuration.schema)
        file = TableFile(table: configuration)
        scope = engine.database.metaScope("tables", configuration.name)
        writer = engine.commit.writer(for: scope)
    }

    /// Loads the file, or else the version that the last commit names. Throws when there is neither.
    func start(now: Int64) throws(Failure) {
        let committed = try scope.get(Self.versionKey).map { String(decoding: $0, as: UTF8.self) }
        seenIdentity = FileIdentity(path: configuration.path)
        readIdentity = seenIdentity
        do throws(TableFault) {
            let version = try file.read(configuration.path)
            if let committed, committed != version.name {
                logger.notice("table \(name): the file is another than at the last commit")
            }
            try putIntoForce(version, now: now)
            return
        } catch {
            problem = describe(error)
        }
        guard let committed, let kept, case .success(let bytes) = kept.read(committed) else {
            throw Failure(
                .input, "loading table \(name) from", configuration.path, problem,
                advice: "a table must be there at the first start")
        }
        do throws(TableFault) {
            let problem = problem
            failureCount += 1
            try putIntoForce(try file.version(of: bytes), now: now)
            self.problem = problem
            logger.error(
                "table \(name): \(configuration.path): \(problem); the version of the last commit stays in force")
        } catch {
            throw Failure(.input, "loading table \(name) from", configuration.path, problem)
        }
    }

    /// Looks at the file now and then.
    ///
    /// - Returns: the rows to put into force once all that came before is committed.
    func look(monotonic: Int64) -> TableVersion? {
        guard monotonic >= nextLook else { return nil }
        nextLook = monotonic + Self.lookIntervalNanoseconds
        let identity = FileIdentity(path: configuration.path)
        let reason = identity == nil ? String(cString: strerror(errno)) : ""
        defer { seenIdentity = identity }
        guard identity != readIdentity, identity == seenIdentity else { return nil }
        readIdentity = identity
        guard identity != nil else {
            fail(reason)
            return nil
        }
        do throws(TableFault) {
            let version = try file.read(configuration.path)
            // Written anew with the same content.
            guard version.name == versionName else { return version }
            recover()
        } catch {
            fail(describe(error))
        }
        return nil
    }

    /// Puts a version into force; between two commits only.
    func replace(by version: TableVersion, now: Int64) {
        do throws(TableFault) {
            let rows = table.rows.rowCount
            try putIntoForce(version, now: now)
            logger.notice(
                "table \(name): reloaded, \(version.rows.rowCount) rows (before: \(rows)), version \(version.name)")
        } catch {
            fail(describe(error))
        }
    }

    /// Puts the name of the version in force into the commit.
    func checkpoint() {
        guard !isCommitted else { return }
        isCommitted = true
        Array(versionName.utf8).withUnsafeBytes { writer.put(Self.versionKey, $0) }
    }

    /// After a commit: the version before is needed no more.
    func didCommit() {
        guard isCommitted, hasOthers else { return }
        hasOthers = false
        kept?.removeOthers(than: versionName)
    }

    private func putIntoForce(_ version: TableVersion, now: Int64) throws(TableFault) {
        if let kept, let reason = kept.write(version) {
            throw TableFault(line: nil, reason: "its copy cannot be kept: \(reason)")
        }
        table.replace(version.rows)
        versionName = version.name
        fileBytes = version.text.count
        loadedAt = now
        loadCount += 1
        isCommitted = false
        hasOthers = true
        problem = ""
    }

    private func recover() {
        if !problem.isEmpty { logger.notice("table \(name): the file is what is in force again") }
        problem = ""
    }

    private func fail(_ reason: String) {
        failureCount += 1
        problem = reason
        logger.error("table \(name): \(configuration.path): \(reason); the rows from before stay in force")
    }

    private func describe(_ fault: TableFault) -> String {
        fault.line.map { "line \($0): \(fault.reason)" } ?? fault.reason
    }

    var status: StatusSnapshot.TableStatus {
        var status = StatusSnapshot.TableStatus()
        status.name = name
        status.rows = table.rows.rowCount
        status.fileBytes = fileBytes
        status.memoryBytes = table.rows.columns.reduce(0) { $0 + $1.memoryBytes }
        status.version = versionName
        status.loadedAt = loadedAt
        status.loads = loadCount
        status.failures = failureCount
        status.problem = problem
        return status
    }
}

/// Copies of a table's file beside the state, by the names of their versions.
struct KeptTable {
    /// The state directory's folder for them.
    let folder: String
    let table: String

    private func path(_ version: String) -> String { "\(folder)/\(table)@\(version)" }

    /// The bytes of a version.
    func read(_ version: String) -> Result<[UInt8], FileProblem> {
        readFile(path(version), bytesMax: .max)
    }

    /// Keeps a version, synced; why not, if it could not be done.
    func write(_ version: TableVersion) -> String? {
        let target = path(version.name)
        if let error = makeFolders(ofFile: target, mode: 0o700) { return String(cString: strerror(error)) }
        let temporary = "\(folder)/\(table).new"
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { return String(cString: strerror(errno)) }
        let error = version.text.withUnsafeBytes { writeAll(descriptor, $0).error }
        let isSynced = error == nil && fsync(descriptor) == 0
        let reason = error ?? errno
        close(descriptor)
        guard isSynced, rename(temporary, target) == 0 else {
            return String(cString: strerror(isSynced ? errno : reason))
        }
        let directory = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard directory >= 0 else { return String(cString: strerror(errno)) }
        defer { close(directory) }
        return fsync(directory) == 0 ? nil : String(cString: strerror(errno))
    }

    /// Removes the other versions.
    func removeOthers(than version: String) {
        guard let directory = opendir(folder) else { return }
        defer { closedir(directory) }
        let head = "\(table)@"
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name.hasPrefix(head), name != "\(table)@\(version)" { unlink("\(folder)/\(name)") }
        }
    }
}
