// Files and standard input as a source of NDJSON: read in chunks of about a megabyte, cut at line ends,
// each chunk one message, so that the JSON reader runs over long stretches. Every byte of a file is in
// exactly one message, in order, whatever the sizes of reads and polls.
//
// The position is the file and the offset behind the last line handed over. It is committed with the
// effects of these lines, so a restart goes on with the next line.

import Glibc
import WeirCore

/// Settings of a FileSource.
public struct FileSourceOptions: Sendable {
    /// The source's name in the configuration.
    public var name: String
    /// Files, read one after the other; "-" is standard input.
    public var paths: [String]
    /// About how much one message holds.
    public var chunkBytes = 1 << 20
    /// At most so many lines a poll; nil for as many as a chunk has. Results never depend on it: it is
    /// there so that tests can show that.
    public var linesMax: Int?
    /// Of a longer line only the first `overlongLineHeadBytes` are handed over, as a message of its
    /// own, which the decoder rejects and counts.
    public var lineBytesMax = 128 << 20

    public init(name: String, paths: [String]) {
        self.name = name
        self.paths = paths
    }
}

/// The lines of files.
public final class FileSource: Source {
    /// What is left of an overlong line.
    public static let overlongLineHeadBytes = 1024

    public let name: String
    let options: FileSourceOptions
    private let clock: any MachineClock
    private var file: InputFile?
    private var fileIndex = 0
    /// Bytes of the present file that are in messages.
    private var offset: Int64 = 0
    private var restored: FilePosition?
    private var savedPosition: FilePosition?
    /// Read, but not yet up to a line end.
    private var tail = LineTail()
    /// Inside an overlong line, whose rest is passed over.
    private var isSkipping = false
    private var messageCount: UInt64 = 0
    private var byteCount: UInt64 = 0
    private var unacknowledgedCount = 0
    /// Lines that were cut because they were longer than `lineBytesMax`.
    public private(set) var overlongLineCount: UInt64 = 0

    public init(_ options: FileSourceOptions, clock: any MachineClock = SystemClock()) {
        precondition(!options.paths.isEmpty, "a file source has a path")
        precondition(options.lineBytesMax >= 2 * options.chunkBytes, "a line may be longer than a chunk")
        precondition(options.chunkBytes >= Self.overlongLineHeadBytes, "an overlong line has a head")
        name = options.name
        self.options = options
        self.clock = clock
    }

    public var unacknowledgedMax: Int { .max }

    public var report: SourceReport {
        var report = SourceReport()
        // A file that is read to its end is not missing: the agent is ready without more of it.
        report.isConnected = file != nil || fileIndex >= options.paths.count
        if let file {
            report.state = "reading \(file.path)"
            report.progress = "\(offset) of \(file.size.map(String.init) ?? "?") bytes"
        } else {
            report.state = fileIndex >= options.paths.count ? "all files are read" : "not started"
        }
        report.messages = messageCount
        report.bytes = byteCount
        report.unacknowledged = unacknowledgedCount
        return report
    }

    // MARK: Position

    public func restore(position: [(key: [UInt8], value: [UInt8])]) throws(Failure) {
        guard let pair = position.last(where: { $0.key == FilePosition.key }) else { return }
        guard let position = FilePosition(pair.value) else {
            throw Failure(
                .state, "restoring the position of", "source \(name)", "it is not of a known format",
                advice: "was the state directory written by a newer weir?")
        }
        restored = position
        savedPosition = position
    }

    public func savePosition(_ put: (_ key: [UInt8], _ value: [UInt8]) -> Void) {
        let position: FilePosition
        if let file {
            position = FilePosition(
                index: fileIndex, path: file.path, identity: file.identity, offset: offset,
                isSkipping: isSkipping)
        } else if fileIndex >= options.paths.count {
            position = .behindAll(index: fileIndex)
        } else {
            return
        }
        guard position != savedPosition else { return }
        savedPosition = position
        put(FilePosition.key, position.bytes)
    }

    public func acknowledge() throws(Failure) { unacknowledgedCount = 0 }

    // MARK: Life

    public func start() throws(Failure) {
        guard let restored else {
            for path in options.paths { try InputFile.check(path) }
            return try openNext()
        }
        fileIndex = restored.index
        guard fileIndex < options.paths.count else { return }
        try openNext()
        guard let file else { return }
        guard file.path == restored.path, !file.isRegular || file.identity == restored.identity else {
            throw Failure(
                .input, "going on in", file.path, "it is not the file that was being read (\(restored.path))",
                advice: "start with a new state directory to read it from the beginning")
        }
        if file.isRegular {
            try file.seek(to: restored.offset)
        } else {
            try passOver(restored.offset, of: file)
        }
        offset = restored.offset
        isSkipping = restored.isSkipping
    }

    public func stop() { file = nil }

    private func openNext() throws(Failure) {
        offset = 0
        isSkipping = false
        file = fileIndex < options.paths.count ? try InputFile(path: options.paths[fileIndex]) : nil
    }

    /// A pipe that begins anew, as `cat file | weir` does, is read up to where it was.
    private func passOver(_ count: Int64, of file: InputFile) throws(Failure) {
        let buffer = UnsafeMutablePointer<UInt8>.allocate(capacity: 1 << 16)
        defer { buffer.deallocate() }
        var left = count
        while left > 0 {
            let got = try file.read(buffer, Int(min(left, 1 << 16)))
            if got == 0 {
                throw Failure(
                    .input, "going on in", file.path, "it ended before byte \(count), where reading had stopped")
            }
            left -= Int64(got)
        }
    }

