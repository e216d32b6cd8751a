// Copying rows from column to column: what filters, joins and late outputs are made of.

#if canImport(Glibc)
import Glibc
#endif

extension Column {
    /// A new column with the rows at `rows` (indices into this one), in that order.
    public func gather(_ rows: UnsafeBufferPointer<Int32>) -> Column {
        let result = Column(type, capacity: rows.count)
        result.append(from: self, rows: rows)
        return result
    }

    /// A new column with rows `range`.
    public func slice(_ range: Range<Int>) -> Column {
        let result = Column(type, capacity: range.count)
        result.append(from: self, range: range)
        return result
    }

    /// Appends the rows at `rows` of `other`, which has the same layout.
    public func append(from other: Column, rows: UnsafeBufferPointer<Int32>) {
        precondition(physical == other.physical, "columns of different layout")
        let start = count
        reserve(rows: start + rows.count)
        appendValidity(start: start, rows: rows, of: other)
        switch physical {
        case .bool:
            for (i, row) in rows.enumerated() { bools[start + i] = other.bools[Int(row)] }
        case .int64:
            let (to, from) = (ints + start, other.ints)
            for (i, row) in rows.enumerated() { to[i] = from[Int(row)] }
        case .int128:
            let (to, from) = (wides + start, other.wides)
            for (i, row) in rows.enumerated() { to[i] = from[Int(row)] }
        case .row:
            for (field, from) in zip(fields, other.fields) { field.append(from: from, rows: rows) }
        case .double:
            let (to, from) = (doubles + start, other.doubles)
            for (i, row) in rows.enumerated() { to[i] = from[Int(row)] }
        case .string:
            var total = byteCount
            for row in rows { total += Int(other.offsets[Int(row) + 1] - other.offsets[Int(row)]) }
            reserve(bytes: total)
            var end = byteCount
            for (i, row) in rows.enumerated() {
                let text = other.text(Int(row))
                if let base = text.baseAddress { memcpy(bytes + end, base, text.count) }
                end += text.count
                offsets[start + i + 1] = Int32(end)
            }
            setByteCount(end)
        case .array:
            guard let child, let from = other.child else { preconditionFailure("array without child") }
            for (i, row) in rows.enumerated() {
                child.append(from: from, range: Int(other.offsets[Int(row)])..<Int(other.offsets[Int(row) + 1]))
                offsets[start + i + 1] = Int32(child.count)
            }
        }
        setCount(start + rows.count)
    }

    /// Appends rows `range` of `other`, which has the same layout.
    public func append(from other: Column, range: Range<Int>) {
        precondition(physical == other.physical, "columns of different layout")
        let start = count
        let n = range.count
        guard n > 0 else { return }
        reserve(rows: start + n)
        if let flags = other.validity {
            memcpy(materializeValidity() + start, flags + range.lowerBound, n)
        } else if let validity {
            memset(validity + start, 1, n)
        }
        switch physical {
        case .bool: memcpy(bools + start, other.bools + range.lowerBound, n)
        case .int64: memcpy(ints + start, other.ints + range.lowerBound, n * 8)
        case .int128: memcpy(wides + start, other.wides + range.lowerBound, n * 16)
        case .row:
            for (field, from) in zip(fields, other.fields) { field.append(from: from, range: range) }
        case .double: memcpy(doubles + start, other.doubles + range.lowerBound, n * 8)
        case .string:
            let first = Int(other.offsets[range.lowerBound])
            let length = Int(other.offsets[range.upperBound]) - first
            reserve(bytes: byteCount + length)
            memcpy(bytes + byteCount, other.bytes + first, length)
            let shift = Int32(byteCount - first)
            for i in 0..<n { offsets[start + i + 1] = other.offsets[range.lowerBound + i + 1] + shift }
            setByteCount(byteCount + length)
        case .array:
            guard let child, let from = other.child else { preconditionFailure("array without child") }
            let first = Int(other.offsets[range.lowerBound])
            let shift = Int32(child.count - first)
            child.append(from: from, range: first..<Int(other.offsets[range.upperBound]))
            for i in 0..<n { offsets[start + i + 1] = other.offsets[range.lowerBound + i + 1] + shift }
        }
        setCount(start + n)
    }

    private func appendValidity(start: Int, rows: UnsafeBufferPointer<Int32>, of other: Column) {
        if let flags = other.validity {
            let to = materializeValidity() + start
            for (i, row) in rows.enumerated() { to[i] = flags[Int(row)] }
        } else if let validity {
            memset(validity + start, 1, rows.count)
        }
    }
}
