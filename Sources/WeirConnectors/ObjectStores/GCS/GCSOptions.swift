// What can be set about a sink in Google Cloud Storage. (HMAC keys are not among it: with them an S3Store
// speaks Google's dialect.) Secrets stay out of descriptions and reflections of these values, so that
// logging one by accident shows nothing.

import Glibc
import WeirCore

/// How weir proves who it is.
public enum GCSCredentials: Sendable, CustomStringConvertible, CustomReflectable {
    /// The JSON text of a service account's key.
    case serviceAccount(String)
    /// The service account that Google gave the machine, by its metadata server.
    case metadataServer

    /// The type's name alone.
    public var description: String { "GCSCredentials" }
    /// Empty.
    public var customMirror: Mirror { Mirror(self, children: []) }
}

/// Settings of a GCSStore.
public struct GCSOptions: Sendable {
    /// The bucket's name.
    public var bucket: String
    /// What all keys begin with, without slashes at the ends; empty = nothing.
    public var prefix: String
    /// `http(s)://host:port` of the service.
    public var endpoint = "https://storage.googleapis.com"
    /// The machine's service account unless a key is given.
    public var credentials = GCSCredentials.metadataServer
    /// Objects longer than this, and those that lie in files, go up by resumable uploads.
    public var multipartAboveBytes = 16 << 20
    /// What one request of a resumable upload carries; a multiple of 256 KiB, as Google wants it.
    public var partBytes = 8 << 20
    /// How requests travel.
    public var http = HTTPClientOptions()
    /// The variables that the metadata server is found by.
    public var environment = GCSOptions.processEnvironment()

    public init(bucket: String, prefix: String = "") {
        self.bucket = bucket
        self.prefix = prefix
    }

    /// The variables of this process that matter here.
    public static func processEnvironment() -> [String: String] {
        ["GCE_METADATA_HOST"].reduce(into: [:]) { variables, name in
            if let value = getenv(name) { variables[name] = String(cString: value) }
        }
    }
}
