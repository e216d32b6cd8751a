// What HDFS means by an error. WebHDFS answers 403 to a denied permission, to a standby NameNode, to
// safe mode and to a full quota alike, so the exception's name and words decide, never the status.

import WeirCore

/// The RemoteException of a WebHDFS answer.
struct RemoteException {
    enum Kind {
        /// This NameNode is not the active one.
        case standby
        /// No such file or folder.
        case notFound
        case alreadyExists
        /// A state of the cluster that passes: safe mode, no DataNode, a quota that may be raised.
        case transient
        /// The user may not do this, or is not who he says.
        case denied
        case other
    }

    /// The exception's class without its package.
    let exception: String
    /// The first line of its message.
    let message: String
    let kind: Kind

    /// nil when the answer is not a RemoteException.
    init?(_ response: HTTPResponse) {
        guard let document = JSONValue(parsing: response.body)?["RemoteException"],
            let exception = document["exception"]?.string
        else { return nil }
        let text = document["message"]?.string ?? ""
        self.exception = exception
        message = String(text.prefix { $0 != "\n" }.prefix(300))
        kind = Self.kind(exception, text)
    }

    private static func kind(_ exception: String, _ message: String) -> Kind {
        // A DataNode wraps what the NameNode told it: the class is then in the message.
        func names(_ classes: String...) -> Bool {
            classes.contains { exception == $0 || message.contains(".\($0)") }
        }
        if names("StandbyException") { return .standby }
        if names("FileAlreadyExistsException") { return .alreadyExists }
        if names(
            "SafeModeException", "RetriableException", "QuotaExceededException",
            "DSQuotaExceededException",
            "NSQuotaExceededException", "LeaseExpiredException", "AlreadyBeingCreatedException",
            "NotReplicatedYetException", "ConnectException", "SocketTimeoutException")
        {
            return .transient
        }
        if names(
            "AccessControlException", "AuthorizationException", "SecurityException", "InvalidToken")
        {
            return .denied
        }
        return names("FileNotFoundException") ? .notFound : .other
    }

    /// Whether trying again can help.
    var isTransient: Bool {
        switch kind {
        case .standby, .transient: true
        case .denied, .alreadyExists, .notFound: false
        case .other: !["IllegalArgumentException", "UnsupportedOperationException"].contains(exception)
        }
    }

    /// Whether it is about who we are; a denied permission is that of a path.
    var concernsAll: Bool {
        kind == .denied && !(exception + message).contains("AccessControlException")
    }

    var advice: String {
        switch kind {
        case .denied where exception == "InvalidToken": "fetch a new delegation_token"
        case .denied: "give the user the right to write there, or look at `user`"
        case .transient where exception.contains("QuotaExceeded"): "raise the quota or remove files"
        default: ""
        }
    }
}
