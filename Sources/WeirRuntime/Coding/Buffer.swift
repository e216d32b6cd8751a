// Memory for the state's flat arrays: one allocation that grows by doubling, whose base pointer a
// loop takes once. Swift's Array checks bounds and uniqueness on every write, which costs more than
// the additions that it would guard here.

#if canImport(Glibc)
import Glibc
#endif

/// A growable run of plain values. New elements are uninitialised; the owner says how many there
/// are.
final class Buffer<Element: BitwiseCopyable> {
    private(set) var base: UnsafeMutablePointer<Element>
    private(set) var capacity: Int

    init(capacity: Int = 0) {
        self.capacity = max(capacity, 16)
        base = .allocate(capacity: self.capacity)
    }

    deinit { base.deallocate() }

    /// Makes room for `count` elements in all; the base pointer may move.
    @inline(__always)
    func reserve(_ count: Int) {
        if count > capacity { grow(to: max(count, capacity * 2)) }
    }

    /// Gives memory back; what was held is lost.
    func shrink() {
        base.deallocate()
        capacity = 16
        base = .allocate(capacity: capacity)
    }

    private func grow(to wanted: Int) {
        let fresh = UnsafeMutablePointer<Element>.allocate(capacity: wanted)
        memcpy(fresh, base, capacity * MemoryLayout<Element>.stride)
        base.deallocate()
        base = fresh
        capacity = wanted
    }
}
