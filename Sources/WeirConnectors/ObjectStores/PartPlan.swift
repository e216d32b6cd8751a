// How a long object is cut into the requests that carry it; the same for every store that takes objects in
// parts, and always the same for the same length, so that whoever tries again sends the same parts.

/// Which bytes of an object make which part; a pure function of the object's length.
struct PartPlan {
    static let partsMax = 10_000

    let length: Int
    let partBytes: Int

    /// Parts of `partBytes`, or as much longer (in whole MiB) as 10,000 parts need to be.
    init(length: Int, partBytes: Int) {
        let mebibyte = 1 << 20
        let needed = (length + Self.partsMax - 1) / Self.partsMax
        self.length = length
        self.partBytes =
            needed <= partBytes ? partBytes : (needed + mebibyte - 1) / mebibyte * mebibyte
    }

    var count: Int { max(1, (length + partBytes - 1) / partBytes) }

    /// The bytes of part `index` (from 0).
    func range(_ index: Int) -> Range<Int> {
        index * partBytes..<min(length, (index + 1) * partBytes)
    }
}
