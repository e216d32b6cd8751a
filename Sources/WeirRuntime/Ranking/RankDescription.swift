// What a ranking and an ORDER BY keep, in words, for `weir explain`.

import WeirCore
import WeirSQL

extension LogicalPlan {
    /// What a ranking keeps; `wait` and `rows` say for how long rows wait and how large one is.
    func rankState(
        _ spec: RankSpec, _ input: LogicalPlan, wait: String, rows: String
    ) -> StateDescription {
        let names = input.schema.fields.map(\.name)
        let keys = spec.partition.compactMap { key -> String? in
            guard case .column(let index, _) = key else { return "an expression" }
            return ["window_start", "window_end", "window_time"].contains(names[index]) ? nil : names[index]
        }
        let each = "each window" + (keys.isEmpty ? "" : " and (\(keys.joined(separator: ", ")))")
        let first = spec.last == 1 ? "first row" : "first \(spec.last) rows"
        return StateDescription(
            kept: spec.last == .max ? "the rows of \(each)" : "the \(first) of \(each); others soon go",
            duration: "until the window ends, and then \(wait)", size: rows)
    }

    /// What an ORDER BY keeps.
    func sortState(
        _ spec: SortSpec, waiting: String, wait: String, rows: String
    ) -> StateDescription {
        guard let limit = spec.limit else {
            return StateDescription(kept: waiting, duration: wait, size: rows)
        }
        let (most, overflows) = spec.offset.addingReportingOverflow(limit)
        return StateDescription(
            kept: overflows
                ? waiting : "\(waiting), the first \(most) of them; and how many rows there were",
            duration: wait + "; the number for ever", size: rows)
    }
}
