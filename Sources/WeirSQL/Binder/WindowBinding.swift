// Windows as the two forms of SQL write them, checked and made WindowSpecs:
//
//   TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), size [, offset]))        GROUP BY TUMBLE(ts, size)
//   TABLE(HOP(TABLE t, DESCRIPTOR(ts), slide, size [, offset]))    GROUP BY HOP(ts, slide, size)
//
// As in Flink, the size of a hopping table function must be a multiple of its slide; the older form
// takes any two lengths, and with a slide longer than the size some times lie in no window.

import WeirCore

/// The parameters of a window, with where they are written.
private struct WindowParameters {
    struct Length {
        let milliseconds: Int64
        let position: TextPosition
    }

    let name: Identifier
    let size: Length
    /// nil for TUMBLE.
    var slide: Length?
    var offset: Length?

    /// `takesAnySlide`: whether the slide need not divide the size.
    func spec(timeColumn: Int, takesAnySlide: Bool) throws(Diagnostic) -> WindowSpec {
        let name = name.name.uppercased()
        for length in [size, slide].compactMap(\.self) where length.milliseconds <= 0 {
            throw Diagnostic(length.position, "\(name) needs an interval greater than 0")
        }
        for length in [size, slide].compactMap(\.self)
        where length.milliseconds > SQLLimits.windowMillisecondsMax {
            throw Diagnostic(
                length.position, "a window is at most 366 days long, and so is a slide")
        }
        let step = slide?.milliseconds ?? size.milliseconds
        if let slide, size.milliseconds % step != 0, !takesAnySlide {
            throw Diagnostic(
                slide.position,
                "HOP takes first the slide, then the size, and the size (\(size.milliseconds) ms) must be a multiple "
                    + "of the slide (\(step) ms)")
        }
        // The longest stretch that no border of a window cuts divides both.
        let pane = Self.greatestCommonDivisor(size.milliseconds, step)
        if let slide, size.milliseconds / pane > SQLLimits.hopOverlapMax {
            throw Diagnostic(
                slide.position,
                size.milliseconds / step > SQLLimits.hopOverlapMax
                    ? "a row would fall in more than \(SQLLimits.hopOverlapMax) windows; "
                        + "make the slide longer"
                    : "slide and size have no common part longer than \(pane) ms, of which a "
                        + "window would hold more than \(SQLLimits.hopOverlapMax); choose "
                        + "rounder lengths"
            )
        }
        let offset = CivilCalendar.floorModulo(offset?.milliseconds ?? 0, by: step)
        return WindowSpec(
            timeColumn: timeColumn, size: size.milliseconds, slide: step, offset: offset)
    }

    private static func greatestCommonDivisor(_ a: Int64, _ b: Int64) -> Int64 {
        b == 0 ? a : greatestCommonDivisor(b, a % b)
    }

    static func length(_ expression: ExpressionSyntax, _ what: String) throws(Diagnostic) -> Length
    {
        guard case .interval(let milliseconds) = expression.kind else {
            throw Diagnostic(
                expression.position, "\(what) must be a literal such as INTERVAL '1' MINUTE")
        }
        return Length(milliseconds: milliseconds, position: expression.position)
    }
}

private func refuseWindow(_ name: Identifier) -> Diagnostic {
    let upper = name.name.uppercased()
    if upper == "SESSION" || upper == "CUMULATE" {
        return Diagnostic(
            name.position, "\(upper) windows are not supported yet; there are TUMBLE and HOP")
    }
    let near = nearestSpelling(of: upper, among: ["TUMBLE", "HOP"]).map { "did you mean \($0)?" }
    return Diagnostic(
        name.position,
        "no window function is called \(name.name); \(near ?? "there are TUMBLE and HOP")")
}

// MARK: The older form

extension ExpressionBinder {
    /// The window that GROUP BY TUMBLE(ts, …) or HOP(ts, …) names, or that TUMBLE_START(ts, …) repeats.
    func groupWindow(_ call: CallSyntax, _ name: String) throws(Diagnostic) -> WindowSpec {
        let position = call.name.position
        let form = name == "HOP" ? "HOP(time, slide, size)" : "TUMBLE(time, size)"
        guard name == "TUMBLE" || name == "HOP" else {
            throw refuseWindow(Identifier(name: name, position: position))
        }
        guard call.arguments.count == (name == "HOP" ? 3 : 2) else {
            throw Diagnostic(position, "the window is written \(form)")
        }
        guard case .name(let parts) = call.arguments[0].kind else {
            throw Diagnostic(
                call.arguments[0].position, "\(name) is formed over the event-time column itself")
        }
        let column = try scope.timeColumn(parts, for: name)
        let lengths = call.arguments.dropFirst()
        var parameters = WindowParameters(
            name: call.name,
            size: try WindowParameters.length(call.arguments[call.arguments.count - 1], "the size"))
        if name == "HOP", let slide = lengths.first {
            parameters.slide = try WindowParameters.length(slide, "the slide")
        }
        return try parameters.spec(timeColumn: column.index, takesAnySlide: true)
    }
}

