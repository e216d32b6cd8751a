// The conditions of DEFINE. The parts that read nothing but the row at hand are computed for a whole
// slice at once; what is left is computed once a row for all matches of the key that may ask for it.

import WeirCore
import WeirSQL

/// Tells whether a row can be mapped to a variable.
final class PatternConditions {
    private let pattern: PatternSpec
    private let rows: PatternRows
    private let pool: MatchPool
    private let accumulators: PatternAccumulators
    private let automaton: PatternAutomaton
    private var variables: [Variable] = []
    /// Variables whose condition does not read the row alone, as bits.
    private var dependent: UInt64 = 0
    /// The row at hand, in the slice.
    private var row = 0
    /// The places in the queue of the matches that a condition is computed for.
    private var asking: [Int] = []

    /// The condition of one variable.
    private struct Variable {
        /// Over the columns of the input.
        var ofRow: CompiledExpression?
        /// `ofRow` for the rows of the slice.
        var slice: Column?
        /// Over the columns `read`.
        var ofMatch: CompiledExpression?
        var read: [Int] = []
        /// `ofMatch` for one match at a time; nil where there is no such way, or an aggregate is read.
        var scalar: ScalarCondition?
        /// The matches of `ofMatch` for the row at hand, by their place in the queue.
        var truths: [Bool] = []
    }

    init(
        _ pattern: PatternSpec, _ automaton: PatternAutomaton, _ rows: PatternRows,
        _ pool: MatchPool, _ accumulators: PatternAccumulators
    ) throws(Failure) {
        self.pattern = pattern
        self.automaton = automaton
        self.rows = rows
        self.pool = pool
        self.accumulators = accumulators
        for (index, element) in pattern.elements.enumerated() {
            var variable = try Self.compiled(element.condition, pattern.inputWidth)
            let plainWidth = pattern.inputWidth + pattern.defineValues.references.count
            if !variable.read.allSatisfy({ $0 < plainWidth }) { variable.scalar = nil }
            if variable.ofMatch != nil { dependent |= 1 << UInt64(index) }
            variables.append(variable)
        }
    }

    private static func compiled(_ condition: BoundExpression?, _ width: Int) throws(Failure)
        -> Variable
    {
        var variable = Variable()
        guard let condition else { return variable }
        let parts = condition.conjuncts
        let ofRow = parts.filter { $0.columns.allSatisfy { $0 < width } }
        let ofMatch = parts.filter { !$0.columns.allSatisfy { $0 < width } }
        if let ofRow = BoundExpression.conjunction(ofRow) {
            variable.ofRow = try CompiledExpression(ofRow)
        }
        if let ofMatch = BoundExpression.conjunction(ofMatch) {
            variable.read = ofMatch.columns.sorted()
            let place = Dictionary(
                uniqueKeysWithValues: variable.read.enumerated().map { ($1, $0) })
            variable.ofMatch = try CompiledExpression(ofMatch.renumbered { place[$0] ?? $0 })
            variable.scalar = ScalarCondition(ofMatch)
        }
        return variable
    }

    /// Values that could not be computed and became NULL.
    var evaluationErrors: UInt64 {
        variables.reduce(0) {
            $0 + ($1.ofRow?.evaluationErrors ?? 0) + ($1.ofMatch?.evaluationErrors ?? 0)
        }
    }

    /// Computes for the rows of a slice what depends on them alone.
    func begin(_ columns: [Column], rowCount: Int) {
        for index in variables.indices {
            variables[index].slice = variables[index].ofRow?.evaluate(
                columns: columns, rowCount: rowCount)
        }
    }

    /// Whether row `row` of the slice alone rules out all of `candidates` (bits).
    func rulesOut(_ candidates: UInt64, row: Int) -> Bool {
        for index in variables.indices where candidates & (1 << UInt64(index)) != 0 {
            guard let slice = variables[index].slice, slice.bools[row] == 0 else { return false }
        }
        return true
    }

