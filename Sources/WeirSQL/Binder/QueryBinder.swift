// The way from SQL text to plan: parse, bind FROM and the views it reaches, bind the clauses, prune.
//
// Views are bound on their own and put in where they are named, so an error in a view is reported once,
// at the view, by `viewErrors`; a query that reads the view only says that.

import WeirCore

/// Everything that is wrong with one text, in order of place; never empty.
public struct DiagnosticList: Error, Hashable, Sendable {
    /// Each once, in the order of their places.
    public let diagnostics: [Diagnostic]

    init(_ diagnostics: [Diagnostic]) {
        precondition(!diagnostics.isEmpty, "a failure has a reason")
        var seen: Set<Diagnostic> = []
        self.diagnostics = diagnostics.filter { seen.insert($0).inserted }.sorted {
            $0.position < $1.position
        }
    }
}

/// What is wrong with one view.
public struct ViewErrors: Hashable, Sendable {
    /// The view's name.
    public let view: String
    /// Places are in the view's own text.
    public let diagnostics: [Diagnostic]
}

/// Binds queries against the sources and views of one configuration.
public struct QueryBinder: Sendable {
    private let catalog: Catalog

    public init(catalog: Catalog) { self.catalog = catalog }

    /// The plan of `sql`, or what is wrong with it; places are in `sql`, line 1 and column 1 its first byte.
    public func bind(
        _ sql: String, _ settings: QuerySettings = QuerySettings()
    ) -> Result<QueryPlan, DiagnosticList> {
        let views = ViewBindings(catalog, stateTTL: settings.stateTTLMilliseconds)
        return views.relation(of: sql).flatMap { relation in
            let plan = relation.resultPlan().pruned()
            if settings.timeZone != "UTC", let refusal = plan.zoneRefusal {
                return .failure(DiagnosticList([refusal]))
            }
            return .success(QueryPlan(root: plan.inTimeZone(settings.timeZone)))
        }
    }

    /// The views that are wrong, in the catalog's order; empty when all are right.
    ///
    /// - Parameter hasStateTTL: whether a query has a `state_ttl`. A join that only this bounds is then no
    ///   fault of the view, but of a query that reads the view without having one.
    public func viewErrors(hasStateTTL: Bool = false) -> [ViewErrors] {
        let views = ViewBindings(catalog, stateTTL: hasStateTTL ? .max / 4 : nil)
        return catalog.views.compactMap { view in
            if catalog.tables.contains(where: { $0.name == view.name }) {
                let start = TextPosition(line: 1, column: 1)
                return ViewErrors(
                    view: view.name,
                    diagnostics: [
                        Diagnostic(
                            start, "a source is called \(view.name) as well; rename one of them")
                    ])
            }
            guard case .failure(let errors) = views.relation(of: view) else { return nil }
            return ViewErrors(view: view.name, diagnostics: errors.diagnostics)
        }
    }
}

extension Relation {
    /// The plan whose columns are the visible ones, by name and in order.
    func resultPlan() -> LogicalPlan {
        let result = assigningWindow()
        return result.plan.outputNamed(
            result.columns.map(\.expression), Schema(result.columns.map { Field($0.name, $0.type) })
        )
    }
}

/// The views bound so far, for one run of the binder.
final class ViewBindings {
    private let catalog: Catalog
    private var bound: [String: Result<Relation, DiagnosticList>] = [:]
    /// The views being bound, outermost first.
    private var open: [String] = []
    /// Where the errors come from that only say that a view cannot be read.
    private var origins: [Diagnostic: Origin] = [:]

    /// An error and the view in whose text it is.
    private struct Origin {
        let view: String
        let diagnostic: Diagnostic
    }

    /// See `QuerySettings.stateTTLMilliseconds`.
    let stateTTL: Int64?

    init(_ catalog: Catalog, stateTTL: Int64?) {
        self.catalog = catalog
        self.stateTTL = stateTTL
    }

    /// The relation that a whole text gives.
    func relation(of sql: String) -> Result<Relation, DiagnosticList> {
        do {
            let query = try Parser.query(of: sql, macros: catalog.macros, sentimentWords: catalog.sentimentWords)
            let session = BindingSession(catalog, self)
            if let relation = session.bindQuery(query, [:]), session.diagnostics.isEmpty {
                return .success(relation)
            }
            return .failure(DiagnosticList(session.diagnostics))
        } catch {
            return .failure(DiagnosticList([error]))
        }
    }

    /// The relation of a view, bound once.
    func relation(of view: Catalog.View) -> Result<Relation, DiagnosticList> {
        if let known = bound[view.name] { return known }
        open.append(view.name)
        let result = relation(of: view.sql)
        open.removeLast()
        bound[view.name] = result
        return result
    }

    /// The relation of the view named at `name`.
    func relation(of view: Catalog.View, at name: Identifier) throws(Diagnostic) -> Relation {
        if open.contains(view.name) {
            let path = (open.drop { $0 != view.name } + [view.name]).joined(separator: " → ")
            throw Diagnostic(name.position, "the view \(view.name) reads itself: \(path)")
        }
        if open.count >= SQLLimits.nestingMax {
            throw Diagnostic(
                name.position, "views are nested more than \(SQLLimits.nestingMax) deep")
        }
        switch relation(of: view) {
        case .success(let relation): return relation
        case .failure(let errors):
            let first = errors.diagnostics[0]
            let origin = origins[first] ?? Origin(view: view.name, diagnostic: first)
            let place =
                "line \(origin.diagnostic.position.line), column \(origin.diagnostic.position.column)"
            let reason =
                origin.view == view.name
                ? "has an error at its \(place)"
                : "cannot be read because of the view \(origin.view), \(place)"
            let diagnostic = Diagnostic(
                name.position, "the view \(view.name) \(reason): \(origin.diagnostic.message)")
            origins[diagnostic] = origin
            throw diagnostic
        }
    }
}
