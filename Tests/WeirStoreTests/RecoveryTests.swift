// What a start does with what a crash, a second process, a newer weir or a bad disk left behind.

import Glibc
import Testing
import WeirCore
import WeirStore

/// The failure that `body` ends with.
private func failure<Result>(of body: () throws -> Result) -> Failure? {
    do {
        _ = try body()
        return nil
    } catch {
        return error as? Failure
    }
}

/// Commits the keys `numbers`, one a commit.
private func commitKeys(_ numbers: Range<Int>, _ database: Database) throws {
    let scope = database.stateScope(1)
    let commit = database.makeCommit()
    for n in numbers {
        let value = [UInt8](repeating: UInt8(n % 251), count: 300)
        value.withUnsafeBytes {
            commit.writer(for: scope).put([UInt8(n / 256), UInt8(n % 256)], $0)
        }
        try database.commit(commit)
    }
}

/// A copy of a state directory as a crash at this moment would leave it.
private func copyTree(_ from: String, _ to: String) {
    mkdir(to, 0o750)
    for name in list(from) {
        if opendir("\(from)/\(name)").map({ closedir($0) }) != nil {
            copyTree("\(from)/\(name)", "\(to)/\(name)")
        } else {
            writeFile("\(to)/\(name)", readFile("\(from)/\(name)"))
        }
    }
}

private func logPath(_ directory: String) throws -> String {
    let name = try #require(list("\(directory)/db").last { $0.hasSuffix(".log") })
    return "\(directory)/db/\(name)"
}

@Suite struct RecoveryTests {
    /// A state directory with 200 synced commits in its log, as `kill -9` leaves it.
    private func killed(in directory: TemporaryDirectory) throws -> String {
        let database = try Database(try StateDirectory("\(directory.path)/live"))
        try commitKeys(0..<200, database)
        copyTree("\(directory.path)/live", "\(directory.path)/dead")
        return "\(directory.path)/dead"
    }

    private func keyCount(_ path: String) throws -> Int {
        try Database(try StateDirectory(path)).stateScope(1).pairs().count
    }

    @Test func everyCommitIsThereAfterAKill() throws {
        let directory = TemporaryDirectory()
        #expect(try keyCount(killed(in: directory)) == 200)
    }

    @Test(arguments: [1, 5, 100, 333])
    func aTornLastRecordIsDroppedAndNothingElse(bytes: Int) throws {
        let directory = TemporaryDirectory()
        let path = try killed(in: directory)
        let log = try logPath(path)
        let whole = readFile(log)
        // The file may be longer than what was written to it.
        let end = (whole.lastIndex { $0 != 0 } ?? 0) + 1
        writeFile(log, Array(whole[..<(end - bytes)]))
        #expect(try keyCount(path) == 200 - (bytes + 331) / 332)
        #expect(try keyCount(path) == 200 - (bytes + 331) / 332, "and it stays so")
    }

    @Test func damageInTheMiddleOfTheLogIsRefused() throws {
        let directory = TemporaryDirectory()
        let path = try killed(in: directory)
        let log = try logPath(path)
        var bytes = readFile(log)
        bytes[bytes.count / 2] ^= 0x10
        writeFile(log, bytes)
        let refusal = try #require(failure { try keyCount(path) })
        #expect(refusal.domain == .state && refusal.reason.contains("Corruption"))
        #expect(refusal.advice.contains("backup"))
        #expect(readFile(log) == bytes, "nothing was changed")
    }

    @Test func damageInATableIsRefusedWhenItIsRead() throws {
        let directory = TemporaryDirectory()
        let path = try killed(in: directory)
        #expect(try keyCount(path) == 200)
        for name in list("\(path)/db") where name.hasSuffix(".sst") {
            var bytes = readFile("\(path)/db/\(name)")
            for place in stride(from: 20, to: bytes.count / 2, by: 500) { bytes[place] ^= 0x10 }
            writeFile("\(path)/db/\(name)", bytes)
        }
        #expect(failure { try keyCount(path) } != nil)
    }

