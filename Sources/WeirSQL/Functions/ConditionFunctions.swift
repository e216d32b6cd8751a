// Conditions that are functions of the library; CASE, COALESCE and their like have kernels of their own.

import WeirCore

/// The conditions.
let conditionFunctions: [LibraryFunction] = [
    LibraryFunction(
        "TYPEOF(value)", .conditional, [.any], .string,
        "The type's name. Flink tells lengths and NOT NULL as well (CHAR(1) NOT NULL); here texts are STRING.",
        nulls: .never
    ) { call in
        let name = call.operands[0].column.type.description
        return buildTexts([], call.input) { _, builder in
            builder.append(name)
            return .value
        }
    }
]
