// Decompression of single pages, whole in, whole out. What a page says of its own length is believed only as
// far as the limit, and only when it comes out right.

import CSnappy
import CZlib
import CZstd
import WeirCore

/// Decompresses one page after the other.
final class PageDecompressor {
    private let codec: ParquetCodec
    private let zstd: OpaquePointer?
    /// Zeros behind a page's bytes, so that packed numbers can be read a word at a time.
    static let paddingBytes = 16

    /// `codec` is the format's number.
    init(codec: Int) throws(ParquetFault) {
        guard let known = ParquetCodec(rawValue: Int32(clamping: codec)) else {
            throw .broken("it is compressed in a way that weir does not read (codec \(codec))")
        }
        self.codec = known
        zstd = known == .zstd ? ZSTD_createDCtx() : nil
        precondition(known != .zstd || zstd != nil, "out of memory")
    }

    deinit { ZSTD_freeDCtx(zstd) }

    /// The `length` bytes that `input` holds, behind `prefix` bytes that are not compressed, padded.
    func decompress(
        _ input: [UInt8], prefix: Int = 0, length: Int, isCompressed: Bool = true
    ) throws(ParquetFault) -> [UInt8] {
        guard length <= ParquetReadLimits.pageBytesMax, prefix <= input.count, prefix <= length else {
            throw .broken("a page says that it has \(length) bytes")
        }
        guard codec != .none, isCompressed else {
            guard input.count == length else { throw .broken("a page is not as long as it says") }
            return input + [UInt8](repeating: 0, count: Self.paddingBytes)
        }
        var output = [UInt8](repeating: 0, count: length + Self.paddingBytes)
        let isRight = input.withUnsafeBytes { input in
            output.withUnsafeMutableBytes { output in
                output.copyMemory(from: UnsafeRawBufferPointer(rebasing: input[..<prefix]))
                return decompress(
                    UnsafeRawBufferPointer(rebasing: input[prefix...]),
                    UnsafeMutableRawBufferPointer(rebasing: output[prefix..<length]))
            }
        }
        guard isRight else { throw .broken("a page cannot be decompressed; it is damaged") }
        return output
    }

    /// Whether `input` is exactly `output.count` bytes, compressed.
    private func decompress(
        _ input: UnsafeRawBufferPointer, _ output: UnsafeMutableRawBufferPointer
    ) -> Bool {
        guard input.count > 0 else { return output.count == 0 }
        switch codec {
        case .none: return false
        case .snappy:
            let source = input.bindMemory(to: CChar.self).baseAddress
            var size = 0
            guard snappy_uncompressed_length(source, input.count, &size) == SNAPPY_OK,
                size == output.count
            else { return false }
            var byte: CChar = 0
            let room = output.bindMemory(to: CChar.self).baseAddress
            guard let room else { return snappy_uncompress(source, input.count, &byte, &size) == SNAPPY_OK }
            return snappy_uncompress(source, input.count, room, &size) == SNAPPY_OK
        case .zstd:
            let size = ZSTD_decompressDCtx(
                zstd, output.baseAddress, output.count, input.baseAddress, input.count)
            return ZSTD_isError(size) == 0 && size == output.count
        case .gzip: return inflateAll(input, output)
        }
    }

    private func inflateAll(
        _ input: UnsafeRawBufferPointer, _ output: UnsafeMutableRawBufferPointer
    ) -> Bool {
        var stream = z_stream()
        // 15 + 32: the largest window, and either of the two headers.
        guard inflateInit2_(&stream, 15 + 32, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK
        else { return false }
        defer { inflateEnd(&stream) }
        // zlib does not write through next_in; the parameter only lacks a const.
        stream.next_in = UnsafeMutablePointer(
            mutating: input.baseAddress?.assumingMemoryBound(to: UInt8.self))
        stream.avail_in = UInt32(input.count)
        var byte: UInt8 = 0
        return withUnsafeMutablePointer(to: &byte) { nothing in
            stream.next_out = output.baseAddress?.assumingMemoryBound(to: UInt8.self) ?? nothing
            stream.avail_out = UInt32(output.count)
            while true {
                guard inflate(&stream, Z_FINISH) == Z_STREAM_END else { return false }
                if stream.avail_in == 0 { return stream.avail_out == 0 }
                guard inflateReset(&stream) == Z_OK else { return false }
            }
        }
    }
}
