// A histogram whose buckets have a bounded relative width, for percentiles in little memory: a DDSketch
// (Masson, Rim and Lee, VLDB 2019) with the logarithm taken from the number's own bits. A bucket is
// the sign, the exponent and the first six bits of the fraction, 64 to each power of two, so it is at
// most 1/64 of its lower end wide and its middle is within 1/128 (0.8 %) of each value in it.
//
// Two histograms merge by adding up their buckets, in whatever order. A group has at most 4,096
// buckets; beyond, its two lowest become one, and the lowest percentiles lose their accuracy: that
// takes values spread over more than 64 powers of two.

import WeirCore

/// How many values of a group fall into each bucket.
final class ValueHistogram: GroupState {
    private static let bucketsMax = 4096
    /// Bits of a double that do not tell the bucket.
    private static let droppedBits: UInt64 = 46

    /// Buckets in use, ascending, and their counts.
    private let keys = Buffer<Int32>()
    private let counts = Buffer<Int64>()
    private var bucketCount = 0
    private(set) var total: Int64 = 0
    /// The least and the greatest value; NaN is above all others.
    private var least = Double.nan
    private var greatest = -Double.infinity

    init() {}

    var byteCount: Int { 160 + 12 * bucketCount }

    /// The bucket of a value: greater for greater values.
    private static func key(_ value: Double) -> Int32 {
        if value == 0 { return 0 }
        let bits = value.isNaN ? Double.nan.bitPattern : value.bitPattern
        let magnitude = Int32(truncatingIfNeeded: (bits & UInt64(Int64.max)) >> droppedBits)
        return value < 0 ? -1 - magnitude : magnitude
    }

    /// The middle of a bucket.
    private static func middle(_ key: Int32) -> Double {
        let magnitude = UInt64(key < 0 ? -1 - key : key)
        let low = Double(bitPattern: magnitude << droppedBits)
        guard low.isFinite, magnitude > 0 else { return key < 0 ? -low : low }
        let width = Double(bitPattern: (magnitude + 1) << droppedBits) - low
        let middle = width.isFinite ? low + width / 2 : low
        return key < 0 ? -middle : middle
    }

    /// The first bucket at or above `key`.
    private func place(of key: Int32) -> Int {
        let keys = keys.base
        var (low, high) = (0, bucketCount)
        while low < high {
            let middle = (low + high) / 2
            if keys[middle] < key { low = middle + 1 } else { high = middle }
        }
        return low
    }

    func add(_ value: Double) {
        total &+= 1
        if value < least || least.isNaN { least = value }
        if value > greatest || value.isNaN { greatest = value }
        add(Self.key(value), 1)
    }

    private func add(_ key: Int32, _ count: Int64) {
        let place = place(of: key)
        if place < bucketCount, keys.base[place] == key {
            counts.base[place] &+= count
            return
        }
        keys.reserve(bucketCount + 1)
        counts.reserve(bucketCount + 1)
        for index in stride(from: bucketCount, to: place, by: -1) {
            keys.base[index] = keys.base[index - 1]
            counts.base[index] = counts.base[index - 1]
        }
        keys.base[place] = key
        counts.base[place] = count
        bucketCount += 1
        if bucketCount > Self.bucketsMax { joinLowest() }
    }

    private func joinLowest() {
        counts.base[1] &+= counts.base[0]
        for index in 1..<bucketCount {
            keys.base[index - 1] = keys.base[index]
            counts.base[index - 1] = counts.base[index]
        }
        bucketCount -= 1
    }

    /// About the value at `place`, from 0, of all values in order.
    func value(at place: Int64) -> Double {
        if place <= 0 { return least }
        if place >= total - 1 { return greatest }
        var passed: Int64 = 0
        for index in 0..<bucketCount {
            passed &+= counts.base[index]
            guard passed > place else { continue }
            let middle = Self.middle(keys.base[index])
            // No value lies outside what was seen.
            return middle < least ? least : middle > greatest ? greatest : middle
        }
        return greatest
    }

    func merge(_ other: ValueHistogram) -> Int {
        total &+= other.total
        if other.least < least || least.isNaN { least = other.least }
        if other.greatest > greatest || other.greatest.isNaN { greatest = other.greatest }
        for index in 0..<other.bucketCount { add(other.keys.base[index], other.counts.base[index]) }
        return 0
    }

    func save(into writer: inout ByteWriter) {
        let (keys, counts) = (keys.base, counts.base)
        writer.write(least.bitPattern)
        writer.write(greatest.bitPattern)
        writer.write(UInt32(bucketCount))
        writer.writePacked(count: bucketCount) { index in
            Int64(keys[index]) - (index == 0 ? 0 : Int64(keys[index - 1]))
        }
        writer.writePacked(count: bucketCount) { counts[$0] }
    }

    func load(from reader: inout ByteReader) throws(Failure) {
        least = Double(bitPattern: try reader.read())
        greatest = Double(bitPattern: try reader.read())
        bucketCount = try reader.readCount()
        keys.reserve(bucketCount)
        counts.reserve(bucketCount)
        let (keys, counts) = (keys.base, counts.base)
        var last: Int64 = 0
        var sum: Int64 = 0
        try reader.readPacked(count: bucketCount) { index, step in
            last &+= step
            keys[index] = Int32(truncatingIfNeeded: last)
        }
        try reader.readPacked(count: bucketCount) { index, count in
            counts[index] = count
            sum &+= count
        }
        total = sum
    }
}
