// OVER: binds the calls of a SELECT list and of QUALIFY and puts the operators below the projection.
//
// A call becomes a column of a number that no input has; when the list is bound, each window's calls
// become one operator, whose results then are columns of the plan. Beside GROUP BY what the calls read is
// bound as everything there is, and moved to the groups' columns with the list. ROW_NUMBER() partitioned by
// window_start and window_end is a ranking of each window's rows; a condition on its number is built
// into it where the plan is made (PlanBuilding).

import WeirCore

/// The OVER calls of one SELECT list.
struct OverCalls {
    /// The windows that WINDOW names.
    let named: [String: OverSyntax]
    private(set) var relation: Relation
    /// The event-time column of the input; beside GROUP BY that of the window.
    private(set) var time: Int?
    /// How that column is written, where it has a name.
    let timeName: String?
    /// The column that the rows' windows were formed over, if it is still there.
    let formerTime: Int?
    /// See `QuerySettings.stateTTLMilliseconds`.
    let stateTTL: Int64?
    private(set) var stages: [Stage] = []
    private var count = 0

    /// An operator and the placeholders of its results.
    struct Stage {
        enum Kind {
            case over(partition: [BoundExpression], frame: OverFrame, calls: [OverCall])
            case rank(partition: [BoundExpression], order: [OrderKey], isLatestFirst: Bool)
        }

        var kind: Kind
        var placeholders: [Int]
        /// What the calls are called, where it is not what they compute; nil otherwise.
        var names: [String?]
    }

    /// Placeholder columns start here and go down.
    static let firstPlaceholder = -1_000_000

    init(
        _ windows: [NamedOverSyntax], over relation: Relation, time: Int?, timeName: String?,
        formerTime: Int? = nil, stateTTL: Int64?
    ) {
        named = Dictionary(windows.map { ($0.name.name, $0.over) }) { first, _ in first }
        self.relation = relation
        self.time = time
        self.timeName = timeName
        self.formerTime = formerTime
        self.stateTTL = stateTTL
    }

    /// Which column of the rows' window `expression` is; nil if it is none.
    func windowColumn(_ expression: BoundExpression) -> WindowColumn? {
        guard let column = expression.plainColumn else { return nil }
        return WindowColumn(rawValue: column)
            ?? relation.columns.first { $0.index == column }?.windowColumn
    }

    /// Whether rows in the order of `column` are in that of event time: the time of rows in windows is
    /// the window's end less 1 ms.
    func isTime(_ column: Int) -> Bool {
        guard let time else { return false }
        return column == time || windowColumn(.column(index: column, type: .timestamp)) == .end
    }

    /// Whether `expression` reads a result of OVER.
    static func isRead(by expression: BoundExpression) -> Bool {
        expression.columns.contains { $0 <= firstPlaceholder }
    }

    /// The placeholder of `call` over a window; `name` is what it is called if that is not what it computes.
    mutating func add(
        _ call: OverCall, partition: [BoundExpression], frame: OverFrame, called name: String? = nil
    ) -> BoundExpression {
        let placeholder = takePlaceholder()
        let column = BoundExpression.column(index: placeholder, type: call.type)
        for index in stages.indices {
            guard case .over(partition, frame, let calls) = stages[index].kind else { continue }
            if let known = calls.firstIndex(of: call) {
                if stages[index].names[known] != name { stages[index].names[known] = nil }
                return .column(index: stages[index].placeholders[known], type: call.type)
            }
            stages[index].kind = .over(partition: partition, frame: frame, calls: calls + [call])
            stages[index].placeholders.append(placeholder)
            stages[index].names.append(name)
            return column
        }
        stages.append(
            Stage(
                kind: .over(partition: partition, frame: frame, calls: [call]),
                placeholders: [placeholder], names: [name]))
        return column
    }

    /// The placeholder of a ranking's number.
    mutating func addRanking(
        partition: [BoundExpression], order: [OrderKey], isLatestFirst: Bool
    ) -> BoundExpression {
        let placeholder = takePlaceholder()
        stages.append(
            Stage(
                kind: .rank(partition: partition, order: order, isLatestFirst: isLatestFirst),
                placeholders: [placeholder], names: [nil]))
        return .column(index: placeholder, type: .bigint)
    }

    private mutating func takePlaceholder() -> Int {
        count += 1
        return Self.firstPlaceholder - count
    }

    /// The calls over `groups`, to whose columns `move` takes what they read.
    func moved(
        over groups: Relation, _ move: (BoundExpression) -> BoundExpression
    ) -> OverCalls {
        var result = self
        result.relation = groups
        result.time = time.flatMap { move(.column(index: $0, type: .timestamp)).plainColumn }
        for (index, stage) in stages.enumerated() {
            switch stage.kind {
            case .over(let partition, let frame, let calls):
                result.stages[index].kind = .over(
                    partition: partition.map(move), frame: frame,
                    calls: calls.map { $0.mapping(move) })
            case .rank(let partition, let order, let isLatestFirst):
                result.stages[index].kind = .rank(
                    partition: partition.map(move), order: order.map { $0.mapping(move) },
                    isLatestFirst: isLatestFirst)
            }
        }
        return result
    }

