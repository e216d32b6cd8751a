// A password, a key or a token: it is passed about like any value and cannot be printed by
// accident. Interpolation, `dump`, reflection and the debugger all show the same four dots.

/// A text that must not be seen.
public struct Secret: Sendable, Hashable {
    /// What is shown in a secret's place.
    public static let mask = "••••"

    private let text: String

    public init(_ text: String) { self.text = text }

    /// The secret itself, for the one call that hands it to a library.
    public func reveal() -> String { text }

    /// Whether there is nothing to hide.
    public var isEmpty: Bool { text.isEmpty }
}

extension Secret: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    public var description: String { Self.mask }
    public var debugDescription: String { Self.mask }
    public var customMirror: Mirror { Mirror(self, children: []) }
}
