// Bounds of MATCH_RECOGNIZE: how large a pattern is, and how much of a stream its unfinished matches may
// hold. Without the latter a pattern that never ends would take all memory (docs/patterns.md).

/// The limits of pattern matching.
public enum PatternLimits {
    /// Variables of a pattern.
    static let variablesMax = 64
    /// The numbers in `{n, m}`.
    static let repetitionsMax = 1_000
    /// States of a pattern: variables with their bounded repetitions written out.
    static let statesMax = 4_000
    /// FIRST, LAST and column references, and aggregates, of one MATCH_RECOGNIZE.
    static let valuesMax = 1_000
    /// Partial matches of one key; beyond it those that started first are dropped.
    public static let partialMatchesPerKeyMax = 10_000
    /// Partial matches of all keys of a query; beyond it the key at hand drops those that started first.
    public static let partialMatchesMax = 1_000_000
    /// Rows of one partial match; a longer one is dropped.
    public static let rowsPerMatchMax: Int64 = 1_000_000
}
