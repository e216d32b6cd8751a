// What a join's commit holds: its rows in blocks, or one by one when they do not fit into memory, and
// how far the queues of both sides have come.

import WeirCore
import WeirStore

extension JoinProcessor {
    func checkpoint(into writer: any StateWriter) {
        for side in 0..<2 {
            spilled[side].checkpoint(into: writer)
            blocks[side].checkpoint(sides[side], into: writer)
        }
        spill(into: writer)
        var progress = ByteWriter()
        for side in 0..<2 {
            progress.write(sides[side].first)
            progress.write(sides[side].end)
            progress.write(spilled[side].first)
            progress.write(spilled[side].end)
        }
        if progress.bytes != savedProgress {
            progress.bytes.withUnsafeBytes { writer.put(progressKey, $0) }
            savedProgress = progress.bytes
        }
    }

    func restore(from reader: any StateReader) throws(Failure) {
        for rows in spilled { rows.restore(from: reader, first: 0, end: 0) }
        guard let saved = try reader.get(progressKey) else { return }
        savedProgress = saved
        try saved.withBytes { (bytes) throws(Failure) in
            var progress = ByteReader(bytes)
            for side in 0..<2 {
                let first = try progress.read(Int64.self)
                let end = try progress.read(Int64.self)
                spilled[side].restore(
                    from: reader, first: try progress.read(), end: try progress.read())
                let rows = sides[side]
                rows.start(at: first)
                try blocks[side].restore(
                    from: reader, schema: rows.schema, first: first,
                    add: { batch in
                        let start = add(batch, side: side)
                        for row in start..<rows.end { rows.link(row) }
                    }, match: { rows.setFlag($0, JoinSide.Flag.matched) })
                guard rows.end == end else { throw ByteReader.damaged }
            }
        }
    }

    /// Writes out the oldest rows until what is left takes half of the memory that there is.
    private func spill(into writer: any StateWriter) {
        guard memoryBytes > memoryBudgetBytes, spilled[0].isUsable else { return }
        for (index, rows) in sides.enumerated() {
            let bytesEach = max(1, rows.memoryBytes / max(1, Int(rows.end - rows.base)))
            let countMax = memoryBudgetBytes / 4 / bytesEach
            while rows.count > countMax, !blocks[index].isEmpty {
                let range = blocks[index].giveUpOldest(rows, into: writer)
                for row in range { writeOut(row, index, into: writer) }
            }
            rows.compact(isForced: true)
        }
    }

    private func writeOut(_ row: Int64, _ side: Int, into writer: any StateWriter) {
        let rows = sides[side]
        let key = rows.key(row)
        let position = Int(rows.position(row))
        spilled[side].append(
            Batch(
                schema: rows.schema, columns: rows.columns.map { $0.slice(position..<position + 1) },
                rowCount: 1),
            ordinal: row, time: rows.time(row),
            hasMatched: rows.flag(row) == JoinSide.Flag.matched,
            key: key < 0 ? nil : Array(keys.bytes(key)), into: writer)
        rows.removeFirst()
    }
}
