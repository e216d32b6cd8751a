// Time zones from the machine's tz database (/usr/share/zoneinfo, TZif files of RFC 9636), without
// Foundation: a table of the moments at which the offset from UTC changed, and behind its end the
// file's footer, a POSIX TZ rule that goes on for ever (TimeZonePosixRule.swift).
//
// Always true: `transitions` rises strictly and `offsets` has one entry more than it. "UTC" and its
// synonyms need no file, so a machine without tzdata runs everything that does not ask for a zone.
// Local times that occur twice mean the earlier instant, and local times that a spring-forward
// skips are moved on by the gap, as java.time (and so Flink) does it.

#if canImport(Glibc)
import Glibc
#endif

/// The offsets of one time zone, past and future.
public struct TimeZoneRules: Sendable {
    /// The IANA name: "Europe/Berlin".
    public let identifier: String
    /// Seconds since the epoch at which the offset changes.
    private let transitions: [Int64]
    /// Seconds east of UTC: before the first transition, then from each transition on.
    private let offsets: [Int32]
    /// What holds from the last transition on, where the file says so.
    private let futureRule: TimeZonePosixRule?

    /// No offset, no file.
    public static let utc = TimeZoneRules(utcNamed: "UTC")

    /// Reads the zone of this IANA name. Names that could leave the directory are refused.
    public init(identifier: String) throws(Failure) {
        try self.init(identifier: identifier, directory: "/usr/share/zoneinfo")
    }

    /// As `init(identifier:)`, from another tz database.
    public init(identifier: String, directory: String) throws(Failure) {
        guard Self.isPlausibleName(identifier) else {
            throw Failure(
                .configuration, "reading time zone", identifier,
                "this is not the name of a time zone",
                advice: "use a name of the IANA database such as Europe/Berlin, or UTC")
        }
        if ["UTC", "Etc/UTC", "Z", "Zulu", "Etc/Zulu", "Universal"].contains(identifier) {
            self.init(utcNamed: identifier)
            return
        }
        let bytes = try Self.read("\(directory)/\(identifier)", zone: identifier)
        guard let file = TimeZoneFile(bytes) else {
            throw Failure(
                .configuration, "reading time zone", identifier,
                "\(directory)/\(identifier) is not a time zone file, or it is damaged",
                advice: "install tzdata, or use UTC")
        }
        self.init(identifier, file.transitions, file.offsets, file.footer)
    }

    private init(utcNamed identifier: String) {
        self.init(identifier, [], [0], nil)
    }

    private init(
        _ identifier: String, _ transitions: [Int64], _ offsets: [Int32],
        _ futureRule: TimeZonePosixRule?
    ) {
        self.identifier = identifier
        self.transitions = transitions
        self.offsets = offsets
        self.futureRule = futureRule
    }

    /// Seconds east of UTC at an instant.
    public func offsetSeconds(atUTC milliseconds: Int64) -> Int {
        let seconds = CivilCalendar.floorDivide(milliseconds, by: 1000)
        if let futureRule, seconds >= transitions.last ?? .min {
            return futureRule.offsetSeconds(at: seconds)
        }
        // The number of transitions at or before the instant.
        var low = 0
        var high = transitions.count
        while low < high {
            let middle = (low + high) / 2
            if transitions[middle] <= seconds { low = middle + 1 } else { high = middle }
        }
        return Int(offsets[low])
    }

    /// The instant at which clocks of this zone show a local time; both in ms, the local time as if
    /// it were UTC. Of two such instants the earlier; none: the local time moved on by the gap.
    public func utcMilliseconds(ofLocal milliseconds: Int64) -> Int64 {
        let day = CivilCalendar.millisecondsPerDay
        let before = Int64(offsetSeconds(atUTC: milliseconds &- day)) * 1000
        let after = Int64(offsetSeconds(atUTC: milliseconds &+ day)) * 1000
        if before == after { return milliseconds &- before }
        let early = milliseconds &- before
        if Int64(offsetSeconds(atUTC: early)) * 1000 == before { return early }
        let late = milliseconds &- after
        return Int64(offsetSeconds(atUTC: late)) * 1000 == after ? late : early
    }

    /// Whether a name consists of the letters, digits, `_`, `-`, `+` and inner slashes of IANA
    /// names; dots are in none of them, so no name climbs out of the directory.
    private static func isPlausibleName(_ name: String) -> Bool {
        let parts = name.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        guard name.utf8.count <= 64, parts.count <= 3 else { return false }
        return parts.allSatisfy { part in
            !part.isEmpty && part.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"),
                    UInt8(ascii: "+"):
                    true
                default: false
                }
            }
        }
    }

    /// The file's bytes; zone files have a few KB, so more than a megabyte is refused.
    private static func read(_ path: String, zone: String) throws(Failure) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            let isMissing = errno == ENOENT || errno == ENOTDIR
            throw Failure(
                .configuration, "reading time zone", zone,
                isMissing ? "\(path) does not exist" : String(cString: strerror(errno)),
                advice: isMissing ? "check the name, or install tzdata" : "")
        }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16_384)
        while bytes.count <= 1 << 20 {
            let count = Glibc.read(descriptor, &chunk, chunk.count)
            guard count >= 0 else {
                throw Failure(
                    .configuration, "reading time zone", zone, String(cString: strerror(errno)))
            }
            if count == 0 { return bytes }
            bytes += chunk[0..<count]
        }
        throw Failure(.configuration, "reading time zone", zone, "\(path) is no time zone file")
    }
}
