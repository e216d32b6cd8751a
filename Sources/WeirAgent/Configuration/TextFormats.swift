// The kinds of text that fields hold, each with what is wrong with a text that is none.

import WeirCore
import WeirSQL

extension TextFormat {
    /// Any text with something in it.
    static let any = TextFormat("string") { text in
        if text.isEmpty { return Complaint("is empty") }
        if text.utf8.count > 65_535 { return Complaint("is longer than 65,535 bytes") }
        return text.utf8.contains(0) ? Complaint("contains a NUL character") : nil
    }

    /// A file or a folder.
    static let path = TextFormat("path", complaint: any.complaint)

    /// SQL, with nothing replaced in it.
    static let sql = TextFormat("SQL", hasReferences: false) { text in
        text.allSatisfy(\.isWhitespace) ? Complaint("is empty") : nil
    }

    /// What names a source, a view, a query, a sink or a column.
    static let name = TextFormat("name") { text in
        let advice = "must be a name of letters, digits and \"_\" that begins with a letter"
        guard let first = text.utf8.first, isIdentifierByte(first), first != UInt8(ascii: "_"),
            !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first),
            text.utf8.allSatisfy(isIdentifierByte)
        else { return Complaint("\(advice), not \(quoted(text))") }
        return text.utf8.count > 64 ? Complaint("is longer than 64 characters") : nil
    }

    /// A parameter of a macro: a name, perhaps with a type.
    static let parameter = TextFormat("name [type]") { text in
        guard case .failure(let problem) = Catalog.Macro.Parameter.parse(text) else { return nil }
        return Complaint("must be a name, or a name and a type: \(problem.message)")
    }

    /// What names an agent; dashes and dots are common in host names.
    static let agentName = TextFormat("agent name") { text in
        let isPlain = text.utf8.allSatisfy { byte in
            isIdentifierByte(byte) || byte == UInt8(ascii: "-") || byte == UInt8(ascii: ".")
        }
        guard let first = text.utf8.first, isIdentifierByte(first), first != UInt8(ascii: "_"),
            isPlain
        else {
            return Complaint(
                "must be of letters, digits, \"-\", \".\" and \"_\" and begin with a letter or a digit, "
                    + "not \(quoted(text))")
        }
        return text.utf8.count > 64 ? Complaint("is longer than 64 characters") : nil
    }

    /// `host:port` to listen on, or "off".
    static let listenAddress = TextFormat("host:port", parse: ListenAddress.parse)

    /// The URL of an MQTT broker.
    static let brokerURL = TextFormat("URL", parse: BrokerAddress.parse)

    /// The URL of a sink; what it must be depends on the sink's type.
    static let sinkURL = TextFormat("URL", complaint: any.complaint)

    /// The URL of an HTTP service.
    static let serviceURL = TextFormat("URL") { text in
        switch ResourceURL.parse(text, schemes: ["http", "https"]) {
        case .failure(let complaint): return complaint
        case .success(let url):
            if case .failure(let complaint) = HostPort.parse(url.authority, defaultPort: 80) {
                return complaint
            }
            return url.prefix.isEmpty
                ? nil : Complaint("must be without a path, not \(quoted(url.path))")
        }
    }

    /// The URL of a proxy.
    static let proxyURL = TextFormat("URL") { text in
        switch ResourceURL.parse(text, schemes: ["http", "https", "socks5", "socks5h"]) {
        case .failure(let complaint): return complaint
        case .success(let url):
            if case .failure(let complaint) = HostPort.parse(url.authority, defaultPort: 1080) {
                return complaint
            }
            return nil
        }
    }

    /// An MQTT topic filter.
    static let topicFilter = TextFormat("topic filter") { TopicFilter.complaint($0) }

    /// When a sink seals its segments.
    static let schedule = TextFormat("schedule") { text in
        if text == "off" { return nil }
        if case .failure(let complaint) = Schedule.parse(text, timeZone: .utc) { return complaint }
        return nil
    }

    /// A zone of the IANA database.
    static let timeZone = TextFormat("time zone") { text in
        do throws(Failure) {
            _ = try TimeZoneRules(identifier: text)
            return nil
        } catch {
            let advice = error.advice.isEmpty ? "" : "; \(error.advice)"
            return Complaint("is no known time zone: \(quoted(text)): \(error.reason)\(advice)")
        }
    }

    /// A SQL type that a source's column can have.
    static let columnType = TextFormat("SQL type", parse: ColumnType.parse)

    /// A JSON pointer; `*` stands for every element of an array.
    static let pointer = TextFormat("JSON pointer", parse: JSONPointer.parse)

    /// Where a column's value comes from.
    static let columnOrigin = TextFormat("origin", parse: ColumnOriginWord.parse)
}