    @Test func afterAFailedReadNothingIsCommittedAnyMore() throws {
        let directory = TemporaryDirectory()
        let path = try killed(in: directory)
        #expect(try keyCount(path) == 200)
        let database = try Database(try StateDirectory(path))
        for name in list("\(path)/db") where name.hasSuffix(".sst") {
            var bytes = readFile("\(path)/db/\(name)")
            for place in stride(from: 20, to: bytes.count / 2, by: 500) { bytes[place] ^= 0x10 }
            writeFile("\(path)/db/\(name)", bytes)
        }
        let scope = database.stateScope(1)
        #expect(failure { try scope.pairs() }?.domain == .storage)
        #expect(failure { try scope.get([0, 1]) }?.domain == .storage)
        #expect(failure { try database.commit(database.makeCommit()) }?.domain == .storage)
        #expect(failure { try commitKeys(0..<1, database) }?.advice == "weir must be started again")
    }

    @Test func aLostDatabaseIsNotReplacedByAnEmptyOne() throws {
        let directory = TemporaryDirectory()
        let path = try killed(in: directory)
        unlink("\(path)/db/CURRENT")
        #expect(failure { try keyCount(path) }?.domain == .state)
        removeTree("\(path)/db")
        #expect(failure { try keyCount(path) }?.domain == .state)
    }

    @Test func aSecondWeirIsRefusedAndToldWhoHoldsTheDirectory() throws {
        let directory = TemporaryDirectory()
        do {
            let first = try directory.open()
            let refusal = try #require(
                failure { try StateDirectory(directory.path, lockWaitMilliseconds: 20) })
            #expect(refusal.domain == .state)
            #expect(refusal.reason == "it is in use by process \(getpid())")
            #expect(first.directory.path == directory.path)
        }
        _ = try directory.open()
    }

    @Test func aLockThatIsBeingLetGoIsWaitedFor() throws {
        let directory = TemporaryDirectory()
        let held = open("\(directory.path)/lock", O_RDWR | O_CREAT, 0o600)
        #expect(flock(held, LOCK_EX) == 0)
        // A thread of its own: the tests may hold all of the shared ones.
        var thread = pthread_t()
        let argument = UnsafeMutableRawPointer(bitPattern: Int(held))
        let started = pthread_create(
            &thread, nil,
            { argument in
                usleep(50_000)
                close(Int32(Int(bitPattern: argument)))
                return nil
            }, argument)
        #expect(started == 0)
        _ = try StateDirectory(directory.path, lockWaitMilliseconds: 5000)
        pthread_join(thread, nil)
    }

    @Test func aNewerFormatIsRefusedInAPlainSentence() throws {
        let directory = TemporaryDirectory()
        _ = try directory.open()
        writeFile("\(directory.path)/format", Array("weir state format 3\n".utf8))
        let refusal = try #require(failure { try directory.open() })
        #expect(refusal.domain == .state)
        #expect(
            refusal.reason
                == "this state directory was written by a newer weir "
                + "(format 3, this one reads up to 2)"
        )
        #expect(readFile("\(directory.path)/format") == Array("weir state format 3\n".utf8))
    }

    @Test(arguments: [
        "", "weir state format", "weir state format -1\n", "something else entirely\n",
    ])
    func aDamagedFormatFileIsRefused(text: String) throws {
        let directory = TemporaryDirectory()
        _ = try directory.open()
        writeFile("\(directory.path)/format", Array(text.utf8))
        #expect(failure { try directory.open() }?.reason == "its format file is damaged")
        unlink("\(directory.path)/format")
        #expect(failure { try directory.open() }?.domain == .state)
    }

    @Test func aCreationThatWasCutShortIsTakenUpAgain() throws {
        let directory = TemporaryDirectory()
        _ = try directory.open()
        writeFile("\(directory.path)/format", Array("weir state format 1 creating\n".utf8))
        _ = try directory.open()
        #expect(readFile("\(directory.path)/format") == Array("weir state format 2\n".utf8))
    }

    @Test func aDirectoryThatCannotBeMadeIsAStorageFailure() {
        let refusal = failure { try StateDirectory("/proc/weir/state") }
        #expect(refusal?.domain == .storage && refusal?.subject == "/proc/weir")
    }

    @Test func tooLittleFreeSpaceIsRefusedAtTheStartAndSeenLater() throws {
        let directory = TemporaryDirectory()
        let refusal = failure { try StateDirectory(directory.path, freeBytesMin: 1 << 60) }
        #expect(refusal?.domain == .state && refusal?.reason.contains("free") == true)
        let opened = try StateDirectory(directory.path, freeBytesMin: 1)
        #expect(try opened.freeBytes() > 0)
        #expect(try opened.freeBytes() < 1 << 60)
    }
}
