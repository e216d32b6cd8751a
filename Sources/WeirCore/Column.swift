// One column of a batch: typed values, contiguous, with one validity byte a row where NULLs occur.
//
// The unit of work between stages is a run of rows, never a row, so a column gives its memory away:
// kernels take the base pointers once and loop. Memory comes from malloc, so that the C++ JSON reader
// can hand over what it has filled. A column is written by one owner while it is built and is only
// read after that; nothing enforces it but this sentence and the loop's single thread.
//
// Always true: a NULL row still has a value slot (0, an empty string or an empty array); the offsets
// of strings and arrays start at 0 and never fall; `validity` is nil as long as no row is NULL. A ROW
// column's fields are columns of as many rows, and of a NULL row all fields are NULL.

#if canImport(Glibc)
import Glibc
#endif

/// A growable typed column.
public final class Column {
    /// As SQL has it.
    public let type: DataType
    /// How `storage` holds it, as follows from `type`.
    public let physical: PhysicalType
    /// Rows held.
    public private(set) var count = 0
    /// Rows that fit before memory moves.
    public private(set) var capacity = 0
    /// Values: Int64, Double, a 0/1 byte, or Int32 offsets (`count + 1` of them), as `physical` says.
    public private(set) var storage: UnsafeMutableRawPointer
    /// One byte a row, 1 = a value, 0 = NULL; nil when no row is NULL.
    public private(set) var validity: UnsafeMutablePointer<UInt8>?
    /// The text of a string column.
    public private(set) var bytes: UnsafeMutablePointer<UInt8>
    /// Bytes of text held.
    public private(set) var byteCount = 0
    /// Bytes of text that fit before memory moves.
    public private(set) var byteCapacity = 0
    /// The elements of an array column, the entries of a map column.
    public let child: Column?
    /// The fields of a row column; empty for all others.
    public let fields: [Column]

    /// An empty column with room for `capacity` rows.
    public init(_ type: DataType, capacity: Int = 0) {
        self.type = type
        physical = type.physical
        storage = allocate(0)
        bytes = allocate(0).assumingMemoryBound(to: UInt8.self)
        child = type.elementType.map { Column($0) }
        if case .row(let members) = type {
            fields = members.map { Column($0.type, capacity: capacity) }
        } else {
            fields = []
        }
        reserve(rows: max(capacity, 16))
        if physical == .string || physical == .array { offsets[0] = 0 }
    }

    /// Takes over memory that another allocator of malloc's family filled.
    ///
    /// `storage` holds `count` values (or `count + 1` offsets) of `type`'s layout, `validity` one byte
    /// a row or nil, `bytes` the text of a string column. All are freed with the column.
    public init(
        adopting storage: UnsafeMutableRawPointer, type: DataType, count: Int,
        validity: UnsafeMutablePointer<UInt8>? = nil,
        bytes: UnsafeMutablePointer<UInt8>? = nil, byteCount: Int = 0, child: Column? = nil
    ) {
        self.type = type
        physical = type.physical
        self.storage = storage
        self.count = count
        capacity = count
        self.validity = validity
        self.bytes = bytes ?? allocate(0).assumingMemoryBound(to: UInt8.self)
        self.byteCount = byteCount
        byteCapacity = byteCount
        self.child = child
        fields = []
        precondition(physical != .row, "a row column has no memory to adopt")
        precondition((physical == .array) == (child != nil), "an array column has a child, no other has")
    }

    /// A row column of `count` rows over its fields, which have as many; takes over `validity`.
    public init(
        row type: DataType, count: Int, validity: UnsafeMutablePointer<UInt8>?, fields: [Column]
    ) {
        precondition(type.physical == .row && fields.allSatisfy { $0.count == count }, "a row's fields")
        self.type = type
        physical = .row
        storage = allocate(0)
        self.count = count
        capacity = count
        self.validity = validity
        bytes = allocate(0).assumingMemoryBound(to: UInt8.self)
        child = nil
        self.fields = fields
    }

    deinit {
        free(storage)
        free(bytes)
        free(validity)
    }

    /// The values of an integer, timestamp or interval column.
    @inlinable public var ints: UnsafeMutablePointer<Int64> {
        storage.assumingMemoryBound(to: Int64.self)
    }
    /// The values of a column of long decimals.
    @inlinable public var wides: UnsafeMutablePointer<Int128> {
        storage.assumingMemoryBound(to: Int128.self)
    }
    /// The values of a double column.
    @inlinable public var doubles: UnsafeMutablePointer<Double> {
        storage.assumingMemoryBound(to: Double.self)
    }
    /// The values of a boolean column, 0 or 1.
    @inlinable public var bools: UnsafeMutablePointer<UInt8> {
        storage.assumingMemoryBound(to: UInt8.self)
    }
    /// The offsets of a string or array column; row i is `offsets[i] ..< offsets[i + 1]`.
    @inlinable public var offsets: UnsafeMutablePointer<Int32> {
        storage.assumingMemoryBound(to: Int32.self)
    }

    /// Whether row `row` is NULL.
    @inlinable public func isNull(_ row: Int) -> Bool {
        if let validity { validity[row] == 0 } else { false }
    }

    /// The text of row `row` of a string column; valid until the column grows or goes.
    @inlinable public func text(_ row: Int) -> UnsafeBufferPointer<UInt8> {
        let start = Int(offsets[row])
        return UnsafeBufferPointer(start: bytes + start, count: Int(offsets[row + 1]) - start)
    }