    /// Row `row` of the slice, which lies at `place`, is at hand, and with it the matches of `queue`.
    func next(_ queue: MatchQueue, _ key: PatternKey, row: Int, place: Int32) {
        self.row = row
        guard dependent != 0 else { return }
        // All at once, because matches change as they take the row.
        for index in variables.indices where variables[index].ofMatch != nil {
            if let slice = variables[index].slice, slice.bools[row] == 0 { continue }
            compute(index, queue, key, place)
        }
    }

    /// Whether the row can be mapped to `variable` by match `index` of the queue.
    func holds(_ variable: Int, _ index: Int) -> Bool {
        // The value of NULL is 0, so the value alone says whether it is TRUE.
        if let slice = variables[variable].slice, slice.bools[row] == 0 { return false }
        return variables[variable].ofMatch == nil || variables[variable].truths[index]
    }

    /// Computes the condition of `variable` for all matches that may ask for it.
    private func compute(_ variable: Int, _ queue: MatchQueue, _ key: PatternKey, _ place: Int32) {
        guard let condition = variables[variable].ofMatch else { return }
        let bit: UInt64 = 1 << UInt64(variable)
        if variables[variable].truths.count < queue.matches.count {
            variables[variable].truths = Array(repeating: false, count: 2 * queue.matches.count)
        }
        if let scalar = variables[variable].scalar {
            for (index, match) in queue.matches.enumerated() {
                let state = match.id < 0 ? automaton.start : pool.state(match.id)
                if automaton.states[state].consulted & bit == 0 { continue }
                variables[variable].truths[index] = scalar.isTrue { column in
                    cell(column, of: match, variable, key, place)
                }
            }
            return
        }
        asking.removeAll(keepingCapacity: true)
        for (index, match) in queue.matches.enumerated() {
            let state = match.id < 0 ? automaton.start : pool.state(match.id)
            if automaton.states[state].consulted & bit != 0 { asking.append(index) }
        }
        if asking.isEmpty { return }
        let matches = asking.map { queue.matches[$0] }
        let columns = variables[variable].read.map { column in
            value(column, of: matches, variable, key, place)
        }
        let result = condition.evaluate(columns: columns, rowCount: matches.count)
        for (row, index) in asking.enumerated() {
            variables[variable].truths[index] = result.bools[row] != 0
        }
    }

    /// Where column `column` of the wide row is for one match; it is not an aggregate.
    private func cell(
        _ column: Int, of match: QueuedMatch, _ variable: Int, _ key: PatternKey, _ place: Int32
    ) -> ScalarCondition.Cell {
        if column < pattern.inputWidth {
            return ScalarCondition.Cell(rows.columns[column], row: Int(place))
        }
        let reference = pattern.defineValues.references[column - pattern.inputWidth]
        return ScalarCondition.Cell(
            rows.columns[reference.column],
            row: Int(self.place(reference, of: match, variable, key, place)))
    }

    /// Column `column` of the wide row that conditions are bound over, a row a match.
    private func value(
        _ column: Int, of matches: [QueuedMatch], _ variable: Int, _ key: PatternKey, _ place: Int32
    ) -> Column {
        if column < pattern.inputWidth {
            return rows.values(column, at: [Int32](repeating: place, count: matches.count))
        }
        let values = pattern.defineValues
        let index = column - pattern.inputWidth
        if index < values.references.count {
            let reference = values.references[index]
            return rows.values(
                reference.column,
                at: matches.map { self.place(reference, of: $0, variable, key, place) })
        }
        return accumulators.values(
            index - values.references.count, of: matches.map(\.id), above: pool.capacity,
            ifMappedTo: variable, rows, place: place)
    }

    /// Where the row of `reference` is if the row at `place` is mapped to `variable`; -1 for none.
    private func place(
        _ reference: PatternReference, of match: QueuedMatch, _ variable: Int, _ key: PatternKey,
        _ place: Int32
    ) -> Int32 {
        let range = match.id < 0 ? 0..<0 : pool.rows(match.id, reference.variable)
        let takesCurrent = reference.variable.map { $0 == variable } ?? true
        let count = range.count + (takesCurrent ? 1 : 0)
        guard reference.offset < count else { return -1 }
        let offset = reference.isFirst ? reference.offset : count - 1 - reference.offset
        if offset == range.count { return place }
        return key.place(match.start + range.lowerBound + Int64(offset))
    }
}
