// Where and how rows are posted over HTTP: to a webhook, or to InfluxDB's write address. Plain values that a
// sink's configuration fills in; the rows' text is made elsewhere.

import WeirCore

/// Settings of a RowPoster.
public struct RowPostOptions: Sendable {
    /// What answers at the address, which decides what its refusals mean.
    public enum Receiver: Sendable, Equatable {
        case webhook
        /// InfluxDB; `store` is how its bucket or database is called in failures.
        case influx(store: String)
    }

    /// How weir says who it is.
    public enum Authorization: Sendable {
        case none
        case basic(user: String, password: String)
        /// A word such as Bearer or Token, and what follows it.
        case token(scheme: String, token: String)
    }

    /// What answers there.
    public var receiver: Receiver
    /// The address without its query: `https://host/path`.
    public var url: String
    /// Parameters behind the address; they are never printed.
    public var query: [(name: String, value: String)] = []
    /// The media type of bodies.
    public var contentType: String
    /// Whether bodies are sent as gzip.
    public var isCompressed = false
    /// Sent with every request, behind weir's own.
    public var headers: [(name: String, value: String)] = []
    /// None by default.
    public var authorization = Authorization.none
    /// The key of the header Weir-Signature; nil for none.
    public var signingSecret: String?
    /// How requests travel.
    public var http = HTTPClientOptions()

    public init(_ receiver: Receiver, url: String, contentType: String) {
        self.receiver = receiver
        self.url = url
        self.contentType = contentType
    }
}
