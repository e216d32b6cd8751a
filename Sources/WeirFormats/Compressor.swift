// Compression of files, streaming and repeatable: the same bytes in give the same bytes out,
// however they were cut into pieces, so that an upload that is tried again writes the same object.
//
// To be sure of that the libraries are fed blocks of one size, whatever the pieces were. The gzip
// header carries no name and no time; zstd frames carry a checksum of the content.

import CZlib
import CZstd
import WeirCore

#if canImport(Glibc)
import Glibc
#endif

/// How files are compressed; the raw values are the configuration's.
public enum Compression: String, Hashable, Sendable, CaseIterable {
    case none
    case gzip
    case zstd
    /// Of the pages of Parquet files only.
    case snappy

    /// What compression adds to a file's name.
    public var fileExtension: String {
        switch self {
        case .none: ""
        case .gzip: ".gz"
        case .zstd: ".zst"
        case .snappy: ".snappy"
        }
    }
}

/// Compresses one file. Holds at most about 4 MB, whatever the file's length.
public final class Compressor {
    /// Bytes given to the library at a time.
    static let blockBytes = 64 << 10

    private let codec: Codec
    private let block = EncodedBytes(capacity: Compressor.blockBytes)
    private var isFinished = false

    private enum Codec {
        case none
        case gzip(UnsafeMutablePointer<z_stream>)
        case zstd(OpaquePointer)
    }

    /// Begins a file, compressed in any way but snappy's.
    public init(_ compression: Compression) {
        switch compression {
        case .none: codec = .none
        case .gzip: codec = .gzip(makeDeflater())
        case .zstd: codec = .zstd(makeZstdContext())
        case .snappy: preconditionFailure("snappy compresses pages, not files")
        }
    }

    deinit {
        switch codec {
        case .none: break
        case .gzip(let stream):
            deflateEnd(stream)
            stream.deallocate()
        case .zstd(let context):
            ZSTD_freeCCtx(context)
        }
    }

    /// Adds `bytes` to the file; what is compressed by then is appended to `output`.
    public func append(_ bytes: UnsafeRawBufferPointer, to output: EncodedBytes) {
        precondition(!isFinished, "the file is finished")
        if case .none = codec { return output.append(bytes) }
        var rest = bytes[...]
        while !rest.isEmpty {
            let piece = rest.prefix(Self.blockBytes - block.count)
            block.append(UnsafeRawBufferPointer(rebasing: piece))
            rest = rest.dropFirst(piece.count)
            if block.count == Self.blockBytes {
                compress(block.bytes, isLast: false, to: output)
                block.removeAll()
            }
        }
    }

    /// Ends the file: appends all that is left to `output`.
    public func finish(to output: EncodedBytes) {
        precondition(!isFinished, "the file is finished")
        isFinished = true
        compress(block.bytes, isLast: true, to: output)
        block.removeAll()
    }

    private func compress(_ bytes: UnsafeRawBufferPointer, isLast: Bool, to output: EncodedBytes) {
        switch codec {
        case .none: break
        case .gzip(let stream): deflateAll(stream, bytes, isLast, output)
        case .zstd(let context): zstdAll(context, bytes, isLast, output)
        }
    }
}

/// Room that is made for output at a time.
private let outputStepBytes = 64 << 10

private func makeDeflater() -> UnsafeMutablePointer<z_stream> {
    let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
    stream.initialize(to: z_stream())
    // 15 + 16: the largest window, with a gzip header, which by default has neither name nor time.
    let code = deflateInit2_(
        stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
        Int32(MemoryLayout<z_stream>.size))
    guard code == Z_OK else { fatalError("out of memory") }
    return stream
}

private func deflateAll(
    _ stream: UnsafeMutablePointer<z_stream>, _ bytes: UnsafeRawBufferPointer, _ isLast: Bool,
    _ output: EncodedBytes
) {
    // zlib does not write through next_in; the parameter only lacks a const.
    stream.pointee.next_in = UnsafeMutablePointer(
        mutating: bytes.baseAddress?.assumingMemoryBound(to: UInt8.self))
    stream.pointee.avail_in = UInt32(bytes.count)
    repeat {
        let room = output.reserve(outputStepBytes)
        stream.pointee.next_out = room.assumingMemoryBound(to: UInt8.self)
        stream.pointee.avail_out = UInt32(outputStepBytes)
        let code = deflate(stream, isLast ? Z_FINISH : Z_NO_FLUSH)
        precondition(code == Z_OK || code == Z_STREAM_END || code == Z_BUF_ERROR, "deflate failed")
        output.commit(outputStepBytes - Int(stream.pointee.avail_out))
    } while stream.pointee.avail_out == 0
}

private func makeZstdContext() -> OpaquePointer {
    guard let context = ZSTD_createCCtx() else { fatalError("out of memory") }
    for (parameter, value) in [(ZSTD_c_compressionLevel, Int32(3)), (ZSTD_c_checksumFlag, 1)] {
        let code = ZSTD_CCtx_setParameter(context, parameter, value)
        precondition(ZSTD_isError(code) == 0, "zstd failed")
    }
    return context
}

private func zstdAll(
    _ context: OpaquePointer, _ bytes: UnsafeRawBufferPointer, _ isLast: Bool,
    _ output: EncodedBytes
) {
    var input = ZSTD_inBuffer(src: bytes.baseAddress, size: bytes.count, pos: 0)
    var isDone = false
    while !isDone {
        let room = output.reserve(outputStepBytes)
        var step = ZSTD_outBuffer(dst: room, size: outputStepBytes, pos: 0)
        let directive = isLast ? ZSTD_e_end : ZSTD_e_continue
        let left = ZSTD_compressStream2(context, &step, &input, directive)
        precondition(ZSTD_isError(left) == 0, "zstd failed")
        output.commit(step.pos)
        isDone = isLast ? left == 0 : input.pos == input.size
    }
}
