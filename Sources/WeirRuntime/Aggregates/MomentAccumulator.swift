// VAR_POP, VAR_SAMP, STDDEV_POP and STDDEV_SAMP: how many values, their mean and the sum of the squares
// of their distances from it, kept up to date value by value (Welford, 1962) and merged pane by pane
// (Chan, Golub and LeVeque, 1979). Subtracting sums of squares would lose all digits for values that
// are large and close together. Against Flink the last digit of VAR_SAMP and STDDEV_SAMP can differ.

import WeirCore

/// Variance and standard deviation; arguments are DOUBLE.
final class MomentAccumulator: Accumulator {
    private let counts = Buffer<Int64>()
    private let means = Buffer<Double>()
    private let squares = Buffer<Double>()
    private let isSample: Bool
    private let isDeviation: Bool
    private let type: DataType

    /// `type` is that of the result: the argument's own, as in Flink.
    init(isSample: Bool, isDeviation: Bool, type: DataType) {
        self.isSample = isSample
        self.isDeviation = isDeviation
        self.type = type
    }

    var bytesPerGroup: Int { 24 }

    func reserve(_ count: Int) {
        counts.reserve(count)
        means.reserve(count)
        squares.reserve(count)
    }

    func clear(_ slots: UnsafeBufferPointer<Int32>) {
        for slot in slots {
            counts.base[Int(slot)] = 0
            means.base[Int(slot)] = 0
            squares.base[Int(slot)] = 0
        }
    }

    func update(_ rows: RowSlots, _ input: AggregateInput) {
        let column = input.argument
        let (counts, means, squares) = (counts.base, means.base, squares.base)
        let (values, validity) = (column.doubles, column.validity)
        for i in 0..<rows.count {
            let (row, slot) = (Int(rows.rows[i]), Int(rows.slots[i]))
            if let validity, validity[row] == 0 { continue }
            counts[slot] &+= 1
            let distance = values[row] - means[slot]
            means[slot] += distance / Double(counts[slot])
            squares[slot] += distance * (values[row] - means[slot])
        }
    }

    func merge(into: UnsafePointer<Int32>, from: UnsafePointer<Int32>, count: Int) {
        let (counts, means, squares) = (counts.base, means.base, squares.base)
        for i in 0..<count {
            let (to, other) = (Int(into[i]), Int(from[i]))
            if counts[other] == 0 { continue }
            if counts[to] == 0 {
                (counts[to], means[to], squares[to]) = (counts[other], means[other], squares[other])
                continue
            }
            let (own, added) = (Double(counts[to]), Double(counts[other]))
            let distance = means[other] - means[to]
            counts[to] &+= counts[other]
            let all = Double(counts[to])
            means[to] += distance * (added / all)
            squares[to] += squares[other] + distance * distance * (own * added / all)
        }
    }

    func save(_ slots: UnsafeBufferPointer<Int32>, into writer: inout ByteWriter) {
        let (counts, means, squares) = (counts.base, means.base, squares.base)
        writer.writePacked(count: slots.count) { counts[Int(slots[$0])] }
        writer.writeWords(count: slots.count) { means[Int(slots[$0])] }
        writer.writeWords(count: slots.count) { squares[Int(slots[$0])] }
    }

    func load(_ slots: UnsafeBufferPointer<Int32>, from reader: inout ByteReader) throws(Failure) {
        let (counts, means, squares) = (counts.base, means.base, squares.base)
        try reader.readPacked(count: slots.count) { counts[Int(slots[$0])] = $1 }
        try reader.readWords(Double.self, count: slots.count) { means[Int(slots[$0])] = $1 }
        try reader.readWords(Double.self, count: slots.count) { squares[Int(slots[$0])] = $1 }
    }

    func emit(_ slots: UnsafeBufferPointer<Int32>, into column: Column) {
        for slot in slots.map({ Int($0) }) {
            let divisor = counts.base[slot] - (isSample ? 1 : 0)
            if divisor <= 0 {
                column.appendNull()
                continue
            }
            let variance = squares.base[slot] / Double(divisor)
            Self.append(isDeviation ? variance.squareRoot() : variance, type, to: column)
        }
    }

    /// Appends a result in the form of `type`: integers are cut off and stop at their ends.
    static func append(_ value: Double, _ type: DataType, to column: Column) {
        switch type {
        case .float: column.append(Double(Float(value)))
        case .decimal(_, let scale):
            var power = 1.0
            for _ in 0..<scale { power *= 10 }
            let scaled = (value * power).rounded()
            // Beyond 38 digits there is no DECIMAL.
            guard scaled.magnitude < 1e38 else {
                column.appendNull()
                return
            }
            if column.physical == .int128 {
                column.append(Int128(scaled))
            } else {
                column.append(Int64(clamping: Int128(scaled)))
            }
        case .tinyint, .smallint, .int, .bigint:
            let top = Int64.max >> (64 - type.integerBits)
            column.append(
                value.isNaN ? 0 : value >= Double(top) ? top : value <= Double(-top) ? -top
                    : Int64(value))
        default: column.append(value)
        }
    }
}
