// CRC-32C (Castagnoli), eight bytes a step by table ("slicing by 8", Kounavis and Berry, 2005). It
// finds every damage of up to four bytes in a row, which is what flash and cables do.

/// CRC-32C of `bytes`.
func crc32c(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
    tables.withUnsafeBufferPointer { table in
        var crc = ~UInt32(0)
        var position = 0
        while bytes.count - position >= 8 {
            let low =
                UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: position, as: UInt32.self))
                ^ crc
            let high = UInt32(
                littleEndian: bytes.loadUnaligned(fromByteOffset: position + 4, as: UInt32.self))
            crc = table[1792 + Int(low & 255)] ^ table[1536 + Int(low >> 8 & 255)]
            crc ^= table[1280 + Int(low >> 16 & 255)] ^ table[1024 + Int(low >> 24)]
            crc ^= table[768 + Int(high & 255)] ^ table[512 + Int(high >> 8 & 255)]
            crc ^= table[256 + Int(high >> 16 & 255)] ^ table[Int(high >> 24)]
            position += 8
        }
        while position < bytes.count {
            crc = crc >> 8 ^ table[Int((crc ^ UInt32(bytes[position])) & 255)]
            position += 1
        }
        return ~crc
    }
}

/// Eight tables of 256: entry `256 * k + b` is the remainder of byte b followed by k zero bytes.
private let tables: [UInt32] = {
    var tables: [UInt32] = []
    tables.reserveCapacity(8 * 256)
    for byte in 0..<UInt32(256) {
        var crc = byte
        for _ in 0..<8 { crc = crc >> 1 ^ (crc & 1 == 1 ? 0x82F6_3B78 : 0) }
        tables.append(crc)
    }
    for index in 256..<8 * 256 {
        let before = tables[index - 256]
        tables.append(before >> 8 ^ tables[Int(before & 255)])
    }
    return tables
}()