// MARK: Window table functions

extension WindowFunctionSyntax {
    /// The arguments of TUMBLE or HOP under their names, DATA and TIMECOL first.
    fileprivate func named() throws(Diagnostic) -> [String: Argument] {
        let upper = name.name.uppercased()
        guard upper == "TUMBLE" || upper == "HOP" else { throw refuseWindow(name) }
        let lengths = upper == "HOP" ? ["SLIDE", "SIZE"] : ["SIZE"]
        let known = ["DATA", "TIMECOL"] + lengths + ["OFFSET"]
        var found: [String: Argument] = [:]
        for (index, argument) in arguments.enumerated() {
            if let given = argument.name, !known.contains(given.name) {
                let near = nearestSpelling(of: given.name, among: known).map {
                    "did you mean \($0)?"
                }
                throw Diagnostic(
                    given.position,
                    "\(upper) has no argument \(given.name); \(near ?? "it has \(known.joined(separator: ", "))")"
                )
            }
            guard argument.name != nil || index < known.count else {
                throw Diagnostic(
                    argument.position,
                    "\(upper) takes at most \(known.count) arguments: \(form(known))")
            }
            let key = argument.name?.name ?? known[index]
            if found.updateValue(argument, forKey: key) != nil {
                throw Diagnostic(argument.position, "\(key) is given twice")
            }
        }
        for key in known.dropLast() where found[key] == nil {
            throw Diagnostic(name.position, "\(upper) lacks \(key): it is written \(form(known))")
        }
        return found
    }

    private func form(_ known: [String]) -> String {
        let lengths = known.dropFirst(2).dropLast().map { $0.lowercased() }.joined(separator: ", ")
        return "\(name.name.uppercased())(TABLE t, DESCRIPTOR(ts), \(lengths) [, offset])"
    }

    /// The table, the time column and the window; `bind` binds the table.
    func bound(
        _ bind: (TableSyntax) -> Relation?
    ) throws(Diagnostic) -> (relation: Relation, window: WindowSpec)? {
        let found = try named()
        guard let data = found["DATA"], case .table(let table, let partitionBy) = data.value else {
            throw Diagnostic(
                found["DATA"]?.position ?? name.position,
                "the first argument is a table: TABLE name")
        }
        if let key = partitionBy.first {
            throw Diagnostic(
                key.position,
                "\(name.name.uppercased()) is not partitioned; put the keys into GROUP BY")
        }
        guard let time = found["TIMECOL"], case .descriptor(let names) = time.value,
            names.count == 1
        else {
            throw Diagnostic(
                found["TIMECOL"]?.position ?? name.position,
                "the second argument is the event-time column: DESCRIPTOR(ts)")
        }
        guard let relation = bind(table) else { return nil }
        let column = try Scope(relation).timeColumn(names, for: "DESCRIPTOR")
        var lengths: [String: WindowParameters.Length] = [:]
        for key in ["SIZE", "SLIDE", "OFFSET"] {
            guard let argument = found[key] else { continue }
            guard case .expression(let expression) = argument.value else {
                throw Diagnostic(
                    argument.position, "\(key) must be a literal such as INTERVAL '1' MINUTE")
            }
            lengths[key] = try WindowParameters.length(expression, "the \(key.lowercased())")
        }
        guard let size = lengths["SIZE"] else { preconditionFailure("SIZE was checked") }
        let parameters = WindowParameters(
            name: name, size: size, slide: lengths["SLIDE"], offset: lengths["OFFSET"])
        let window = try parameters.spec(timeColumn: column.index, takesAnySlide: false)
        return (relation, window)
    }
}

extension Relation {
    /// The relation's rows in windows: three columns more, and event time is window_time.
    func inWindow(_ window: WindowSpec) -> Relation {
        var result = self
        for index in result.columns.indices {
            result.columns[index].isTimeAttribute = false
            result.columns[index].windowColumn = nil
        }
        let timeType = plan.schema[window.timeColumn].type
        result.columns += WindowColumn.allCases.map { column in
            ScopeColumn(
                table: tableName, name: column.name, index: column.rawValue,
                type: column == .time ? timeType : .timestamp, isTimeAttribute: column == .time,
                windowColumn: column)
        }
        result.window = window
        return result
    }
}