    /// The text of row `row` as a String; for tests, errors and slow paths.
    public func string(_ row: Int) -> String { String(decoding: text(row), as: UTF8.self) }

    /// The bytes of row `row` as an array; for tests, errors and slow paths.
    public func byteArray(_ row: Int) -> [UInt8] { Array(text(row)) }

    /// Bytes of memory held, children included.
    public var memoryBytes: Int {
        fields.reduce(
            capacity * physical.width + byteCapacity + (validity == nil ? 0 : capacity)
                + (child?.memoryBytes ?? 0)
        ) { $0 + $1.memoryBytes }
    }

    // MARK: Growing

    /// Makes room for `rows` rows in all.
    public func reserve(rows: Int) {
        guard rows > capacity else { return }
        let grown = max(rows, capacity * 2)
        for field in fields { field.reserve(rows: grown) }
        let slots = physical == .string || physical == .array ? grown + 1 : grown
        storage = reallocate(storage, slots * physical.width)
        if let validity {
            self.validity = reallocate(UnsafeMutableRawPointer(validity), grown)
                .assumingMemoryBound(to: UInt8.self)
        }
        capacity = grown
    }

    /// Makes room for `total` bytes of text in all.
    public func reserve(bytes total: Int) {
        guard total > byteCapacity else { return }
        precondition(total <= Int(Int32.max), "a string column holds at most 2 GiB of text")
        byteCapacity = min(Int(Int32.max), max(total, byteCapacity * 2, 64))
        bytes = reallocate(UnsafeMutableRawPointer(bytes), byteCapacity)
            .assumingMemoryBound(to: UInt8.self)
    }

    /// Sets the row count after values were written through the pointers; rows must be reserved.
    public func setCount(_ rows: Int) {
        precondition(rows <= capacity, "rows were not reserved")
        count = rows
    }

    /// Sets the byte count after text was written through `bytes`; bytes must be reserved.
    public func setByteCount(_ total: Int) {
        precondition(total <= byteCapacity, "bytes were not reserved")
        byteCount = total
    }

    /// Gives the column a validity byte for each row up to `capacity`; rows so far are valid.
    @discardableResult
    public func materializeValidity() -> UnsafeMutablePointer<UInt8> {
        if let validity { return validity }
        let fresh = allocate(max(capacity, 1)).assumingMemoryBound(to: UInt8.self)
        fresh.initialize(repeating: 1, count: max(capacity, 1))
        validity = fresh
        return fresh
    }

    // MARK: Appending a value (for builders and tests; hot paths write through the pointers)

    public func append(_ value: Int64) {
        precondition(physical == .int64, "not an integer column")
        let row = grow()
        ints[row] = value
    }

    public func append(_ value: Int128) {
        precondition(physical == .int128, "not a column of long decimals")
        let row = grow()
        wides[row] = value
    }

    public func append(_ value: Double) {
        precondition(physical == .double, "not a double column")
        let row = grow()
        doubles[row] = value
    }

    public func append(_ value: Bool) {
        precondition(physical == .bool, "not a boolean column")
        let row = grow()
        bools[row] = value ? 1 : 0
    }

    public func append(_ value: String) {
        var value = value
        value.withUTF8 { append($0) }
    }

    /// Appends UTF-8 text.
    public func append(_ text: UnsafeBufferPointer<UInt8>) {
        precondition(physical == .string, "not a string column")
        let row = grow()
        reserve(bytes: byteCount + text.count)
        if let base = text.baseAddress, text.count > 0 {
            memcpy(bytes + byteCount, base, text.count)
        }
        byteCount += text.count
        offsets[row + 1] = Int32(byteCount)
    }

    /// Ends an array row: the elements appended to `child` since the last row are its value.
    public func appendArray() {
        guard let child else { preconditionFailure("not an array column") }
        let row = grow()
        offsets[row + 1] = Int32(child.count)
    }

    /// Ends a row of a row column: a value has been appended to each of `fields` since the last one.
    public func appendRow() {
        let row = grow()
        for field in fields { precondition(field.count == row + 1, "one value a field") }
    }

    public func appendNull() {
        let flags = { self.materializeValidity() }
        let row = grow()
        flags()[row] = 0
        switch physical {
        case .bool: bools[row] = 0
        case .int64: ints[row] = 0
        case .int128: wides[row] = 0
        case .row: for field in fields { field.appendNull() }
        case .double: doubles[row] = 0
        case .string: offsets[row + 1] = Int32(byteCount)
        case .array: offsets[row + 1] = Int32(child?.count ?? 0)
        }
    }

    private func grow() -> Int {
        reserve(rows: count + 1)
        count += 1
        if let validity { validity[count - 1] = 1 }
        return count - 1
    }
}

extension PhysicalType {
    /// Bytes that a value takes in `Column.storage`.
    public var width: Int {
        switch self {
        case .bool: 1
        case .int64, .double: 8
        case .int128: 16
        case .string, .array: 4
        case .row: 0
        }
    }
}

private func allocate(_ size: Int) -> UnsafeMutableRawPointer {
    guard let memory = malloc(max(size, 8)) else { fatalError("out of memory") }
    return memory
}

private func reallocate(_ memory: UnsafeMutableRawPointer, _ size: Int) -> UnsafeMutableRawPointer {
    guard let memory = realloc(memory, max(size, 8)) else { fatalError("out of memory") }
    return memory
}
