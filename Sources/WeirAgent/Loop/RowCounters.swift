// How the ledger's counters of sources and queries are called, in one place: the tasks count by them, and
// each stream of the outbox says by them what was taken in for its rows.

import WeirStore

extension Ledger {
    /// A source's counter: `received`, `decoded` or `rejected`.
    func counter(ofSource source: String, _ what: String) -> CounterID {
        register("source_rows_\(what)", [.init("source", source)])
    }

    /// A query's counter: `in`, `used`, `filtered`, `late` or `emitted`.
    func counter(ofQuery query: String, _ what: String) -> CounterID {
        register("query_rows_\(what)", [.init("query", query)])
    }

    /// The counters that tell what was taken in for a stream: those of the sources that feed it, and of its
    /// query; nil for rejected rows, which no query has seen.
    func counters(sources: [String], query: String?) -> [CounterID] {
        let ofSources = sources.flatMap { source in
            ["received", "decoded", "rejected"].map { counter(ofSource: source, $0) }
        }
        guard let query else { return ofSources }
        return ofSources
            + ["in", "used", "filtered", "late", "emitted"].map { counter(ofQuery: query, $0) }
    }
}

/// The outbox that targets append to, and the ledger that says what was taken in for their rows.
struct CountedOutbox {
    let appender: OutboxAppender
    let ledger: Ledger
}
