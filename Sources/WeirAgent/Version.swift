// The product's version, in one place.

/// weir's version.
public let version = "0.1.0"
