// The conditions of DEFINE. The parts that read nothing but the row at hand are computed for a whole
// slice at once; what is left is computed once a row for all matches of the key that may ask for it.
//
// What holds is kept as bits, one a variable, because it is asked for every edge of every match.

import WeirCore
import WeirSQL

/// Tells whether a row can be mapped to a variable.
final class PatternConditions {
    private let inputWidth: Int
    private let references: [PatternReference]
    private let rows: PatternRows
    private let pool: MatchPool
    private let accumulators: PatternAccumulators
    private let automaton: PatternAutomaton
    @exclusivity(unchecked) private var variables: [Variable] = []
    /// For each variable the values in `slice`, which keeps them; nil where the row rules nothing out.
    @exclusivity(unchecked) private var sliceValues: [UnsafeMutablePointer<UInt8>?] = []
    /// Variables whose condition does not read the row alone, as bits.
    private var dependent: UInt64 = 0
    /// The variables that the row at hand does not rule out by itself, as bits.
    @exclusivity(unchecked) private var possible: UInt64 = 0
    /// For each match of the queue the variables of `dependent` whose condition holds, as bits.
    @exclusivity(unchecked) private var truths: [UInt64] = []
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
    }

    init(
        _ pattern: PatternSpec, _ automaton: PatternAutomaton, _ rows: PatternRows,
        _ pool: MatchPool, _ accumulators: PatternAccumulators
    ) throws(Failure) {
        inputWidth = pattern.inputWidth
        references = pattern.defineValues.references
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
            sliceValues.append(nil)
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
            let slice = variables[index].ofRow?.evaluate(columns: columns, rowCount: rowCount)
            variables[index].slice = slice
            sliceValues[index] = slice?.bools
        }
    }

    /// Whether row `row` of the slice alone rules out all of `candidates` (bits).
    func rulesOut(_ candidates: UInt64, row: Int) -> Bool {
        for index in variables.indices where candidates & (1 << UInt64(index)) != 0 {
            guard let values = sliceValues[index], values[row] == 0 else { return false }
        }
        return true
    }

    /// Row `row` of the slice, which lies at `place`, is at hand, and with it the matches of `queue`.
    func next(_ queue: MatchQueue, _ key: PatternKey, row: Int, place: Int32) {
        possible = 0
        for index in variables.indices {
            // The value of NULL is 0, so the value alone says whether it is TRUE.
            if let values = sliceValues[index], values[row] == 0 { continue }
            possible |= 1 << UInt64(index)
        }
        guard dependent != 0 else { return }
        while truths.count < queue.matches.count { truths.append(0) }
        for index in queue.matches.indices { truths[index] = 0 }
        // All at once, because matches change as they take the row.
        var left = possible & dependent
        while left != 0 {
            compute(left.trailingZeroBitCount, queue, key, place)
            left &= left - 1
        }
    }

    /// Whether the row can be mapped to `variable` by match `index` of the queue.
    func holds(_ variable: Int, _ index: Int) -> Bool {
        let bit: UInt64 = 1 << UInt64(variable)
        return possible & bit != 0 && (dependent & bit == 0 || truths[index] & bit != 0)
    }

    /// Computes the condition of `variable` for all matches that may ask for it.
    private func compute(_ variable: Int, _ queue: MatchQueue, _ key: PatternKey, _ place: Int32) {
        guard let condition = variables[variable].ofMatch else { return }
        let bit: UInt64 = 1 << UInt64(variable)
        if let scalar = variables[variable].scalar {
            for (index, match) in queue.matches.enumerated() {
                let state = match.id < 0 ? automaton.start : pool.state(match.id)
                if automaton.states[state].consulted & bit == 0 { continue }
                if scalar.isTrue({ cell($0, of: match, variable, key, place) }) {
                    truths[index] |= bit
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
        for (row, index) in asking.enumerated() where result.bools[row] != 0 {
            truths[index] |= bit
        }
    }

    /// Where column `column` of the wide row is for one match; it is not an aggregate.
    private func cell(
        _ column: Int, of match: QueuedMatch, _ variable: Int, _ key: PatternKey, _ place: Int32
    ) -> ScalarCondition.Cell {
        if column < inputWidth {
            return ScalarCondition.Cell(rows.columns[column], row: Int(place))
        }
        let reference = references[column - inputWidth]
        return ScalarCondition.Cell(
            rows.columns[reference.column],
            row: Int(self.place(reference, of: match, variable, key, place)))
    }

    /// Column `column` of the wide row that conditions are bound over, a row a match.
    private func value(
        _ column: Int, of matches: [QueuedMatch], _ variable: Int, _ key: PatternKey, _ place: Int32
    ) -> Column {
        if column < inputWidth {
            return rows.values(column, at: [Int32](repeating: place, count: matches.count))
        }
        let index = column - inputWidth
        if index < references.count {
            let reference = references[index]
            return rows.values(
                reference.column,
                at: matches.map { self.place(reference, of: $0, variable, key, place) })
        }
        return accumulators.values(
            index - references.count, of: matches.map(\.id), above: pool.capacity,
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
