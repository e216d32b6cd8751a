// `only_when`: real programs and a folder that looks like /sys/class/net.

import Glibc
import Testing
import WeirCore

@testable import WeirAgent

private func run(_ words: [String], timeout: Int64 = 5000) -> CommandRun.Outcome {
    CommandRun.run(words, timeoutMilliseconds: timeout, clock: SystemClock(), isCancelled: { false })
}

@Suite struct UploadConditionTests {
    @Test func aProgramSaysSoByItsExitCode() {
        #expect(run(["true"]) == .exited(0))
        #expect(run(["/bin/sh", "-c", "exit 7"]) == .exited(7))
        #expect(run(["/bin/sh", "-c", "kill -9 $$"]) == .killed(signal: 9))
        #expect(run(["/nonexistent/program"]) == .notStarted("No such file or directory"))
    }

    @Test func aProgramThatHangsIsKilledWithItsChildren() {
        let clock = SystemClock()
        let before = clock.monotonicNanoseconds()
        #expect(run(["/bin/sh", "-c", "sleep 60; true"], timeout: 200) == .timedOut)
        #expect(clock.monotonicNanoseconds() - before < 5_000_000_000)
    }

    @Test func aProgramGetsNoSecretsAndNoOpenFiles() {
        setenv("WEIR_TEST_SECRET", "hunter2", 1)
        #expect(run(["/bin/sh", "-c", "test -z \"$WEIR_TEST_SECRET\" && test -n \"$PATH\""]) == .exited(0))
        let file = open("/dev/zero", O_RDONLY)
        defer { close(file) }
        #expect(run(["/bin/sh", "-c", "test ! -e /proc/self/fd/\(file)"]) == .exited(0))
    }

    @Test(arguments: [
        ("up", "1", true), ("down", "0", false), ("unknown", "1", true), ("unknown", "0", false),
        ("dormant", "1", false),
    ])
    func anInterfaceIsUpByItsStateOrItsCarrier(state: String, carrier: String, isUp: Bool) throws {
        let folder = "/tmp/weir-net-\(getpid())-\(state)-\(carrier)"
        defer {
            for name in ["/wwan0/operstate", "/wwan0/carrier"] { unlink(folder + name) }
            rmdir(folder + "/wwan0")
            rmdir(folder)
        }
        mkdir(folder, 0o755)
        mkdir(folder + "/wwan0", 0o755)
        write(state + "\n", to: folder + "/wwan0/operstate")
        write(carrier + "\n", to: folder + "/wwan0/carrier")
        let settings = UploadConditionSettings(
            command: [], interface: "wwan0", timeoutMilliseconds: 1000)
        let probe = UploadConditionProbe(
            settings, clock: SystemClock(), interfaceFolder: folder, isCancelled: { false })
        #expect((probe.unmet() == nil) == isUp)
        let absent = UploadConditionProbe(
            settings, clock: SystemClock(), interfaceFolder: folder + "/none", isCancelled: { false })
        #expect(absent.unmet() == "interface wwan0 is not up (only_when)")
    }

    @Test func aProgramIsNotAskedAgainForTenSeconds() {
        let mark = "/tmp/weir-condition-\(getpid())"
        unlink(mark)
        let probe = UploadConditionProbe(
            UploadConditionSettings(
                command: ["test", "-e", mark], interface: nil, timeoutMilliseconds: 1000),
            clock: SystemClock(), isCancelled: { false })
        #expect(probe.unmet() == "test ended with 1 (only_when)")
        write("", to: mark)
        defer { unlink(mark) }
        #expect(probe.unmet() == "test ended with 1 (only_when)")
    }
}