/// Where weir serves its status; nil for nowhere.
enum ListenAddress {
    static func parse(_ text: String) -> Result<HostPort?, Complaint> {
        if text.isEmpty || text == "off" { return .success(nil) }
        return HostPort.parse(text, lowestPort: 0).map { $0 }
    }
}

/// A broker's machine, port and whether to speak TLS.
struct BrokerAddress: Hashable, Sendable {
    let address: HostPort
    let usesTLS: Bool

    static func parse(_ text: String) -> Result<BrokerAddress, Complaint> {
        ResourceURL.parse(text, schemes: ["mqtt", "mqtts"]).flatMap { url in
            guard url.prefix.isEmpty else {
                return .failure(Complaint("has a path; topics go into \"topics\""))
            }
            let usesTLS = url.scheme == "mqtts"
            return HostPort.parse(url.authority, defaultPort: usesTLS ? 8883 : 1883).map {
                BrokerAddress(address: $0, usesTLS: usesTLS)
            }
        }
    }
}

/// The rules of MQTT for topic filters.
enum TopicFilter {
    static func complaint(_ filter: String) -> Complaint? {
        guard !filter.isEmpty else { return Complaint("is empty") }
        guard filter.utf8.count <= 65_535, !filter.utf8.contains(0) else {
            return Complaint("is no topic filter: it is too long or contains a NUL character")
        }
        let hash = UInt8(ascii: "#")
        let plus = UInt8(ascii: "+")
        var levels = filter.utf8.split(
            separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        if levels[0].elementsEqual("$share".utf8) {
            guard levels.count >= 3, !levels[1].isEmpty, levels.count > 3 || !levels[2].isEmpty else {
                return Complaint("is incomplete: a shared subscription is \"$share/GROUP/FILTER\"")
            }
            guard !levels[1].contains(hash), !levels[1].contains(plus) else {
                return Complaint("has a wildcard in the name of its group")
            }
            levels.removeFirst(2)
        }
        for (index, level) in levels.enumerated() {
            if level.contains(hash), level.count > 1 || index != levels.count - 1 {
                return Complaint("has a \"#\" that is not the whole last level")
            }
            if level.contains(plus), level.count > 1 {
                return Complaint("has a \"+\" that is not a whole level")
            }
        }
        return nil
    }

    /// Whether some topic matches both filters, also if they are shared by groups.
    static func overlap(_ one: String, _ other: String) -> Bool {
        let (a, b) = (levels(one), levels(other))
        let isReserved = a[0].first == "$" || b[0].first == "$"
        // A wildcard at the beginning leaves out topics that begin with "$".
        if isReserved, a[0] != b[0] { return false }
        for (x, y) in zip(a, b) {
            if x == "#" || y == "#" { return true }
            if x != y, x != "+", y != "+" { return false }
        }
        if a.count == b.count { return true }
        // "a/#" matches "a" too.
        return (a.count > b.count ? a[b.count] : b[a.count]) == "#"
    }

    private static func levels(_ filter: String) -> [Substring] {
        let all = filter.split(separator: "/", omittingEmptySubsequences: false)
        return all[0] == "$share" && all.count > 2 ? Array(all.dropFirst(2)) : all
    }
}
