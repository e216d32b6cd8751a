// Whose clock a query goes by, where its source has one for each key (`watermark_by`). That follows from
// the plan: rows of one key can go by its own clock as far as no operator keeps rows of several keys
// together. Then what one key's rows become has nothing to do with any other key.
//
// All operators of a query go by the same clocks. If one of them has to wait for the slowest key, rows
// that came to it by a faster clock would have nothing to gain, and those of a slower one would be late.

import WeirCore
import WeirSQL

/// Whose clocks the operators of a query go by.
public enum ClockRule: Hashable, Sendable {
    /// The one of the source; with `watermark_by` that of the slowest key that is not idle.
    case combined
    /// Each key's own: windows that follow them by themselves.
    case windows
    /// Each key's own: there are operators for each key apart.
    case chains
}

extension LogicalPlan {
    /// Whose clocks a query goes by whose source has clocks by column `name` (nil: it has one).
    public func clockRule(watermarkBy name: String?) -> ClockRule {
        guard let name, hasState, sources.count == 1, operatorAcrossKeys(of: name) == nil else {
            return .combined
        }
        if areWindowsAlone, statefulCount == 1 || (scanCount == 1 && !hasSessions) { return .windows }
        return scanCount == 1 || isGated ? .chains : .combined
    }

    /// The uppermost operator that keeps rows of several keys together; nil when none does.
    public func operatorAcrossKeys(of name: String) -> LogicalPlan? {
        if !isApart(by: name) { return self }
        return inputs.lazy.compactMap { $0.operatorAcrossKeys(of: name) }.first
    }

    /// Whether this operator keeps no rows, or those of each key for themselves.
    private func isApart(by name: String) -> Bool {
        switch self {
        case .scan, .filter, .project, .unnest, .expand, .windowAssign, .lookup, .union: true
        case .windowAggregate(let input, _, let keys, _, _): input.place(of: name, among: keys) != nil
        case .ordered(let stage, let inputs, _):
            switch stage {
            case .sort, .orderBy: false
            case .match(let pattern): pattern.partition.contains { inputs[0].lineage[$0] == name }
            case .merge: true
            case .join(let spec): Self.isApart(spec.condition, inputs, by: name)
            case .temporalJoin(let spec): Self.isApart(spec.condition, inputs, by: name)
            case .sessions(let window):
                if case .session(_, let keys) = window.shape {
                    keys.contains { inputs[0].lineage[$0] == name }
                } else {
                    false
                }
            case .over(let spec): inputs[0].place(of: name, among: spec.partition) != nil
            case .rank(let spec): inputs[0].place(of: name, among: spec.partition) != nil
            }
        }
    }

    private static func isApart(
        _ condition: JoinCondition, _ inputs: [LogicalPlan], by name: String
    ) -> Bool {
        condition.keys.contains {
            inputs[0].place(of: name, among: [$0.left]) != nil
                && inputs[1].place(of: name, among: [$0.right]) != nil
        }
    }

    /// The one of `keys`, over this plan's columns, that is the source's column `name`, unchanged.
    func place(of name: String, among keys: [BoundExpression]) -> Int? {
        let lineage = lineage
        return keys.firstIndex { key in
            if case .column(let index, _) = key { lineage[index] == name } else { false }
        }
    }

    /// Whether rows wait for the clock in an operator in event-time order wherever they come from, so that
    /// nothing comes out while rows go in.
    var isGated: Bool {
        switch self {
        case .ordered: true
        case .scan: false
        default: inputs.allSatisfy(\.isGated)
        }
    }

    /// Whether all that keeps rows is windows, none of which takes late rows.
    private var areWindowsAlone: Bool {
        let own =
            switch self {
            case .ordered: false
            case .windowAggregate(_, let window, _, _, _): window.allowedLateness == nil
            default: true
            }
        return own && inputs.allSatisfy(\.areWindowsAlone)
    }

    private var hasSessions: Bool {
        contains { node in
            guard case .windowAggregate(_, let window, _, _, _) = node, case .session = window.shape
            else { return false }
            return true
        }
    }

    /// For each column the source's column that it is, unchanged.
    private var lineage: [String?] {
        switch self {
        case .scan(_, let schema, _):
            return schema.fields.map(\.name)
        case .filter(let input, _):
            return input.lineage
        case .project(let input, let expressions, _):
            let names = input.lineage
            return expressions.map {
                if case .column(let index, _) = $0 { names[index] } else { nil }
            }
        case .unnest(let input, _, _), .expand(let input, _, _), .lookup(let input, _, _),
            .windowAssign(let input, _, _):
            return padded(input.lineage)
        case .windowAggregate(let input, _, let keys, _, _):
            let names = input.lineage
            return padded(
                keys.map { key in
                    if case .column(let index, _) = key { names[index] } else { nil }
                })
        case .union(let inputs, _):
            return Self.common(inputs)
        case .ordered(let stage, let inputs, _):
            return orderedLineage(stage, inputs)
        }
    }

    private func orderedLineage(_ stage: OrderedStage, _ inputs: [LogicalPlan]) -> [String?] {
        switch stage {
        case .sort, .sessions, .over, .rank, .orderBy: return padded(inputs[0].lineage)
        case .match(let pattern):
            let names = inputs[0].lineage
            return padded(pattern.partition.map { names[$0] })
        case .merge: return Self.common(inputs)
        case .join(let spec):
            // What an outer join makes NULL is not the source's any more.
            let left = inputs[0].lineage.map { spec.kind == .right || spec.kind == .full ? nil : $0 }
            if spec.kind.isOneSided { return left }
            return left + inputs[1].lineage.map { spec.kind == .left || spec.kind == .full ? nil : $0 }
        case .temporalJoin(let spec):
            return inputs[0].lineage + inputs[1].lineage.map { spec.isOuter ? nil : $0 }
        }
    }

    /// `names`, and nil for the columns behind them.
    private func padded(_ names: [String?]) -> [String?] {
        names + Array(repeating: nil, count: max(0, schema.count - names.count))
    }

    /// What the columns of all inputs are.
    private static func common(_ inputs: [LogicalPlan]) -> [String?] {
        let all = inputs.map(\.lineage)
        guard let first = all.first else { return [] }
        return first.indices.map { index in
            all.allSatisfy { $0[index] == first[index] } ? first[index] : nil
        }
    }
}

extension LogicalPlan {
    /// How many scans there are.
    var scanCount: Int {
        if case .scan = self { return 1 }
        return inputs.reduce(0) { $0 + $1.scanCount }
    }

    /// Whether this operator or one below it keeps rows, so that what comes out is not late.
    var hasState: Bool { statefulCount > 0 }

    /// Whether this operator keeps rows or groups.
    var keepsRows: Bool {
        switch self {
        case .windowAggregate, .ordered: true
        case .scan, .filter, .project, .unnest, .expand, .windowAssign, .lookup, .union: false
        }
    }

    /// How many operators, this one and those below it, keep rows or groups.
    var statefulCount: Int { inputs.reduce(keepsRows ? 1 : 0) { $0 + $1.statefulCount } }
}
