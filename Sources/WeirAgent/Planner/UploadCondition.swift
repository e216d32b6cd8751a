// `only_when`: a sink uploads while a network interface is up, while a program says so, or both. Looked at
// when something is due, and again after ten seconds.
//
// Whether a connection is metered the kernel does not know; NetworkManager does, and is asked by a command
// (docs/uploads.md).

import Glibc
import WeirCore

/// `only_when` of a sink.
struct UploadConditionSettings: Sendable, Equatable {
    /// A program and its arguments; exit code 0 lets uploads go. Empty for none.
    let command: [String]
    /// A network interface that must be up; nil for any.
    let interface: String?
    /// How long the program may take, ms.
    let timeoutMilliseconds: Int64
}

/// Looks whether a sink's condition holds. Belongs to the sink's thread.
final class UploadConditionProbe {
    private let settings: UploadConditionSettings
    private let clock: any MachineClock
    private let interfaceFolder: String
    private let isCancelled: () -> Bool
    private var last: (unmet: String?, at: Int64)?
    private static let keptNanoseconds: Int64 = 9_500_000_000

    init(
        _ settings: UploadConditionSettings, clock: any MachineClock,
        interfaceFolder: String = "/sys/class/net", isCancelled: @escaping () -> Bool
    ) {
        self.settings = settings
        self.clock = clock
        self.interfaceFolder = interfaceFolder
        self.isCancelled = isCancelled
    }

    /// Why the condition does not hold; nil when it does. As found within the last ten seconds.
    func unmet() -> String? {
        let now = clock.monotonicNanoseconds()
        if let last, now - last.at < Self.keptNanoseconds { return last.unmet }
        let unmet = look()
        last = (unmet, clock.monotonicNanoseconds())
        return unmet
    }

    private func look() -> String? {
        if let interface = settings.interface, !isUp(interface) {
            return "interface \(interface) is not up (only_when)"
        }
        guard let program = settings.command.first else { return nil }
        let outcome = CommandRun.run(
            settings.command, timeoutMilliseconds: settings.timeoutMilliseconds, clock: clock,
            isCancelled: isCancelled)
        switch outcome {
        case .exited(0): return nil
        case .exited(let code): return "\(program) ended with \(code) (only_when)"
        case .killed(let signal): return "\(program) was killed by signal \(signal) (only_when)"
        case .timedOut:
            return "\(program) took longer than \(Quantity.text(milliseconds: settings.timeoutMilliseconds)) "
                + "(only_when)"
        case .notStarted(let reason): return "\(program) cannot be run: \(reason) (only_when)"
        }
    }

    /// Modems and tunnels often say "unknown" for their state; then a carrier counts.
    private func isUp(_ interface: String) -> Bool {
        switch word("\(interfaceFolder)/\(interface)/operstate") {
        case "up": true
        case "unknown": word("\(interfaceFolder)/\(interface)/carrier") == "1"
        default: false
        }
    }

    private func word(_ path: String) -> String {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return "" }
        defer { close(file) }
        var bytes = [UInt8](repeating: 0, count: 32)
        let count = read(file, &bytes, bytes.count)
        return count > 0 ? String(decoding: bytes[..<count].filter { $0 > 32 }, as: UTF8.self) : ""
    }
}
