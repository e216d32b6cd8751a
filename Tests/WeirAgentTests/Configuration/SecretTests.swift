// No secret may appear in anything that weir shows of a configuration: not in the redacted text,
// not in messages of any error, not by printing or reflecting any part of the result.

import Glibc
import Testing
import WeirCore

@testable import WeirAgent

private let base = """
    [agent]
    id = "edge-1"
    [[query]]
    name = "q"
    sql = "SELECT device, ts FROM sensors"
    sinks = ["lake"]

    """

/// A configuration in which `field` of `section` has the value `value`, TOML text.
private func file(_ section: String, type: String, _ field: String, _ value: String) -> String {
    var source =
        "name = \"sensors\"\ntype = \"mqtt\"\nurl = \"mqtt://h\"\ntopics = [\"a\"]\ncolumns.device = \"STRING\"\n"
        + "columns.ts = { type = \"TIMESTAMP_LTZ(3)\", from = \"epoch_ms\" }\n"
    var sink = "name = \"lake\"\n"
    switch type {
    case "s3":
        sink += "type = \"s3\"\nurl = \"s3://bucket/x\"\n"
        if field == "access_key" { sink += "secret_key = \"other\"\n" }
        if field != "access_key", field != "proxy_password" { sink += "access_key = \"other\"\n" }
        if field == "session_token" { sink += "secret_key = \"other\"\n" }
    case "azure":
        sink += "type = \"azure\"\nurl = \"abfss://lake@account.dfs.core.windows.net/x\"\n"
        if field == "client_secret" { sink += "tenant_id = \"t\"\nclient_id = \"c\"\n" }
    case "gcs":
        sink += "type = \"gcs\"\nurl = \"gs://bucket/x\"\n"
        if field == "access_key" { sink += "secret_key = \"other\"\n" }
        if field == "secret_key" { sink += "access_key = \"other\"\n" }
    case "mqtt": sink += "type = \"mqtt\"\nurl = \"mqtt://h\"\ntopic = \"a\"\n"
    case "http": sink += "type = \"http\"\nurl = \"https://h/x\"\n"
    case "influxdb":
        sink += "type = \"influxdb\"\nurl = \"https://h\"\ntime_column = \"ts\"\n"
        sink += field == "token" ? "bucket = \"b\"\norg = \"o\"\n" : "database = \"d\"\n"
    case "webhdfs": sink += "type = \"webhdfs\"\nurl = \"webhdfs://n/x\"\nuser = \"u\"\n"
    default: sink += "type = \"file\"\nurl = \"file:./x\"\n"
    }
    if section == "sink", field == "password" { sink += "username = \"u\"\n" }
    if field == "proxy_password" { sink += "proxy_username = \"u\"\n" }
    if section == "source" {
        source += "username = \"u\"\n\(field) = \(value)\n"
    } else {
        sink += "\(field) = \(value)\n"
    }
    return base + "[[source]]\n" + source + "[[sink]]\n" + sink
}

/// Every secret field there is: section, a type it goes with, key.
private let secretFields: [(section: String, type: String, key: String)] = [
    SourceFields.section, SinkFields.section,
]
.flatMap { section in
    section.fields.filter(\.isSecret).flatMap { field in
        field.types.map { (section: section.name, type: $0, key: field.key) }
    }
}

@Suite struct SecretTests {
    private let marker = "pa55w0rd-äöü"

