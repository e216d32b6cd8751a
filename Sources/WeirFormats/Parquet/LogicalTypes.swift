// How the footer annotates our types: the LogicalType union, and the older converted type beside it where
// there is one, for readers that know nothing newer.

import WeirCore

extension DataType {
    /// The format's ConvertedType; nil where it has none of this meaning.
    func parquetConvertedType(inMicros: Bool) -> Int? {
        switch self {
        case .string: 0
        case .map: 1
        case .array: 3
        case .decimal: 5
        case .date: 6
        case .timestampLTZ: inMicros ? 10 : 9
        case .tinyint: 15
        case .smallint: 16
        // TIME and TIMESTAMP without a zone have none: those of the format mean UTC.
        default: nil
        }
    }

    /// Writes field 10 of a schema element, where the type has a meaning beyond how it is stored.
    func writeLogicalType(_ element: inout ThriftWriter, inMicros: Bool) {
        switch self {
        case .string: element.structure(10) { $0.structure(1) }
        case .map: element.structure(10) { $0.structure(2) }
        case .array: element.structure(10) { $0.structure(3) }
        case .decimal(let precision, let scale):
            element.structure(10) {
                $0.structure(5) {
                    $0.int32(1, scale)
                    $0.int32(2, precision)
                }
            }
        case .date: element.structure(10) { $0.structure(6) }
        case .time:
            element.structure(10) { $0.structure(7) { Self.writeUnit(&$0, isUTC: false, 1) } }
        case .timestamp, .timestampLTZ:
            let isUTC = self == .timestampLTZ
            element.structure(10) {
                $0.structure(8) { Self.writeUnit(&$0, isUTC: isUTC, inMicros ? 2 : 1) }
            }
        case .tinyint, .smallint:
            let bits = UInt8(integerBits)
            element.structure(10) {
                $0.structure(10) {
                    $0.byte(1, bits)
                    $0.boolean(2, true)
                }
            }
        default: break
        }
    }

    private static func writeUnit(_ type: inout ThriftWriter, isUTC: Bool, _ unit: Int16) {
        type.boolean(1, isUTC)
        // MILLIS and MICROS are the first and the second member of a union, and empty.
        type.structure(2) { $0.structure(unit) }
    }
}
