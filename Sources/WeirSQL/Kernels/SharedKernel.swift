// Parts that occur more than once among expressions that are evaluated together: computed once a batch.
//
// Only parts are shared that cannot fail. All rows of such a part have the same value wherever it stands,
// in a CASE branch that few rows take as well as outside of it; one that can fail would have to be counted
// anew for the rows of each place.

import WeirCore

/// What the shared parts of one evaluation came to.
final class SharedResults {
    fileprivate var columns: [Column?] = []

    /// Forgets the results, before or after an evaluation.
    func clear() { for index in columns.indices { columns[index] = nil } }
}

/// A part that stands in several places.
final class SharedKernel: Kernel {
    private let inner: Kernel
    private let place: Int

    fileprivate init(_ inner: Kernel, place: Int) {
        self.inner = inner
        self.place = place
        super.init(type: inner.type, canFail: false)
    }

    override func evaluate(_ input: KernelInput) -> Column {
        guard let results = input.shared else { return inner.evaluate(input) }
        if let known = results.columns[place] { return known }
        let column = inner.evaluate(input)
        results.columns[place] = column
        return column
    }
}

/// The kernels of parts that occur more than once among some expressions.
final class SharedParts {
    /// Where the kernels keep their results.
    let results = SharedResults()
    private let repeated: Set<BoundExpression>
    private var kernels: [BoundExpression: Kernel] = [:]

    /// nil when nothing occurs twice.
    init?(_ expressions: [BoundExpression]) {
        var seen: Set<BoundExpression> = []
        var repeated: Set<BoundExpression> = []
        for expression in expressions { Self.collect(expression, &seen, &repeated) }
        if repeated.isEmpty { return nil }
        self.repeated = repeated
    }

    private static func collect(
        _ expression: BoundExpression, _ seen: inout Set<BoundExpression>,
        _ repeated: inout Set<BoundExpression>
    ) {
        if !expression.isComputed { return }
        // What is in a repeated part is repeated with it.
        if !seen.insert(expression).inserted {
            repeated.insert(expression)
            return
        }
        for child in expression.children { collect(child, &seen, &repeated) }
    }

    /// The kernel of `expression`, which `compile` makes if there is none; shared if it can be.
    func kernel(
        _ expression: BoundExpression, _ compile: () throws(Failure) -> Kernel
    ) throws(Failure) -> Kernel {
        guard repeated.contains(expression) else { return try compile() }
        if let known = kernels[expression] { return known }
        var kernel = try compile()
        if !kernel.canFail, kernel.constant == nil {
            kernel = SharedKernel(kernel, place: results.columns.count)
            results.columns.append(nil)
            kernels[expression] = kernel
        }
        return kernel
    }
}

extension BoundExpression {
    /// Whether there is anything to compute.
    fileprivate var isComputed: Bool {
        switch self {
        case .column, .literal: false
        case .call, .cast, .conditional, .inList: true
        }
    }
}

/// What a condition and the expressions over the rows that it lets through both compute over texts or
/// other values of variable size: computed before the condition, once, and handed on as columns.
public struct SharedWork {
    /// Columns of the input that are still read.
    public let columns: [Int]
    /// What to compute; follows the columns.
    public let computed: [BoundExpression]
    /// The condition over columns and what was computed.
    public let predicate: BoundExpression
    /// The expressions over the same.
    public let expressions: [BoundExpression]

    /// nil when they have nothing in common that would be worth it.
    public init?(_ predicate: BoundExpression, _ expressions: [BoundExpression]) {
        var inPredicate: Set<BoundExpression> = []
        Self.collect(predicate, into: &inPredicate)
        if inPredicate.isEmpty { return nil }
        // Columns that stand for what is computed have numbers below 0 until it is known which others
        // there are.
        var computed: [BoundExpression] = []
        let replaced = expressions.map { expression in
            expression.replacing { part in
                guard inPredicate.contains(part) else { return nil }
                if !computed.contains(part) { computed.append(part) }
                let place = computed.firstIndex(of: part) ?? 0
                return .column(index: -1 - place, type: part.type)
            }
        }
        if computed.isEmpty { return nil }
        let condition = predicate.replacing { part in
            computed.firstIndex(of: part).map { .column(index: -1 - $0, type: part.type) }
        }
        let columns = replaced.reduce(into: condition.columns) { $0.formUnion($1.columns) }
            .filter { $0 >= 0 }.sorted()
        let renumbered = { (index: Int) in
            index < 0 ? columns.count - 1 - index : columns.firstIndex(of: index) ?? 0
        }
        self.columns = columns
        self.computed = computed
        self.predicate = condition.renumbered(renumbered)
        self.expressions = replaced.map { $0.renumbered(renumbered) }
    }

    private static func collect(_ part: BoundExpression, into found: inout Set<BoundExpression>) {
        if part.isComputed, part.touchesVariableSizes, part.cannotFail { found.insert(part) }
        for child in part.children { collect(child, into: &found) }
    }
}

extension BoundExpression {
    /// Whether texts, arrays or rows are computed with, which costs more than to copy the result.
    fileprivate var touchesVariableSizes: Bool {
        isComputed
            && ([self] + children).contains { part in
                switch part.type.physical {
                case .string, .array, .row: true
                case .bool, .int64, .double, .int128: false
                }
            } || children.contains(where: \.touchesVariableSizes)
    }

    fileprivate var cannotFail: Bool {
        guard let kernel = try? ExpressionCompiler().compile(self) else { return false }
        return !kernel.canFail && kernel.constant == nil
    }
}
