// The way to a query's late output. Where rows reach several operators that can find them late, one
// operator is given a whole batch before the next one is: late rows are held until all have been, and go
// out in the order of the source's rows, so that it does not show where batches end.

import WeirCore

/// Takes a query's late rows.
final class LateRows {
    /// Whether rows wait for `release`.
    var isHolding = false
    private let output: any QueryOutput
    private var held: [(batch: Batch, origins: [Int])] = []

    init(_ output: any QueryOutput) { self.output = output }

    /// Takes `batch`, made of rows `rows` of `run`.
    func add(_ batch: Batch, of run: RowRun, _ rows: [Int32]) {
        if isHolding {
            held.append((batch, rows.map { run.origin(Int($0)) }))
        } else {
            output.late(batch)
        }
    }

    /// All operators have been given the batch: hands on what is held, by source row, of one row in the
    /// order in which operators found it late.
    func release() {
        guard let first = held.first else { return }
        let parts = held
        held.removeAll()
        if parts.count == 1 { return output.late(first.batch) }
        var order: [(origin: Int, part: Int, row: Int)] = []
        for (part, piece) in parts.enumerated() {
            for (row, origin) in piece.origins.enumerated() { order.append((origin, part, row)) }
        }
        order.sort { ($0.origin, $0.part, $0.row) < ($1.origin, $1.part, $1.row) }
        var start = 0
        while start < order.count {
            let part = order[start].part
            var end = start + 1
            while end < order.count, order[end].part == part { end += 1 }
            order[start..<end].map { Int32($0.row) }.withUnsafeBufferPointer { rows in
                output.late(parts[part].batch.gather(rows))
            }
            start = end
        }
    }
}
