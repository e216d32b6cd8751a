// The ledger: durable counters of what became of every event (DESIGN, promise P3).
//
// They are part of the commit, so that after kill -9 they say exactly what the committed state
// says. A counter is a name and labels, as in metrics; its dense number makes counting one array
// addition.

import WeirCore

/// Named durable counters. Owned by the loop's thread.
public final class Ledger {
    /// A registered counter.
    public struct CounterID: Hashable, Sendable {
        let index: Int
    }

    /// A label of a counter, such as `source="sensors"`.
    public struct Label: Hashable, Sendable {
        /// As Prometheus takes it.
        public let name: String
        /// Any text.
        public let value: String

        public init(_ name: String, _ value: String) {
            self.name = name
            self.value = value
        }
    }

    /// A counter and its value.
    public struct Entry: Hashable, Sendable {
        /// The counter's.
        public let name: String
        /// In the order in which they were registered.
        public let labels: [Label]
        /// What was counted, committed or not.
        public let value: UInt64
    }

    private let scope: StateScope
    private var keys: [[UInt8]] = []
    private var names: [(name: String, labels: [Label])] = []
    private var indices: [[UInt8]: Int] = [:]
    private var values: [UInt64] = []
    /// What was last put into a commit.
    private var flushed: [UInt64] = []
    /// The values when they were last settled.
    private var settled: [UInt64] = []

    /// Takes back the counters that were committed, registered again or not.
    public init(_ database: Database) throws(Failure) {
        scope = database.metaScope("ledger")
        for (key, value) in try scope.pairs() {
            let (name, labels) = try key.withBytes { (key) throws(Failure) in
                try reading("the ledger", in: database.directory, key) {
                    (fields) throws(Malformed) in
                    let name = try fields.getString()
                    var labels: [Label] = []
                    while fields.remaining > 0 {
                        labels.append(Label(try fields.getString(), try fields.getString()))
                    }
                    return (name, labels)
                }
            }
            let count = try value.withBytes { (value) throws(Failure) in
                try reading("the ledger", in: database.directory, value) {
                    (fields) throws(Malformed) in
                    try fields.get(UInt64.self)
                }
            }
            add(key: key, name: name, labels: labels, value: count)
        }
    }

    /// The counter of this name and these labels, in this order; it goes on from its committed
    /// value.
    public func register(_ name: String, _ labels: [Label] = []) -> CounterID {
        var key = ByteWriter()
        key.put(name)
        for label in labels {
            key.put(label.name)
            key.put(label.value)
        }
        if let index = indices[key.bytes] { return CounterID(index: index) }
        add(key: key.bytes, name: name, labels: labels, value: 0)
        return CounterID(index: values.count - 1)
    }

    /// Counts `amount` more.
    public func add(_ counter: CounterID, _ amount: UInt64 = 1) { values[counter.index] += amount }

    /// What was counted, committed or not.
    public func value(_ counter: CounterID) -> UInt64 { values[counter.index] }

    /// Says that all counters belong together now: the identities between them hold. Called after a
    /// commit; never while a query has taken rows in and not accounted for them.
    public func settle() { settled = values }

    /// What was counted when the counters were last settled: what to show to others.
    public func settledValue(_ counter: CounterID) -> UInt64 { settled[counter.index] }

    /// All counters' values when they were last settled, by their dense numbers.
    public var settledValues: [UInt64] { settled }

    /// How a counter is called.
    public func name(of counter: CounterID) -> (name: String, labels: [Label]) { names[counter.index] }

    /// Puts the counters that changed since the last call into `commit`.
    public func flush(into commit: Commit) {
        let writer = commit.writer(for: scope)
        for index in values.indices where values[index] != flushed[index] {
            withUnsafeBytes(of: values[index].littleEndian) { writer.put(keys[index], $0) }
            flushed[index] = values[index]
        }
    }

    /// All counters, also those that nobody registered in this run, by name and labels.
    public func snapshot() -> [Entry] {
        zip(names, values)
            .map { Entry(name: $0.name, labels: $0.labels, value: $1) }
            .sorted { ($0.name, $0.sortKey) < ($1.name, $1.sortKey) }
    }

    private func add(key: [UInt8], name: String, labels: [Label], value: UInt64) {
        indices[key] = values.count
        keys.append(key)
        names.append((name, labels))
        values.append(value)
        flushed.append(value)
        settled.append(value)
    }
}

extension Ledger.Entry {
    fileprivate var sortKey: String {
        labels.map { "\($0.name)=\($0.value)" }.joined(separator: ",")
    }
}
