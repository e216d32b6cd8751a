// Putting rows in the order of their event times. A batch is mostly a few seconds out of order, so the
// times span few bits: a stable radix sort over just these bits needs two or three passes, whatever the
// disorder, where comparisons would need a dozen.

/// Orders of rows by time.
enum TimeOrder {
    private static let digitBits = 11
    private static let digits = 1 << digitBits

    /// The rows 0 ..< `count` in the order of (time, row); nil when they lie so already.
    static func order(_ times: UnsafePointer<Int64>, count: Int) -> [Int32]? {
        var (least, greatest) = (Int64.max, Int64.min)
        var isSorted = true
        var previous = Int64.min
        for row in 0..<count {
            let time = times[row]
            if time < previous { isSorted = false }
            previous = time
            least = min(least, time)
            greatest = max(greatest, time)
        }
        if isSorted { return nil }
        let span = UInt64(bitPattern: greatest &- least)
        let passes = (64 - span.leadingZeroBitCount + digitBits - 1) / digitBits
        return sorted(times, count: count, least: least, passes: passes)
    }

    private static func sorted(
        _ times: UnsafePointer<Int64>, count: Int, least: Int64, passes: Int
    ) -> [Int32] {
        var order = [Int32](unsafeUninitializedCapacity: count) { rows, filled in
            for row in 0..<count { rows[row] = Int32(truncatingIfNeeded: row) }
            filled = count
        }
        var next = order
        var places = [Int32](repeating: 0, count: digits)
        for pass in 0..<passes {
            let shift = UInt64(pass * digitBits)
            order.withUnsafeBufferPointer { from in
                next.withUnsafeMutableBufferPointer { to in
                    places.withUnsafeMutableBufferPointer { places in
                        distribute(from, to, places) { row in
                            let distance = UInt64(bitPattern: times[Int(row)] &- least)
                            return Int(truncatingIfNeeded: distance >> shift) & (digits - 1)
                        }
                    }
                }
            }
            swap(&order, &next)
        }
        return order
    }

    /// One pass: rows go to where their digit's rows lie, in the order in which they come.
    @inline(__always)
    private static func distribute(
        _ from: UnsafeBufferPointer<Int32>, _ to: UnsafeMutableBufferPointer<Int32>,
        _ places: UnsafeMutableBufferPointer<Int32>, _ digit: (Int32) -> Int
    ) {
        places.update(repeating: 0)
        for row in from { places[digit(row)] += 1 }
        var start: Int32 = 0
        for index in 0..<digits {
            let length = places[index]
            places[index] = start
            start += length
        }
        for row in from {
            let index = digit(row)
            to[Int(places[index])] = row
            places[index] += 1
        }
    }

    /// The rows of consecutive runs of these lengths, each in order already, in the order of (time,
    /// run, place); nil when they lie so. Neighbouring runs are merged until one is left.
    static func merged(_ lengths: [Int], _ times: UnsafePointer<Int64>) -> [Int32]? {
        let total = lengths.reduce(0, +)
        var starts = lengths.reduce(into: [0]) { $0.append(($0.last ?? 0) + $1) }
        if starts.dropFirst().dropLast().allSatisfy({ times[$0 - 1] <= times[$0] }) { return nil }
        var order = (0..<Int32(total)).map { $0 }
        var next = order
        while starts.count > 2 {
            var kept = [0]
            order.withUnsafeBufferPointer { from in
                next.withUnsafeMutableBufferPointer { to in
                    var run = 0
                    while run + 1 < starts.count {
                        let middle = starts[run + 1]
                        let end = run + 2 < starts.count ? starts[run + 2] : middle
                        merge(from, starts[run], middle, end, times, to)
                        kept.append(end)
                        run += 2
                    }
                }
            }
            swap(&order, &next)
            starts = kept
        }
        return order
    }

    private static func merge(
        _ from: UnsafeBufferPointer<Int32>, _ start: Int, _ middle: Int, _ end: Int,
        _ times: UnsafePointer<Int64>, _ to: UnsafeMutableBufferPointer<Int32>
    ) {
        var (left, right) = (start, middle)
        for place in start..<end {
            let takesLeft =
                right == end
                || (left < middle && times[Int(from[left])] <= times[Int(from[right])])
            to[place] = takesLeft ? from[left] : from[right]
            if takesLeft { left += 1 } else { right += 1 }
        }
    }
}
