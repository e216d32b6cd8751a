// What a refusal of Azure storage means: the code decides whether trying again can help, and what the
// person who runs weir has to look at. 403 AuthenticationFailed is a wrong key, a wrong clock and an
// expired signature alike, so the server's clock and its detail are looked at too.

import WeirCore

/// The error of an answer, as far as it has one.
struct AzureError {
    let status: Int
    /// `ContainerNotFound`; empty when the answer is not of Azure storage.
    let code: String
    let message: String
    /// Why a request did not count as signed, where the server says it.
    private let detail: String

    /// Clocks may differ by a quarter of an hour; beyond this the clock is the likely cause.
    private static let clockOffsetSecondsMax: Int64 = 600

    /// Blobs answer with XML, file systems with JSON, and HEAD with a header alone.
    init(_ response: HTTPResponse) {
        let xml = XMLElement(parsing: response.body).flatMap { $0.name == "Error" ? $0 : nil }
        let json = xml == nil ? JSONValue(parsing: response.body)?["error"] : nil
        status = response.status
        code = xml?["Code"] ?? json?["code"]?.string ?? response.header("x-ms-error-code") ?? ""
        message = firstLine(xml?["Message"] ?? json?["message"]?.string ?? "")
        detail =
            xml?["AuthenticationErrorDetail"]
            ?? json?["detail"]?["AuthenticationErrorDetail"]?.string ?? ""
    }

    /// No such blob, or no such file; a missing container is another matter.
    var isOfMissingObject: Bool {
        status == 404 && ["BlobNotFound", "PathNotFound", "ResourceNotFound", ""].contains(code)
    }

    /// Somebody's object is where ours should have gone.
    var isOfPresentObject: Bool {
        ["BlobAlreadyExists", "PathAlreadyExists"].contains(code)
            || (status == 412 && ["ConditionNotMet", "TargetConditionNotMet"].contains(code))
    }

    private var isTransient: Bool {
        let transientCodes: Set = [
            "ServerBusy", "InternalError", "OperationTimedOut", "Md5Mismatch", "InvalidFlushPosition",
            "InvalidBlockList", "AccountBeingCreated", "InvalidAuthenticationInfo", "LeaseIdMissing",
            "PathConflict", "SourcePathNotFound", "RenameDestinationParentPathNotFound",
            "IngressOverAccountLimit", "EgressIsOverAccountLimit", "TpsOverAccountLimit",
        ]
        return status >= 500 || status == 429 || status == 408 || status == 401
            || transientCodes.contains(code) || code.contains("Quota") || code.contains("Capacity")
            || code.isEmpty && status != 404
    }

    /// Who we are, the account or the container is wrong; a denied right may be that of one folder.
    private var concernsAll: Bool {
        [
            "AuthenticationFailed", "NoAuthenticationInformation", "InvalidAuthenticationInfo",
            "ContainerNotFound", "FilesystemNotFound", "ContainerBeingDeleted", "ContainerDisabled",
            "AccountIsDisabled", "AuthorizationFailure", "AuthorizationServiceMismatch",
            "AuthorizationResourceTypeMismatch", "InsufficientAccountPermissions",
            "KeyBasedAuthenticationNotPermitted", "HierarchicalNamespaceNotEnabled",
            "EndpointUnsupportedAccountFeatures",
        ].contains(code) || status == 401
    }

    /// What to report.
    ///
    /// - Parameter nowMilliseconds: this machine's clock.
    func refusal(
        by host: String, _ response: HTTPResponse, _ credentials: AzureCredentials,
        nowMilliseconds: Int64
    ) -> CloudRefusal {
        var refusal = CloudRefusal(
            host, status, code: code, message: message, advice: advice(credentials),
            isTransient: isTransient, concernsAll: concernsAll)
        if code == "AuthenticationFailed" {
            if case .accountKey = credentials, let theirs = response.serverDateMilliseconds,
                abs(theirs - nowMilliseconds) / 1000 > Self.clockOffsetSecondsMax
            {
                refusal.reason = clockSentence(
                    serverMinusOwnMilliseconds: theirs - nowMilliseconds, host)
                refusal.advice = "set the clock (NTP)"
                refusal.isTransient = true
            } else if case .sharedAccessSignature = credentials, let period = Self.period(in: detail) {
                refusal.reason = "\(host) takes sas_token only \(period)"
                refusal.advice = "make a new sas_token, or set the clock (NTP) if it is wrong"
            }
        }
        return refusal
    }

    /// "Signature not valid in the specified time frame: Start […] - Expiry […] - Current […]".
    private static func period(in detail: String) -> String? {
        guard detail.contains("time frame"), let expiry = bracketed("Expiry", in: detail) else { return nil }
        let start = bracketed("Start", in: detail).map { $0.isEmpty ? "" : "from \($0) " } ?? ""
        let current = bracketed("Current", in: detail).map { ", and it is \($0)" } ?? ""
        return "\(start)until \(expiry)\(current)"
    }

    private static func bracketed(_ name: String, in text: String) -> String? {
        guard let start = text.firstRange(of: "\(name) [")?.upperBound else { return nil }
        return String(text[start...].prefix { $0 != "]" }.prefix(60))
    }

    private func advice(_ credentials: AzureCredentials) -> String {
        switch code {
        case "ContainerNotFound", "FilesystemNotFound": "create the container, or look at `url`"
        case "AuthenticationFailed", "NoAuthenticationInformation", "InvalidAuthenticationInfo":
            "look at \(credentials.settingName)"
        case "AuthorizationPermissionMismatch", "AuthorizationResourceTypeMismatch",
            "AuthorizationServiceMismatch", "InsufficientAccountPermissions":
            switch credentials {
            case .sharedAccessSignature: "make a sas_token that may read, create, write, delete and list"
            default: "give it the role Storage Blob Data Contributor on the container"
            }
        case "AuthorizationFailure": "look at the firewall and the networks of the storage account"
        case "KeyBasedAuthenticationNotPermitted":
            "the account takes no keys: use client_secret or a managed identity"
        case "AccountIsDisabled": "enable the storage account"
        case "InvalidUri", "InvalidResourceName", "ResourceNotFound": "look at `url` and `endpoint`"
        case "HierarchicalNamespaceNotEnabled", "EndpointUnsupportedAccountFeatures":
            "use https://ACCOUNT.blob.core.windows.net/… in `url`: the account has no folders"
        default: code.isEmpty ? "look at `url` and `endpoint`, and for a proxy on the way" : ""
        }
    }
}
