// A pattern as a finite automaton, with the states and edges that Flink's compiler makes of it, because
// which of two overlapping matches is found depends on them.
//
// Each state waits for a row of one variable: TAKE maps the row to the variable and goes on, PROCEED
// goes on without a row. A greedy loop adds to all edges of the state behind it the condition that the
// row is none for the loop; a reluctant one does not, so that both ways are followed.
//
// Always true: edges lead towards the final state, or from a loop to itself; a state has at most one
// edge of each kind.

import WeirSQL

/// The automaton of one pattern.
struct PatternAutomaton {
    /// A way from one state to another.
    struct Edge {
        let target: Int
        /// Variables whose conditions must not hold for the row, as bits.
        var excluded: UInt64 = 0
    }

    /// A state other than the final one.
    struct State {
        let variable: Int
        /// Taken if the condition of `variable` holds.
        var take: Edge?
        var proceed: Edge?
        /// The variables whose conditions may be asked for in this state, as bits.
        var consulted: UInt64 = 0
    }

    /// Where matches are complete; it has no edges.
    static let final = 0
    private(set) var states: [State] = [State(variable: -1)]
    /// Where matches start.
    private(set) var start = PatternAutomaton.final

    init(_ elements: [PatternElement]) {
        var sink = Self.final
        for (variable, element) in elements.enumerated().reversed() {
            sink = add(element, variable, before: sink)
        }
        start = sink
        for index in states.indices { states[index].consulted = consulted(from: index) }
    }

    /// The variables that can take a row in state `index` or after proceeding from it, as bits.
    func takers(from index: Int) -> UInt64 {
        way(from: index).reduce(0) { found, state in
            states[state].take == nil ? found : found | 1 << UInt64(states[state].variable)
        }
    }

    /// State `index` and those that PROCEED leads to.
    private func way(from index: Int) -> [Int] {
        var found = [index]
        while let next = found.last.flatMap({ states[$0].proceed?.target }) { found.append(next) }
        return found
    }

    /// The variables whose conditions may be asked for: those of the edges that leave `index`, and those
    /// that decide whether the match is complete with the row.
    private func consulted(from index: Int) -> UInt64 {
        var found = takers(from: index)
        for state in way(from: index) {
            var edges = [states[state].take, states[state].proceed]
            if let target = states[state].take?.target {
                edges += way(from: target).map { states[$0].proceed }
            }
            for edge in edges { found |= edge?.excluded ?? 0 }
        }
        return found
    }

    private mutating func add(_ element: PatternElement, _ variable: Int, before sink: Int) -> Int {
        let isOptional = element.least == 0
        let least = max(1, element.least)
        guard let most = element.most else {
            let loop = addState(variable)
            states[loop].proceed = Edge(target: sink)
            states[loop].take = Edge(target: loop)
            if element.isGreedy { exclude(variable, from: sink) }
            return addRepetitions(
                variable, least...least, isOptional: isOptional, into: loop, around: sink)
        }
        if element.isGreedy, least != most { exclude(variable, from: sink) }
        return addRepetitions(
            variable, least...most, isOptional: isOptional, into: sink, around: sink)
    }

    /// One state a row; those beyond the least number can be left out.
    private mutating func addRepetitions(
        _ variable: Int, _ counts: ClosedRange<Int>, isOptional: Bool, into last: Int,
        around sink: Int
    ) -> Int {
        var next = last
        for _ in counts.lowerBound..<counts.upperBound {
            next = addSingle(variable, into: next, around: sink)
        }
        for _ in 1..<counts.lowerBound { next = addSingle(variable, into: next, around: nil) }
        return addSingle(variable, into: next, around: isOptional ? sink : nil)
    }

    private mutating func addSingle(_ variable: Int, into next: Int, around sink: Int?) -> Int {
        let state = addState(variable)
        states[state].take = Edge(target: next)
        states[state].proceed = sink.map { Edge(target: $0) }
        return state
    }

    private mutating func addState(_ variable: Int) -> Int {
        states.append(State(variable: variable))
        return states.count - 1
    }

    private mutating func exclude(_ variable: Int, from state: Int) {
        states[state].take?.excluded |= 1 << UInt64(variable)
        states[state].proceed?.excluded |= 1 << UInt64(variable)
    }
}
