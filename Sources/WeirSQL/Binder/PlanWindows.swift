// What the configuration says about windows, put into a plan: the wall clock that days are days of, and
// how long windows take corrections. The text of a query says neither, so this comes when the plan is
// whole.

import WeirCore

extension LogicalPlan {
    /// The plan with every window replaced; `change` gets the window and the columns it is formed over.
    func mappingWindows(_ change: (WindowSpec, Schema) -> WindowSpec) -> LogicalPlan {
        switch self {
        case .scan: return self
        case .filter(let input, let predicate):
            return .filter(input.mappingWindows(change), predicate: predicate)
        case .project(let input, let expressions, let schema):
            return .project(
                input.mappingWindows(change), expressions: expressions, schema: schema)
        case .unnest(let input, let spec, let schema):
            return .unnest(input.mappingWindows(change), spec, schema: schema)
        case .lookup(let input, let spec, let schema):
            return .lookup(input.mappingWindows(change), spec, schema: schema)
        case .windowAssign(let input, let window, let schema):
            return .windowAssign(
                input.mappingWindows(change), window: change(window, input.schema), schema: schema)
        case .windowAggregate(let input, let window, let keys, let aggregates, let schema):
            return .windowAggregate(
                input.mappingWindows(change), window: change(window, input.schema), keys: keys,
                aggregates: aggregates, schema: schema)
        case .union(let inputs, let schema):
            return .union(inputs.map { $0.mappingWindows(change) }, schema: schema)
        case .ordered(let stage, let inputs, let schema):
            var stage = stage
            if case .sessions(let window) = stage {
                stage = .sessions(change(window, inputs[0].schema))
            }
            return .ordered(stage, inputs: inputs.map { $0.mappingWindows(change) }, schema: schema)
        }
    }

    /// Windows over TIMESTAMP_LTZ follow the wall clock of `zone`, an IANA name.
    func inTimeZone(_ zone: String) -> LogicalPlan {
        if zone == "UTC" { return self }
        return mappingWindows { window, schema in
            var window = window
            if window.timeType(over: schema) == .timestampLTZ { window.zone = zone }
            return window
        }
    }
}
