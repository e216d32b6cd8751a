// What an OVER keeps, in words and bytes, for `weir explain`.

import WeirCore
import WeirSQL

extension LogicalPlan {
    /// What an OVER keeps; `waiting`, `wait` and `rows` say what of its rows waits for the watermark, for
    /// how long, and how large a row is.
    func overState(
        _ spec: OverSpec, waiting: String, wait: String, rows: String
    ) -> StateDescription {
        guard let layout = try? OverLayout(spec) else {
            return StateDescription(kept: waiting, duration: wait, size: rows)
        }
        let types = layout.arguments.map(\.type)
        let end = spec.stateTTL.map { "\(span($0)) after its last row (state_ttl), at most half as long again" }
        let kept: (rows: String, width: RowWidth, duration: String)? =
            switch layout.kept {
            case .none: nil
            case .last(let count): ("its last \(count) rows", RowWidth(types), end ?? "for ever")
            case .within(let preceding):
                (
                    "its rows of \(span(preceding))", RowWidth(types + [.bigint]),
                    "\(span(preceding)) after its last row, at most half as long again"
                )
            }
        let columns = layout.columns.compactMap(\.self)
        let key = RowWidth(spec.partition.map(\.type))
        let fixed = columns.reduce(OverKeys.bytesPerKey + key.fixedBytes) { $0 + $1.bytesPerKey }
        var sizes = ["\(fixed) bytes a partition" + (key.hasTexts ? " and its key's texts" : "")]
        if let kept {
            let links = MemoryLayout<Int32>.size * 2
            sizes.append(
                "\(kept.width.fixedBytes + links) bytes a row kept"
                    + (kept.width.hasTexts ? " and its texts and arrays" : ""))
        }
        let gathering = spec.calls.compactMap { call -> String? in
            guard !spec.frame.isBounded, case .aggregate(let aggregate) = call,
                (try? makeAccumulator(aggregate))?.hasVariableSize == true
            else { return nil }
            return aggregate.function.name
        }
        if !gathering.isEmpty { sizes.append("what \(gathering.joined(separator: ", ")) gather") }
        sizes.append("\(rows) that waits")
        let partitions = spec.partition.isEmpty ? "of all rows together" : "of each partition"
        return StateDescription(
            kept: "\(partitions) running values" + (kept.map { " and \($0.rows)" } ?? "")
                + "; and \(waiting)",
            duration: "a partition \(kept?.duration ?? end ?? "for ever"); rows \(wait)",
            size: sizes.joined(separator: ", "))
    }
}
