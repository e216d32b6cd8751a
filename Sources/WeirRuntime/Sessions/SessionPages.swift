// Which sessions changed, for the checkpoint. Slots are cut into pages of some thousand; a page's
// sessions are made durable together, as a log of deltas that is replaced by a full copy when it has
// grown to more than twice of one. So a checkpoint writes what changed, in few large values, and no copy
// is ever of more than one page.

/// The pages of a session store.
final class SessionPages {
    /// One page.
    struct Page {
        /// Slots changed since the last checkpoint (those whose `isDirty` is set).
        var dirty: [Int32] = []
        /// Slots whose sessions are gone and that durable blocks still tell of.
        var removed: [Int32] = []
        /// Blocks that are durable, and their bytes.
        var blocks: Range<UInt32> = 0..<0
        var blockBytes = 0
        /// Bytes charged for the page's live sessions.
        var chargedBytes = 0
    }

    /// Slots of a page.
    static let slotsEach = 4096

    var pages: [Page] = []
    /// Pages that may have changed; may name one twice.
    private(set) var changed: [Int] = []

    static func page(of slot: Int32) -> Int { Int(slot) / slotsEach }

    private func cover(_ page: Int) {
        while pages.count <= page { pages.append(Page()) }
    }

    func noteDirty(_ slot: Int32) {
        let page = Self.page(of: slot)
        cover(page)
        if pages[page].dirty.isEmpty { changed.append(page) }
        pages[page].dirty.append(slot)
    }

    func noteRemoved(_ slot: Int32) {
        let page = Self.page(of: slot)
        cover(page)
        if pages[page].removed.isEmpty { changed.append(page) }
        pages[page].removed.append(slot)
    }

    func charge(_ slot: Int32, _ bytes: Int) {
        let page = Self.page(of: slot)
        cover(page)
        pages[page].chargedBytes += bytes
    }

    /// A block of a page was found in durable storage.
    func noteBlock(_ page: Int, _ number: UInt32, bytes: Int) {
        cover(page)
        let first = pages[page].blocks.isEmpty ? number : pages[page].blocks.lowerBound
        pages[page].blocks = first..<number + 1
        pages[page].blockBytes += bytes
    }

    /// The pages that may have changed since the last call, each once, in order.
    func takeChanged() -> [Int] {
        defer { changed.removeAll(keepingCapacity: true) }
        return Set(changed).sorted()
    }
}