    @Test func thereAreSecretFields() {
        let keys = Set(secretFields.map(\.key))
        #expect(
            keys == [
                "password", "access_key", "secret_key", "session_token", "delegation_token",
                "proxy_password", "account_key", "sas_token", "client_secret", "service_account_key",
                "signing_secret", "bearer_token", "token",
            ])
    }

    @Test(arguments: secretFields)
    func aSecretIsShownNowhere(section: String, type: String, key: String) throws {
        let environment = ["SECRET": marker]
        for value in ["\"\(marker)\"", "\"${SECRET}\"", "'''\(marker)'''"] {
            let text = file(section, type: type, key, value)
            let loaded = try #require(
                configuration(text, environment: environment),
                "\(problems(text, environment: environment))")
            var dumped = ""
            dump(loaded, to: &dumped)
            for shown in [
                loaded.redactedDescription, "\(loaded)", String(reflecting: loaded), dumped,
            ] {
                #expect(!shown.contains(marker))
                #expect(!shown.contains("pa55"))
            }
            #expect(loaded.redactedDescription.contains("\(key) = \"\(Secret.mask)\""))
        }
    }

    @Test(arguments: secretFields)
    func aSecretIsInNoMessage(section: String, type: String, key: String) {
        let values = [
            "\"\(marker)\" x", "\"\(marker)", "\(marker)", "[\"\(marker)\"]",
            "{ \(key) = \"\(marker)\" }",
            "\"\(marker)${\"", "\"${\(marker)}\"", "\"a${\(marker)\"", "\"\\q\(marker)\"",
            "[\"\(marker)\", 1",
            "5512345678901234567890123", "55_123_456_789_012_345", "0x5512345678G",
        ]
        for value in values {
            // Beside it, an error of every kind that could quote its neighbourhood.
            for rest in [
                "", "type = 1\n", "\(key) = 2\n", "zzz = \"\(marker)\"\n", "retry_min = \"\"\n",
            ] {
                let text = file(section, type: type, key, value) + rest
                let said = problems(text, environment: ["SECRET": marker]).map {
                    $0.description + $0.json
                }.joined()
                #expect(!said.contains("pa55") && !said.contains("w0rd"))
                #expect(!said.contains("5512345678") && !said.contains("123_456"))
            }
        }
    }

    @Test func aMisspeltSecretKeyIsNotQuotedWithItsValue() {
        let said = problems(file("source", type: "mqtt", "pasword", "\"\(marker)\"")).map(
            \.description
        ).joined()
        #expect(said.contains("did you mean \"password\"?"))
        #expect(!said.contains("pa55"))
    }

    @Test func secretsArePlainValuesToThoseWhoAsk() throws {
        let loaded = try #require(
            configuration(file("source", type: "mqtt", "password", "\"a$${b}\"")))
        guard case .mqtt(let mqtt)? = loaded.sources.first?.input else { return }
        #expect(mqtt.password?.reveal() == "a${b}")
        #expect("\(Secret("x"))" == "••••" && String(reflecting: Secret("x")) == "••••")
    }

    @Test func aSecretComesFromAFileWithoutItsWhiteSpace() throws {
        let folder = "/tmp/weir-secret-\(getpid())"
        mkdir(folder, 0o700)
        defer {
            unlink("\(folder)/password")
            rmdir(folder)
        }
        write("  \(marker)\n\n", to: "\(folder)/password")
        for value in ["\"file:\(folder)/password\"", "\"file:${CREDENTIALS_DIRECTORY}/password\""] {
            let text = file("source", type: "mqtt", "password", value)
            let loaded = try #require(
                configuration(text, environment: ["CREDENTIALS_DIRECTORY": folder]))
            guard case .mqtt(let mqtt)? = loaded.sources.first?.input else { return }
            #expect(mqtt.password?.reveal() == marker)
        }
        write(" \n", to: "\(folder)/password")
        let said = problems(file("source", type: "mqtt", "password", "\"file:\(folder)/password\""))
        #expect(said.map(\.message) == ["password: \(folder)/password is empty"])
        write(String(repeating: "x", count: 70_000), to: "\(folder)/password")
        let tooLarge = problems(
            file("source", type: "mqtt", "password", "\"file:\(folder)/password\""))
        #expect(tooLarge.first?.message.hasSuffix("it is larger than 64KiB") == true)
    }

    @Test func aRunWithoutSecretsDoesNotLookThemUp() throws {
        let text = file("sink", type: "s3", "access_key", "\"${NOT_SET}\"")
        #expect(configuration(text) == nil)
        let loaded = try #require(configuration(text, resolvesSecrets: false))
        guard case .s3(let s3)? = loaded.sinks.first?.destination else { return }
        #expect(s3.accessKey?.isEmpty == true)
    }
}
