// What the kernel says of this process: memory, CPU time, open files.

import Glibc

/// Figures of the running process.
struct ProcessFigures {
    /// Resident memory, bytes.
    let residentBytes: UInt64
    /// User and system time since the start.
    let cpuSeconds: Double
    let openFiles: Int

    static func now() -> ProcessFigures {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        let seconds =
            Double(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec)
            + Double(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6
        return ProcessFigures(
            residentBytes: residentPages() * UInt64(sysconf(Int32(_SC_PAGESIZE))), cpuSeconds: seconds,
            openFiles: countOpenFiles())
    }

    /// The second field of /proc/self/statm.
    private static func residentPages() -> UInt64 {
        let descriptor = open("/proc/self/statm", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return 0 }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 128)
        let count = read(descriptor, &bytes, bytes.count)
        let fields = String(decoding: bytes[0..<max(0, count)], as: UTF8.self).split(separator: " ")
        return fields.count > 1 ? UInt64(fields[1]) ?? 0 : 0
    }

    private static func countOpenFiles() -> Int {
        guard let directory = opendir("/proc/self/fd") else { return 0 }
        defer { closedir(directory) }
        var count = 0
        while readdir(directory) != nil { count += 1 }
        // Without ".", ".." and the directory's own descriptor.
        return max(0, count - 3)
    }
}
