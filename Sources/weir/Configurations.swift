// Loading a configuration the way all commands do: all complaints on standard error, exit code 78.

import ArgumentParser
import Glibc
import WeirAgent
import WeirCore

/// The process's environment.
func environment() -> [String: String] {
    var result: [String: String] = [:]
    var entry = environ
    while let pointer = entry.pointee {
        let text = String(cString: pointer)
        if let separator = text.firstIndex(of: "=") {
            result[String(text[..<separator])] = String(text[text.index(after: separator)...])
        }
        entry += 1
    }
    return result
}

/// The checked configuration of `path`; ends the process with all complaints if it is wrong.
///
/// `resolvesSecrets` false: secrets are not looked up, for commands that need none.
func loadConfiguration(
    _ path: String, resolvesSecrets: Bool = true, showsWarnings: Bool = true
) -> AgentConfiguration {
    let loaded = ConfigurationLoader.load(
        path: path, environment: environment(), resolvesSecrets: resolvesSecrets)
    switch loaded {
    case .success(let configuration):
        for warning in configuration.warnings where showsWarnings { writeError("\(warning)\n") }
        return configuration
    case .failure(let problems):
        for problem in problems.problems { writeError("\(problem)\n") }
        Weir.exit(withError: ExitCode(Failure.Domain.configuration.exitCode))
    }
}
