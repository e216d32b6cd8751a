// Compression of single pages, whole in, whole out: the same page gives the same bytes.

import CSnappy
import CZlib
import CZstd
import WeirCore

/// How pages are compressed; the raw values are the format's.
enum ParquetCodec: Int32 {
    case none = 0
    case snappy = 1
    case gzip = 2
    case zstd = 6

    init(_ compression: Compression) {
        switch compression {
        case .none: self = .none
        case .gzip: self = .gzip
        case .zstd: self = .zstd
        case .snappy: self = .snappy
        }
    }
}

/// Compresses one page after the other.
final class PageCompressor {
    private let codec: ParquetCodec
    private let zstd: OpaquePointer?
    /// pyarrow's level, at which Parquet files with zstd are usually met.
    private static let zstdLevel: Int32 = 1

    init(_ codec: ParquetCodec) {
        self.codec = codec
        zstd = codec == .zstd ? ZSTD_createCCtx() : nil
        precondition(codec != .zstd || zstd != nil, "out of memory")
    }

    deinit { ZSTD_freeCCtx(zstd) }

    /// Appends what `bytes` become to `output`.
    func compress(_ bytes: UnsafeRawBufferPointer, to output: EncodedBytes) {
        switch codec {
        case .none: output.append(bytes)
        case .snappy:
            var size = snappy_max_compressed_length(bytes.count)
            let room = output.reserve(size).assumingMemoryBound(to: CChar.self)
            let source = bytes.bindMemory(to: CChar.self).baseAddress
            let status = snappy_compress(source, bytes.count, room, &size)
            precondition(status == SNAPPY_OK, "snappy failed")
            output.commit(size)
        case .gzip:
            let compressor = Compressor(.gzip)
            compressor.append(bytes, to: output)
            compressor.finish(to: output)
        case .zstd:
            let size = ZSTD_compressBound(bytes.count)
            let room = output.reserve(size)
            let written = ZSTD_compressCCtx(
                zstd, room, size, bytes.baseAddress, bytes.count, Self.zstdLevel)
            precondition(ZSTD_isError(written) == 0, "zstd failed")
            output.commit(written)
        }
    }

    /// The CRC of a page as it is stored, in the footer's signed form.
    static func checksum(_ bytes: UnsafeRawBufferPointer) -> Int32 {
        let start = bytes.baseAddress?.assumingMemoryBound(to: UInt8.self)
        return Int32(truncatingIfNeeded: crc32_z(0, start, bytes.count))
    }
}
