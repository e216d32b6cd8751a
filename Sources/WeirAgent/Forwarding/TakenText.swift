// What was taken in between two seals, in words for files, logs of tables and `weir outbox show`: for each
// source and query one JSON object whose members are the ledger's counts at the seal before and at this one.
//
//     weir.source.sensors = {"received":[1000,1200],"decoded":[1000,1199],"rejected":[0,1]}
//     weir.query.minutes  = {"in":[1000,1199],"used":[990,1187],"filtered":[0,0],"late":[10,12],"emitted":[40,48]}
//
// Both ends are given, and not the difference alone, so that a reader sees by himself whether a segment
// follows another, and whether he has met it already in another file.

import WeirCore
import WeirStore

extension [TakenCount] {
    /// A key and a JSON object for each source and query, in the order of the counts.
    var metadata: [(key: String, value: String)] {
        var found: [(key: String, value: String)] = []
        for count in self {
            let key = "weir.\(count.owner).\(count.name)"
            let member = "\(jsonString(count.what)):[\(count.from),\(count.to)]"
            if let last = found.last, last.key == key {
                found[found.count - 1].value = last.value.dropLast() + "," + member + "}"
            } else {
                found.append((key, "{\(member)}"))
            }
        }
        return found
    }

    /// The same as one JSON object.
    var json: String {
        let members = metadata.map { "\(jsonString(String($0.key.dropFirst("weir.".count)))): \($0.value)" }
        return "{" + members.joined(separator: ", ") + "}"
    }

    /// The same for people, a line each: `source sensors: 200 received, 199 decoded, 1 rejected`.
    var lines: [String] {
        var lines: [String] = []
        var last = ""
        for count in self {
            let text = "\(count.to - count.from) \(count.what)"
            let owner = "\(count.owner) \(count.name)"
            if owner == last {
                lines[lines.count - 1] += ", \(text)"
            } else {
                lines.append("\(owner): \(text)")
            }
            last = owner
        }
        return lines
    }
}
