// How the footer annotates our types: the LogicalType union, and the older converted type beside it where
// there is one, for readers that know nothing newer.

import WeirCore

extension DataType {
    /// The format's ConvertedType; nil where it has none of this meaning.
    var parquetConvertedType: Int? {
        switch self {
        case .string: 0
        case .map: 1
        case .array: 3
        case .decimal: 5
        case .date: 6
        case .timestampLTZ: 9
        case .tinyint: 15
        case .smallint: 16
        // TIME and TIMESTAMP without a zone have none: those of the format mean UTC.
        default: nil
        }
    }

    /// Writes field 10 of a schema element, where the type has a meaning beyond how it is stored.
    func writeLogicalType(_ element: inout ThriftWriter) {
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
        case .time: element.structure(10) { $0.structure(7) { Self.writeMillis(&$0, isUTC: false) } }
        case .timestamp:
            element.structure(10) { $0.structure(8) { Self.writeMillis(&$0, isUTC: false) } }
        case .timestampLTZ:
            element.structure(10) { $0.structure(8) { Self.writeMillis(&$0, isUTC: true) } }
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

    private static func writeMillis(_ type: inout ThriftWriter, isUTC: Bool) {
        type.boolean(1, isUTC)
        // The unit MILLIS is the first member of a union, and empty.
        type.structure(2) { $0.structure(1) }
    }
}
