// What an object is made of: bytes in memory, or a file that stays as it is while it is stored. Files
// are read in chunks, so that the memory a store needs does not grow with the object.

import Crypto
import Glibc
import WeirCore

/// The contents of an object to be stored.
public enum ObjectBody: Sendable {
    case bytes([UInt8])
    /// The first `length` bytes of a file, and their SHA-256 if the caller knows it already.
    case file(path: String, length: Int, sha256: [UInt8]? = nil)

    /// Bytes.
    public var length: Int {
        switch self {
        case .bytes(let bytes): bytes.count
        case .file(_, let length, _): length
        }
    }

    /// Bytes `range` of it, as the body of a request.
    func httpBody(_ range: Range<Int>) -> HTTPBody {
        switch self {
        case .bytes(let bytes):
            range.count == bytes.count ? .bytes(bytes) : .bytes(Array(bytes[range]))
        case .file(let path, _, _):
            .file(path: path, offset: range.lowerBound, length: range.count)
        }
    }

    /// The SHA-256 of bytes `range` of it.
    public func sha256(_ range: Range<Int>) throws(Failure) -> [UInt8] {
        if case .file(_, let length, let known?) = self, range == 0..<length { return known }
        let reader = try ObjectBodyReader(self, range)
        var hash = SHA256()
        while let chunk = try reader.next() { hash.update(bufferPointer: chunk) }
        return Array(hash.finalize())
    }

    /// The MD5 of bytes `range` of it: not against anybody, but as the check that Azure and Google make of
    /// what arrives and keep with the object.
    ///
    /// - Parameter whole: gets the same bytes, where a hash over several ranges is wanted too.
    func md5(_ range: Range<Int>, addingTo whole: inout Insecure.MD5) throws(Failure) -> [UInt8] {
        let reader = try ObjectBodyReader(self, range)
        var hash = Insecure.MD5()
        while let chunk = try reader.next() {
            hash.update(bufferPointer: chunk)
            whole.update(bufferPointer: chunk)
        }
        return Array(hash.finalize())
    }

    /// The MD5 of all of it.
    func md5() throws(Failure) -> [UInt8] {
        let reader = try ObjectBodyReader(self, 0..<length)
        var hash = Insecure.MD5()
        while let chunk = try reader.next() { hash.update(bufferPointer: chunk) }
        return Array(hash.finalize())
    }

    /// Whether it has exactly these bytes.
    func hasBytes(_ bytes: [UInt8]) throws(Failure) -> Bool {
        guard length == bytes.count else { return false }
        return try sha256(0..<length) == Array(SHA256.hash(data: bytes))
    }
}

/// The SHA-256 of an object, while its bytes come.
public struct ObjectDigest {
    private var hash = SHA256()

    public init() {}

    /// Adds bytes.
    public mutating func update(_ bytes: UnsafeRawBufferPointer) { hash.update(bufferPointer: bytes) }

    /// The hash of all that was added.
    public func finish() -> [UInt8] { Array(hash.finalize()) }
}

/// Reads a body chunk by chunk.
final class ObjectBodyReader {
    private static let chunkBytes = 256 << 10

    private let body: ObjectBody
    private var position: Int
    private let end: Int
    private var file: Int32 = -1
    private let chunk: UnsafeMutableRawBufferPointer

    init(_ body: ObjectBody, _ range: Range<Int>) throws(Failure) {
        self.body = body
        position = range.lowerBound
        end = range.upperBound
        chunk = .allocate(byteCount: Self.chunkBytes, alignment: 16)
        if case .file(let path, _, _) = body {
            file = open(path, O_RDONLY | O_CLOEXEC)
            if file < 0 { throw unreadable(path, systemErrorText(errno)) }
        }
    }

    deinit {
        if file >= 0 { close(file) }
        chunk.deallocate()
    }

    /// The next bytes, valid until the next call; nil at the end.
    func next() throws(Failure) -> UnsafeRawBufferPointer? {
        let wanted = min(Self.chunkBytes, end - position)
        guard wanted > 0 else { return nil }
        switch body {
        case .bytes(let bytes):
            bytes[position..<position + wanted].withUnsafeBytes { chunk.copyMemory(from: $0) }
            position += wanted
            return UnsafeRawBufferPointer(rebasing: chunk[..<wanted])
        case .file(let path, _, _):
            let count = pread(file, chunk.baseAddress, wanted, off_t(position))
            guard count > 0 else {
                throw unreadable(
                    path,
                    count < 0
                        ? systemErrorText(errno) : "it has \(position) bytes and should have \(end)")
            }
            position += count
            return UnsafeRawBufferPointer(rebasing: chunk[..<count])
        }
    }

    private func unreadable(_ path: String, _ reason: String) -> Failure {
        Failure(.storage, "reading", path, reason, retry: .backoff)
    }
}
