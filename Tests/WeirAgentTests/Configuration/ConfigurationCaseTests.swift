// Wrong configurations beside what weir must say of them: Tests/ConfigurationCases/NAME.toml and
// NAME.expected. After a change that is meant, WEIR_UPDATE_CASES=1 writes the expected files anew,
// and the difference is read before it is committed.

import Glibc
import Testing
import WeirCore

@testable import WeirAgent

private let folder = repositoryRoot + "/Tests/ConfigurationCases"
private let names = fileNames(in: folder, suffix: ".toml")

@Suite struct ConfigurationCaseTests {
    @Test func thereAreCases() {
        #expect(names.count >= 30)
    }

    @Test(arguments: names)
    func saysAllThatIsWrong(name: String) throws {
        let text = try #require(fileText("\(folder)/\(name).toml"))
        let found = problems(
            text, file: "\(name).toml",
            environment: ["SITE": "north", "WEIR_MQTT_USERNAME": "weir"])
        let said = found.map { "\($0)\n" }.joined()
        if getenv("WEIR_UPDATE_CASES") != nil { write(said, to: "\(folder)/\(name).expected") }
        let expected = try #require(fileText("\(folder)/\(name).expected"))
        #expect(said == expected)
        #expect(found.contains { $0.severity == .error })
        #expect(!said.contains("hunter2"))
        #expect(found.map(\.position) == found.map(\.position).sorted())
    }
}
