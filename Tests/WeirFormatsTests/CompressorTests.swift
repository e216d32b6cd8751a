// Compressed files: readable by the libraries themselves, and the same bytes whatever the pieces.

import CZlib
import CZstd
import Testing

@testable import WeirFormats

@Suite struct CompressorTests {
    private static let texts: [[UInt8]] = {
        var random = SeededRandom(seed: 9)
        let noise = (0..<300_000).map { _ in UInt8(truncatingIfNeeded: random.next()) }
        let rows = (0..<20_000).flatMap {
            Array("{\"device\":\"dev-\($0 % 97)\",\"v\":\($0)}\n".utf8)
        }
        return [[], [0x41], rows, noise, Array(rows[..<65_536]), Array(rows[..<131_072])]
    }()

    private func compress(_ bytes: [UInt8], _ compression: Compression, pieces: [Int]) -> [UInt8] {
        let compressor = Compressor(compression)
        let output = EncodedBytes()
        var rest = bytes[...]
        var piece = 0
        while !rest.isEmpty {
            let part = rest.prefix(pieces[piece % pieces.count])
            part.withUnsafeBytes { compressor.append($0, to: output) }
            rest = rest.dropFirst(part.count)
            piece += 1
        }
        compressor.finish(to: output)
        return [UInt8](output.bytes)
    }

    @Test(arguments: [Compression.none, .gzip, .zstd])
    func piecesDoNotShow(compression: Compression) {
        for text in Self.texts {
            let whole = compress(text, compression, pieces: [1 << 30])
            #expect(whole == compress(text, compression, pieces: [1 << 30]))
            #expect(whole == compress(text, compression, pieces: [1, 70_000, 3, 65_536]))
            #expect(whole == compress(text, compression, pieces: [997]))
        }
    }

    @Test func plainFilesAreTheirBytes() {
        #expect(compress(Self.texts[2], .none, pieces: [100]) == Self.texts[2])
    }

    @Test func gzipReadsBack() {
        for text in Self.texts {
            let compressed = compress(text, .gzip, pieces: [10_000])
            #expect(Array(compressed[..<10]) == [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 3])
            #expect(gunzip(compressed, lengthMax: text.count + 1) == text)
        }
    }

    @Test func zstdReadsBackWithItsChecksum() {
        for text in Self.texts {
            var compressed = compress(text, .zstd, pieces: [10_000])
            #expect(unzstd(compressed, lengthMax: text.count + 1) == text)
            compressed[compressed.count - 1] ^= 1
            #expect(unzstd(compressed, lengthMax: text.count + 1) == nil)
        }
    }

    private func gunzip(_ bytes: [UInt8], lengthMax: Int) -> [UInt8]? {
        var stream = z_stream()
        guard
            inflateInit2_(&stream, 15 + 16, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
                == Z_OK
        else { return nil }
        defer { inflateEnd(&stream) }
        var input = bytes
        var output = [UInt8](repeating: 0, count: lengthMax)
        let code = input.withUnsafeMutableBufferPointer { input in
            output.withUnsafeMutableBufferPointer { output in
                stream.next_in = input.baseAddress
                stream.avail_in = UInt32(input.count)
                stream.next_out = output.baseAddress
                stream.avail_out = UInt32(output.count)
                return inflate(&stream, Z_FINISH)
            }
        }
        return code == Z_STREAM_END ? Array(output[..<Int(stream.total_out)]) : nil
    }

    private func unzstd(_ bytes: [UInt8], lengthMax: Int) -> [UInt8]? {
        var output = [UInt8](repeating: 0, count: lengthMax)
        let length = ZSTD_decompress(&output, lengthMax, bytes, bytes.count)
        return ZSTD_isError(length) == 0 ? Array(output[..<length]) : nil
    }
}
