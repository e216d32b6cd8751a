// AWS Signature Version 4 against the examples that AWS publishes with their signatures: those of the S3
// API reference ("Authenticating requests: using the Authorization header"), of the IAM user guide and
// of its test suite. A signature is right or wrong as a whole, so each is compared as a whole.

import Testing

@testable import WeirConnectors

@Suite struct S3SignatureTests {
    private let s3 = AWSSignature(
        accessKey: "AKIAIOSFODNN7EXAMPLE", secretKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        region: "us-east-1", service: "s3")
    private let host = (name: "host", value: "examplebucket.s3.amazonaws.com")
    private let s3Date = (name: "x-amz-date", value: "20130524T000000Z")

    private func signature(of authorization: String) -> String { String(authorization.suffix(64)) }

    @Test func s3GetObject() {
        let hash = AWSSignature.emptyPayloadHash
        #expect(hash == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
        let request = AWSSignableRequest(
            method: "GET", path: "/test.txt",
            headers: [host, ("range", "bytes=0-9"), ("x-amz-content-sha256", hash), s3Date],
            payloadHash: hash)
        #expect(
            s3.authorization(request, date: s3Date.value)
                == "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, "
                + "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, "
                + "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41")
    }

    @Test func s3PutObject() throws {
        let body = ObjectBody.bytes(Array("Welcome to Amazon S3.".utf8))
        let hash = hexadecimal(try body.sha256(0..<body.length))
        #expect(hash == "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072")
        let request = AWSSignableRequest(
            method: "PUT", path: "/" + percentEncoded("test$file.text", keepingSlashes: true),
            headers: [
                host, ("date", "Fri, 24 May 2013 00:00:00 GMT"), s3Date,
                ("x-amz-storage-class", "REDUCED_REDUNDANCY"), ("x-amz-content-sha256", hash),
            ], payloadHash: hash)
        #expect(
            signature(of: s3.authorization(request, date: s3Date.value))
                == "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd")
    }

    @Test func s3GetBucketLifecycleAndListObjects() {
        let hash = AWSSignature.emptyPayloadHash
        var request = AWSSignableRequest(
            method: "GET", path: "/", query: [("lifecycle", nil)],
            headers: [host, s3Date, ("x-amz-content-sha256", hash)], payloadHash: hash)
        #expect(
            signature(of: s3.authorization(request, date: s3Date.value))
                == "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543")
        request.query = [("prefix", "J"), ("max-keys", "2")]
        #expect(
            signature(of: s3.authorization(request, date: s3Date.value))
                == "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7")
    }

    private let suite = AWSSignature(
        accessKey: "AKIDEXAMPLE", secretKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
        region: "us-east-1", service: "service")
    private let suiteHeaders = [
        (name: "host", value: "example.amazonaws.com"), (name: "x-amz-date", value: "20150830T123600Z"),
    ]

    private func suiteSignature(
        _ method: String, _ path: String, query: [(name: String, value: String?)] = [],
        more: [(name: String, value: String)] = [], body: String = ""
    ) throws -> String {
        let bytes = ObjectBody.bytes(Array(body.utf8))
        let request = AWSSignableRequest(
            method: method, path: path, query: query, headers: suiteHeaders + more,
            payloadHash: hexadecimal(try bytes.sha256(0..<bytes.length)))
        return signature(of: suite.authorization(request, date: "20150830T123600Z"))
    }

    @Test func testSuiteGetAndPost() throws {
        #expect(
            try suiteSignature("GET", "/")
                == "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31")
        #expect(
            try suiteSignature("POST", "/")
                == "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b")
        #expect(
            try suiteSignature("GET", percentEncoded("/ሴ", keepingSlashes: true))
                == "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85")
    }

    @Test func testSuiteQueriesAreSortedAndFormsAreSigned() throws {
        #expect(
            try suiteSignature("GET", "/", query: [("Param2", "value2"), ("Param1", "value1")])
                == "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500")
        #expect(
            try suiteSignature(
                "POST", "/", more: [("content-type", "application/x-www-form-urlencoded")],
                body: "Param1=value1")
                == "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a")
    }

    @Test func iamListUsers() {
        let hash = AWSSignature.emptyPayloadHash
        let iam = AWSSignature(
            accessKey: suite.accessKey, secretKey: suite.secretKey, region: "us-east-1", service: "iam")
        let request = AWSSignableRequest(
            method: "GET", path: "/", query: [("Action", "ListUsers"), ("Version", "2010-05-08")],
            headers: [
                ("content-type", "application/x-www-form-urlencoded; charset=utf-8"),
                ("host", "iam.amazonaws.com"), suiteHeaders[1],
            ], payloadHash: hash)
        #expect(
            signature(of: iam.authorization(request, date: "20150830T123600Z"))
                == "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7")
    }

    @Test func blanksInHeaderValuesAreFolded() {
        let request = AWSSignableRequest(
            method: "GET", path: "/", headers: [("my-header", "  a   b  "), ("host", "h")],
            payloadHash: "x")
        #expect(
            suite.canonicalRequest(request).contains("\nhost:h\nmy-header:a b\n\nhost;my-header\nx"))
    }
}
