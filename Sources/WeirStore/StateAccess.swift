// How operators see durable state: ordered byte keys under a scope of their own, read at start and
// when spilled state comes back, written only as part of the group commit.

import WeirCore

/// Writes that become durable together, with the commit they belong to.
public protocol StateWriter: AnyObject {
    func put(_ key: [UInt8], _ value: UnsafeRawBufferPointer)
    func delete(_ key: [UInt8])
    /// Deletes all keys in `start ..< end`; an empty `end` means to the end of the scope.
    func deleteRange(_ start: [UInt8], _ end: [UInt8])
}

/// Reads of committed state.
public protocol StateReader: AnyObject {
    func get(_ key: [UInt8]) throws(Failure) -> [UInt8]?
    /// Calls `body` for each pair in `start ..< end` in byte order until it returns false. An empty
    /// `end` means to the end of the scope. The buffers are valid during the call.
    func scan(
        _ start: [UInt8], _ end: [UInt8],
        _ body: (_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) throws(Failure) ->
            Bool
    ) throws(Failure)
    /// A cursor over `start ..< end` (see `scan`) that can be advanced step by step, for merging
    /// spilled runs. If reading fails at once the cursor is not valid and the next commit throws.
    func cursor(_ start: [UInt8], _ end: [UInt8]) -> any StateCursor
    /// Writes outside of a commit, unsynced, for spilled runs that only the next commit makes
    /// count.
    func writeAhead(_ body: (any StateWriter) -> Void) throws(Failure)
}

/// A position in ordered state.
public protocol StateCursor: AnyObject {
    var isValid: Bool { get }
    /// Valid until the next `advance`.
    var key: UnsafeRawBufferPointer { get }
    var value: UnsafeRawBufferPointer { get }
    func advance() throws(Failure)
}