    /// The relation with the operators in its plan, and where the placeholders' columns are.
    func applied(time: Int) -> (relation: Relation, place: [Int: Int]) {
        var result = relation
        var place: [Int: Int] = [:]
        for stage in stages {
            let width = result.plan.schema.count
            let node: OrderedStage
            let fields: [Field]
            switch stage.kind {
            case .over(let partition, let frame, let calls):
                node = .over(
                    OverSpec(
                        time: time, partition: partition, frame: frame, calls: calls,
                        stateTTL: stateTTL))
                let names = result.plan.schema.fields.map(\.name)
                fields = zip(calls, stage.names).map { call, name in
                    Field(name ?? call.text { PlanText.name(names, $0) }, call.type)
                }
            case .rank(let partition, let order, let isLatestFirst):
                node = .rank(
                    RankSpec(
                        time: time, partition: partition, order: order,
                        isLatestFirst: isLatestFirst))
                fields = [Field("ROW_NUMBER()", .bigint)]
            }
            for (offset, placeholder) in stage.placeholders.enumerated() {
                place[placeholder] = width + offset
            }
            result.plan = .ordered(
                node, inputs: [result.plan], schema: Schema(result.plan.schema.fields + fields))
        }
        return (result, place)
    }
}

extension Relation {
    /// The plan's column that puts the rows in order of event time, taken up from below if no name is
    /// left for it; nil if there is none. No window may be pending.
    mutating func exposeOrderTime() -> Int? {
        if let visible = timeAttribute { return visible.index }
        if let end = columns.first(where: { $0.windowColumn == .end }) {
            return exposeWindowTime(of: end.index)
        }
        guard let exposed = plan.exposing(.ofRows) else { return nil }
        plan = exposed.plan
        return exposed.column
    }

    /// `output` of the rows for which `condition` is true, with the calls' operators below both.
    func projecting(
        _ output: [OutputColumn], over calls: OverCalls?, keeping condition: BoundExpression?
    ) -> Relation {
        guard let calls, !calls.stages.isEmpty, let time = calls.time else {
            return projecting(output)
        }
        var (relation, place) = calls.applied(time: time)
        if let condition {
            relation.plan = relation.plan.filtered(by: condition.renumbered { place[$0] ?? $0 })
        }
        return relation.projecting(
            output.map { column in
                OutputColumn(
                    name: column.name,
                    expression: column.expression.renumbered { place[$0] ?? $0 },
                    isTimeAttribute: column.isTimeAttribute, windowColumn: column.windowColumn)
            })
    }
}

// MARK: Binding a call

extension ExpressionBinder {
    /// `name(…) OVER (…)`.
    mutating func bindOver(
        _ call: CallSyntax, _ over: OverSyntax, _ name: String
    ) throws(Diagnostic) -> BoundExpression {
        guard let calls = overs, enclosingAggregate == nil else { throw misplaced(over, name) }
        var window = over
        if let reference = over.name {
            guard let definition = calls.named[reference.name] else {
                let near = nearestSpelling(of: reference.name, among: calls.named.keys.sorted())
                throw Diagnostic(
                    reference.position,
                    "no window is called \(reference.name)"
                        + (near.map { "; did you mean \($0)?" }
                            ?? "; the WINDOW clause behind FROM defines windows"))
            }
            window = definition
        }
        if call.filter != nil {
            throw Diagnostic(
                over.position, "FILTER does not go with OVER; write \(name)(CASE WHEN … THEN … END)")
        }
        // Calls inside of the arguments have no place.
        overs = nil
        pendingOvers = calls
        defer {
            overs = pendingOvers
            pendingOvers = nil
        }
        let partition = try bindPartition(window)
        switch name {
        case "ROW_NUMBER": return try bindRowNumber(call, window, partition)
        case "LAG": return try bindLag(call, window, partition)
        case "RANK", "DENSE_RANK": return try bindRank(call, window, partition, name)
        default: break
        }
        if let refusal = OverRefusals.byName[name] {
            throw Diagnostic(call.name.position, "\(name): \(refusal)")
        }
        guard let function = NamedFunction.aggregates[name] else {
            throw Diagnostic(
                call.name.position,
                "\(name) is no function for OVER; there are the aggregates, ROW_NUMBER, RANK, DENSE_RANK and LAG")
        }
        try checkTimeOrder(window, name)
        let frame = try bindFrame(window)
        // Beside GROUP BY the arguments can have aggregates, those of the groups.
        if grouping == nil { enclosingAggregate = name }
        defer { enclosingAggregate = nil }
        let aggregate = try boundAggregate(call, function, name)
        return pendingOvers?.add(.aggregate(aggregate), partition: partition, frame: frame)
            ?? .literal(.null, type: aggregate.type)
    }

