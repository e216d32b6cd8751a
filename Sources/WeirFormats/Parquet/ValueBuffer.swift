// Memory of plain values that grows without initialisation and is used again from page to page.

#if canImport(Glibc)
import Glibc
#endif

/// A growable run of values without destructors.
final class ValueBuffer<Value: BitwiseCopyable> {
    private(set) var base: UnsafeMutablePointer<Value>
    private(set) var count = 0
    private var capacity = 0
    /// Memory beyond this many bytes is given back when the buffer is emptied.
    private static var keptBytesMax: Int { 2 << 20 }

    init() { base = Self.allocate(nil, 0) }

    deinit { free(base) }

    /// Adds `more` values, which the caller writes at the returned place.
    func extend(_ more: Int) -> UnsafeMutablePointer<Value> {
        if count + more > capacity {
            capacity = max(count + more, capacity * 2, 16)
            base = Self.allocate(base, capacity)
        }
        defer { count += more }
        return base + count
    }

    func append(_ value: Value) { extend(1).initialize(to: value) }

    /// Forgets all values behind the first `kept`.
    func truncate(to kept: Int) {
        precondition(kept <= count, "truncation cannot add values")
        count = kept
    }

    func removeAll() {
        count = 0
        guard capacity * MemoryLayout<Value>.stride > Self.keptBytesMax else { return }
        capacity = 0
        base = Self.allocate(base, 0)
    }

    static func allocate(
        _ old: UnsafeMutablePointer<Value>?, _ capacity: Int
    ) -> UnsafeMutablePointer<Value> {
        let size = max(capacity * MemoryLayout<Value>.stride, 16)
        guard let memory = realloc(old, size) else { fatalError("out of memory") }
        return memory.assumingMemoryBound(to: Value.self)
    }
}
