// TLS against a real mosquitto, with certificates made for the test: what is right connects, and what
// is wrong is named.

import Glibc
import Testing
import WeirCore

@testable import WeirConnectors

/// Two authorities and certificates of a broker and a client, made by the openssl command.
private struct Certificates {
    let folder: String

    init(_ scratch: ScratchFolder) {
        folder = scratch.path
        for authority in ["ca", "stranger"] {
            run(
                "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-days", "2", "-subj", "/CN=\(authority)", "-keyout", path("\(authority).key"),
                "-out", path("\(authority).crt"))
        }
    }

    func path(_ name: String) -> String { "\(folder)/\(name)" }

    /// A certificate signed by "ca"; `dates` are openssl's notBefore and notAfter, or nil for now on.
    func make(_ name: String, alternative: String, dates: (String, String)? = nil) {
        let extensions = path("\(name).ext")
        if let file = fopen(extensions, "w") {
            fputs("subjectAltName=\(alternative)\n", file)
            fclose(file)
        }
        run(
            "openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-subj", "/CN=\(name)", "-keyout", path("\(name).key"), "-out", path("\(name).csr"))
        guard let dates else {
            return run(
                "openssl", "x509", "-req", "-in", path("\(name).csr"), "-CA", path("ca.crt"),
                "-CAkey", path("ca.key"), "-CAcreateserial", "-days", "2", "-extfile", extensions,
                "-out", path("\(name).crt"))
        }
        // Only `openssl ca` takes dates.
        if let file = fopen(path("ca.cnf"), "w") {
            fputs(
                """
                [ca]
                default_ca = here
                [here]
                database = \(path("index"))
                new_certs_dir = \(folder)
                serial = \(path("serial"))
                default_md = sha256
                policy = any
                [any]
                commonName = supplied

                """, file)
            fclose(file)
        }
        for (name, text) in [("index", ""), ("serial", "1000\n")] {
            if let file = fopen(path(name), "w") {
                fputs(text, file)
                fclose(file)
            }
        }
        run(
            "openssl", "ca", "-batch", "-notext", "-config", path("ca.cnf"), "-cert", path("ca.crt"), "-keyfile",
            path("ca.key"), "-startdate", dates.0, "-enddate", dates.1, "-extfile", extensions, "-in",
            path("\(name).csr"), "-out", path("\(name).crt"))
    }

    func settings(_ name: String, asksForClientCertificate: Bool = false) -> String {
        """
        cafile \(path("ca.crt"))
        certfile \(path("\(name).crt"))
        keyfile \(path("\(name).key"))
        require_certificate \(asksForClientCertificate)
        """
    }
}

private func tlsOptions(_ port: Int, ca: String?, host: String = "localhost") -> MQTTOptions {
    var options = testOptions(port, "t")
    options.address = MQTTAddress(host: host, port: port, usesTLS: true)
    options.caFile = ca
    return options
}

private func expectRefusal(_ options: MQTTOptions, _ sentence: String, line: Int = #line) throws {
    let driver = try SourceDriver(MQTTSource(options))
    try driver.run { driver.state.contains("next attempt") }
    #expect(driver.state.contains(sentence), "line \(line): \(driver.state)")
    let found = failure { () throws(Failure) in try MQTTSource.checkAccess(options) }
    #expect(found?.reason.contains(sentence) == true, "line \(line): \(found?.reason ?? "")")
}

@Suite(
    .enabled(
        if: MosquittoServer.isInstalled && ChildProcess.find("openssl") != nil, "needs mosquitto and openssl (apt)"))
struct MQTTTLSTests {
    @Test func messagesComeThroughTLSAndADeathLosesNothing() throws {
        try withScratchFolder { folder in
            let certificates = Certificates(folder)
            certificates.make("broker", alternative: "DNS:localhost")
            let broker = MosquittoServer(folder, settings: certificates.settings("broker"))
            let options = tlsOptions(broker.port, ca: certificates.path("ca.crt"))
            let disk = SourceDriver.Disk()
            try SourceDriver(MQTTSource(options), disk).connect()
            let lines = (0..<3000).map { "\($0)" }
            broker.publish(
                "t", lines: lines, extra: ["--cafile", certificates.path("ca.crt"), "-h", "localhost"])
            var deaths = 0
            while disk.messages.count < lines.count, deaths < 100 {
                let driver = try SourceDriver(MQTTSource(options), disk, batch: MessageBatch(messagesMax: 100))
                deaths += 1
                try driver.run(committing: false) { !driver.pending.isEmpty }
                for round in 0..<12 {
                    if try driver.poll() == .dry { driver.wait() }
                    if (deaths + round) % 3 == 0 { driver.commitOnly() } else { try driver.commit() }
                }
            }
            disk.expect(lines, "\(deaths) deaths")
            #expect(deaths > 1)
        }
    }