    private func misplaced(_ over: OverSyntax, _ name: String) -> Diagnostic {
        if enclosingAggregate != nil || pendingOvers != nil {
            return Diagnostic(
                over.position, "\(name) OVER stands inside another call; use a subquery")
        }
        return Diagnostic(
            over.position,
            "\(name) OVER cannot stand in \(clause.rawValue); compute it in a subquery and name it there")
    }

    private mutating func bindPartition(_ window: OverSyntax) throws(Diagnostic) -> [BoundExpression] {
        let keys = try bindAll(window.partitionBy)
        for (key, written) in zip(keys, window.partitionBy) where !key.type.isScalar {
            throw Diagnostic(written.start, "\(key.type) cannot be partitioned by")
        }
        return keys.filter { !$0.columns.isEmpty }
    }

    // MARK: ROW_NUMBER

    private mutating func bindRowNumber(
        _ call: CallSyntax, _ window: OverSyntax, _ partition: [BoundExpression]
    ) throws(Diagnostic) -> BoundExpression {
        if !call.arguments.isEmpty || call.isStar {
            throw Diagnostic(call.name.position, "ROW_NUMBER() takes no arguments")
        }
        if let frame = window.frame { throw frameless("ROW_NUMBER", frame, window) }
        guard let calls = pendingOvers, !window.orderBy.isEmpty else {
            throw Diagnostic(window.position, "ROW_NUMBER() needs an ORDER BY inside OVER")
        }
        var order: [OrderKey] = []
        for item in window.orderBy { order.append(try bindOrderKey(item)) }
        let ofWindow = partition.compactMap(calls.windowColumn)
        let isInWindow = ofWindow.contains(.start) && ofWindow.contains(.end)
        if isInWindow, calls.time != nil {
            let key = order[0].expression.plainColumn
            let isTime = key != nil && (key == calls.time || key == calls.formerTime)
            return pendingOvers?.addRanking(
                partition: partition, order: order,
                isLatestFirst: order.count == 1 && isTime && order[0].isDescending)
                ?? .literal(.null, type: .bigint)
        }
        let isByTime = order.count == 1 && order[0].expression.plainColumn == calls.time
        guard isByTime, calls.time != nil, !order[0].isDescending else {
            throw Diagnostic(
                window.position,
                isByTime
                    ? "the last row by time can always be followed by another, so the result would be "
                        + "taken back again and again; rank the rows of a window: PARTITION BY window_start, "
                        + "window_end, …"
                    : "without a window a ranking changes with every row; put window_start and window_end "
                        + "of TABLE(TUMBLE(…)) into PARTITION BY, or ORDER BY the event-time column rising")
        }
        return pendingOvers?.add(.rowNumber, partition: partition, frame: .range(preceding: nil))
            ?? .literal(.null, type: .bigint)
    }

    /// A key of ORDER BY.
    mutating func bindOrderKey(_ item: OrderItemSyntax) throws(Diagnostic) -> OrderKey {
        let bound = try bind(item.expression)
        guard bound.type.isScalar, bound.type != .null else {
            throw Diagnostic(item.expression.start, "\(bound.type) has no order")
        }
        return OrderKey(
            bound, isDescending: item.isDescending, areNullsFirst: item.nullsFirst)
    }

    // MARK: LAG

    private mutating func bindLag(
        _ call: CallSyntax, _ window: OverSyntax, _ partition: [BoundExpression]
    ) throws(Diagnostic) -> BoundExpression {
        guard (1...3).contains(call.arguments.count), !call.isDistinct else {
            throw Diagnostic(call.name.position, "it is written LAG(value [, offset [, otherwise]])")
        }
        try checkTimeOrder(window, "LAG")
        if let frame = window.frame { throw frameless("LAG", frame, window) }
        var value = try bind(call.arguments[0])
        var offset: Int64 = 1
        if call.arguments.count > 1 {
            guard case .literal(.integer(let number), _) = try bind(call.arguments[1]),
                0...OverCalls.rowsPrecedingMax ~= number
            else {
                throw Diagnostic(
                    call.arguments[1].start,
                    "LAG's offset is a number from 0 to \(OverCalls.rowsPrecedingMax)")
            }
            offset = number
        }
        var otherwise = BoundExpression.literal(.null, type: value.type)
        if call.arguments.count > 2 {
            let written = call.arguments[2]
            let both = try apply(
                .coalesce, [value, try bind(written)], "LAG(value, offset, otherwise)",
                at: written.position)
            value = try convert(value, to: both.type, at: call.arguments[0].position)
            otherwise = try convert(try bind(written), to: both.type, at: written.position)
        }
        guard value.type != .null else {
            throw Diagnostic(call.arguments[0].start, "NULL has no type here; write CAST(NULL AS …)")
        }
        return pendingOvers?.add(
            .lag(value, offset: offset, otherwise: otherwise), partition: partition,
            frame: .range(preceding: nil)) ?? .literal(.null, type: value.type)
    }
}
