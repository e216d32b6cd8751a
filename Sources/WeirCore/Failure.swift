// One error type for all that can go wrong outside the program: it says whose fault it is, whether
// trying again can help, and a sentence that a person can act on. The exit code follows from it.

/// Something that could not be done, in words for the person who runs weir.
///
/// Printed as "connecting to mqtts://edge:8883: the certificate expired on 2026-01-02; renew it or set
/// tls.ca_file". Never carries payloads or secrets.
public struct Failure: Error, Sendable, CustomStringConvertible {
    /// Whose fault it is, and with what code the process ends when it ends of this.
    public enum Domain: String, Sendable {
        /// The configuration or the command line is wrong; a restart does not help.
        case configuration
        /// The state directory: in use, of a newer format, damaged.
        case state
        /// A disk or RocksDB call failed; the process stops, and a restart may help.
        case storage
        /// A broker or an object store refuses or cannot be reached.
        case external
        /// The input cannot be read (a replayed file that is missing, say).
        case input
        /// A defect in weir.
        case internalError

        /// The process exit code (sysexits.h where one fits), documented in docs/delivery.md.
        public var exitCode: Int32 {
            switch self {
            case .configuration: 78
            case .state: 75
            case .storage: 74
            case .external: 69
            case .input: 66
            case .internalError: 70
            }
        }
    }

    /// Whether doing the same again can succeed.
    public enum Retry: Sendable, Equatable {
        /// It cannot, until somebody changes something.
        case never
        /// It can, after the usual back-off.
        case backoff
        /// The other side named the delay, in milliseconds (Retry-After).
        case after(milliseconds: Int64)
    }

    /// Whose fault it is; decides the exit code.
    public let domain: Domain
    /// Whether trying again is of use; `.never` unless said otherwise.
    public let retry: Retry
    /// What was being done, as a participle: "connecting to".
    public let action: String
    /// To what: an address, a path, a name.
    public let subject: String
    /// What went wrong.
    public let reason: String
    /// What to do about it; empty where nothing can be advised.
    public let advice: String
    /// Whether all that is asked of the other side would meet the same, as with a wrong key or a bucket that is
    /// missing; false where another object, topic or row may fare better, or nobody knows.
    public let concernsAll: Bool

    public init(
        _ domain: Domain, _ action: String, _ subject: String, _ reason: String, advice: String = "",
        retry: Retry = .never, concernsAll: Bool = false
    ) {
        self.domain = domain
        self.retry = retry
        self.action = action
        self.subject = subject
        self.reason = reason
        self.advice = advice
        self.concernsAll = concernsAll
    }

    /// The same, with advice where it has none.
    public func advising(_ advice: String) -> Failure {
        guard self.advice.isEmpty else { return self }
        return Failure(
            domain, action, subject, reason, advice: advice, retry: retry, concernsAll: concernsAll)
    }

    /// The same, of which it is known that everything would meet it.
    public func concerningAll() -> Failure {
        Failure(domain, action, subject, reason, advice: advice, retry: retry, concernsAll: true)
    }

    public var description: String {
        let head = subject.isEmpty ? action : "\(action) \(subject)"
        return advice.isEmpty ? "\(head): \(reason)" : "\(head): \(reason); \(advice)"
    }
}
