// The unit between stages: some thousand rows as columns.
//
// From the source on, a batch carries for each row the watermark that held just before that row, so
// that "late" is a property of the row and never of where a batch was cut (DESIGN, promise P1).

/// A run of rows in columnar form.
public final class Batch {
    /// The columns' names and types.
    public let schema: Schema
    /// One for each field of `schema`, all of `rowCount` rows.
    public let columns: [Column]
    /// May be 0; without columns it says how many rows there are nevertheless.
    public let rowCount: Int
    /// For each row the watermark just before it (BIGINT, ms since the epoch; `Watermark.none` when
    /// there is none yet); nil where rows have no event time, as in results.
    public let watermarks: Column?

    /// Makes a batch; all columns hold `rowCount` rows of the schema's types.
    public init(schema: Schema, columns: [Column], rowCount: Int, watermarks: Column? = nil) {
        precondition(columns.count == schema.count, "one column a field")
        for column in columns { precondition(column.count == rowCount, "columns of one length") }
        self.schema = schema
        self.columns = columns
        self.rowCount = rowCount
        self.watermarks = watermarks
    }

    /// A batch of no rows.
    public static func empty(_ schema: Schema) -> Batch {
        Batch(schema: schema, columns: schema.fields.map { Column($0.type) }, rowCount: 0)
    }

    /// The rows at `rows`, in that order.
    public func gather(_ rows: UnsafeBufferPointer<Int32>) -> Batch {
        Batch(
            schema: schema, columns: columns.map { $0.gather(rows) }, rowCount: rows.count,
            watermarks: watermarks?.gather(rows))
    }

    /// Rows `range`.
    public func slice(_ range: Range<Int>) -> Batch {
        Batch(
            schema: schema, columns: columns.map { $0.slice(range) }, rowCount: range.count,
            watermarks: watermarks?.slice(range))
    }

    /// Bytes of memory held.
    public var memoryBytes: Int {
        columns.reduce(watermarks?.memoryBytes ?? 0) { $0 + $1.memoryBytes }
    }
}

/// A watermark: no row with an event time at or below it is expected any more.
public enum Watermark {
    /// Before any row: nothing is late, nothing fires.
    public static let none = Int64.min
    /// After the last row of a bounded input: everything fires.
    public static let end = Int64.max
}
