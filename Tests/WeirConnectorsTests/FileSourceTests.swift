// What the file source must hold: every line once and whole, in order, whatever the sizes, and exactly
// on from a saved position.

import Glibc
import Testing
import WeirCore

@testable import WeirConnectors

private func options(_ paths: String..., chunk: Int = 4096, lineMax: Int = 1 << 20) -> FileSourceOptions {
    var options = FileSourceOptions(name: "lines", paths: paths)
    options.chunkBytes = chunk
    options.lineBytesMax = lineMax
    return options
}

/// Polls to the end; the messages in order.
private func readAll(
    _ source: FileSource, batch: MessageBatch = MessageBatch(), position: [[UInt8]: [UInt8]] = [:]
) throws -> [ReceivedMessage] {
    let disk = SourceDriver.Disk()
    disk.position = position
    let driver = try SourceDriver(source, disk, batch: batch)
    while try driver.poll() != .ended { try driver.commit() }
    try driver.commit()
    return disk.messages
}

private func lines(_ count: Int) -> [UInt8] {
    Array((0..<count).map { "{\"n\":\($0),\"pad\":\"\(String(repeating: "x", count: $0 % 97))\"}\n" }.joined().utf8)
}

@Suite struct FileSourceTests {
    @Test(arguments: [1024, 1500, 4096, 1 << 20])
    func everyByteIsInOneMessageAndMessagesEndWithLines(chunk: Int) throws {
        try withScratchFolder { folder in
            let content = lines(5000)
            let path = folder.file("readings.ndjson", content)
            let messages = try readAll(
                FileSource(options(path, chunk: chunk, lineMax: 2 << 20)),
                batch: MessageBatch(messagesMax: 3, bytesMax: 10_000))
            #expect(messages.map(\.payload).joined() == String(decoding: content, as: UTF8.self))
            #expect(messages.allSatisfy { $0.payload.hasSuffix("}\n") && $0.topic == "readings.ndjson" })
        }
    }

    @Test func aLastLineWithoutLineEndIsHandedOver() throws {
        try withScratchFolder { folder in
            let path = folder.file("a", Array("one\ntwo".utf8))
            let messages = try readAll(FileSource(options(path)))
            #expect(messages.map(\.payload) == ["one\n", "two"])
        }
    }

    @Test func severalFilesAreReadOneAfterTheOther() throws {
        try withScratchFolder { folder in
            let source = FileSource(
                options(folder.file("a", Array("1\n".utf8)), folder.file("e", []), folder.file("b", Array("2".utf8))))
            let messages = try readAll(source)
            #expect(messages.map(\.topic) == ["a", "b"])
            #expect(messages.map(\.payload) == ["1\n", "2"])
            #expect(source.report.state == "all files are read")
        }
    }

    @Test func aMarkBeforeTheTextIsNotPartOfIt() throws {
        try withScratchFolder { folder in
            let path = folder.file("bom", [0xEF, 0xBB, 0xBF] + Array("{}\n{}\n".utf8))
            let messages = try readAll(FileSource(options(path)))
            #expect(messages.map(\.payload) == ["{}\n{}\n"])
        }
    }

    @Test func aRestartGoesOnBehindTheLastCommittedLine() throws {
        try withScratchFolder { folder in
            let content = lines(3000)
            let paths = (folder.file("first", content), folder.file("second", content))
            let whole = String(decoding: content + content, as: UTF8.self)
            for polls in [0, 1, 2, 5, 17, 60, 1000] {
                let disk = SourceDriver.Disk()
                let make = { FileSource(options(paths.0, paths.1, chunk: 2048)) }
                do {
                    let driver = try SourceDriver(make(), disk, batch: MessageBatch(messagesMax: 2))
                    for _ in 0..<polls {
                        _ = try driver.poll()
                        try driver.commit()
                    }
                    // Polled and not committed: has to come again.
                    _ = try driver.poll()
                }
                let driver = try SourceDriver(make(), disk)
                while try driver.poll() != .ended { try driver.commit() }
                try driver.commit()
                #expect(disk.payloads.joined() == whole, "after \(polls) polls")
            }
        }
    }

    @Test func afterTheEndARestartHasNothingToRead() throws {
        try withScratchFolder { folder in
            let path = folder.file("a", Array("1\n".utf8))
            let disk = SourceDriver.Disk()
            for _ in 0..<2 {
                let driver = try SourceDriver(FileSource(options(path)), disk)
                while try driver.poll() != .ended { try driver.commit() }
                try driver.commit()
            }
            #expect(disk.payloads == ["1\n"])
        }
    }

    @Test func aLineLongerThanAChunkStaysWhole() throws {
        try withScratchFolder { folder in
            let long = String(repeating: "y", count: 300_000)
            let path = folder.file("long", Array("a\n\(long)\nb\nc\n".utf8))
            let source = FileSource(options(path))
            let messages = try readAll(source)
            #expect(messages.map(\.payload).joined() == "a\n\(long)\nb\nc\n")
            #expect(source.overlongLineCount == 0)
        }
    }