    public func waitRequest() -> WaitRequest {
        guard let file else { return WaitRequest(timeoutMilliseconds: 1000) }
        if file.isRegular { return WaitRequest(timeoutMilliseconds: 0) }
        return WaitRequest(fileDescriptor: file.descriptor, timeoutMilliseconds: 1000)
    }

    // MARK: Reading

    public func poll(into messages: MessageBatch) throws(Failure) -> PollResult {
        while let file {
            if messages.isFull { return .more }
            if let linesMax = options.linesMax, !isSkipping, let length = tail.length(ofLines: linesMax) {
                tail.copy(to: messages.reserve(length), length)
                hand(over: length, of: file, to: messages)
                tail.keepLast(tail.count - length)
                return .more
            }
            guard file.isReady else { return .dry }
            if try readChunk(of: file, into: messages) { continue }
            finish(file, messages)
            fileIndex += 1
            try openNext()
        }
        return .ended
    }

    /// Reads once, behind the tail of the last read, and hands over all whole lines. False: the end.
    private func readChunk(of file: InputFile, into messages: MessageBatch) throws(Failure) -> Bool {
        let carried = tail.count
        // A long line gathers in the tail; only what ends with a line goes into the batch's memory.
        if carried >= options.chunkBytes || isSkipping { return try readLongLine(of: file, into: messages) }
        let room = messages.reserve(carried + options.chunkBytes)
        tail.copy(to: room)
        var got = try file.read(room + carried, options.chunkBytes)
        if got == 0 { return false }
        var start = room
        if offset == 0, carried == 0 { start += skipByteOrderMark(room, &got) }
        let total = carried + got
        let fresh = UnsafeBufferPointer(start: start + carried, count: got)
        guard options.linesMax == nil, let end = lastLineEnd(in: fresh) else {
            tail.append(start + carried, got)
            return true
        }
        let whole = carried + end
        tail.replace(start + whole, total - whole)
        if start != room { memmove(room, start, whole) }
        hand(over: whole, of: file, to: messages)
        return true
    }

    /// A line that is longer than a chunk: gathers it, up to `lineBytesMax`.
    private func readLongLine(of file: InputFile, into messages: MessageBatch) throws(Failure) -> Bool {
        let before = tail.count
        let fresh = try tail.read(options.chunkBytes, from: file)
        guard let base = fresh.baseAddress, fresh.count > 0 else { return false }
        let newline = memchr(base, Int32(UInt8(ascii: "\n")), fresh.count)
        let lineEnd = newline.map { $0 - UnsafeMutableRawPointer(mutating: base) }
        if !isSkipping, before + (lineEnd ?? fresh.count) > options.lineBytesMax {
            beginSkipping(file, messages, before: before)
        }
        if isSkipping {
            // What was gathered before this read is passed over already.
            let passed = lineEnd.map { $0 + 1 } ?? fresh.count
            offset += Int64(passed)
            tail.keepLast(fresh.count - passed)
            isSkipping = lineEnd == nil
        }
        if let end = tail.lastLineEnd(within: fresh.count) {
            tail.copy(to: messages.reserve(end), end)
            hand(over: end, of: file, to: messages)
            tail.keepLast(tail.count - end)
        }
        return true
    }

    /// Hands over the head of an overlong line, and forgets what was gathered before the present read.
    private func beginSkipping(_ file: InputFile, _ messages: MessageBatch, before: Int) {
        overlongLineCount += 1
        isSkipping = true
        tail.copy(to: messages.reserve(Self.overlongLineHeadBytes), Self.overlongLineHeadBytes)
        hand(over: Self.overlongLineHeadBytes, of: file, to: messages)
        offset += Int64(before - Self.overlongLineHeadBytes)
    }

    /// At the end of a file: its last line, where that has no line end.
    private func finish(_ file: InputFile, _ messages: MessageBatch) {
        if tail.count > 0 {
            let last = tail.count
            tail.copy(to: messages.reserve(last))
            hand(over: last, of: file, to: messages)
        }
        tail.clear()
    }

    private func hand(over count: Int, of file: InputFile, to messages: MessageBatch) {
        var topic = file.name
        let now = clock.nowMilliseconds()
        topic.withUTF8 { messages.commit(length: count, topic: $0, receivedAt: now) }
        offset += Int64(count)
        messageCount += 1
        byteCount += UInt64(count)
        unacknowledgedCount += 1
    }

    /// The three bytes that some programs put before UTF-8 text.
    private func skipByteOrderMark(_ bytes: UnsafeMutablePointer<UInt8>, _ count: inout Int) -> Int {
        guard count >= 3, bytes[0] == 0xEF, bytes[1] == 0xBB, bytes[2] == 0xBF else { return 0 }
        count -= 3
        offset += 3
        return 3
    }
}

/// How many bytes the whole lines at the beginning of `bytes` have; nil without a line end.
func lastLineEnd(in bytes: UnsafeBufferPointer<UInt8>) -> Int? {
    var end = bytes.count
    while end > 0 {
        if bytes[end - 1] == UInt8(ascii: "\n") { return end }
        end -= 1
    }
    return nil
}
