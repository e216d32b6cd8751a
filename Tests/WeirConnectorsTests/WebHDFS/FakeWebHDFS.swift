// An HDFS in this process, as far as the store uses one: a NameNode that redirects data to a "DataNode"
// (itself, under /dn), renames as Hadoop does, and does as it is told once (a fault) before it works.

import Synchronization

@testable import WeirConnectors

final class FakeWebHDFS: Sendable {
    struct Contents: Sendable {
        var files: [String: [UInt8]] = [:]
        var folders: Set<String> = ["/"]
        /// Uploads end with 201 and store nothing: a quota is used up.
        var isOverQuota = false
    }

    let contents = Mutex(Contents())
    private let faults = Mutex(StubFaults())

    func start() -> StubServer { StubServer { [self] in answer($0) } }

    func fail(
        _ reply: StubReply, takesEffect: Bool = false,
        when matches: @escaping @Sendable (StubRequest) -> Bool
    ) {
        faults.withLock {
            $0.add(StubFaults.Fault(matches: matches, reply: reply, takesEffect: takesEffect))
        }
    }

    static func exception(_ status: Int, _ name: String, _ message: String = "no") -> StubReply {
        .answer(status, #"{"RemoteException":{"exception":"\#(name)","message":"\#(message)"}}"#)
    }

    static func isOperation(_ operation: String) -> @Sendable (StubRequest) -> Bool {
        { $0.query["op"] == operation && !$0.path.hasPrefix("/dn") }
    }

    private func answer(_ request: StubRequest) -> StubReply {
        faults.withLock { faults in
            faults.answer(request) { contents.withLock { serve(request, &$0) } }
        }
    }

    private func serve(_ request: StubRequest, _ contents: inout Contents) -> StubReply {
        let isData = request.path.hasPrefix("/dn")
        let path = String(request.path.dropFirst((isData ? "/dn" : "/webhdfs/v1").utf8.count))
        let missing = Self.exception(404, "FileNotFoundException", "File does not exist: \(path)")
        switch request.query["op"] ?? "" {
        case "CREATE" where !isData, "OPEN" where !isData:
            if request.query["op"] == "OPEN", contents.files[path] == nil { return missing }
            let host = request.headers["host"] ?? ""
            let target = request.target.replacing("/webhdfs/v1", with: "/dn", maxReplacements: 1)
            return .answer(307, headers: ["Location": "http://\(host)\(target)"])
        case "CREATE":
            makeFolders(above: path, &contents)
            contents.files[path] = contents.isOverQuota ? [] : request.body
            return .answer(201)
        case "OPEN":
            guard let bytes = contents.files[path] else { return missing }
            let rest = bytes.dropFirst(request.query["offset"].flatMap { Int($0) } ?? 0)
            let length = request.query["length"].flatMap { Int($0) } ?? rest.count
            return .answer(200, body: Array(rest.prefix(length)))
        case "GETFILESTATUS":
            if let bytes = contents.files[path] {
                return .answer(200, #"{"FileStatus":\#(status("", bytes))}"#)
            }
            guard contents.folders.contains(path) else { return missing }
            return .answer(200, #"{"FileStatus":\#(status("", nil))}"#)
        case "LISTSTATUS":
            return list(path, contents) ?? missing
        case "MKDIRS":
            makeFolders(above: path + "/x", &contents)
            return .answer(200, #"{"boolean":true}"#)
        case "RENAME":
            return rename(path, request, &contents)
        case "DELETE":
            let isGone = contents.files.removeValue(forKey: path) != nil
            return .answer(200, #"{"boolean":\#(isGone)}"#)
        case "CHECKACCESS":
            return .answer(200)
        default:
            return Self.exception(400, "IllegalArgumentException")
        }
    }

    private func rename(_ path: String, _ request: StubRequest, _ contents: inout Contents) -> StubReply
    {
        let target = request.query["destination"] ?? ""
        let replaces = request.query["renameoptions"] == "OVERWRITE"
        let parent = String(target[..<(target.lastIndex(of: "/") ?? target.startIndex)])
        guard let bytes = contents.files[path], parent.isEmpty || contents.folders.contains(parent)
        else {
            return replaces
                ? Self.exception(404, "FileNotFoundException", "rename source \(path) is not found.")
                : .answer(200, #"{"boolean":false}"#)
        }
        if !replaces, contents.files[target] != nil { return .answer(200, #"{"boolean":false}"#) }
        contents.files[path] = nil
        contents.files[target] = bytes
        return replaces ? .answer(200) : .answer(200, #"{"boolean":true}"#)
    }

    private func makeFolders(above path: String, _ contents: inout Contents) {
        var folder = path
        while let slash = folder.lastIndex(of: "/"), slash > folder.startIndex {
            folder = String(folder[..<slash])
            contents.folders.insert(folder)
        }
    }

    private func status(_ name: String, _ bytes: [UInt8]?) -> String {
        #"{"pathSuffix":"\#(name)","type":"\#(bytes == nil ? "DIRECTORY" : "FILE")","#
            + #""length":\#(bytes?.count ?? 0),"modificationTime":1000}"#
    }

    private func list(_ path: String, _ contents: Contents) -> StubReply? {
        guard contents.folders.contains(path) else { return nil }
        let prefix = path == "/" ? "/" : path + "/"
        let isChild = { (name: String) in
            name.hasPrefix(prefix) && name != "/" && !name.dropFirst(prefix.count).contains("/")
        }
        let folders = contents.folders.filter(isChild).map {
            status(String($0.dropFirst(prefix.count)), nil)
        }
        let files = contents.files.filter { isChild($0.key) }.map {
            status(String($0.key.dropFirst(prefix.count)), $0.value)
        }
        return .answer(
            200, #"{"FileStatuses":{"FileStatus":[\#((folders + files).joined(separator: ","))]}}"#)
    }
}
