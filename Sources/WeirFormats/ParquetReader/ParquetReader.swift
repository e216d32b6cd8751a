// Parquet files into batches: what weir's own files, and those of checkpoints that others write, are read
// with. The file is read a window of each column at a time, so that memory follows from pages and never
// from the file's length; where the rows are cut into batches means nothing.

import WeirCore

/// Reads one file from its first row to its last.
public final class ParquetReader {
    /// The columns that are read.
    public let schema: Schema
    /// Rows of the file.
    public let rowCount: Int
    /// Key-value pairs of the footer.
    public let metadata: [(key: String, value: String)]
    /// Who wrote it, in the writer's words.
    public let writer: String
    /// Paths of columns that were wanted and have no type of ours: they are left out.
    public let unreadable: [String]

    private let source: any ParquetSource
    private let tree: ReadTree
    private let groups: [FooterGroup]
    private var nextGroup = 0
    private var rowsLeft = 0
    private var leaves: [LeafReader] = []
    private var batchRows = 256

    /// Rows of a batch, and the bytes that it should about have.
    private static let batchRowsMax = 4096
    private static let batchBytesWanted = 2 << 20

    /// Reads the footer of `source`. `isWanted` is asked for the path of each column and each field of a
    /// ROW (not for what is inside of lists and maps); the default is all.
    public init(
        _ source: any ParquetSource, isWanted: @escaping ([String]) -> Bool = { _ in true }
    ) throws(Failure) {
        self.source = source
        do throws(ParquetFault) {
            let footer = try FileFooter(source)
            tree = try ReadTree(footer.nodes, isWanted)
            groups = footer.groups
            metadata = footer.metadata
            writer = footer.writer
            rowCount = try Self.check(groups, tree)
            guard rowCount == footer.rowCount else {
                throw .broken("it is said to have \(footer.rowCount) rows, and its row groups have \(rowCount)")
            }
        } catch {
            throw error.failure(source.name)
        }
        schema = Schema(tree.columns.map { Field($0.name, $0.type) })
        unreadable = tree.unreadable
    }

    private static func check(
        _ groups: [FooterGroup], _ tree: ReadTree
    ) throws(ParquetFault) -> Int {
        var total = 0
        for group in groups {
            guard group.chunks.count == tree.leafCount else {
                throw .broken("a row group has not the columns of the schema")
            }
            let (sum, overflow) = total.addingReportingOverflow(group.rowCount)
            guard !overflow else { throw .broken("it has too many rows to be true") }
            total = sum
            for leaf in tree.leaves {
                let count = group.chunks[leaf.chunk].valueCount
                guard leaf.repetitionMax > 0 ? count >= group.rowCount : count == group.rowCount else {
                    throw .broken("column \(leaf.path) has not as many values as there are rows")
                }
            }
        }
        return total
    }

    /// The next rows; nil at the end.
    public func next() throws(Failure) -> Batch? {
        do throws(ParquetFault) {
            while rowsLeft == 0 {
                guard nextGroup < groups.count else { return nil }
                let group = groups[nextGroup]
                nextGroup += 1
                rowsLeft = group.rowCount
                leaves = []
                guard rowsLeft > 0 else { continue }
                let chunks = tree.leaves.map { group.chunks[$0.chunk].range }
                let source: any ParquetSource = ReadAhead(source, chunks) ?? source
                for leaf in tree.leaves {
                    leaves.append(try LeafReader(source, group.chunks[leaf.chunk], leaf))
                }
            }
            return try batch(rows: min(rowsLeft, batchRows))
        } catch {
            throw error.failure(source.name)
        }
    }

    private func batch(rows: Int) throws(ParquetFault) -> Batch {
        for leaf in leaves { try leaf.take(rows: rows) }
        let assembler = RowAssembler(leaves: leaves)
        var columns: [Column] = []
        for node in tree.columns { columns.append(try assembler.column(node, rows: rows)) }
        rowsLeft -= rows
        let batch = Batch(schema: schema, columns: columns, rowCount: rows)
        // Long rows come in small batches.
        let rowBytes = max(1, batch.memoryBytes / rows)
        batchRows = min(Self.batchRowsMax, max(1, min(Self.batchBytesWanted / rowBytes, rows * 4)))
        return batch
    }
}
