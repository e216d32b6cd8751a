// Where the rows of a source enter a query: one head for each scan of its plan.

import WeirCore

/// A scan of a plan.
struct PipelineHead {
    let source: String
    /// The columns that the scan reads.
    let schema: Schema
    /// The operator that gets them.
    let first: any Operator

    /// The rows of `batch`, with the columns of the scan.
    func columns(of batch: Batch) -> Batch {
        let columns = schema.fields.map { field -> Column in
            guard let index = batch.schema.index(of: field.name) else {
                preconditionFailure("the source has no column \(field.name)")
            }
            return batch.columns[index]
        }
        return Batch(schema: schema, columns: columns, rowCount: batch.rowCount)
    }
}
