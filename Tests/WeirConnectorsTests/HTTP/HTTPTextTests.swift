// The small readers and writers of the HTTP client: URLs, JSON.

import Testing
import WeirCore

@testable import WeirConnectors

@Suite struct HTTPURLTextTests {
    @Test func everythingButUnreservedCharactersIsEncoded() {
        #expect(percentEncoded("a b/c=%~é") == "a%20b%2Fc%3D%25~%C3%A9")
        #expect(percentEncoded("a b/c", keepingSlashes: true) == "a%20b/c")
        #expect(queryString([("a", "1 2"), ("uploads", nil), ("b", "")]) == "a=1%202&uploads&b=")
    }

    @Test func addressesAreTakenApart() {
        let address = ServerAddress("HTTPS://nn.example:9871/gate/way/?x=1")
        #expect(address?.scheme == "https" && address?.host == "nn.example" && address?.port == 9871)
        #expect(address?.path == "/gate/way" && address?.authority == "nn.example:9871")
        #expect(ServerAddress("http://h:80")?.authority == "h")
        #expect(ServerAddress("https://h:80")?.authority == "h:80")
        #expect(ServerAddress("http://[::1]:9870/x")?.host == "[::1]")
    }

    @Test(arguments: [
        "", "h:1", "http://", "http://:1", "http://h:0", "http://h:x", "http://u@h", "http://a b",
    ])
    func whatIsNoAddressIsRefused(_ text: String) {
        #expect(ServerAddress(text) == nil)
    }
}

@Suite struct HTTPJSONTextTests {
    private func parse(_ text: String) -> JSONValue? { JSONValue(parsing: Array(text.utf8)) }

    @Test func documentsOfServersAreRead() {
        let value = parse(
            #" {"FileStatus":{"length":12,"ok":true,"n":null,"a":[1,"x\u00e9\n\ud83d\ude00"]}} "#)
        let status = value?["FileStatus"]
        #expect(status?["length"]?.integer == 12 && status?["ok"]?.bool == true)
        #expect(status?["a"]?.elements?.last?.string == "xé\n😀")
        #expect(status?["absent"] == nil)
    }

    @Test(arguments: [
        "", "{", "{\"a\"}", "{\"a\":1,}", "[1,]", "\"\\x\"", "\"\\ud800\"", "tru", "1e", "{} x",
        "\"a\nb\"", "<html>",
    ])
    func malformedTextIsRefused(_ text: String) {
        #expect(parse(text) == nil)
    }

    @Test func depthIsBounded() {
        #expect(parse(String(repeating: "[", count: 100_000)) == nil)
    }
}
