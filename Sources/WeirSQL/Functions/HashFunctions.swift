// Digests, written in small hexadecimal digits.

import Crypto
import WeirCore

/// The digests.
let hashFunctions: [LibraryFunction] = [
    digest("MD5(text)", "MD5, 128 bits.") { Array(Insecure.MD5.hash(data: $0)) },
    digest("SHA1(text)", "SHA-1, 160 bits.") { Array(Insecure.SHA1.hash(data: $0)) },
    digest("SHA224(text)", "SHA-224.") { SHA224Digest.hash($0) },
    digest("SHA256(text)", "SHA-256.") { Array(SHA256.hash(data: $0)) },
    digest("SHA384(text)", "SHA-384.") { Array(SHA384.hash(data: $0)) },
    digest("SHA512(text)", "SHA-512.") { Array(SHA512.hash(data: $0)) },
    LibraryFunction(
        "SHA2(text, bits)", .hash, [.textOrBytes, .count], .string,
        "SHA-224, SHA-256, SHA-384 or SHA-512; NULL and counted for other lengths, where Flink ends the job.",
        canFail: true
    ) { call in
        let (texts, lengths) = (call.text(0), call.integers(1))
        return call.buildText { row, builder in
            let text = texts[row]
            switch lengths[row] {
            case 224: builder.append(digest: SHA224Digest.hash(text))
            case 256: builder.append(digest: Array(SHA256.hash(data: text)))
            case 384: builder.append(digest: Array(SHA384.hash(data: text)))
            case 512: builder.append(digest: Array(SHA512.hash(data: text)))
            default: return .failed
            }
            return .value
        }
    },
]

private func digest(
    _ form: String, _ note: String, _ compute: @escaping @Sendable (TextView) -> [UInt8]
) -> LibraryFunction {
    LibraryFunction(form, .hash, [.textOrBytes], .string, note) { call in
        let texts = call.text(0)
        return call.buildText { row, builder in
            builder.append(digest: compute(texts[row]))
            return .value
        }
    }
}

extension TextBuilder {
    fileprivate mutating func append(digest: [UInt8]) {
        for byte in digest { append(hex: byte) }
    }
}

/// SHA-224 (FIPS 180-4), which swift-crypto lacks: SHA-256 from another start, cut to 28 bytes.
enum SHA224Digest {
    private static let start: [UInt32] = [
        0xc105_9ed8, 0x367c_d507, 0x3070_dd17, 0xf70e_5939, 0xffc0_0b31, 0x6858_1511, 0x64f9_8fa7,
        0xbefa_4fa4,
    ]

    /// The fractions of the cube roots of the first 64 primes, 32 bits each.
    private static let constants: [UInt32] = {
        var primes: [UInt64] = []
        var candidate: UInt64 = 2
        while primes.count < 64 {
            if primes.allSatisfy({ candidate % $0 != 0 }) { primes.append(candidate) }
            candidate += 1
        }
        return primes.map { prime in
            // The greatest x with x³ ≤ prime × 2^96, found bit by bit; its low 32 bits are the fraction.
            var root: UInt128 = 0
            for bit in stride(from: UInt128(35), through: 0, by: -1) {
                let next = root | (1 << bit)
                if next * next * next <= UInt128(prime) << 96 { root = next }
            }
            return UInt32(truncatingIfNeeded: root)
        }
    }()

    static func hash(_ text: TextView) -> [UInt8] {
        var message = Array(text) + [0x80]
        while message.count % 64 != 56 { message.append(0) }
        let bits = UInt64(text.count) * 8
        for shift in stride(from: UInt64(56), through: 0, by: -8) {
            message.append(UInt8(truncatingIfNeeded: bits >> shift))
        }
        var state = start
        for block in stride(from: 0, to: message.count, by: 64) { mix(message[block..<(block + 64)], &state) }
        return state.prefix(7).flatMap { word in
            [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: word >> UInt32($0)) }
        }
    }

    private static func mix(_ block: ArraySlice<UInt8>, _ state: inout [UInt32]) {
        func turned(_ word: UInt32, _ bits: UInt32) -> UInt32 { word >> bits | word << (32 - bits) }
        var words = [UInt32](repeating: 0, count: 64)
        for (index, byte) in block.enumerated() { words[index / 4] = words[index / 4] << 8 | UInt32(byte) }
        for t in 16..<64 {
            let a = turned(words[t - 15], 7) ^ turned(words[t - 15], 18) ^ (words[t - 15] >> 3)
            let b = turned(words[t - 2], 17) ^ turned(words[t - 2], 19) ^ (words[t - 2] >> 10)
            words[t] = words[t - 16] &+ a &+ words[t - 7] &+ b
        }
        var s = state
        for t in 0..<64 {
            let sum1 = turned(s[4], 6) ^ turned(s[4], 11) ^ turned(s[4], 25)
            let choice = (s[4] & s[5]) ^ (~s[4] & s[6])
            let first = s[7] &+ sum1 &+ choice &+ constants[t] &+ words[t]
            let sum0 = turned(s[0], 2) ^ turned(s[0], 13) ^ turned(s[0], 22)
            let majority = (s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2])
            s = [first &+ sum0 &+ majority, s[0], s[1], s[2], s[3] &+ first, s[4], s[5], s[6]]
        }
        for index in 0..<8 { state[index] = state[index] &+ s[index] }
    }
}
