// How the process's memory is managed: glibc gives every thread an arena of its own by default, which
// on a small machine is memory that nobody uses.

import CLinux

/// Settings of the allocator.
enum ProcessMemory {
    /// Shares two arenas among all threads; called once, before threads are started.
    static func limitArenas() { weir_limit_arenas(2) }
}
