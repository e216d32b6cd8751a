// Sinks of the types azure and gcs: what their URLs mean, which identity follows from which keys, and what
// is refused.

import Testing
import WeirConnectors
import WeirCore

@testable import WeirAgent

private func file(_ sink: String) -> String {
    """
    [agent]
    id = "edge-1"
    [[source]]
    name = "sensors"
    type = "mqtt"
    url = "mqtt://h"
    topics = ["a"]
    columns.device = "STRING"
    [[query]]
    name = "q"
    sql = "SELECT device FROM sensors"
    sinks = ["lake"]
    [[sink]]
    name = "lake"

    """ + sink
}

private func azure(_ url: String, _ keys: String = "") -> AzureConfiguration? {
    let loaded = configuration(file("type = \"azure\"\nurl = \"\(url)\"\n\(keys)\n"))
    guard case .azure(let azure)? = loaded?.sinks.first?.destination else { return nil }
    return azure
}

private func complaints(_ type: String, _ url: String, _ keys: String = "") -> [String] {
    problems(file("type = \"\(type)\"\nurl = \"\(url)\"\n\(keys)\n")).map(\.message)
}

/// Why no store can be made of these options.
private func refusal(of options: ObjectStoreOptions) -> Failure? {
    do throws(Failure) {
        _ = try options.makeStore(ObjectStoreContext())
        return nil
    } catch {
        return error
    }
}

@Suite struct CloudSinkTests {
    @Test func azureURLsNameAccountContainerAndInterface() {
        let files = AzurePlace(
            host: "acct.dfs.core.windows.net", container: "lake", prefix: "plant/a", isFileSystem: true)
        let blobs = AzurePlace(
            host: "acct.blob.core.windows.net", container: "lake", prefix: "", isFileSystem: false)
        #expect(azure("abfss://lake@acct.dfs.core.windows.net/plant/a")?.place == files)
        #expect(azure("abfs://lake@acct.dfs.core.windows.net/plant/a/")?.place == files)
        #expect(azure("https://acct.dfs.core.windows.net/lake/plant/a")?.place == files)
        #expect(azure("https://acct.blob.core.windows.net/lake")?.place == blobs)
    }

    @Test(arguments: [
        "s3://lake/x", "https://acct.blob.core.windows.net", "https://acct.blob.core.windows.net/La",
        "abfss://acct.dfs.core.windows.net/lake", "https://acct.example.org/lake", "https://acct/lake",
        "https://user:pa55@acct.blob.core.windows.net/lake", "https://acct.blob.core.windows.net/lake?sig=x",
        "abfss://lake@acct.dfs.core.windows.net/a b", "abfss://lake@x@acct.dfs.core.windows.net/a",
    ])
    func otherAzureURLsAreRefused(url: String) {
        let said = complaints("azure", url)
        #expect(said.count == 1 && said.first?.hasPrefix("url ") == true, "\(said)")
        #expect(!said.joined().contains("pa55"))
    }

    @Test func theIdentityFollowsFromTheKeys() {
        let url = "https://acct.blob.core.windows.net/lake"
        if case .managedIdentity(client: nil)? = azure(url)?.credentials {} else { Issue.record("identity") }
        if case .managedIdentity(client: "c")? = azure(url, "client_id = \"c\"")?.credentials {
        } else {
            Issue.record("one of several identities")
        }
        if case .accountKey? = azure(url, "account_key = \"a2V5\"")?.credentials {} else { Issue.record("key") }
        if case .sharedAccessSignature? = azure(url, "sas_token = \"sig=x\"")?.credentials {
        } else {
            Issue.record("signature")
        }
        let application = "tenant_id = \"t\"\nclient_id = \"c\"\nclient_secret = \"s\""
        if case .clientSecret("t", "c", _)? = azure(url, application)?.credentials {
        } else {
            Issue.record("application")
        }
    }

    @Test func keysOfTwoIdentitiesAreRefused() {
        let url = "https://acct.blob.core.windows.net/lake"
        #expect(
            complaints("azure", url, "account_key = \"a2V5\"\nsas_token = \"sig=x\"") == [
                "sas_token is not used with account_key; give one of them"
            ])
        #expect(
            complaints("azure", url, "client_secret = \"s\"") == [
                "client_secret needs client_id", "client_secret needs tenant_id",
            ])
        #expect(complaints("azure", url, "tenant_id = \"t\"") == ["tenant_id needs client_secret"])
        #expect(complaints("gcs", "gs://lake", "access_key = \"a\"") == ["access_key needs secret_key"])
        #expect(
            complaints("gcs", "gs://lake", "access_key = \"a\"\nsecret_key = \"b\"\nservice_account_key = \"{}\"")
                == ["access_key is not used with service_account_key; give one of them"])
        #expect(complaints("gcs", "s3://lake").count == 1 && complaints("gcs", "gs://x").count == 1)
    }

    @Test func hmacKeysSpeakGooglesDialectOfS3() throws {
        let keys = "access_key = \"GOOG1\"\nsecret_key = \"b\""
        let loaded = try #require(configuration(file("type = \"gcs\"\nurl = \"gs://lake/plant\"\n\(keys)\n")))
        guard case .s3(let options) = loaded.sinks[0].storeOptions(environment: [:]) else {
            Issue.record("HMAC keys are for the XML API")
            return
        }
        #expect(options.dialect == .google && options.endpoint == "https://storage.googleapis.com")
        #expect(options.bucket == "lake" && options.prefix == "plant" && options.region == "auto")
        let store = try ObjectStoreOptions.s3(options).makeStore(ObjectStoreContext())
        #expect(store.location == "gs://lake/plant")
    }

    @Test func secretsThatCannotBeAreNamedBeforeAnythingIsSent() throws {
        for (keys, type, url) in [
            ("account_key = \"not base64!\"", "azure", "https://acct.blob.core.windows.net/lake"),
            ("sas_token = \"https://acct/?x\"", "azure", "https://acct.blob.core.windows.net/lake"),
            ("service_account_key = \"{}\"", "gcs", "gs://lake"),
        ] {
            let loaded = try #require(configuration(file("type = \"\(type)\"\nurl = \"\(url)\"\n\(keys)\n")))
            let options = try #require(loaded.sinks[0].storeOptions(environment: [:]))
            let failure = try #require(refusal(of: options), "\(keys) is no secret of its kind")
            #expect(failure.domain == .configuration && keys.hasPrefix(failure.subject))
            #expect(!"\(failure)".contains("not base64!"))
        }
    }
}
