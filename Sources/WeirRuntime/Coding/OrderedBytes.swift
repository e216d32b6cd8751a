// Numbers in keys: big-endian, so that byte order is the order of the numbers (of those that are not
// negative).

/// `value` as bytes that sort as it does.
func bigEndian<Integer: FixedWidthInteger>(_ value: Integer) -> [UInt8] {
    withUnsafeBytes(of: value.bigEndian) { Array($0) }
}
