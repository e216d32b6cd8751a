// APPROX_COUNT_DISTINCT: how many different values, in at most 4 KiB a group whatever their number.
//
// Up to 512 values a group keeps their 64-bit hashes and the count is exact (but for hashes that
// collide, one in 10^14 groups). Beyond, it is a HyperLogLog of 4,096 registers (Flajolet and others,
// 2007) with the estimator of Ertl ("New cardinality estimation algorithms for HyperLogLog
// sketches", 2017), which needs no tables of corrections: standard error 1.04 / √4096 = 1.6 %.
//
// What is kept depends on the set of values alone, not on their order or on how groups were merged.

import WeirCore

/// The hashes of a group's values, or what HyperLogLog keeps of them.
final class DistinctSketch: GroupState {
    private static let indexBits = 12
    private static let registerCount = 1 << indexBits
    private static let exactMax = 512
    /// The greatest value of a register.
    private static let rankMax = 64 - indexBits + 1

    /// Ascending; empty once there are registers.
    private var hashes: [UInt64] = []
    private var registers: [UInt8] = []

    init() {}

    var byteCount: Int { 96 + 8 * hashes.count + registers.count }

    func add(_ hash: UInt64) {
        if !registers.isEmpty {
            note(hash)
            return
        }
        var (low, high) = (0, hashes.count)
        while low < high {
            let middle = (low + high) / 2
            if hashes[middle] < hash { low = middle + 1 } else { high = middle }
        }
        if low < hashes.count, hashes[low] == hash { return }
        hashes.insert(hash, at: low)
        if hashes.count > Self.exactMax { useRegisters() }
    }

    private func useRegisters() {
        registers = [UInt8](repeating: 0, count: Self.registerCount)
        for hash in hashes { note(hash) }
        hashes = []
    }

    /// The first bits name the register; it keeps the longest run of zeros in the rest, plus one.
    private func note(_ hash: UInt64) {
        let index = Int(hash >> UInt64(64 - Self.indexBits))
        let rest = hash << UInt64(Self.indexBits)
        let rank = UInt8(min(rest.leadingZeroBitCount + 1, Self.rankMax))
        if rank > registers[index] { registers[index] = rank }
    }

    func merge(_ other: DistinctSketch) -> Int {
        if other.registers.isEmpty {
            for hash in other.hashes { add(hash) }
            return 0
        }
        if registers.isEmpty { useRegisters() }
        for index in registers.indices {
            registers[index] = max(registers[index], other.registers[index])
        }
        return 0
    }

    /// About how many different values were added.
    var estimate: Int64 {
        if registers.isEmpty { return Int64(hashes.count) }
        var tally = [Double](repeating: 0, count: Self.rankMax + 1)
        for rank in registers { tally[Int(rank)] += 1 }
        let count = Double(Self.registerCount)
        var sum = count * Self.tau(1 - tally[Self.rankMax] / count)
        for rank in stride(from: Self.rankMax - 1, through: 1, by: -1) {
            sum = 0.5 * (sum + tally[rank])
        }
        sum += count * Self.sigma(tally[0] / count)
        // 1 / (2 ln 2)
        return Int64((0.721_347_520_444_481_7 * count * count / sum).rounded())
    }

    /// The part of registers that are still 0.
    private static func sigma(_ share: Double) -> Double {
        var (power, weight, sum) = (share, 1.0, share)
        while true {
            power *= power
            let before = sum
            sum += power * weight
            weight += weight
            if sum == before { return sum }
        }
    }

    /// The part of registers that are at their greatest value.
    private static func tau(_ share: Double) -> Double {
        if share == 0 || share == 1 { return 0 }
        var (root, weight, sum) = (share, 1.0, 1 - share)
        while true {
            root = root.squareRoot()
            let before = sum
            weight *= 0.5
            sum -= (1 - root) * (1 - root) * weight
            if sum == before { return sum / 3 }
        }
    }

    func save(into writer: inout ByteWriter) {
        writer.write(UInt32(registers.isEmpty ? hashes.count : Int(UInt32.max)))
        if registers.isEmpty {
            writer.writeWords(count: hashes.count) { hashes[$0] }
        } else {
            registers.withUnsafeBytes { writer.write($0) }
        }
    }

    func load(from reader: inout ByteReader) throws(Failure) {
        let count: UInt32 = try reader.read()
        if count == UInt32.max {
            registers = Array(try reader.take(Self.registerCount))
            return
        }
        guard count <= UInt32(Self.exactMax) else { throw ByteReader.damaged }
        var read: [UInt64] = []
        try reader.readWords(UInt64.self, count: Int(count)) { read.append($1) }
        hashes = read
    }
}

/// APPROX_COUNT_DISTINCT.
struct ApproximateDistinct: ObjectAggregate {
    typealias State = DistinctSketch

    func add(_ row: Int, of input: AggregateInput, to state: DistinctSketch) -> Bool {
        state.add(ValueBytes.with(input.arguments[0], row) { ValueBytes.stableHash($0) })
        return true
    }

    func emit(_ state: DistinctSketch?, into column: Column) { column.append(state?.estimate ?? 0) }
}