    @Test func wrongCertificatesOfTheBrokerAreNamed() throws {
        try withScratchFolder { folder in
            let certificates = Certificates(folder)
            certificates.make("broker", alternative: "DNS:localhost")
            let broker = MosquittoServer(folder, settings: certificates.settings("broker"))
            let authority = certificates.path("ca.crt")
            try expectRefusal(
                tlsOptions(broker.port, ca: certificates.path("stranger.crt")), "is not signed by tls.ca_file")
            try expectRefusal(tlsOptions(broker.port, ca: nil), "is not signed by this machine's authorities")
            try expectRefusal(
                tlsOptions(broker.port, ca: authority, host: "127.0.0.1"), "(/CN=broker) is not for 127.0.0.1")
            var plain = testOptions(broker.port, "t")
            plain.connectTimeoutMilliseconds = 2000
            try expectRefusal(plain, "is port \(broker.port) one for TLS?")
        }
    }

    @Test(arguments: [
        ("20200101000000Z", "20210203000000Z", "expired on 2021-02-03; renew it"),
        ("20900101000000Z", "20910101000000Z", "is valid from 2090-01-01 on; is this machine's clock right?"),
    ])
    func certificatesOutOfTimeAreNamed(from: String, to: String, sentence: String) throws {
        try withScratchFolder { folder in
            let certificates = Certificates(folder)
            certificates.make("broker", alternative: "DNS:localhost", dates: (from, to))
            let broker = MosquittoServer(folder, settings: certificates.settings("broker"))
            try expectRefusal(tlsOptions(broker.port, ca: certificates.path("ca.crt")), sentence)
        }
    }

    @Test func aClientCertificateIsSentAndItsLackIsSaid() throws {
        try withScratchFolder { folder in
            let certificates = Certificates(folder)
            certificates.make("broker", alternative: "IP:127.0.0.1")
            certificates.make("gateway", alternative: "DNS:gateway")
            let broker = MosquittoServer(
                folder, settings: certificates.settings("broker", asksForClientCertificate: true))
            var options = tlsOptions(broker.port, ca: certificates.path("ca.crt"), host: "127.0.0.1")
            try expectRefusal(options, "asks for a client certificate; set tls.cert_file and tls.key_file")
            options.certFile = certificates.path("gateway.crt")
            options.keyFile = certificates.path("gateway.key")
            try MQTTSource.checkAccess(options)
            let driver = try SourceDriver(MQTTSource(options))
            try driver.run { driver.source.report.isConnected }
            options.certFile = certificates.path("stranger.crt")
            options.keyFile = certificates.path("stranger.key")
            try expectRefusal(options, "the broker does not accept tls.cert_file")
        }
    }

    @Test func aPlainListenerIsNotSpokenToInTLS() throws {
        try withScratchFolder { folder in
            let broker = MosquittoServer(folder)
            var options = tlsOptions(broker.port, ca: nil)
            options.connectTimeoutMilliseconds = 3000
            try expectRefusal(options, "does the broker speak TLS on port \(broker.port)?")
        }
    }

    @Test func unusableFilesAreConfigurationFailures() throws {
        try withScratchFolder { folder in
            let certificates = Certificates(folder)
            let garbage = folder.file("garbage", Array("no PEM".utf8))
            var options = tlsOptions(1, ca: "\(folder.path)/missing.crt")
            func expect(_ subject: String, line: Int = #line) {
                let found = failure { () throws(Failure) in try MQTTSource(options).start() }
                #expect(found?.domain == .configuration, "line \(line)")
                #expect(found?.subject == subject, "line \(line): \(found?.description ?? "")")
            }
            expect("tls.ca_file \(folder.path)/missing.crt")
            options.caFile = garbage
            expect("tls.ca_file \(garbage)")
            options.caFile = certificates.path("ca.crt")
            options.certFile = garbage
            expect("tls.cert_file \(garbage)")
            options.certFile = certificates.path("ca.crt")
            options.keyFile = garbage
            expect("tls.key_file \(garbage)")
            options.keyFile = certificates.path("stranger.key")
            expect("tls.key_file \(certificates.path("stranger.key"))")
        }
    }
}