    @Test(arguments: [0, 1])
    func aLineOverTheLimitLeavesItsHeadOnly(excess: Int) throws {
        try withScratchFolder { folder in
            let long = String(repeating: "z", count: 100_000 + excess)
            let text = "{\"n\":1}\n\(long)\n{\"n\":2}\n{\"n\":3}\n"
            let path = folder.file("overlong", Array(text.utf8))
            let source = FileSource(options(path, lineMax: 100_000))
            let messages = try readAll(source).map(\.payload)
            if excess == 0 {
                #expect(messages.joined() == text)
            } else {
                #expect(messages.joined() == "{\"n\":1}\n\(String(repeating: "z", count: 1024)){\"n\":2}\n{\"n\":3}\n")
                #expect(messages.contains(String(repeating: "z", count: 1024)))
            }
            #expect(source.overlongLineCount == UInt64(excess))
        }
    }

    @Test func aRestartInsideAnOverlongLineDoesNotSeeItsRest() throws {
        try withScratchFolder { folder in
            let path = folder.file("o", Array("a\n\(String(repeating: "z", count: 900_000))\nb\n".utf8))
            let make = { FileSource(options(path, lineMax: 50_000)) }
            let disk = SourceDriver.Disk()
            // One message a poll: "a", then the head; the rest of the line is still to be passed over.
            let driver = try SourceDriver(make(), disk, batch: MessageBatch(messagesMax: 1))
            while disk.messages.count < 2 {
                _ = try driver.poll()
                try driver.commit()
            }
            let second = try SourceDriver(make(), disk)
            while try second.poll() != .ended {}
            try second.commit()
            #expect(disk.payloads.map(\.utf8.count) == [2, 1024, 2])
        }
    }

    @Test func aHundredMegabyteLineCostsAboutTwiceItsLength() throws {
        try withScratchFolder { folder in
            let path = folder.file("big", [])
            let size = 100 << 20
            truncate(path, off_t(size))
            let batch = MessageBatch()
            let source = FileSource(options(path, chunk: 1 << 20, lineMax: 128 << 20))
            let before = peakMemoryBytes()
            try source.start()
            while try source.poll(into: batch) != .ended {}
            #expect(batch.lengths == [size])
            #expect(peakMemoryBytes() - before < 5 * size / 2)
        }
    }

    @Test func whatCannotBeReadIsAnInputFailure() {
        withScratchFolder { folder in
            let here = folder.file("here", Array("1\n".utf8))
            for paths in [["\(folder.path)/missing"], [here, "\(folder.path)/missing"], [folder.path]] {
                let source = FileSource(FileSourceOptions(name: "lines", paths: paths))
                let found = failure { () throws(Failure) in try source.start() }
                #expect(found?.domain == .input)
                #expect(found?.subject == paths.last)
            }
        }
    }

    @Test func anotherFileInItsPlaceIsRefused() throws {
        try withScratchFolder { folder in
            let path = folder.file("a", lines(100))
            let disk = SourceDriver.Disk()
            let driver = try SourceDriver(
                FileSource(options(path, chunk: 1024)), disk, batch: MessageBatch(messagesMax: 1))
            _ = try driver.poll()
            try driver.commit()
            rename(folder.file("b", lines(100)), path)
            let second = FileSource(options(path))
            try second.restore(position: disk.position.map { ($0.key, $0.value) })
            #expect(failure { () throws(Failure) in try second.start() }?.domain == .input)
        }
    }

    @Test func aPipeThatBeginsAnewIsReadOnFromWhereItWas() throws {
        try withScratchFolder { folder in
            let fifo = "\(folder.path)/pipe"
            let content = lines(2000)
            let disk = SourceDriver.Disk()
            signal(SIGPIPE, SIG_IGN)
            for polls in [3, Int.max] {
                unlink(fifo)
                mkfifo(fifo, 0o600)
                runThread { writeAll(content, to: fifo) }
                let driver = try SourceDriver(FileSource(options(fifo)), disk, batch: MessageBatch(messagesMax: 2))
                var result = PollResult.dry
                var done = 0
                while result != .ended, done < polls {
                    result = try driver.poll()
                    if result == .dry { driver.wait() } else { done += 1 }
                    try driver.commit()
                }
            }
            #expect(disk.payloads.joined() == String(decoding: content, as: UTF8.self))
        }
    }
}

/// Opens a path and writes until all is written or the reader is gone.
private func writeAll(_ bytes: [UInt8], to path: String) {
    let descriptor = open(path, O_WRONLY)
    defer { close(descriptor) }
    var rest = bytes[...]
    while !rest.isEmpty {
        let count = rest.withUnsafeBytes { write(descriptor, $0.baseAddress, min($0.count, 5000)) }
        if count <= 0 { return }
        rest = rest.dropFirst(count)
    }
}

private func peakMemoryBytes() -> Int {
    var usage = rusage()
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    return usage.ru_maxrss * 1024
}
