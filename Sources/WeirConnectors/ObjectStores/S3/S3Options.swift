// What can be set about an S3 sink. Secrets stay out of descriptions and reflections of these values,
// so that logging one by accident shows nothing.

import Glibc
import WeirCore

/// The keys that sign requests.
public struct S3Credentials: Sendable, CustomStringConvertible, CustomReflectable {
    /// The access key id, which is no secret.
    public var accessKey: String
    /// What signatures are made with.
    public var secretKey: String
    /// Goes with temporary keys; nil for lasting ones.
    public var sessionToken: String?
    /// When they end, ms since the epoch; nil = never.
    public var expiresAtMilliseconds: Int64?

    public init(
        accessKey: String, secretKey: String, sessionToken: String? = nil,
        expiresAtMilliseconds: Int64? = nil
    ) {
        self.accessKey = accessKey
        self.secretKey = secretKey
        self.sessionToken = sessionToken
        self.expiresAtMilliseconds = expiresAtMilliseconds
    }

    /// The key id alone.
    public var description: String { "S3Credentials(\(accessKey))" }
    /// The key id alone.
    public var customMirror: Mirror { Mirror(self, children: ["accessKey": accessKey]) }
}

/// Where credentials come from.
public enum S3CredentialSource: Sendable {
    /// The configuration.
    case fixed(S3Credentials)
    /// AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN.
    case environment
    /// The credential service of a container (ECS, EKS pod identity), named by
    /// AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or …_FULL_URI; refreshed before they end.
    case container
    /// The metadata service of an EC2 instance (IMDSv2); refreshed before they end.
    case instance
    /// The first of environment, container and instance that is set up.
    case automatic
}

/// How the bucket is named in requests.
public enum S3Addressing: String, Sendable {
    /// `path` with an endpoint of one's own or a dot in the bucket's name, else `virtualHost`.
    case automatic
    /// https://endpoint/bucket/key
    case path
    /// https://bucket.endpoint/key
    case virtualHost = "virtual"
}

/// Whose words requests are written in.
public enum S3Dialect: Sendable {
    /// Amazon's, which all S3-compatible servers take.
    case amazon
    /// Google's, for Cloud Storage by HMAC keys: the XML API refuses to mix the two.
    case google

    var signature: SignatureDialect {
        switch self {
        case .amazon: .amazon
        case .google: .google
        }
    }

    /// Of locations, for people.
    var scheme: String {
        switch self {
        case .amazon: "s3"
        case .google: "gs"
        }
    }

    /// The header that makes a PUT fail when the object is there.
    var absentCondition: (name: String, value: String) {
        switch self {
        case .amazon: ("if-none-match", "*")
        case .google: ("x-goog-if-generation-match", "0")
        }
    }
}

/// Settings of an S3Store.
public struct S3Options: Sendable {
    /// The bucket's name.
    public var bucket: String
    /// What all keys begin with, without slashes at the ends; empty = nothing.
    public var prefix: String
    /// `http(s)://host:port` of an S3-compatible server; nil = AWS in `region`.
    public var endpoint: String?
    /// The region that requests are signed for, and of AWS the one that is asked.
    public var region = "us-east-1"
    /// Where the bucket stands in a URL.
    public var addressing = S3Addressing.automatic
    /// Amazon's unless the store is Google's.
    public var dialect = S3Dialect.amazon
    /// Where the keys come from.
    public var credentials = S3CredentialSource.automatic
    /// Objects longer than this go up in parts.
    public var multipartAboveBytes = 16 << 20
    /// The length of a part; grown for objects that would need more than 10,000. AWS wants 5 MiB or more.
    public var partBytes = 8 << 20
    /// How requests travel.
    public var http = HTTPClientOptions()
    /// The variables that credential sources look at.
    public var environment = S3Options.processEnvironment()

    public init(bucket: String, prefix: String = "") {
        self.bucket = bucket
        self.prefix = prefix
    }

    /// From `s3://bucket/prefix`. Throws `Failure(.configuration, …)` for anything else.
    public init(url: String) throws(Failure) {
        let rest = url.dropFirst("s3://".count)
        let bucket = rest.prefix { $0 != "/" }
        guard url.hasPrefix("s3://"), !bucket.isEmpty else {
            throw Failure(
                .configuration, "reading", "the url \(url)", "it is not s3:// and a bucket",
                advice: "write s3://bucket/prefix")
        }
        self.init(bucket: String(bucket), prefix: String(rest.dropFirst(bucket.count)))
    }

    /// The AWS_* variables of this process that matter here.
    public static func processEnvironment() -> [String: String] {
        let names = [
            "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
            "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
            "AWS_EC2_METADATA_DISABLED", "AWS_EC2_METADATA_SERVICE_ENDPOINT",
        ]
        return names.reduce(into: [:]) { variables, name in
            if let value = getenv(name) { variables[name] = String(cString: value) }
        }
    }
}
