// A drill for real servers on bad days: many objects, each tried until it is stored, while somebody
// outside breaks things (Tests/Servers/fault_proxy.py, a failover, a killed DataNode, a stopped gateway).
// At the end every object must be there once, with exactly its bytes.
//
//   WEIR_TEST_DRILL=200   objects to store; with WEIR_TEST_S3 or WEIR_TEST_WEBHDFS as for the other tests

import Glibc
import Testing
import WeirCore

@testable import WeirConnectors

private func environment(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }

private let objectCount = environment("WEIR_TEST_DRILL").flatMap { Int($0) } ?? 0

@Suite(.serialized, .enabled(if: objectCount > 0)) struct ObjectStoresDrillTests {
    private let folder = "drill-\(SystemClock().nowMilliseconds())"

    @Test(.enabled(if: environment("WEIR_TEST_S3") != nil)) func s3() throws {
        var options = S3Options(bucket: environment("WEIR_TEST_S3_BUCKET") ?? "weir")
        options.endpoint = environment("WEIR_TEST_S3")
        options.credentials = .environment
        options.multipartAboveBytes = 6 << 20
        options.partBytes = 5 << 20
        options.http.stallTimeoutSeconds = 3
        try drill(S3Store(options, ObjectStoreContext()))
    }

    @Test(.enabled(if: environment("WEIR_TEST_WEBHDFS") != nil)) func hdfs() throws {
        var options = try WebHDFSOptions(url: environment("WEIR_TEST_WEBHDFS") ?? "")
        options.authentication = .userName(environment("WEIR_TEST_WEBHDFS_USER") ?? "root")
        options.http.stallTimeoutSeconds = 3
        try drill(WebHDFSStore(options, ObjectStoreContext()))
    }

    private func bytes(_ index: Int) -> [UInt8] {
        let length = index % 25 == 24 ? 6_500_000 : index * 7919 % 100_000
        return (0..<length).map { UInt8(truncatingIfNeeded: ($0 + index) &* 40_503 >> 6) }
    }

    private func key(_ index: Int) -> ObjectKey {
        ObjectKey(path: "\(folder)/hour=\(index / 50)/part a-\(index).bin")
    }

    private func drill(_ store: any ObjectStore) throws {
        var failures: [String: Int] = [:]
        for index in 0..<objectCount {
            let body = ObjectBody.bytes(bytes(index))
            // Half of them as commits: whoever tries again after a lost reply must find itself the winner.
            persist(&failures) { () throws(Failure) in
                if index % 2 == 0 {
                    try store.put(key(index), body)
                } else {
                    #expect(try store.putIfAbsent(key(index), body))
                }
            }
        }
        var listed: [ObjectInfo] = []
        persist(&failures) { () throws(Failure) in
            listed = try store.list(prefix: folder + "/", startAfter: nil, max: 10 * objectCount)
        }
        #expect(listed.map(\.key) == (0..<objectCount).map(key).sorted())
        for index in 0..<objectCount {
            var found: [UInt8]?
            persist(&failures) { () throws(Failure) in
                found = try store.get(key(index), bytesMax: 8 << 20)
            }
            #expect(found == bytes(index), "object \(index) differs")
        }
        print(
            "\(store.location)/\(folder): \(objectCount) objects, \(failures.values.reduce(0, +)) failures"
        )
        for (reason, count) in failures.sorted(by: { $0.value > $1.value }) {
            print("  \(count) × \(reason)")
        }
    }

    /// Tries until it succeeds, as the forwarder does, for two minutes at most.
    private func persist(_ failures: inout [String: Int], _ body: () throws(Failure) -> Void) {
        for _ in 0..<1200 {
            do throws(Failure) {
                try body()
                return
            } catch {
                failures["\(error.reason) [\(error.retry)]", default: 0] += 1
                usleep(100_000)
            }
        }
        Issue.record("given up after two minutes: \(failures)")
    }
}
