// A thread of its own for work that blocks: one sink's uploads. Swift's concurrency pool has as many
// threads as cores and must not be blocked, so uploads, which wait for a network most of the time, do
// not run there.

import CLinux
import Glibc
import WeirCore

/// A named POSIX thread that runs one closure.
final class WorkerThread {
    private var handle = pthread_t()
    private var isJoined = false

    /// Starts it. `name` (15 bytes are kept) is what `top -H` shows.
    init(name: String, _ body: @escaping @Sendable () -> Void) throws(Failure) {
        let box = Unmanaged.passRetained(Body(name, body))
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        defer { pthread_attr_destroy(&attributes) }
        pthread_attr_setstacksize(&attributes, 1 << 20)
        let code = pthread_create(
            &handle, &attributes,
            { argument in
                guard let argument else { return nil }
                let body = Unmanaged<Body>.fromOpaque(argument).takeRetainedValue()
                weir_name_thread(String(body.name.prefix(15)))
                body.run()
                return nil
            }, box.toOpaque())
        guard code == 0 else {
            box.release()
            throw Failure(.internalError, "starting the thread", name, String(cString: strerror(code)))
        }
    }

    /// Waits until the closure has returned.
    func join() {
        guard !isJoined else { return }
        isJoined = true
        pthread_join(handle, nil)
    }

    private final class Body: Sendable {
        let name: String
        let run: @Sendable () -> Void

        init(_ name: String, _ run: @escaping @Sendable () -> Void) {
            self.name = name
            self.run = run
        }
    }
}
